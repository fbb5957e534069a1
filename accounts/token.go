package accounts

import (
	"fmt"
	"net/http"
	"time"
)

// Token is what an authorization server granted (RFC 6749, section 5.1), as
// the vault holds it. It is a value: copies may cross goroutines.
type Token struct {
	AccessToken, RefreshToken, IDToken Secret
	TokenType, Scope                   string
	ReceivedAt                         time.Time // when the answer that granted it was complete
	Expiry                             time.Time // ReceivedAt + expires_in
	LoggedInAt                         time.Time // when a person or a browser last authorized; renewals keep it
	Generation                         uint64    // grows by one with each durable grant of the account
}

// renewBefore is how long before its end a token counts as spent (DESIGN 4,
// settled details): a minute, or a tenth of a shorter life.
const renewBefore = time.Minute

// Valid reports whether the access token can still be put on a request at now.
func (t Token) Valid(now time.Time) bool { return t.ValidFor(now, renewBefore) }

// ValidFor reports whether the access token lives for at least margin longer;
// the margin is never more than a tenth of the token's whole life when the
// margin asked for is the ordinary minute, and a half otherwise.
func (t Token) ValidFor(now time.Time, margin time.Duration) bool {
	if t.AccessToken == "" {
		return false
	}
	life := t.Expiry.Sub(t.ReceivedAt)
	share := life / 2
	if margin <= renewBefore {
		share = life / 10
	}
	return t.Expiry.Round(0).Sub(now.Round(0)) > min(margin, max(share, 0))
}

// TokenError is the refusal of a token endpoint (RFC 6749, section 5.2). It
// never holds the body. StatusCode 0 does not occur: without an answer there is
// an ordinary network error instead.
type TokenError struct {
	StatusCode       int
	ErrorCode        string        // "error", or "error.type" of the second envelope (PROTOCOL 1.8)
	ErrorDescription string        // stripped of control characters, at most 200 bytes
	RetryAfter       time.Duration // 0: none was sent
}

func (e *TokenError) Error() string {
	switch {
	case e.ErrorCode == "":
		return fmt.Sprintf("token endpoint answered %d", e.StatusCode)
	case e.ErrorDescription == "":
		return fmt.Sprintf("token endpoint answered %d %s", e.StatusCode, e.ErrorCode)
	}
	return fmt.Sprintf("token endpoint answered %d %s: %s", e.StatusCode, e.ErrorCode, e.ErrorDescription)
}

// Temporary reports whether the refusal says nothing about the login: the
// endpoint was throttled or broken (429, 5xx).
func (e *TokenError) Temporary() bool {
	return e.StatusCode == http.StatusTooManyRequests || e.StatusCode >= http.StatusInternalServerError
}
