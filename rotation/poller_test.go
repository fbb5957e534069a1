package rotation

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

// pollerRun is a poller over fakes, and what it asked.
type pollerRun struct {
	*Poller
	pool     *crew
	started  time.Time
	readings []time.Duration // since started
	status   int             // of the answers
	after    string          // their Retry-After
	tokenErr error
	wanted   atomic.Int32 // tokens
	locked   atomic.Bool  // there are none
	bus      accounts.Bus
}

func newPollerRun(t *testing.T, interval time.Duration, upstream string, ids ...accounts.ID) *pollerRun {
	t.Helper()
	p := &pollerRun{pool: newCrew(ids...), started: time.Now(), status: 200}
	set := mustSet(t)
	provider, _ := set.Get("anthropic")
	if upstream != "" {
		provider.Upstream = upstream
	}
	provider.Usage = func(ctx context.Context, c accounts.Doer, _ accounts.Account, _ accounts.Token, now time.Time) (usage.Snapshot, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, provider.Upstream+"/usage", nil)
		if err != nil {
			return usage.Snapshot{}, err
		}
		resp, err := c.Do(r)
		if err != nil {
			return usage.Snapshot{}, err
		}
		defer shut(resp.Body)
		if resp.StatusCode != http.StatusOK {
			return usage.Snapshot{}, errors.New("usage answered " + strconv.Itoa(resp.StatusCode))
		}
		return usage.Snapshot{At: now, Source: usage.SourcePoll, Windows: []usage.Window{{Name: usage.FiveHour, Used: 0.5}}}, nil
	}
	p.Poller = NewPoller(PollerOptions{
		Accounts: p.pool, Providers: set, Pool: p.pool, Refresher: p,
		Client:   func(*accounts.Provider) accounts.Doer { return p },
		Interval: interval, Bus: &p.bus, Log: quiet(),
	})
	return p
}

// Ahead implements the refresher as far as a poller needs it.
func (p *pollerRun) Ahead(context.Context, accounts.Account, *accounts.Provider, time.Duration) (accounts.Token, error) {
	p.wanted.Add(1)
	if p.locked.Load() {
		return accounts.Token{}, errors.New("locked")
	}
	return accounts.Token{AccessToken: "t"}, p.tokenErr
}

// Do implements accounts.Doer.
func (p *pollerRun) Do(r *http.Request) (*http.Response, error) {
	p.readings = append(p.readings, time.Since(p.started))
	resp := answer(r, p.status, "{}")
	if p.after != "" {
		resp.Header.Set("Retry-After", p.after)
	}
	return resp, nil
}

func TestPollerReadsAtItsPace(t *testing.T) {
	for name, c := range map[string]struct {
		interval time.Duration
		upstream string
		within   time.Duration
		lo, hi   int
	}{
		"default":             {5 * time.Minute, "", 5 * time.Hour, 55, 65},
		"faster than allowed": {time.Second, "", 5 * time.Hour, 80, 100},
		"a simulation":        {2 * time.Second, "http://127.0.0.1:9", 5 * time.Minute, 130, 165},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPollerRun(t, c.interval, c.upstream, "a")
			runFor(t, p.Run, c.within)
			if n := len(p.readings); n < c.lo || n > c.hi {
				t.Errorf("%s: %d readings in %v, want %d to %d", name, n, c.within, c.lo, c.hi)
			}
			for i, at := range p.readings {
				if c.upstream == "" && i >= 20 && at-p.readings[i-20] < time.Hour {
					t.Errorf("%s: more than 20 readings in an hour", name)
				}
			}
		})
	}
}

func TestPollerAsksNothingThatHeadersSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPollerRun(t, 5*time.Minute, "", "a", "b", "login")
		p.pool.change("login", func(m *Member) { m.Account.NeedsLogin = accounts.LoginRevoked })
		go func() { // a is in use
			for range 58 {
				p.pool.Observe("a", usage.Snapshot{At: time.Now(), Source: usage.SourceHeaders, Windows: []usage.Window{{Name: usage.FiveHour, Used: 0.1}}})
				time.Sleep(time.Minute)
			}
		}()
		time.Sleep(time.Second)
		runFor(t, p.Run, time.Hour-time.Minute)
		if n := len(p.readings); n < 10 || n > 14 {
			t.Errorf("%d readings, want those of b alone", n)
		}
		a, _ := p.pool.Get("a")
		if len(a.Reads.At) > 0 {
			t.Errorf("a was asked for at %v", a.Reads.At)
		}
	})
}

func TestTheBudgetSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPollerRun(t, 5*time.Minute, "", "a")
		for i := range 20 {
			if err := p.Read(t.Context(), "a"); err != nil {
				t.Fatalf("reading %d: %v", i, err)
			}
			time.Sleep(time.Minute)
		}
		again := newPollerRun(t, 5*time.Minute, "", "a")
		again.pool = p.pool
		again.o.Accounts, again.o.Pool = p.pool, p.pool
		err := again.Read(t.Context(), "a")
		soon, ok := errors.AsType[*TooSoonError](err)
		if !ok || soon.Until.Sub(p.started) != time.Hour {
			t.Errorf("after 20 readings: %v, want not before an hour after the first", err)
		}
		time.Sleep(41 * time.Minute)
		if err := again.Read(t.Context(), "a"); err != nil {
			t.Errorf("an hour after the first: %v", err)
		}
		if err := again.Read(t.Context(), "a"); err == nil {
			t.Error("two readings at once are within the budget")
		}
	})
}

func TestRefusalsAreHeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPollerRun(t, 5*time.Minute, "", "a")
		p.status, p.after = 429, "600"
		runFor(t, p.Run, 20*time.Minute)
		if len(p.readings) != 1 {
			t.Errorf("asked at %v, want once: 10 minutes and a margin are to pass", p.readings)
		}
		var soon *TooSoonError
		if err := p.Read(t.Context(), "a"); !errors.As(err, &soon) {
			t.Errorf("Read within the time that the refusal asked for: %v, want TooSoonError", err)
		}
		p.status, p.after = 200, ""
		runFor(t, p.Run, 20*time.Minute)
		a, _ := p.pool.Get("a")
		if a.Reads.Failures != 0 || !a.Reads.NotBefore.IsZero() {
			t.Errorf("after an answer: %+v", a.Reads)
		}
		if len(p.pool.cooled) > 0 {
			t.Errorf("a refusal of the usage endpoint cooled the account (PROTOCOL 2.3): %v", p.pool.cooled)
		}
	})
}

func TestFailingReadingsBecomeSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPollerRun(t, 5*time.Minute, "", "a")
		p.status = 403
		runFor(t, p.Run, 5*time.Hour)
		if n := len(p.readings); n < 8 || n > 16 {
			t.Errorf("%d readings in 5 hours of refusals, want about two an hour", n)
		}
	})
}

func TestALoginStartsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPollerRun(t, 5*time.Minute, "", "a")
		p.status = 401
		runFor(t, p.Run, 3*time.Hour)
		p.pool.change("a", func(m *Member) { m.Account.LoggedInAt = time.Now() })
		p.status, p.readings, p.started = 200, nil, time.Now()
		runFor(t, p.Run, 10*time.Minute)
		if len(p.readings) == 0 || p.readings[0] > 6*time.Minute {
			t.Errorf("readings at %v after the login, want one at the usual pace", p.readings)
		}
	})
}

func TestAReadingWithoutATokenCostsNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPollerRun(t, 5*time.Minute, "", "a")
		p.tokenErr = errors.New("locked")
		if err := p.Read(t.Context(), "a"); !errors.Is(err, p.tokenErr) {
			t.Errorf("Read: %v, want %v", err, p.tokenErr)
		}
		if a, _ := p.pool.Get("a"); len(a.Reads.At) > 0 || len(p.readings) > 0 {
			t.Errorf("it was asked for: %v", a.Reads)
		}
		if err := p.Read(t.Context(), "nobody"); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("Read of nobody: %v", err)
		}
	})
}

func TestANewTokenIsReadAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPollerRun(t, 5*time.Minute, "")
		go func() {
			time.Sleep(10 * time.Second)
			p.pool.mu.Lock()
			p.pool.members = newCrew("new").members
			p.pool.mu.Unlock()
			p.bus.Publish(accounts.Event{Kind: accounts.TokenChanged, Account: "new"})
		}()
		runFor(t, p.Run, time.Minute-time.Second)
		if len(p.readings) != 1 || p.readings[0] > 12*time.Second {
			t.Errorf("readings at %v, want one right after the login", p.readings)
		}
	})
}

// Nothing is read with a vault that is locked, and looking whether it still is costs
// a try a minute; but once there is a key, there are readings.
func TestPollerLeavesAccountsAloneThatHaveNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPollerRun(t, 5*time.Minute, "", "a", "b")
		p.locked.Store(true)
		go func() {
			time.Sleep(10*time.Minute + 30*time.Second)
			if n := p.wanted.Load(); n < 10 || n > 24 {
				t.Errorf("%d tokens were asked for in ten minutes", n)
			}
			p.locked.Store(false)
			p.bus.Publish(accounts.Event{Kind: accounts.KeyChanged})
			time.Sleep(3 * time.Second)
			synctest.Wait()
			if n := len(p.readings); n != 2 {
				t.Errorf("%d readings soon after the key came, want 2", n)
			}
		}()
		runFor(t, p.Run, 11*time.Minute)
	})
}
