package rotation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

// usageLimit is how long one reading may take.
const usageLimit = 30 * time.Second

// tokenRest is how long an account is left alone that had no token to ask with, unless
// one comes: the vault is locked, or the token endpoint is in trouble.
const tokenRest = time.Minute

// retryAfterMost is the longest wait that a usage endpoint is believed.
const retryAfterMost = 2 * time.Hour

// PollerOptions are what a poller is made of.
type PollerOptions struct {
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
	Client   func(*accounts.Provider) accounts.Doer // asks: accounts.StrictClient
	Interval time.Duration                          // usage.poll; raised to what an upstream bears
	Bus      *accounts.Bus                          // says when a token came or may be had, and with it something to read; may be nil
	Log      *slog.Logger
}

// Poller reads the usage of accounts whose answers have not told it: at a pace
// that the upstream bears, within a budget that survives a restart and that every
// process of this home shares.
type Poller struct {
	o PollerOptions

	tokens *accounts.Mailbox // of Bus; nil: none
	chance maphash.Seed      // of the jitter

	mu    sync.Mutex                // guards what follows
	rests map[accounts.ID]time.Time // until when; only of accounts that had no token
}

// TooSoonError says that usage may not be asked for yet.
type TooSoonError struct{ Until time.Time }

func (e *TooSoonError) Error() string {
	return "usage may not be asked for before " + e.Until.Local().Format(time.TimeOnly)
}

// ErrNoUsage says that the account's provider has no usage to read.
var ErrNoUsage = errors.New("the provider tells no usage")

// NewPoller makes a poller. It starts nothing.
func NewPoller(o PollerOptions) *Poller {
	return &Poller{o: o, chance: maphash.MakeSeed(), rests: make(map[accounts.ID]time.Time)}
}

// Run reads what is due until ctx ends.
func (p *Poller) Run(ctx context.Context) error {
	var wake <-chan struct{}
	if p.o.Bus != nil {
		p.tokens = p.o.Bus.Subscribe(1, accounts.TokenChanged, accounts.KeyChanged)
		defer p.tokens.Close()
		wake = p.tokens.Ready()
	}
	work := chores{due: p.due, cool: p.o.Pool.Cool, log: p.o.Log}
	return work.run(ctx, wake)
}

// Read asks for an account's usage now. A *TooSoonError says that the budget does
// not allow it yet.
func (p *Poller) Read(ctx context.Context, id accounts.ID) error {
	if err := p.read(ctx, id); err != nil {
		return fmt.Errorf("read usage of %q: %w", id, err)
	}
	return nil
}

// due returns the readings that are due, and when the next one is.
func (p *Poller) due(now time.Time, busy func(accounts.ID) bool) (all []chore, next time.Time) {
	next = now.Add(choreLook)
	p.wakeRested()
	members := p.o.Pool.Members("")
	for i := range members {
		m := &members[i]
		if m.Account.NeedsLogin != "" || busy(m.Account.ID) {
			continue
		}
		at, ok := p.dueAt(m, now)
		switch {
		case !ok:
		case at.After(now):
			if at.Before(next) {
				next = at
			}
		default:
			all = append(all, chore{m.Account.ID, func(ctx context.Context) { p.poll(ctx, m.Account.ID) }})
		}
	}
	return all, next
}

// dueAt returns when an account's usage is to be read next; false: never.
func (p *Poller) dueAt(m *Member, now time.Time) (time.Time, bool) {
	provider, ok := p.o.Providers.Get(m.Account.Provider)
	if !ok || provider.Usage == nil {
		return time.Time{}, false
	}
	reads := m.Account.Reads
	if n := len(reads.At); n > 0 && m.Account.LoggedInAt.After(reads.At[n-1]) {
		reads.Failures = 0 // they were another login's
	}
	at := p.pace(provider).Due(reads, m.Usage, now, p.jitterOf(m.Account))
	if rest := p.restOf(m.Account.ID, now); rest.After(at) {
		at = rest
	}
	return at, true
}

// restOf returns until when an account has nothing to ask with; zero: it may have. A
// clock that was set back does not make a rest longer.
func (p *Poller) restOf(id accounts.ID, now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, rests := p.rests[id]
	if rests && (!until.After(now) || until.Sub(now) > tokenRest) {
		delete(p.rests, id)
		return time.Time{}
	}
	return until
}

// rest leaves an account alone for a while.
func (p *Poller) rest(id accounts.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rests[id] = time.Now().Round(0).Add(tokenRest)
}

// wakeRested ends every rest if a token came, or the vault's key did.
func (p *Poller) wakeRested() {
	if p.tokens == nil {
		return
	}
	if events, missed := p.tokens.Drain(); len(events)+missed == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.rests)
}

func (p *Poller) pace(provider *accounts.Provider) usage.Pace {
	return usage.PaceFor(p.o.Interval, onLoopback(provider.Upstream))
}

// jitterOf returns the account's place between -1 and 1. It changes with every
// reading only: a moment that moves at every look would never come.
func (p *Poller) jitterOf(a *accounts.Account) float64 {
	reading := struct {
		of    accounts.ID
		after int64
	}{of: a.ID}
	if n := len(a.Reads.At); n > 0 {
		reading.after = a.Reads.At[n-1].UnixNano()
	}
	return 2*float64(maphash.Comparable(p.chance, reading))/math.MaxUint64 - 1
}

// poll is a reading that nobody asked for.
func (p *Poller) poll(ctx context.Context, id accounts.ID) {
	err := p.read(ctx, id)
	if err == nil || ctx.Err() != nil {
		return
	}
	if _, soon := errors.AsType[*TooSoonError](err); !soon { // another process was quicker
		p.o.Log.Debug("usage not read", "account", id, "error", err)
	}
}

func (p *Poller) read(ctx context.Context, id accounts.ID) error {
	a, err := p.o.Accounts.Get(id)
	if err != nil {
		return err
	}
	provider, ok := p.o.Providers.Get(a.Provider)
	if !ok || provider.Usage == nil {
		return ErrNoUsage
	}
	pace := p.pace(provider)
	if err := allowed(pace, a.Reads); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, usageLimit)
	defer cancel()
	token, err := p.o.Refresher.Ahead(ctx, a, provider, usageLimit)
	if err != nil {
		p.rest(id)
		return err
	}
	// The reading is on the account before it is asked for: no crash and no other
	// process asks for more than the budget.
	a, err = p.o.Accounts.Edit(id, func(a *accounts.Account) error {
		if err := allowed(pace, a.Reads); err != nil {
			return err
		}
		a.Reads = a.Reads.Taken(time.Now())
		return nil
	})
	if err != nil {
		return err
	}
	asked := &heard{Doer: p.o.Client(provider)}
	snapshot, err := provider.Usage(ctx, asked, a, token, time.Now())
	if err == nil {
		p.o.Pool.Observe(id, snapshot)
	}
	if err == nil && a.Reads.Failures == 0 {
		return nil
	}
	settled := p.settle(id, pace, asked, err) // how it went is written down also when it failed
	return cmp.Or(err, settled)
}

func allowed(pace usage.Pace, r usage.Reads) error {
	now := time.Now().Round(0)
	if at := pace.Allowed(r, now); at.After(now) {
		return &TooSoonError{Until: at}
	}
	return nil
}

// settle notes what became of a reading, where that changes when the next may be.
func (p *Poller) settle(id accounts.ID, pace usage.Pace, asked *heard, failure error) error {
	_, err := p.o.Accounts.Edit(id, func(a *accounts.Account) error {
		now := time.Now()
		switch {
		case failure == nil:
			a.Reads = a.Reads.Answered()
		case asked.status == http.StatusTooManyRequests:
			wait, _ := accounts.RetryAfter(asked.header, now, 0, retryAfterMost)
			a.Reads = pace.Refused(a.Reads, now, wait)
		default:
			a.Reads = a.Reads.Failed()
		}
		return nil
	})
	return err
}

// heard remembers the head of the last answer.
type heard struct {
	accounts.Doer
	status int
	header http.Header
}

// Do implements accounts.Doer.
func (h *heard) Do(r *http.Request) (*http.Response, error) {
	resp, err := h.Doer.Do(r)
	if err == nil {
		h.status, h.header = resp.StatusCode, resp.Header
	}
	return resp, err
}

// onLoopback reports whether an upstream is on this machine.
func onLoopback(upstream string) bool {
	u, err := url.Parse(upstream)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
