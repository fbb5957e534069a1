package rotation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/vault"
	"github.com/oauthmux/oauthmux/usage"
)

const (
	renewRetry   = time.Minute // after a renewal that failed; twice as long after each further one
	renewLimit   = 2 * time.Minute
	pingLimit    = time.Minute
	pingRefusals = 2 // in a row, until pings are off
	roundJitter  = 0.05
)

// KeepaliveSettings are the config file's words on one provider (DESIGN 6).
type KeepaliveSettings struct {
	Enabled       bool
	Interval      time.Duration // between two rounds of an account
	FirstAfter    time.Duration // from the start, or from an account's arrival, to its first round
	RefreshBefore time.Duration // a token that lives for less is renewed
	Ping          bool
	PingModel     string // "": the provider's
}

// KeepaliveOptions are what a keepalive is made of.
type KeepaliveOptions struct {
	Accounts  Accounts
	Providers *accounts.Set
	Pool      interface {
		Members(p accounts.ProviderID) []Member
		Cool(id accounts.ID, c Cooldown)
		Observe(id accounts.ID, s usage.Snapshot)
	}
	Refresher interface {
		Ahead(ctx context.Context, a accounts.Account, p *accounts.Provider, margin time.Duration) (accounts.Token, error)
	}
	Client   func(*accounts.Provider) accounts.Doer // sends pings: accounts.StrictClient
	Settings func(accounts.ProviderID) KeepaliveSettings
	Journal  *accounts.Journal
	Log      *slog.Logger
}

// Keepalive keeps logins alive while nobody uses them. It renews tokens before
// they expire, and once in a while sends the provider's smallest request for an
// account that had nothing to do. What it sends is nobody's request: it changes no
// cooldown, no counter and no session.
type Keepalive struct {
	o KeepaliveOptions

	mu     sync.Mutex // guards what follows, and what states point to
	states map[accounts.ID]*keptAlive
	looked time.Time // at the clock
}

// keptAlive is what the keepalive knows of one account. Its moments are nanoseconds
// since 1970; there may be thousands of it.
type keptAlive struct {
	last     int64 // round; 0: none yet
	next     int64 // round
	renewAt  int64 // earliest, after failures
	failures int32 // of renewals, in a row
	refusals int32 // of pings, in a row
}

// NewKeepalive makes a keepalive. It starts nothing.
func NewKeepalive(o KeepaliveOptions) *Keepalive {
	return &Keepalive{o: o, states: make(map[accounts.ID]*keptAlive)}
}

// Run works until ctx ends.
func (k *Keepalive) Run(ctx context.Context) error {
	work := chores{due: k.due, cool: k.o.Pool.Cool, log: k.o.Log}
	return work.run(ctx, nil)
}

// due returns what is to be done now, and when there may be more.
func (k *Keepalive) due(now time.Time, busy func(accounts.ID) bool) (all []chore, next time.Time) {
	next = now.Add(choreLook)
	members := k.o.Pool.Members("")
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forgetOthers(members)
	k.follow(now)
	for i := range members {
		m := &members[i]
		s := k.o.Settings(m.Account.Provider)
		if !s.Enabled {
			continue
		}
		st := k.states[m.Account.ID]
		if st == nil {
			first := nanos(now.Add(s.FirstAfter))
			st = &keptAlive{next: first, renewAt: first}
			k.states[m.Account.ID] = st
		}
		if busy(m.Account.ID) {
			continue
		}
		renew := m.Account.NeedsLogin == "" && now.UnixNano() >= st.renewAt && m.Account.TokenExpiresAt.Sub(now) < s.RefreshBefore
		ping := false
		if now.UnixNano() >= st.next {
			ping = s.Ping && wantsPing(m, time.Unix(0, st.last), now)
			// One round however many were missed in a suspend.
			wait := s.Interval + time.Duration(roundJitter*rand.Float64()*float64(s.Interval)) //nolint:gosec // spreads rounds, guards nothing
			st.last, st.next = nanos(now), nanos(now.Add(wait))
		}
		if at := time.Unix(0, st.next); at.Before(next) {
			next = at
		}
		if renew || ping {
			all = append(all, chore{m.Account.ID, func(ctx context.Context) { k.visit(ctx, m.Account.ID, ping) }})
		}
	}
	return all, next
}

// nanos is t in nanoseconds since 1970, as far as they go: until 2262, which is as
// good as never.
func nanos(t time.Time) int64 {
	if last := time.Unix(0, math.MaxInt64); t.After(last) {
		return math.MaxInt64
	}
	return t.UnixNano()
}

// follow has what is settled go along with a clock that was set back: it is to come
// as soon as it would have, not when that clock has made up for it. k.mu is held.
func (k *Keepalive) follow(now time.Time) {
	back := int64(k.looked.Sub(now))
	k.looked = now
	if back <= 0 {
		return
	}
	for _, st := range k.states {
		if st.last != 0 {
			st.last -= back
		}
		st.next -= back
		st.renewAt -= back
	}
}

// wantsPing reports whether only a ping would show the provider that the account
// is in use.
func wantsPing(m *Member, last, now time.Time) bool {
	return m.AvailableAt(now, "") && m.Account.PingsOff == "" && m.InFlight == 0 && (m.LastUsed.IsZero() || m.LastUsed.Before(last))
}

// forgetOthers drops what is known of accounts that are gone. k.mu is held.
func (k *Keepalive) forgetOthers(members []Member) {
	if len(k.states) <= len(members) {
		return
	}
	here := make(map[accounts.ID]bool, len(members))
	for i := range members {
		here[members[i].Account.ID] = true
	}
	for id := range k.states {
		if !here[id] {
			delete(k.states, id)
		}
	}
}

// visit renews an account's token if it has to be, and pings.
func (k *Keepalive) visit(ctx context.Context, id accounts.ID, ping bool) {
	a, err := k.o.Accounts.Get(id)
	if err != nil {
		return // it was removed meanwhile
	}
	p, ok := k.o.Providers.Get(a.Provider)
	if !ok {
		return // its provider is no longer configured; the screen says so
	}
	s := k.o.Settings(a.Provider)
	wait, cancel := context.WithTimeout(ctx, renewLimit)
	defer cancel()
	token, err := k.o.Refresher.Ahead(wait, a, p, s.RefreshBefore)
	k.renewed(id, err, s.Interval)
	switch {
	case err != nil:
		if ctx.Err() == nil {
			k.o.Log.Debug("token not renewed ahead of time", "account", id, "error", err)
		}
	case ping && p.Ping != nil:
		k.ping(ctx, a, p, token, s.PingModel)
	}
}

// renewed settles when a renewal is tried again. What a failure means for the
// account was settled where it was seen.
func (k *Keepalive) renewed(id accounts.ID, err error, interval time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	st := k.states[id]
	if st == nil {
		return
	}
	if err == nil {
		st.failures = 0
		return
	}
	if _, locked := errors.AsType[*vault.KeyError](err); locked {
		st.renewAt = time.Now().Add(renewRetry).UnixNano() // nobody was asked: look again when the key may be there
		return
	}
	wait := min(renewRetry<<min(st.failures, 10), max(interval, renewRetry))
	if te, ok := errors.AsType[*accounts.TokenError](err); ok {
		if !te.Temporary() {
			wait = max(interval, renewRetry) // it was refused: asking soon again changes nothing
		}
		wait = max(wait, te.RetryAfter)
	}
	if rests, ok := errors.AsType[*accounts.PostponedError](err); ok {
		wait = max(wait, time.Until(rests.Until))
	}
	st.failures++
	st.renewAt = time.Now().Add(wait).UnixNano()
}

// ping sends the provider's smallest request for the account.
func (k *Keepalive) ping(ctx context.Context, a accounts.Account, p *accounts.Provider, t accounts.Token, model string) {
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	status, evidence, err := k.send(ctx, a, p, t, model)
	if err != nil {
		k.o.Log.Debug("ping got no answer", "account", a.ID, "error", err)
		return // the network's fault, not the account's
	}
	k.o.Log.Debug("pinged", "account", a.ID, "status", status)
	if k.refused(a.ID, status) < pingRefusals {
		return
	}
	reason := fmt.Sprintf("%d pings in a row were refused: %s", pingRefusals, evidence)
	_, err = k.o.Accounts.Edit(a.ID, func(a *accounts.Account) error {
		a.PingsOff = reason
		return nil
	})
	if err != nil {
		k.o.Log.Warn("pings could not be switched off", "account", a.ID, "error", err)
		return
	}
	k.o.Log.Info("pings switched off", "account", a.ID, "reason", reason)
	k.o.Journal.Add(accounts.Entry{Kind: accounts.EntryPings, Account: a.ID, Evidence: reason})
}

// send sends one ping and reads what the answer says.
func (k *Keepalive) send(ctx context.Context, a accounts.Account, p *accounts.Provider, t accounts.Token, model string) (status int, evidence string, err error) {
	req, err := p.Ping(ctx, model)
	if err != nil {
		return 0, "", err
	}
	p.Authorize(req, a, t)
	resp, err := k.o.Client(p).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }() // read as far as it matters
	peek, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return 0, "", err
	}
	now := time.Now()
	if p.Windows != nil {
		if windows := withFamily(p.Windows(resp.Header, now), func() string { return "" }); len(windows) > 0 {
			k.o.Pool.Observe(a.ID, usage.Snapshot{At: now, Source: usage.SourceHeaders, Windows: windows})
		}
	}
	evidence = strconv.Itoa(resp.StatusCode)
	if p.Judge != nil && resp.StatusCode >= http.StatusBadRequest {
		if v := p.Judge(resp, peek, now); v.Evidence != "" {
			evidence = v.Evidence
		}
	}
	return resp.StatusCode, evidence, nil
}

// refused counts refusals in a row. A limit, and a server in trouble, refuse
// nothing: they say "not now".
func (k *Keepalive) refused(id accounts.ID, status int) int32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	st := k.states[id]
	if st == nil {
		return 0
	}
	switch {
	case status < http.StatusBadRequest:
		st.refusals = 0
	case status < http.StatusInternalServerError && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout:
		st.refusals++
		return st.refusals
	}
	return 0
}
