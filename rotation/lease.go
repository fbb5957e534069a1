package rotation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

// Ask is what a request asks of the pool.
type Ask struct {
	Provider   accounts.ProviderID
	Session    string
	Pin        accounts.ID // the only one that will do; "": any
	Scope      string
	ScopeKnown bool          // Scope was looked for; "" then means that there is none
	Tried      []accounts.ID // these were asked already
}

// Lease is an account's promise to serve one request, from Acquire to Release.
type Lease struct {
	Account    *accounts.Account // as it is stored: never written to
	Candidates int               // how many accounts were available

	pool     *Pool
	seat     *seat
	skipped  []Step
	counted  bool // the request is in the account's counter
	released bool
}

// ErrScopeWanted says that the answer depends on the request's model family.
var ErrScopeWanted = errors.New("the pool must know the request's model family")

// NobodyError says that no account can take a request.
type NobodyError struct {
	Provider accounts.ProviderID
	Pin      accounts.ID // the only one that was asked for; "": any would have done
	Soonest  time.Time   // when the first one comes back by itself; zero: none does
	Reasons  []Reason    // one for each account that was asked for, in order
}

// Reason is why an account cannot take a request.
type Reason struct {
	Label string
	Step
}

func (e *NobodyError) Error() string {
	return fmt.Sprintf("none of %d accounts of %s is available", len(e.Reasons), e.Provider)
}

func (e *NobodyError) accounts() []accounts.ID {
	ids := make([]accounts.ID, len(e.Reasons))
	for i, r := range e.Reasons {
		ids[i] = r.Account
	}
	return ids
}

// Acquire leases an account for a request. Errors are *NobodyError, or
// ErrScopeWanted when the scope was not looked for and matters.
func (p *Pool) Acquire(ask Ask) (*Lease, error) {
	now := time.Now()
	p.mu.Lock()
	p.follow(now)
	l := p.lanes[ask.Provider]
	if l != nil && !ask.ScopeKnown && l.scopesMatter(now) {
		p.mu.Unlock()
		return nil, ErrScopeWanted
	}
	c := p.choose(l, &ask, now)
	if c.seat == nil {
		nobody, news := p.nobody(l, c.view, &ask, now)
		p.mu.Unlock()
		if news {
			p.journal.Add(accounts.Entry{Kind: accounts.EntryExhausted, Until: nobody.Soonest, Evidence: nobody.Error()})
			p.log.Warn("no account is available", "provider", ask.Provider, "soonest", nobody.Soonest)
		}
		return nil, nobody
	}
	lease := p.lease(c, &ask, now)
	p.mu.Unlock()
	p.touch()
	return lease, nil
}

// Next returns the account that a new request would get.
func (p *Pool) Next(provider accounts.ProviderID) (accounts.Account, bool) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.follow(now)
	c := p.choose(p.lanes[provider], &Ask{Provider: provider}, now)
	if c.seat == nil {
		return accounts.Account{}, false
	}
	m := c.seat.member()
	a := *m.Account
	m.tell(&a)
	return a, true
}

// choice is who serves a request.
type choice struct {
	seat *seat // nil: nobody can
	home *seat // the account that the request's session is with; nil: none
	view *view // who was available; nil: the provider has no account
}

// choose finds who serves a request. p.mu is held.
func (p *Pool) choose(l *lane, ask *Ask, now time.Time) (c choice) {
	if l == nil {
		return c
	}
	c.view = l.available(now, ask.Scope)
	if ask.Pin != "" {
		s := p.seats[ask.Pin]
		if s != nil && s.lane == l && c.view.place(s.at) >= 0 && !slices.Contains(ask.Tried, ask.Pin) {
			c.seat = s
		}
		return c
	}
	among := c.view
	for _, id := range ask.Tried {
		if s := p.seats[id]; s != nil && s.lane == l && among.place(s.at) >= 0 {
			among = among.without(l, s.at)
		}
	}
	if len(among.members) == 0 {
		return c
	}
	hint := Hint{Session: ask.Session, Scope: ask.Scope, Now: now, Bound: -1, Preferred: among.preferred, After: among.after}
	if ask.Session != "" {
		if known := p.sessions.find(sessionKey{ask.Provider, ask.Session}, now); known != nil {
			if s := known.seat; s.lane == l {
				c.home, hint.Bound = s, among.place(s.at)
			}
		}
	}
	c.seat = among.seats[p.selector.Pick(among.members, hint)]
	return c
}

// lease gives the chosen account to the request. p.mu is held.
func (p *Pool) lease(c choice, ask *Ask, now time.Time) *Lease {
	m, l := c.seat.member(), c.seat.lane
	if ask.Session != "" {
		with := c.seat
		// A model family that cannot be served at home does not move the conversation.
		if c.home != nil && c.home.member().availableAt(now, "") {
			with = c.home
		}
		s := p.sessions.use(sessionKey{ask.Provider, ask.Session}, with, now)
		if len(ask.Tried) == 0 {
			s.requests++
		}
	}
	l.exhausted = false
	m.InFlight++
	m.LastUsed = now
	p.inFlight++
	l.touched(c.seat.at)
	return &Lease{
		Account:    m.Account,
		Candidates: len(c.view.members),
		pool:       p,
		seat:       c.seat,
		skipped:    c.view.skipped,
	}
}

// nobody says why a request found no account. news is true for the first one
// that is not told by an earlier request's failure. p.mu is held.
func (p *Pool) nobody(l *lane, v *view, ask *Ask, now time.Time) (e *NobodyError, news bool) {
	e = &NobodyError{Provider: ask.Provider, Pin: ask.Pin}
	if l == nil {
		return e, false
	}
	for m := range l.all() {
		if ask.Pin != "" && m.Account.ID != ask.Pin {
			continue
		}
		reason := Reason{Label: m.Account.Label, Step: m.skipped(now, ask.Scope)}
		if m.availableAt(now, ask.Scope) {
			reason.Evidence, reason.Until = "it was tried for this request", now
		}
		if !reason.Until.IsZero() && (e.Soonest.IsZero() || reason.Until.Before(e.Soonest)) {
			e.Soonest = reason.Until
		}
		e.Reasons = append(e.Reasons, reason)
	}
	if ask.Pin == "" && len(v.members) == 0 && ask.Scope == "" {
		news, l.exhausted = !l.exhausted, true
	}
	return e, news
}

// seen is what an upstream's answer tells about the account that was asked.
type seen struct {
	status  int
	problem string // what was wrong, in words for a person; "": nothing
	windows []usage.Window
}

// answered notes an answer of the upstream.
func (l *Lease) answered(a seen, now time.Time) {
	p := l.pool
	defer p.touch()
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.seat.lane == nil {
		return // the account was removed meanwhile
	}
	m := l.seat.member()
	m.LastStatus, m.LastError = a.status, a.problem
	m.Counts = p.counts(m.Counts, now)
	if !l.counted {
		l.counted = true
		m.Counts.Requests++
	}
	if len(a.windows) > 0 {
		p.observe(l.seat, usage.Snapshot{At: now, Source: usage.SourceHeaders, Windows: a.windows})
	}
	p.writeLate(l.seat)
	l.seat.lane.touched(l.seat.at)
}

// failed notes that the account could not be asked.
func (l *Lease) failed(problem string) {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	if l.seat.lane != nil {
		l.seat.member().LastError = problem
		l.seat.lane.touched(l.seat.at)
	}
}

// Release gives the account back. More than once is once.
func (l *Lease) Release() {
	p := l.pool
	p.mu.Lock()
	again := l.released
	if !again {
		l.released = true
		p.inFlight--
		if l.seat.lane != nil {
			l.seat.member().InFlight--
			l.seat.lane.touched(l.seat.at)
		}
	}
	p.mu.Unlock()
	if !again {
		p.touch()
	}
}

// wentOn notes that a request left an account for another one.
func (p *Pool) wentOn(from, to accounts.ID, took time.Duration, evidence string) {
	now := time.Now()
	p.mu.Lock()
	if s := p.seats[from]; s != nil {
		m := s.member()
		m.Counts = p.counts(m.Counts, now)
		m.Counts.Failovers++
		p.writeLate(s)
		s.lane.touched(s.at)
	}
	p.mu.Unlock()
	p.touch()
	p.journal.Add(accounts.Entry{
		At: now, Kind: accounts.EntryFailover, Account: from, Other: to, Took: took, Evidence: evidence,
	})
}
