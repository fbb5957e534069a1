package rotation

import (
	"context"
	"errors"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

const (
	// lazyWrite is how long readings and counters may be in memory only.
	lazyWrite = 5 * time.Second
	// announceEvery is how often a busy pool says that it changed.
	announceEvery = 100 * time.Millisecond
	// lookAgain bounds every sleep: timers stop in suspend, and clocks are set.
	lookAgain = time.Minute
)

// Run makes cooldowns durable as they come, readings and counters within 5 s
// and at its end; it announces what changed, and cooldowns that ended.
func (p *Pool) Run(ctx context.Context) error {
	defer p.box.Close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var announced time.Time
	for {
		select {
		case <-p.wake:
		case <-timer.C:
		case <-p.box.Ready():
			p.mu.Lock()
			p.catchUp(time.Now())
			p.mu.Unlock()
			p.touch()
		case <-ctx.Done():
			p.write(time.Now().Add(lazyWrite)) // all of it is due now
			return ctx.Err()
		}
		now := time.Now()
		p.endCooldowns(now)
		p.write(now)
		if now.Sub(announced) >= announceEvery && p.changed.Swap(false) {
			announced = now
			p.bus.Publish(accounts.Event{Kind: accounts.PoolChanged})
		}
		timer.Reset(p.idle(now, announced))
	}
}

// idle returns how long Run has nothing to do unless it is woken.
func (p *Pool) idle(now, announced time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := lookAgain
	if len(p.lazy) > 0 {
		wait = min(wait, p.lazyDue.Sub(now))
	}
	if !p.nextEnd.IsZero() {
		wait = min(wait, p.nextEnd.Sub(now))
	}
	if p.changed.Load() {
		wait = min(wait, announced.Add(announceEvery).Sub(now))
	}
	return max(wait, 0)
}

// writeSoon has what the pool owns of an account written at once. p.mu is held.
func (p *Pool) writeSoon(s *seat) {
	if !s.urgent {
		s.urgent = true
		p.urgent = append(p.urgent, s)
		p.rouse()
	}
}

// writeLate has it written within lazyWrite. p.mu is held.
func (p *Pool) writeLate(s *seat) {
	if s.lazy {
		return
	}
	s.lazy = true
	if len(p.lazy) == 0 {
		p.lazyDue = time.Now().Add(lazyWrite)
	}
	p.lazy = append(p.lazy, s)
}

// write stores what is due, cooldowns first, in the order in which they came. A
// record that cannot be written is tried again with the next lazy ones.
func (p *Pool) write(now time.Time) {
	var failed []*seat
	for {
		s, m := p.nextWrite(now)
		if s == nil {
			break
		}
		_, err := p.accounts.Edit(m.Account.ID, func(a *accounts.Account) error {
			m.tell(a)
			return nil
		})
		if err != nil && !errors.Is(err, accounts.ErrNotFound) {
			p.log.Warn("account record not written", "account", m.Account.ID, "error", err)
			failed = append(failed, s)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range failed {
		p.writeLate(s)
	}
}

// nextWrite takes the next record that is due; a nil seat when none is.
func (p *Pool) nextWrite(now time.Time) (*seat, Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		var s *seat
		switch {
		case len(p.urgent) > 0:
			s, p.urgent = p.urgent[0], p.urgent[1:]
		case len(p.lazy) > 0 && !now.Before(p.lazyDue):
			s, p.lazy = p.lazy[0], p.lazy[1:]
			if !s.lazy {
				continue // written with a cooldown meanwhile
			}
		default:
			return nil, Member{}
		}
		s.urgent, s.lazy = false, false
		if s.lane != nil {
			return s, *s.member()
		}
	}
}

// endCooldowns forgets cooldowns that ended, and says who is back.
func (p *Pool) endCooldowns(now time.Time) {
	p.mu.Lock()
	if p.nextEnd.IsZero() || now.Before(p.nextEnd) {
		p.mu.Unlock()
		return
	}
	var back []accounts.Entry
	p.nextEnd = time.Time{}
	for _, s := range p.seats {
		m := s.member()
		before := m.Cooldowns
		left := running(before, now)
		if len(left) < len(before) {
			p.setCooldowns(s, left)
			p.writeLate(s)
			back = append(back, m.back(before, now)...)
		}
		for _, c := range left {
			if p.nextEnd.IsZero() || c.Until.Before(p.nextEnd) {
				p.nextEnd = c.Until
			}
		}
	}
	p.mu.Unlock()
	for _, e := range back {
		p.journal.Add(e)
		p.log.Info("account is back", "account", e.Account, "scope", e.Scope)
	}
	if len(back) > 0 {
		p.touch()
	}
}

// back returns an entry for each scope that the account serves again.
func (m *Member) back(before []Cooldown, now time.Time) []accounts.Entry {
	var entries []accounts.Entry
	told := make(map[string]bool)
	for _, c := range before {
		if !now.Before(c.Until) && !told[c.Scope] && m.availableAt(now, c.Scope) {
			told[c.Scope] = true
			entries = append(entries, accounts.Entry{At: now, Kind: accounts.EntryBack, Account: m.Account.ID, Scope: c.Scope})
		}
	}
	return entries
}
