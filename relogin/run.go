package relogin

import (
	"context"
	"errors"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// aheadBy is how long before its expected end a login is renewed, or warned of;
// of a short one, half its life.
const aheadBy = 72 * time.Hour

// Run signs in what can be, without anybody asking, until ctx ends; then it ends
// everything that this Manager started, as Close does. What it signs in, one
// account after the other: those that need a login, and, once a day in a quiet
// moment, those whose login is about to end. A paused account waits until it is
// resumed: nobody misses it. Of a login that is about to end it warns once a day.
func (m *Manager) Run(ctx context.Context) error {
	defer m.Close()
	m.swept.Do(func() {})
	m.sweep(ctx)
	for {
		m.round(ctx)
		select {
		case <-time.After(m.roundEvery): // timers stop in suspend: what is due is told by the clock
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// round does what is due.
func (m *Manager) round(ctx context.Context) {
	for _, a := range m.o.Registry.All() {
		if ctx.Err() != nil {
			return
		}
		age := m.settings(a.Provider).LoginAge
		if asked, due := m.due(a, age, time.Now()); due && m.ready(ctx) {
			asked.atOnce = true // the others do not wait for this one
			err := m.login(ctx, a.ID, asked)
			_, waits := errors.AsType[*WaitError](err)
			if err != nil && !waits && !interrupted(err) && !errors.Is(err, errBusy) && ctx.Err() == nil {
				m.log.Warn("account not signed in again", "account", a.ID, "error", err)
			}
		}
		m.warn(a.ID, age, time.Now())
	}
}

// ready reports whether a login could be stored. Whose matter it is that none can
// be is told elsewhere.
func (m *Manager) ready(ctx context.Context) bool { return m.o.Ready == nil || m.o.Ready(ctx) == nil }

// due reports whether the account is to be signed in now, without anybody asking.
func (m *Manager) due(a accounts.Account, age time.Duration, now time.Time) (asked request, due bool) {
	if a.Paused || a.NeedsYou != "" || a.NeedsLogin == "" && !ending(a, age, now) {
		return request{}, false
	}
	p, err := m.profileOf(a)
	if err != nil || !p.exists() || m.current(a.ID) != nil {
		return request{}, false
	}
	remembered := m.recall(a, p)
	if remembered.waits(a, m.settings(a.Provider), now) != nil && !remembered.amiss {
		return request{}, false
	}
	if a.NeedsLogin != "" {
		return request{}, true
	}
	return request{ahead: true}, remembered.AheadOn != dayOf(now) && (m.o.Idle == nil || m.o.Idle(a.ID))
}

// ending reports whether the account's login is expected to end soon, or to have
// ended. It is an expectation: only the provider knows.
func ending(a accounts.Account, age time.Duration, now time.Time) bool {
	return age > 0 && !a.LoggedInAt.IsZero() && !now.Before(a.LoggedInAt.Add(age-min(aheadBy, age/2)))
}

// warn says, once a day, that the account's login is about to end. It is not said
// of one that has ended, or that is expected to have and goes on.
func (m *Manager) warn(id accounts.ID, age time.Duration, now time.Time) {
	a, err := m.o.Registry.Get(id) // it may have been signed in since
	if err != nil || a.NeedsLogin != "" || !ending(a, age, now) {
		return
	}
	ends := a.LoggedInAt.Add(age)
	if now.After(ends) || !m.firstToday(id, now) {
		return
	}
	m.write(accounts.Entry{Kind: accounts.EntryLoginEnds, Account: id, Until: ends, Evidence: "the login is expected to end"})
}

func (m *Manager) firstToday(id accounts.ID, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	today := dayOf(now)
	told := m.warned[id] == today
	m.warned[id] = today
	return !told
}
