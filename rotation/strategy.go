package rotation

import (
	"cmp"
	"time"

	"github.com/oauthmux/oauthmux/usage"
)

// Names of the strategies, as rotation.strategy has them.
const (
	StrategySticky       = "sticky"
	StrategyRoundRobin   = "round-robin"
	StrategyLeastUsed    = "least-used"
	StrategySoonestReset = "soonest-reset"
)

// Strategy is a Selector and what a person calls it.
type Strategy struct {
	Name     string
	Means    string // in words for a person
	Selector Selector
}

// Strategies are all there are, the default first. Under each of them a session
// stays with its account while that is available: another one would have to read
// the whole conversation again. They differ in where a new one starts.
func Strategies() []Strategy {
	return []Strategy{
		{StrategySticky, "a new conversation starts on the preferred account", Sticky{}},
		{StrategyRoundRobin, "new conversations start on each account in turn", RoundRobin{}},
		{StrategyLeastUsed, "a new conversation starts where the fullest window is emptiest", LeastUsed{}},
		{StrategySoonestReset, "a new conversation starts where what is left is lost soonest", SoonestReset{}},
	}
}

// SelectorNamed returns the strategy of that name; false: there is none.
func SelectorNamed(name string) (Selector, bool) {
	for _, s := range Strategies() {
		if s.Name == name {
			return s.Selector, true
		}
	}
	return nil, false
}

// RoundRobin starts new sessions on the account that has rested longest, which
// with sessions of like length is each in turn. An account that comes back is
// next; after a restart, when nobody has been used, it begins with the first.
type RoundRobin struct{}

// Pick implements Selector.
func (RoundRobin) Pick(members []Member, hint Hint) int {
	return pick(members, hint, rested)
}

// LeastUsed starts new sessions where the fullest window that counts for the
// request is emptiest. An account without a reading counts as unused: its first
// answer brings one.
type LeastUsed struct{}

// Pick implements Selector.
func (LeastUsed) Pick(members []Member, hint Hint) int {
	return pick(members, hint, func(a, b *Member) int {
		return cmp.Or(cmp.Compare(fullest(a, hint), fullest(b, hint)), cmp.Compare(a.InFlight, b.InFlight), rested(a, b))
	})
}

// SoonestReset starts new sessions where what is left is lost soonest: on the
// account whose longest window ends first. One whose window has not begun, or is
// not known, loses nothing by waiting.
type SoonestReset struct{}

// Pick implements Selector.
func (SoonestReset) Pick(members []Member, hint Hint) int {
	return pick(members, hint, func(a, b *Member) int {
		x, y := reset(a, hint), reset(b, hint)
		switch {
		case x.IsZero() != y.IsZero():
			if y.IsZero() {
				return -1
			}
			return 1
		case !x.Equal(y):
			return x.Compare(y)
		}
		return cmp.Or(cmp.Compare(fullest(a, hint), fullest(b, hint)), rested(a, b))
	})
}

// pick returns the session's account if it has one, else the first of those that
// no other comes before.
func pick(members []Member, hint Hint, compare func(a, b *Member) int) int {
	if hint.Bound >= 0 {
		return hint.Bound
	}
	best := 0
	for i := 1; i < len(members); i++ {
		if compare(&members[i], &members[best]) < 0 {
			best = i
		}
	}
	return best
}

// rested puts the one first whose last request lies further back.
func rested(a, b *Member) int { return a.LastUsed.Compare(b.LastUsed) }

// fullest is the greatest share used of the windows that count for the request.
func fullest(m *Member, hint Hint) float64 {
	most := 0.0
	for _, w := range m.Usage.Windows {
		if counts(w, hint) && (w.ResetsAt.IsZero() || hint.Now.Before(w.ResetsAt)) {
			most = max(most, w.Used)
		}
	}
	return most
}

// reset is when the longest window that counts for the request ends; zero: it has
// not begun, or there is none.
func reset(m *Member, hint Hint) (at time.Time) {
	var longest time.Duration
	for _, w := range m.Usage.Windows {
		if !counts(w, hint) || !hint.Now.Before(w.ResetsAt) {
			continue
		}
		if w.Length > longest || w.Length == longest && (at.IsZero() || w.ResetsAt.Before(at)) {
			longest, at = w.Length, w.ResetsAt
		}
	}
	return at
}

// counts reports whether a request draws on a window.
func counts(w usage.Window, hint Hint) bool { return w.Scope == "" || w.Scope == hint.Scope }
