package accounts

import "time"

// VerdictKind is what an upstream answer says about the account that sent the
// request (DESIGN 3).
type VerdictKind int

const (
	// Pass hands the answer on: it says nothing against the account.
	Pass VerdictKind = iota
	// Limited says that a quota window of the account, or of one model family, is exhausted.
	Limited
	// Throttled is a 429 with no evidence of a quota.
	Throttled
	// Unauthorized says that the access token was refused (401).
	Unauthorized
	// Forbidden says that the account was refused (403, and what amounts to it).
	Forbidden
	// Overloaded says that the provider as a whole is busy (529); handed on, nobody punished.
	Overloaded
)

var verdictNames = [...]string{"pass", "limited", "throttled", "unauthorized", "forbidden", "overloaded"}

func (k VerdictKind) String() string {
	if k < 0 || int(k) >= len(verdictNames) {
		return "unknown"
	}
	return verdictNames[k]
}

// ScopeRequest is a Verdict.Scope: the model family of the request that was
// judged, whichever that is. Headers do not always name it (PROTOCOL 3.1).
const ScopeRequest = "request"

// Verdict is a provider's judgement of one answer.
type Verdict struct {
	Kind     VerdictKind
	Until    time.Time // zero: the answer did not say
	Scope    string    // "": the whole account; ScopeRequest: the request's model family; else that family
	Evidence string    // in words for a person, without secrets: "5-hour limit reached (429)"
}
