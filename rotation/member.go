package rotation

import (
	"slices"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

// Cooldown is a span in which an account serves nothing, or no request of one
// model family.
type Cooldown = accounts.Cooldown

// Member is an account as the pool sees it. It is a value; what it points to is
// never written to, only replaced.
type Member struct {
	Account *accounts.Account // as it is stored

	// What is the pool's own. Account may be behind in it: it is stored later.
	Cooldowns  []Cooldown
	Usage      usage.Snapshot
	LastStatus int
	Counts     accounts.Counts

	InFlight  int
	LastUsed  time.Time // when it last took a request; zero: not since the start
	LastError string    // what last went wrong, in words for a person; "": nothing since
}

// tell lays what is the pool's own over a copy of the account.
func (m *Member) tell(a *accounts.Account) {
	a.Cooldowns, a.Usage, a.LastStatus, a.Counts = m.Cooldowns, m.Usage, m.LastStatus, m.Counts
}

// AvailableAt reports whether the account can take a request of that model
// family at the moment now. It is the one predicate: who chooses, who waits and
// who explains all ask here. The scope "" asks for the whole account.
func (m Member) AvailableAt(now time.Time, scope string) bool { return m.availableAt(now, scope) }

// availableAt is AvailableAt without a copy of m.
func (m *Member) availableAt(now time.Time, scope string) bool {
	return !m.Account.Paused && m.Account.NeedsLogin == "" && m.cooling(now, scope) == nil
}

// cooling returns the cooldown that keeps requests of that scope away for
// longest; nil: none does at the moment now.
func (m *Member) cooling(now time.Time, scope string) *Cooldown {
	var longest *Cooldown
	for i := range m.Cooldowns {
		c := &m.Cooldowns[i]
		if (c.Scope == "" || c.Scope == scope) && now.Before(c.Until) && (longest == nil || c.Until.After(longest.Until)) {
			longest = c
		}
	}
	return longest
}

// skipped says why the account cannot take a request of that scope.
func (m *Member) skipped(now time.Time, scope string) Step {
	s := Step{Account: m.Account.ID, Outcome: OutcomeSkipped}
	switch c := m.cooling(now, scope); {
	case m.Account.NeedsLogin != "":
		s.Evidence = "sign in again: " + m.Account.NeedsLogin
	case m.Account.Paused:
		s.Evidence = "paused"
	case c != nil:
		s.Evidence, s.Until = c.Evidence, c.Until
	}
	return s
}

// running returns the cooldowns that have not ended, and shares them if that is
// all of them.
func running(all []Cooldown, now time.Time) []Cooldown {
	ended := func(c Cooldown) bool { return !now.Before(c.Until) }
	if !slices.ContainsFunc(all, ended) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), ended)
}

// maxCooldowns bounds what one account collects: an upstream names the scopes.
const maxCooldowns = 16

// withCooldown returns all with c among them. One of each scope and kind is
// kept, the one that lasts longer. news is false when a person who knew of all
// would learn nothing from c.
func withCooldown(all []Cooldown, c Cooldown, now time.Time) (next []Cooldown, news bool) {
	next = slices.Clone(running(all, now))
	i := slices.IndexFunc(next, func(o Cooldown) bool { return o.Scope == c.Scope && o.Kind == c.Kind })
	switch {
	case i < 0 && len(next) == maxCooldowns:
		i = 0
		for j := range next {
			if next[j].Until.Before(next[i].Until) {
				i = j
			}
		}
		next[i] = c
		return next, true
	case i < 0:
		return append(next, c), true
	case !c.Until.After(next[i].Until):
		return next, false
	}
	news = c.Until.Sub(next[i].Until) > time.Minute
	next[i] = c
	return next, news
}
