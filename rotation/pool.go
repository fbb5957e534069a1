package rotation

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

// PoolOptions are what a pool is made of.
type PoolOptions struct {
	Accounts Accounts
	Bus      *accounts.Bus     // nil: nobody tells and nobody is told
	Journal  *accounts.Journal // nil: nothing is noted
	Log      *slog.Logger      // nil: nothing is logged
	Selector Selector          // nil: Sticky
}

// Pool knows who is available, and owns cooldowns, readings and counters. It
// answers from memory; Run makes durable what is to survive a restart.
type Pool struct {
	accounts Accounts
	bus      *accounts.Bus
	journal  *accounts.Journal
	log      *slog.Logger
	box      *accounts.Mailbox // what the registry announces
	wake     chan struct{}     // Run has something to do
	changed  atomic.Bool       // Run has something to announce

	mu       sync.Mutex // guards what follows; never held over I/O
	selector Selector
	lanes    map[accounts.ProviderID]*lane
	seats    map[accounts.ID]*seat
	sessions sessions
	inFlight int
	nextEnd  time.Time // a cooldown ends then; zero: none runs
	urgent   []*seat   // to be written at once, in this order
	lazy     []*seat   // to be written at lazyDue
	lazyDue  time.Time
	day      string // the local day that began at dayBegan
	dayBegan time.Time
	dayEnds  time.Time
}

// NewPool reads the accounts. It starts nothing.
func NewPool(o PoolOptions) *Pool {
	p := &Pool{
		accounts: o.Accounts,
		bus:      o.Bus,
		journal:  o.Journal,
		log:      o.Log,
		selector: o.Selector,
		wake:     make(chan struct{}, 1),
		lanes:    make(map[accounts.ProviderID]*lane),
		seats:    make(map[accounts.ID]*seat),
	}
	if p.bus == nil {
		p.bus = new(accounts.Bus)
	}
	if p.journal == nil {
		p.journal = new(accounts.Journal)
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.selector == nil {
		p.selector = Sticky{}
	}
	p.box = p.bus.Subscribe(16, accounts.AccountsChanged)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reload(time.Now())
	return p
}

// Members returns the accounts of a provider in order; "" those of all
// providers.
func (p *Pool) Members(provider accounts.ProviderID) []Member {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.follow(now)
	names := []accounts.ProviderID{provider}
	if provider == "" {
		names = slices.Sorted(maps.Keys(p.lanes))
	}
	var all []Member
	for _, name := range names {
		l := p.lanes[name]
		if l == nil {
			continue
		}
		all = slices.Grow(all, len(l.members))
		for known := range l.all() {
			all = append(all, *known)
			m := &all[len(all)-1]
			m.Cooldowns = running(m.Cooldowns, now)
			m.Counts = p.counts(m.Counts, now)
		}
	}
	return all
}

// Choose has s choose from now on. Sessions stay where they are.
func (p *Pool) Choose(s Selector) {
	p.mu.Lock()
	p.selector = s
	p.mu.Unlock()
	p.touch()
}

// InFlight returns how many requests are under way.
func (p *Pool) InFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inFlight
}

// Sessions returns the conversations that stick to an account, the one used last
// first.
func (p *Pool) Sessions() []SessionView {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions.views(time.Now())
}

// Decisions returns the last decisions about an account, those that passed it by
// included, oldest first.
func (p *Pool) Decisions(id accounts.ID) []Decision {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.seats[id]; s != nil && s.memory != nil {
		return s.memory.all()
	}
	return nil
}

// Cool keeps requests away from an account for a while. It is durable soon after.
func (p *Pool) Cool(id accounts.ID, c Cooldown) {
	now := time.Now()
	c.Until = c.Until.Round(0) // timers stop in suspend, and so does the monotonic clock
	if !now.Before(c.Until) {
		return
	}
	p.mu.Lock()
	s := p.seats[id]
	if s == nil {
		p.mu.Unlock()
		return
	}
	next, news := withCooldown(s.member().Cooldowns, c, now)
	p.setCooldowns(s, next)
	if p.nextEnd.IsZero() || c.Until.Before(p.nextEnd) {
		p.nextEnd = c.Until
	}
	p.writeSoon(s)
	p.mu.Unlock()
	p.touch()
	if news {
		p.log.Info("account cooling down", "account", id, "until", c.Until, "scope", c.Scope, "evidence", c.Evidence)
		p.journal.Add(accounts.Entry{Kind: accounts.EntryCooling, Account: id, Scope: c.Scope, Until: c.Until, Evidence: c.Evidence})
	}
}

// Observe takes in a reading of an account's windows. It is durable within
// seconds.
func (p *Pool) Observe(id accounts.ID, s usage.Snapshot) {
	p.mu.Lock()
	if seat := p.seats[id]; seat != nil {
		p.observe(seat, s)
		seat.lane.touched(seat.at)
	}
	p.mu.Unlock()
	p.touch()
}

func (p *Pool) observe(s *seat, reading usage.Snapshot) {
	m := s.member()
	m.Usage = m.Usage.Merge(reading)
	p.writeLate(s)
}

// setCooldowns replaces an account's cooldowns. p.mu is held.
func (p *Pool) setCooldowns(s *seat, all []Cooldown) {
	s.member().Cooldowns = all
	s.lane.changed()
}

// counts returns c, or nothing counted if it is of another day. p.mu is held.
func (p *Pool) counts(c accounts.Counts, now time.Time) accounts.Counts {
	if now.Before(p.dayBegan) || !now.Before(p.dayEnds) {
		year, month, day := now.Date()
		p.dayBegan = time.Date(year, month, day, 0, 0, 0, 0, time.Local)
		p.dayEnds = time.Date(year, month, day+1, 0, 0, 0, 0, time.Local)
		p.day = p.dayBegan.Format(time.DateOnly)
	}
	if c.Day != p.day {
		return accounts.Counts{Day: p.day}
	}
	return c
}

// touch has the pool's change announced.
func (p *Pool) touch() {
	if p.changed.CompareAndSwap(false, true) {
		p.rouse()
	}
}

func (p *Pool) rouse() {
	select {
	case p.wake <- struct{}{}:
	default: // it is on its way
	}
}

// follow takes in what the registry announced. It is asked on every request, so
// that a choice made before a request counts for it. p.mu is held.
func (p *Pool) follow(now time.Time) {
	p.catchUp(now)
}

func (p *Pool) catchUp(now time.Time) {
	events, missed := p.box.Drain()
	if len(events) == 0 && missed == 0 {
		return
	}
	whole := missed > 0
	for _, e := range events {
		whole = whole || !p.refetch(e.Account, now)
	}
	if whole {
		p.reload(now)
		return
	}
	for provider, l := range p.lanes {
		if id := p.accounts.Preferred(provider); id != l.preferred {
			l.preferred = id
			l.changed()
		}
	}
}

// refetch takes in one account's record. It reports false when that changes more
// than the account itself.
func (p *Pool) refetch(id accounts.ID, now time.Time) bool {
	s := p.seats[id]
	if s == nil {
		return false
	}
	a, err := p.accounts.Shared(id)
	if err != nil || a.Provider != s.member().Account.Provider || a.Order != s.member().Account.Order {
		return false
	}
	*s.member() = p.merge(*s.member(), a, now)
	s.lane.changed()
	return true
}

// adopt takes in what the registry knows of one account by now, without waiting
// to be told.
func (p *Pool) adopt(id accounts.ID) {
	now := time.Now()
	p.mu.Lock()
	if !p.refetch(id, now) {
		p.reload(now)
	}
	p.mu.Unlock()
	p.touch()
}

// reload takes in every record.
func (p *Pool) reload(now time.Time) {
	all := p.accounts.AllShared()
	slices.SortFunc(all, func(a, b *accounts.Account) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Order, b.Order), cmp.Compare(a.ID, b.ID))
	})
	sizes := make(map[accounts.ProviderID]int)
	for _, a := range all {
		sizes[a.Provider]++
	}
	before := p.seats
	p.seats = make(map[accounts.ID]*seat, len(all))
	members := make(map[accounts.ID]Member, len(before)) // as they were
	for id, s := range before {
		members[id] = *s.member()
		s.lane = nil
	}
	lanes := make(map[accounts.ProviderID]*lane)
	for _, a := range all {
		l := lanes[a.Provider]
		if l == nil {
			size := sizes[a.Provider]
			l = &lane{
				members: make([]Member, 0, size), seats: make([]*seat, 0, size), preferred: p.accounts.Preferred(a.Provider),
			}
			if old := p.lanes[a.Provider]; old != nil {
				l.exhausted = old.exhausted
			}
			lanes[a.Provider] = l
		}
		s := before[a.ID]
		if s == nil {
			s = new(seat)
		}
		s.lane, s.at = l, len(l.members)
		p.seats[a.ID] = s
		l.seats = append(l.seats, s)
		l.members = append(l.members, p.merge(members[a.ID], a, now))
	}
	p.lanes = lanes
}

// merge lays a record of the registry over what the pool knows of the account.
// What the pool owns it only takes when the account is new: later it is an echo.
func (p *Pool) merge(m Member, a *accounts.Account, now time.Time) Member {
	known := m.Account
	m.Account = a
	if known == nil {
		m.Cooldowns, m.Usage, m.LastStatus, m.Counts = running(a.Cooldowns, now), a.Usage, a.LastStatus, a.Counts
		for _, c := range m.Cooldowns {
			if p.nextEnd.IsZero() || c.Until.Before(p.nextEnd) {
				p.nextEnd = c.Until
			}
		}
		return m
	}
	loggedIn := a.LoggedInAt.After(known.LoggedInAt)
	if loggedIn || a.TokenExpiresAt.After(known.TokenExpiresAt) {
		m.Cooldowns = slices.DeleteFunc(slices.Clone(m.Cooldowns), func(c Cooldown) bool {
			return c.Kind == accounts.CoolRenewal || loggedIn && c.Kind == accounts.CoolAuth
		})
	}
	return m
}
