package rotation

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/vault"
	"github.com/oauthmux/oauthmux/usage"
)

// keepaliveRun is a keepalive over fakes, and what it did.
type keepaliveRun struct {
	*Keepalive
	pool    *crew
	journal accounts.Journal
	started time.Time

	renewals []time.Duration // since started
	pings    []time.Duration
	life     time.Duration                  // of a renewed token
	fail     error                          // of a renewal
	answer   func() (*http.Response, error) // to a ping; nil: 200
	settings KeepaliveSettings
}

// newKeepaliveRun makes one for the accounts a, b and so on. Call it in a bubble.
func newKeepaliveRun(t *testing.T, ids ...accounts.ID) *keepaliveRun {
	t.Helper()
	k := &keepaliveRun{pool: newCrew(ids...), started: time.Now(), life: 8 * time.Hour, settings: KeepaliveSettings{
		Enabled: true, Interval: 30 * time.Minute, FirstAfter: time.Minute, RefreshBefore: 10 * time.Minute, Ping: true,
	}}
	set := mustSet(t)
	p, _ := set.Get("anthropic")
	p.Ping = func(ctx context.Context, model string) (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Upstream+"/v1/messages", strings.NewReader("{}"))
		if err == nil {
			r.Header.Set("X-Model", model)
		}
		return r, err
	}
	k.Keepalive = NewKeepalive(KeepaliveOptions{
		Accounts: k.pool, Providers: set, Pool: k.pool, Refresher: k,
		Client:   func(*accounts.Provider) accounts.Doer { return k },
		Settings: func(accounts.ProviderID) KeepaliveSettings { return k.settings },
		Journal:  &k.journal, Log: quiet(),
	})
	return k
}

// Ahead implements the refresher as far as a keepalive needs it.
func (k *keepaliveRun) Ahead(_ context.Context, a accounts.Account, _ *accounts.Provider, margin time.Duration) (accounts.Token, error) {
	now := time.Now()
	token := accounts.Token{AccessToken: "old", ReceivedAt: a.TokenExpiresAt.Add(-8 * time.Hour), Expiry: a.TokenExpiresAt}
	if token.ValidFor(now, margin) {
		return token, nil
	}
	k.renewals = append(k.renewals, now.Sub(k.started))
	if k.fail != nil {
		return accounts.Token{}, k.fail
	}
	k.pool.change(a.ID, func(m *Member) { m.Account.TokenExpiresAt = now.Add(k.life) })
	return accounts.Token{AccessToken: "new", ReceivedAt: now, Expiry: now.Add(k.life)}, nil
}

// Do implements accounts.Doer for pings.
func (k *keepaliveRun) Do(r *http.Request) (*http.Response, error) {
	k.pings = append(k.pings, time.Since(k.started))
	if k.answer != nil {
		return k.answer()
	}
	resp := answer(r, 200, "{}")
	resp.Header.Set("Anthropic-Ratelimit-Unified-5h-Utilization", "0.25")
	return resp, nil
}

func TestKeepaliveRenewsBeforeTokensExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeepaliveRun(t, "a", "b")
		k.pool.change("b", func(m *Member) { m.Account.TokenExpiresAt = k.started.Add(5 * time.Minute) })
		runFor(t, k.Run, 17*time.Hour)
		// b at the first look, then each of them once per life, never an expired one.
		if len(k.renewals) != 5 {
			t.Fatalf("renewals at %v, want 5 in 17 hours", k.renewals)
		}
		if k.renewals[0] < time.Minute || k.renewals[0] > 2*time.Minute {
			t.Errorf("the first renewal is at %v, want after a minute", k.renewals[0])
		}
		for i, at := range k.renewals[1:] {
			left := 8*time.Hour - at%(8*time.Hour) // a's lives begin near 0h, 8h, 16h
			if left > 22*time.Minute {
				t.Errorf("renewal %d is at %v, want in the last 10 minutes of a token", i+1, at)
			}
		}
	})
}

func TestKeepalivePingsWhoHasNothingToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeepaliveRun(t, "idle", "busy", "streaming", "paused", "cooling", "scoped", "off", "login")
		k.pool.change("busy", func(m *Member) { m.LastUsed = time.Now().Add(time.Second) })
		k.pool.change("streaming", func(m *Member) { m.InFlight = 1 })
		k.pool.change("paused", func(m *Member) { m.Account.Paused = true })
		k.pool.change("cooling", func(m *Member) { m.Cooldowns = []Cooldown{{Until: time.Now().Add(time.Hour)}} })
		k.pool.change("scoped", func(m *Member) { m.Cooldowns = []Cooldown{{Until: time.Now().Add(time.Hour), Scope: "opus"}} })
		k.pool.change("off", func(m *Member) { m.Account.PingsOff = "refused" })
		k.pool.change("login", func(m *Member) { m.Account.NeedsLogin = accounts.LoginRevoked })
		runFor(t, k.Run, 3*time.Minute)
		if len(k.pings) != 2 { // idle and scoped
			t.Errorf("pings at %v, want 2", k.pings)
		}
		if len(k.pool.cooled) > 0 {
			t.Errorf("a ping cooled an account: %v", k.pool.cooled)
		}
		if len(k.pool.observed) != 2 || k.pool.observed[0].Source != usage.SourceHeaders {
			t.Errorf("readings %v, want what the pings' answers said", k.pool.observed)
		}
	})
}

func TestKeepaliveRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeepaliveRun(t, "a")
		k.settings.PingModel = "tiny"
		go func() { // traffic between the second and the third round
			time.Sleep(40 * time.Minute)
			k.pool.change("a", func(m *Member) { m.LastUsed = time.Now() })
		}()
		runFor(t, k.Run, 2*time.Hour)
		want := []time.Duration{time.Minute, 31 * time.Minute, 91 * time.Minute}
		if len(k.pings) != len(want) {
			t.Fatalf("pings at %v, want about %v", k.pings, want)
		}
		for i := range want {
			if off := k.pings[i] - want[i]; off < 0 || off > 10*time.Minute {
				t.Errorf("ping %d at %v, want about %v", i, k.pings[i], want[i])
			}
		}
	})
}

func TestKeepaliveCanBeSwitchedOff(t *testing.T) {
	for name, c := range map[string]struct {
		change          func(*KeepaliveSettings)
		renewals, pings int
	}{
		"everything": {func(s *KeepaliveSettings) { s.Enabled = false }, 0, 0},
		"pings":      {func(s *KeepaliveSettings) { s.Ping = false }, 1, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := newKeepaliveRun(t, "a")
			k.pool.change("a", func(m *Member) { m.Account.TokenExpiresAt = k.started.Add(5 * time.Minute) })
			c.change(&k.settings)
			runFor(t, k.Run, time.Hour)
			if len(k.renewals) != c.renewals || len(k.pings) != c.pings {
				t.Errorf("%s off: %d renewals, %d pings; want %d, %d", name, len(k.renewals), len(k.pings), c.renewals, c.pings)
			}
		})
	}
}

func TestTwoRefusalsInARowSwitchPingsOff(t *testing.T) {
	status := func(code int, body string) func() (*http.Response, error) {
		return func() (*http.Response, error) {
			resp := answer(nil, code, body)
			resp.Header.Set("Anthropic-Ratelimit-Unified-Status", "rejected")
			return resp, nil
		}
	}
	forbidden := status(403, `{"type":"error","error":{"type":"permission_error","message":"OAuth authentication is currently not allowed for this organization."}}`)
	for name, c := range map[string]struct {
		answers []func() (*http.Response, error)
		off     bool
		pings   int
	}{
		"403 403":     {[]func() (*http.Response, error){forbidden, forbidden}, true, 2},
		"401 404":     {[]func() (*http.Response, error){status(401, ""), status(404, "")}, true, 2},
		"403 200 403": {[]func() (*http.Response, error){forbidden, status(200, ""), forbidden}, false, 4},
		"limits":      {[]func() (*http.Response, error){status(429, ""), status(429, ""), status(429, "")}, false, 4},
		"trouble":     {[]func() (*http.Response, error){status(500, ""), status(529, ""), status(503, "")}, false, 4},
		"network":     {[]func() (*http.Response, error){broken, broken, broken}, false, 4},
		"403 429 403": {[]func() (*http.Response, error){forbidden, status(429, ""), forbidden}, true, 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := newKeepaliveRun(t, "a")
			n := 0
			k.answer = func() (*http.Response, error) {
				if n++; n <= len(c.answers) {
					return c.answers[n-1]()
				}
				return answer(nil, 200, "{}"), nil
			}
			runFor(t, k.Run, 110*time.Minute)
			a, _ := k.pool.Get("a")
			if off := a.PingsOff != ""; off != c.off || len(k.pings) != c.pings {
				t.Errorf("%s: pings off %q after %d, want %v after %d", name, a.PingsOff, len(k.pings), c.off, c.pings)
			}
			entries := k.journal.Since(0)
			if c.off && (len(entries) != 1 || entries[0].Kind != accounts.EntryPings || entries[0].Evidence != a.PingsOff) {
				t.Errorf("%s: journal %v", name, entries)
			}
			if name == "403 403" && !strings.Contains(a.PingsOff, "403") {
				t.Errorf("the reason %q does not say what was seen", a.PingsOff)
			}
			if len(k.pool.cooled) > 0 {
				t.Errorf("%s: a ping cooled the account: %v", name, k.pool.cooled)
			}
		})
	}
}

func broken() (*http.Response, error) { return nil, io.ErrUnexpectedEOF }

func TestRenewalsThatFailAreTriedMoreAndMoreSeldom(t *testing.T) {
	for name, c := range map[string]struct {
		fail    error
		atMost  int
		atLeast int
	}{
		"network":   {errors.New("no route"), 8, 5},                                              // 1, 2, 4, 8, 16, 30 minutes
		"refused":   {&accounts.TokenError{StatusCode: 400, ErrorCode: "invalid_request"}, 4, 3}, // each round
		"throttled": {&accounts.TokenError{StatusCode: 429, RetryAfter: time.Hour}, 2, 2},        // as it says
		"postponed": {&accounts.PostponedError{}, 8, 5},                                          // it says until when
		"locked":    {&vault.KeyError{}, 121, 100},                                               // asks nobody, so each minute
	} {
		synctest.Test(t, func(t *testing.T) {
			k := newKeepaliveRun(t, "a")
			k.fail = c.fail
			k.settings.Ping = false
			k.pool.change("a", func(m *Member) { m.Account.TokenExpiresAt = k.started })
			runFor(t, k.Run, 2*time.Hour)
			if n := len(k.renewals); n > c.atMost || n < c.atLeast {
				t.Errorf("%s: tried at %v, want %d to %d times", name, k.renewals, c.atLeast, c.atMost)
			}
		})
	}
}

// After a night's sleep every round and every renewal is due, once.
func TestC25_WakingUpIsNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids := make([]accounts.ID, 50)
		for i := range ids {
			ids[i] = accounts.ID("a" + string(rune('A'+i)))
		}
		k := newKeepaliveRun(t, ids...)
		free := func(accounts.ID) bool { return false }
		now := time.Now()
		if all, _ := k.due(now, free); len(all) > 0 {
			t.Fatalf("%d are due at the start", len(all))
		}
		for _, jump := range []time.Duration{8 * time.Hour, 365 * 24 * time.Hour} {
			now = now.Add(jump)
			all, _ := k.due(now, free)
			if len(all) != len(ids) {
				t.Errorf("%v later %d are due, want %d: each once", jump, len(all), len(ids))
			}
			for _, id := range ids {
				k.pool.change(id, func(m *Member) { m.Account.TokenExpiresAt = now.Add(8 * time.Hour) })
			}
			if all, _ := k.due(now.Add(time.Minute), free); len(all) > 0 {
				t.Errorf("a minute after waking %d are due again", len(all))
			}
		}
		if all, next := k.due(now.Add(-24*time.Hour), free); len(all) > 0 || next.After(now.Add(-24*time.Hour+choreLook)) {
			t.Errorf("a clock that was set back: %d are due, next look %v", len(all), next)
		}
	})
}

func TestAccountsThatAreGoneAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeepaliveRun(t, "a", "b", "c")
		free := func(accounts.ID) bool { return false }
		k.due(time.Now(), free)
		k.pool.members = k.pool.members[:1]
		k.due(time.Now(), free)
		if len(k.states) != 1 {
			t.Errorf("%d accounts are remembered, want 1", len(k.states))
		}
	})
}
