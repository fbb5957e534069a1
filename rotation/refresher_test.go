package rotation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/vault"
)

// expire has a's token be spent, and its renewals end like that.
func (k *kit) expire(id accounts.ID, renew func(ctx context.Context) error) {
	k.purse.put(id, 1, time.Now().Add(-time.Minute))
	k.purse.renew = func(ctx context.Context, _ accounts.ID, _ uint64) error { return renew(ctx) }
}

// needs marks an account as the Renewer does, and returns its error.
func (k *kit) needs(id accounts.ID) error {
	k.book.change(k.t, id, func(a *accounts.Account) { a.NeedsLogin, a.NeedsLoginGen = accounts.LoginRevoked, 1 })
	return &accounts.LoginNeededError{Account: id, Cause: accounts.LoginRevoked}
}

func TestASpentTokenIsRenewedFirst(t *testing.T) {
	k := newKit(t, byAccount(nil), "a", "b")
	k.expire("a", func(context.Context) error { return nil })
	if _, body := k.send("hi"); body != "hello from a" {
		t.Errorf("%q", body)
	}
	k.wantTokens("a-2")
}

func TestWhatAFailedRenewalCosts(t *testing.T) {
	refusal := func(status int, after time.Duration) error {
		return &accounts.TokenError{StatusCode: status, RetryAfter: after}
	}
	for _, tt := range []struct {
		name string
		err  error
		kind string
		cool time.Duration
	}{
		{"network", fmt.Errorf("renew: %w", errRefused), accounts.CoolRenewal, renewalFailed},
		{"500", refusal(500, 0), accounts.CoolRenewal, renewalFailed},
		{"500 with a time", refusal(500, 40*time.Second), accounts.CoolRenewal, 40 * time.Second},
		{"429", refusal(429, 0), accounts.CoolRenewal, renewalThrottled},
		{"429 for a week", refusal(429, 7*24*time.Hour), accounts.CoolRenewal, time.Hour},
		{"400 without a clear word", refusal(400, 0), accounts.CoolAuth, 5 * time.Minute},
		{"401 without a clear word", refusal(401, 0), accounts.CoolAuth, 5 * time.Minute},
		{"busy", fmt.Errorf("renew: %w", vault.ErrBusy), accounts.CoolRenewal, renewalLater},
		{"postponed", &accounts.PostponedError{Until: time.Now().Add(30 * time.Hour), Err: refusal(500, 0)}, accounts.CoolRenewal, time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t, byAccount(nil), "a", "b")
				k.expire("a", func(context.Context) error { return tt.err })
				if _, body := k.send("hi"); body != "hello from b" {
					t.Errorf("%q", body)
				}
				k.wantTokens("b-1")
				if tt.name != "postponed" {
					k.wantCooling("a", tt.kind, tt.cool)
				}
				m := k.pool.Members(house)[0]
				if m.Account.NeedsLogin != "" || len(m.Cooldowns) != 1 || m.Counts.Failovers != 1 {
					t.Errorf("member %+v", m)
				}
				d := k.pool.Decisions("a")
				if len(d) != 1 || d[0].Steps[0].Outcome != OutcomeRenewal || d[0].Steps[0].Evidence == "" {
					t.Errorf("decisions %+v", d)
				}
			})
		})
	}
}

func TestARenewalThatFailsLeavesATokenThatStillLives(t *testing.T) {
	k := newKit(t, byAccount(nil), "a", "b")
	k.expire("a", func(context.Context) error { return errRefused })
	k.purse.put("a", 1, time.Now().Add(20*time.Second))
	if _, body := k.send("hi"); body != "hello from a" {
		t.Errorf("%q", body)
	}
	k.wantUntouched("a")
}

func TestAnAccountInNeedOfALoginIsLeftWhileItsTokenStillLives(t *testing.T) {
	k := newKit(t, byAccount(nil), "a", "b")
	k.expire("a", func(context.Context) error { return k.needs("a") })
	k.purse.put("a", 1, time.Now().Add(20*time.Second))
	if _, body := k.send("hi"); body != "hello from b" {
		t.Errorf("%q", body)
	}
}

func TestAnAccountWithoutACooldownIsStillNotAskedTwice(t *testing.T) {
	k := newKit(t, byAccount(nil), "a", "b")
	k.settings.AuthFailure = 0
	k.expire("a", func(context.Context) error { return &accounts.TokenError{StatusCode: http.StatusForbidden} })
	if _, body := k.send("hi"); body != "hello from b" || k.purse.renewals("a") != 1 {
		t.Errorf("%q after %d renewals", body, k.purse.renewals("a"))
	}
	k.wantUntouched("a")
}

func TestTheEndOfTheProgramBlamesNoAccount(t *testing.T) {
	k := newKit(t, byAccount(nil), "a", "b")
	k.expire("a", func(context.Context) error { return fmt.Errorf("renew: %w", accounts.ErrEnding) })
	_, err := k.transport.RoundTrip(k.request(t.Context(), "hi"))
	if !errors.Is(err, accounts.ErrEnding) {
		t.Errorf("got %v", err)
	}
	k.wantUntouched("a", "b")
}

func TestARequestWaitsTenSecondsForARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, byAccount(nil), "a", "b")
		k.expire("a", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		began := time.Now()
		if _, body := k.send("hi"); body != "hello from b" {
			t.Errorf("%q", body)
		}
		if took := time.Since(began); took != renewalWait {
			t.Errorf("waited %v", took)
		}
		k.wantCooling("a", accounts.CoolRenewal, renewalLater)
		if _, body := k.send("hi"); body != "hello from b" || time.Since(began) != renewalWait {
			t.Errorf("the next request: %q after %v", body, time.Since(began))
		}
	})
}

func TestAClientThatLeavesDuringARenewalPunishesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, byAccount(nil), "a", "b")
		k.expire("a", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := k.transport.RoundTrip(k.request(ctx, "hi")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		k.wantTokens()
		k.wantUntouched("a", "b")
	})
}

func TestAnAccountInNeedOfALoginIsLeftAtOnce(t *testing.T) {
	k := newKit(t, byAccount(nil), "a", "b")
	k.expire("a", func(context.Context) error { return k.needs("a") })
	if _, body := k.send("hi"); body != "hello from b" {
		t.Errorf("%q", body)
	}
	if _, body := k.send("hi"); body != "hello from b" {
		t.Errorf("%q", body)
	}
	if n := k.purse.renewals("a"); n != 1 {
		t.Errorf("%d renewals", n)
	}
	k.book.change(t, "b", func(a *accounts.Account) { a.Paused = true })
	resp, body := k.send("hi")
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "a: sign in again") {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

func TestANeedOfALoginAfterARefusalIsSaidAsSuch(t *testing.T) {
	k := newKit(t, byAccount(map[string]int{"a": 401}), "a")
	k.purse.renew = func(context.Context, accounts.ID, uint64) error { return k.needs("a") }
	resp, body := k.send("hi")
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "a: sign in again") {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

func TestAnAccountWithoutAStoredTokenIsAskedToSignIn(t *testing.T) {
	k := newKit(t, byAccount(nil), "a")
	k.purse.read = &accounts.LoginNeededError{Account: "a", Cause: accounts.LoginRevoked}
	k.purse.renew = func(context.Context, accounts.ID, uint64) error { return k.needs("a") }
	if resp, body := k.send("hi"); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "sign in again") {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	k = newKit(t, byAccount(nil), "a")
	k.purse.read = vault.ErrUnreadable
	if resp, body := k.send("hi"); resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(body, "cannot be read") {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	k.wantCooling("a", accounts.CoolFault, renewalUnreadable)
}

func TestManyRefusalsOfOneTokenBringAboutOneRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, byAccount(nil), "a")
		for range 20 { // answers to the old token come one after the other
			got, err := k.refresher.Replace(t.Context(), k.book.all[0], accounts.Token{Generation: 1})
			if err != nil || got.Generation != 2 {
				t.Errorf("generation %d, %v", got.Generation, err)
			}
			time.Sleep(10 * time.Second)
		}
		if n := k.purse.renewals("a"); n != 1 {
			t.Errorf("%d renewals", n)
		}
	})
}

func TestAheadCostsNothingAsLongAsTheTokenServes(t *testing.T) {
	k := newKit(t, byAccount(nil), "a")
	a := k.book.all[0]
	k.purse.renew = func(context.Context, accounts.ID, uint64) error { return errRefused }
	if got, err := k.refresher.Ahead(t.Context(), a, k.provider, 10*time.Minute); err != nil || got.Generation != 1 {
		t.Errorf("a token that lives: %d, %v", got.Generation, err)
	}
	if n := k.purse.renewals("a"); n != 0 {
		t.Errorf("%d renewals", n)
	}
	k.purse.put("a", 1, time.Now().Add(5*time.Minute))
	if _, err := k.refresher.Ahead(t.Context(), a, k.provider, 10*time.Minute); !errors.Is(err, errRefused) {
		t.Errorf("got %v", err)
	}
	k.wantUntouched("a")
	k.purse.put("a", 1, time.Now())
	if _, err := k.refresher.Ahead(t.Context(), a, k.provider, 10*time.Minute); !errors.Is(err, errRefused) {
		t.Errorf("got %v", err)
	}
	k.wantCooling("a", accounts.CoolRenewal, renewalFailed)
	k.purse.renew = nil
	if got, err := k.refresher.Ahead(t.Context(), a, k.provider, 10*time.Minute); err != nil || got.Generation != 2 {
		t.Errorf("renewed: %d, %v", got.Generation, err)
	}
}

// robot signs in, or not, after a while.
type robot struct {
	k    *kit
	took time.Duration
	err  error

	mu    sync.Mutex
	asked []accounts.ID
}

func (r *robot) Login(ctx context.Context, id accounts.ID) error {
	r.mu.Lock()
	r.asked = append(r.asked, id)
	r.mu.Unlock()
	select {
	case <-time.After(r.took):
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.err != nil {
		return r.err
	}
	r.k.purse.mu.Lock()
	r.k.purse.renew = nil
	r.k.purse.mu.Unlock()
	r.k.purse.put(id, 9, time.Now().Add(time.Hour))
	r.k.book.change(r.k.t, id, func(a *accounts.Account) { a.NeedsLogin, a.LoggedInAt = "", time.Now() })
	return nil
}

func (r *robot) logins() []accounts.ID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}

// withRobot gives the kit a Relogin, and runs what carries it out.
func (k *kit) withRobot(took time.Duration, err error) *robot {
	k.t.Helper()
	r := &robot{k: k, took: took, err: err}
	k.refresher.relogin = r
	ctx, cancel := context.WithCancel(k.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = k.refresher.Run(ctx)
	}()
	k.t.Cleanup(func() { cancel(); <-done })
	return r
}

func TestALoginRunsInTheBackgroundWhileAnotherAccountServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, byAccount(nil), "a", "b")
		robot := k.withRobot(20*time.Second, nil)
		k.expire("a", func(context.Context) error { return k.needs("a") })
		began := time.Now()
		for range 3 {
			if _, body := k.send("hi"); body != "hello from b" || time.Since(began) > 0 {
				t.Errorf("%q after %v", body, time.Since(began))
			}
		}
		time.Sleep(21 * time.Second)
		if _, body := k.send("hi"); body != "hello from a" {
			t.Errorf("after the login: %q", body)
		}
		if !slices.Equal(robot.logins(), []accounts.ID{"a"}) {
			t.Errorf("logins: %v", robot.logins())
		}
	})
}

func TestWithNobodyElseTheRequestWaitsForTheLogin(t *testing.T) {
	for _, tt := range []struct {
		name   string
		took   time.Duration
		err    error
		status int
		waits  time.Duration
	}{
		{"it succeeds", 20 * time.Second, nil, 200, 20 * time.Second},
		{"it fails", 20 * time.Second, errors.New("a challenge"), 503, 20 * time.Second},
		{"it takes too long", 5 * time.Minute, nil, 503, loginWait},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t, byAccount(nil), "a", "b")
				k.book.change(t, "b", func(a *accounts.Account) { a.Paused = true })
				robot := k.withRobot(tt.took, tt.err)
				k.expire("a", func(context.Context) error { return k.needs("a") })
				began := time.Now()
				resp, body := k.send("hi")
				if resp.StatusCode != tt.status || time.Since(began) != tt.waits {
					t.Errorf("%d %q after %v", resp.StatusCode, body, time.Since(began))
				}
				if len(robot.logins()) != 1 {
					t.Errorf("logins: %v", robot.logins())
				}
			})
		})
	}
}

func TestARequestRevivesALoginThatEndedBeforeItCame(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(a *accounts.Account)
		err    error
		status int
		logins int
	}{
		{"its session works", func(*accounts.Account) {}, nil, 200, 1},
		{"its session fails, and is tried once", func(*accounts.Account) {}, errors.New("no network"), 503, 1},
		{"it has none", func(a *accounts.Account) { a.Browser = "" }, nil, 503, 0},
		{"the last sign-in did not work, and this one does", func(a *accounts.Account) { a.Browser = accounts.BrowserLoginNeeded }, nil, 200, 1},
		{"the last sign-in did not work, nor does this one", func(a *accounts.Account) { a.Browser = accounts.BrowserLoginNeeded }, errors.New("no network"), 503, 1},
		{"a person is called for", func(a *accounts.Account) { a.NeedsYou = "a challenge" }, nil, 503, 0},
		{"it is paused", func(a *accounts.Account) { a.Paused = true }, nil, 503, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t, byAccount(nil), "a")
				robot := k.withRobot(5*time.Second, tt.err)
				k.book.change(t, "a", func(a *accounts.Account) {
					a.NeedsLogin, a.Browser = accounts.LoginRevoked, accounts.BrowserReady
					tt.change(a)
				})
				resp, body := k.send("hi")
				if resp.StatusCode != tt.status || len(robot.logins()) != tt.logins {
					t.Errorf("%d %q, logins %v", resp.StatusCode, body, robot.logins())
				}
			})
		})
	}
}

// A sign-in that may not be tried now, for one that failed a moment ago, is said
// to be so at once.
func TestARequestIsNotHeldByALoginThatIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, byAccount(nil), "a")
		robot := k.withRobot(0, errors.New("the next one is tried in a minute"))
		k.book.change(t, "a", func(a *accounts.Account) {
			a.NeedsLogin, a.Browser = accounts.LoginRevoked, accounts.BrowserLoginNeeded
		})
		began := time.Now()
		for n := range 3 {
			resp, body := k.send("hi")
			if resp.StatusCode != http.StatusServiceUnavailable || time.Since(began) > 0 || len(robot.logins()) != n+1 {
				t.Errorf("%d %q after %v, logins %v", resp.StatusCode, body, time.Since(began), robot.logins())
			}
		}
	})
}

func TestReloginWaitComesBeforeTheNextAccount(t *testing.T) {
	for _, err := range []error{nil, errors.New("a challenge")} {
		synctest.Test(t, func(t *testing.T) {
			k := newKit(t, byAccount(nil), "a", "b")
			k.settings.ReloginWait = true
			k.withRobot(20*time.Second, err)
			k.expire("a", func(context.Context) error { return k.needs("a") })
			began := time.Now()
			_, body := k.send("hi")
			want := "hello from a"
			if err != nil {
				want = "hello from b"
			}
			if body != want || time.Since(began) != 20*time.Second {
				t.Errorf("login %v: %q after %v", err, body, time.Since(began))
			}
		})
	}
}

func TestAPanicOfALoginIsItsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, byAccount(nil), "a")
		k.withRobot(0, nil).k = nil // it cannot reach its kit any more
		k.expire("a", func(context.Context) error { return k.needs("a") })
		if resp, _ := k.send("hi"); resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("got %d", resp.StatusCode)
		}
	})
}

func TestLoginsEndWithTheProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, byAccount(nil), "a")
		r := &robot{k: k, took: time.Hour}
		k.refresher.relogin = r
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- k.refresher.Run(ctx) }()
		k.refresher.signIn("a")
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || len(r.asked) != 1 {
			t.Errorf("%v after %v", err, r.asked)
		}
	})
}
