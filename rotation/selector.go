package rotation

import "time"

// Hint is what a Selector may know of a request besides who is available.
type Hint struct {
	Session string // what keeps a conversation together; "": nothing does
	Scope   string // the model family, where it matters now; "": it does not
	Now     time.Time

	// Places among the members at hand; -1: it is not among them.
	Bound     int // the account that the session is with
	Preferred int // the person's choice
	After     int // the next in order after the person's choice; never -1
}

// Selector chooses among accounts. Pick is given available members only, in
// order and at least one, and returns the place of one of them. It is called
// under the pool's lock: it must be quick, must not call back, and must not
// keep members.
type Selector interface {
	Pick(members []Member, hint Hint) int
}

// Sticky is the strategy that changes as little as possible, because an account
// that has seen a conversation still has it in its cache: a session stays with
// its account while that is available; a new one starts on the person's choice,
// else on the next in order.
type Sticky struct{}

// Pick implements Selector.
func (Sticky) Pick(_ []Member, hint Hint) int {
	switch {
	case hint.Bound >= 0:
		return hint.Bound
	case hint.Preferred >= 0:
		return hint.Preferred
	}
	return hint.After
}
