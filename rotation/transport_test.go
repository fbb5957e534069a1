package rotation

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/vault"
)

func TestAnAnswerSaysWhoServedIt(t *testing.T) {
	k := newKit(t, byAccount(nil), "a", "b")
	resp, body := k.send("hi")
	if body != "hello from a" || resp.Header.Get(FieldAccount) != "a" || resp.Header.Get(FieldAttempts) != "1" {
		t.Errorf("%q by %v", body, resp.Header)
	}
	m := k.pool.Members(house)[0]
	if m.LastStatus != 200 || len(m.Usage.Windows) != 1 || m.Counts.Requests != 1 || m.LastUsed.IsZero() {
		t.Errorf("member %+v", m)
	}
	d := k.pool.Decisions("a")
	if len(d) != 1 || d[0].Status != 200 || d[0].Candidates != 2 || len(d[0].Steps) != 1 || d[0].Steps[0].Outcome != "pass" {
		t.Errorf("decisions %+v", d)
	}
}

func TestALimitedAccountHandsTheRequestOn(t *testing.T) {
	for _, tt := range []struct {
		name  string
		field []string
		kind  string
		cools time.Duration
	}{
		{"quota with a reset", []string{"Reset-In", "2h"}, accounts.CoolQuota, 2 * time.Hour},
		{"quota with a reset in the past", []string{"Reset-In", "-2h"}, accounts.CoolQuota, time.Second},
		{"quota with a reset beyond belief", []string{"Reset-In", "9999h"}, accounts.CoolQuota, 8 * 24 * time.Hour},
		{"quota that names no time", []string{"Reset-In", "none", "Retry-After", "x"}, accounts.CoolThrottle, throttleCooldown},
		{"throttle with seconds", []string{"Retry-After", "7"}, accounts.CoolThrottle, 7 * time.Second},
		{"throttle for a day", []string{"Retry-After", "86400"}, accounts.CoolThrottle, time.Hour},
		{"throttle with zero seconds", []string{"Retry-After", "0"}, accounts.CoolThrottle, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t, byAccount(map[string]int{"a": 429}, tt.field...), "a", "b", "c")
				resp, body := k.send("hi")
				if body != "hello from b" || resp.Header.Get(FieldAttempts) != "2" {
					t.Errorf("%q, %v", body, resp.Header)
				}
				k.wantCooling("a", tt.kind, tt.cools)
				if id := k.book.Preferred(house); id != "a" {
					t.Errorf("the person's choice became %s", id)
				}
				if m := k.pool.Members(house)[0]; m.Counts.Failovers != 1 || m.LastError == "" {
					t.Errorf("member %+v", m)
				}
				want := []accounts.EntryKind{accounts.EntryCooling, accounts.EntryFailover}
				if got := kinds(k.journal); !slices.Equal(got, want) {
					t.Errorf("journal %v", got)
				}
				d := k.pool.Decisions("a")
				if len(d) != 1 || len(d[0].Steps) != 2 || d[0].Steps[0].Until.IsZero() || len(k.pool.Decisions("b")) != 1 {
					t.Errorf("decisions %+v", d)
				}
				if tt.cools < time.Minute {
					return // it may be back
				}
				k.send("hi")
				d = k.pool.Decisions("a")
				if len(d) != 2 || d[1].Candidates != 2 || len(d[1].Skipped) != 1 || d[1].Skipped[0].Evidence != d[0].Steps[0].Evidence ||
					!d[1].Skipped[0].Until.Equal(d[0].Steps[0].Until) || d[1].Steps[0].Account != "b" {
					t.Errorf("decisions that passed it by: %+v", d)
				}
			})
		})
	}
}

func TestASecondThrottleIsHandedOn(t *testing.T) {
	k := newKit(t, byAccount(map[string]int{"a": 429, "b": 429}, "Retry-After", "3"), "a", "b", "c")
	resp, body := k.send("hi")
	if resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(body, "words of b") || resp.Header.Get("Retry-After") != "3" {
		t.Errorf("%d %q %v", resp.StatusCode, body, resp.Header)
	}
	k.wantTokens("a-1", "b-1")
	k.wantCooling("b", accounts.CoolThrottle, 3*time.Second)
}

func TestMaxAttemptsHandsOnTheLastAnswer(t *testing.T) {
	k := newKit(t, byAccount(map[string]int{"a": 429, "b": 429, "c": 429}, "Reset-In", "1h"), "a", "b", "c")
	k.settings.MaxAttempts = 2
	resp, body := k.send("hi")
	if resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(body, "words of b") || resp.Header.Get("Reset-In") == "" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	k.wantTokens("a-1", "b-1")
}

func TestEverybodyOutSaysWhyAndUntilWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, byAccount(map[string]int{"a": 429, "b": 429}, "Reset-In", "2h"), "a", "b", "c")
		k.book.change(t, "c", func(a *accounts.Account) { a.Paused = true })
		resp, body := k.send("hi")
		if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "7200" || resp.Header.Get("X-Should-Retry") != "false" {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
		for _, want := range []string{"a: 429 five_hour (back in 2 h)", "b: 429 five_hour", "c: paused"} {
			if !strings.Contains(body, want) {
				t.Errorf("%q does not say %q", body, want)
			}
		}
		if resp.Header.Get(FieldAttempts) != "2" || resp.Header.Get(FieldAccount) != "b" {
			t.Errorf("%v", resp.Header)
		}
		time.Sleep(2*time.Hour - 61*time.Second)
		resp, _ = k.send("hi")
		if resp.Header.Get("Retry-After") != "61" || resp.Header.Get("X-Should-Retry") != "false" {
			t.Errorf("%v", resp.Header)
		}
		time.Sleep(31 * time.Second)
		resp, _ = k.send("hi")
		if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "30" || resp.Header.Get("X-Should-Retry") != "" {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
		if resp.Header.Get(FieldAttempts) != "0" || resp.Header.Get(FieldAccount) != "" {
			t.Errorf("%v", resp.Header)
		}
		if d := k.pool.Decisions("c"); len(d) != 3 || len(d[0].Steps) != 2 || d[1].Status != 429 || len(d[1].Skipped) != 3 {
			t.Errorf("decisions %+v", d)
		}
	})
}

func TestNobodyWhoComesBackByItselfIsUnavailable(t *testing.T) {
	k := newKit(t, byAccount(nil), "a")
	k.book.change(t, "a", func(a *accounts.Account) { a.Paused = true })
	resp, body := k.send("hi")
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "" || resp.Header.Get("X-Should-Retry") != "false" || !strings.Contains(body, "a: paused") {
		t.Errorf("%d %v %q", resp.StatusCode, resp.Header, body)
	}
	k = newKit(t, byAccount(nil))
	if resp, body := k.send("hi"); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "oauthmux login house") {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

func TestAPinOnAnAccountThatIsGoneSaysSo(t *testing.T) {
	k := newKit(t, byAccount(nil), "a")
	r := k.request(t.Context(), "hi")
	r = r.WithContext(WithRoute(t.Context(), Route{Provider: k.provider, Pin: "z"}))
	if resp, body := k.do(r); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "is gone") {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

func TestARefusedTokenIsReplacedOnceAndTheRequestRepeated(t *testing.T) {
	for _, status := range []int{401, 403} {
		k := newKit(t, func(token string, r *http.Request) (*http.Response, error) {
			if token == "a-1" {
				return reply(status, "no")
			}
			body, err := io.ReadAll(r.Body)
			return must(reply(200, token+" "+string(body))), err
		}, "a", "b")
		resp, body := k.send("hi")
		if body != "a-2 hi" || resp.Header.Get(FieldAttempts) != "2" {
			t.Errorf("%d: %q %v", status, body, resp.Header)
		}
		k.wantUntouched("a", "b")
	}
}

func TestAnAccountThatIsStillRefusedIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, byAccount(map[string]int{"a": 403}), "a", "b")
		if _, body := k.send("hi"); body != "hello from b" {
			t.Errorf("%q", body)
		}
		k.wantTokens("a-1", "a-2", "b-1")
		k.wantCooling("a", accounts.CoolAuth, 5*time.Minute)
		if n := k.purse.renewals("a"); n != 1 {
			t.Errorf("renewed %d times", n)
		}
	})
}

func TestARefusalThatIsTheLastWordIsNoBareRefusal(t *testing.T) {
	k := newKit(t, byAccount(map[string]int{"a": 403, "b": 401}), "a", "b")
	resp, body := k.send("hi")
	if resp.StatusCode != http.StatusBadGateway || !strings.Contains(body, "words of b") || !strings.Contains(body, `"status":502`) {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	k.wantTokens("a-1", "a-2", "b-1", "b-2")
}

func TestANewTokenThatIsRefusedWithinAMinuteIsNotReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, byAccount(map[string]int{"a": 401}), "a")
		k.send("hi")
		time.Sleep(30 * time.Second)
		k.pool.mu.Lock() // or else nobody would ask it
		k.pool.setCooldowns(k.pool.seats["a"], nil)
		k.pool.mu.Unlock()
		k.send("hi")
		k.wantTokens("a-1", "a-2", "a-2")
		if n := k.purse.renewals("a"); n != 1 {
			t.Errorf("renewed %d times", n)
		}
		time.Sleep(6 * time.Minute)
		k.send("hi")
		if n := k.purse.renewals("a"); n != 2 {
			t.Errorf("renewed %d times after the minute", n)
		}
	})
}

func TestATokenThatSomebodyElseReplacedIsTakenFromThere(t *testing.T) {
	var k *kit
	k = newKit(t, func(token string, _ *http.Request) (*http.Response, error) {
		if token == "a-1" {
			k.purse.put("a", 2, time.Now().Add(time.Hour)) // another request was faster
			return reply(401, "")
		}
		return reply(200, token)
	}, "a")
	if _, body := k.send("hi"); body != "a-2" {
		t.Errorf("%q", body)
	}
	if n := k.purse.renewals("a"); n != 0 {
		t.Errorf("renewed %d times", n)
	}
}

func TestOnlyTheModelFamilyThatIsLimitedCools(t *testing.T) {
	k := newKit(t, func(token string, r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		if token == "a-1" && strings.Contains(string(body), "opus") {
			return reply(429, "", "Reset-In", "2h", "Reset-Scope", accounts.ScopeRequest)
		}
		return reply(200, token+" "+string(body))
	}, "a", "b")
	for _, step := range []struct{ send, want string }{
		{"opus", "b-1 opus"}, {"haiku", "a-1 haiku"}, {"opus again", "b-1 opus again"}, {"no model", "a-1 no model"},
	} {
		if _, body := k.send(step.send); body != step.want {
			t.Errorf("%q: got %q, want %q", step.send, body, step.want)
		}
	}
	if c := k.cooldowns("a"); len(c) != 1 || c[0].Scope != "opus" {
		t.Errorf("cooldowns %+v", c)
	}
	if n := len(k.tokens()); n != 5 {
		t.Errorf("%d attempts, want 5: the second opus must not try a", n)
	}
}

func TestABodyThatCannotBeReplayedIsSentOnce(t *testing.T) {
	for _, tt := range []struct {
		status     int
		wantStatus int
		fields     []string
	}{{429, 429, []string{"Reset-In", "1h"}}, {401, 502, nil}} {
		k := newKit(t, func(token string, r *http.Request) (*http.Response, error) {
			n, err := io.Copy(io.Discard, r.Body)
			if token == "a-1" {
				return reply(tt.status, "", tt.fields...)
			}
			return must(reply(200, strconv.FormatInt(n, 10))), err
		}, "a", "b")
		k.settings.ReplayLimit = 100
		long := strings.Repeat("x", 5000)
		resp, _ := k.send(long)
		if resp.StatusCode != tt.wantStatus || resp.Header.Get(FieldAttempts) != "1" {
			t.Errorf("%d: got %d %v", tt.status, resp.StatusCode, resp.Header)
		}
		k.wantTokens("a-1")
		if resp, body := k.send(long); resp.StatusCode != http.StatusOK || body != "5000" {
			t.Errorf("%d: the next request got %d %q", tt.status, resp.StatusCode, body)
		}
	}
}

func TestOverloadAndFaultsPassAndPunishNobody(t *testing.T) {
	for _, status := range []int{200, 400, 404, 413, 500, 503, 529} {
		k := newKit(t, byAccount(map[string]int{"a": status}), "a", "b")
		resp, body := k.send("hi")
		if resp.StatusCode != status || !strings.Contains(body, "words of a") || resp.Header.Get(FieldAttempts) != "1" {
			t.Errorf("%d: got %d %q", status, resp.StatusCode, body)
		}
		k.wantUntouched("a", "b")
	}
}

func TestAPanicCostsItsAccountAShortCooldown(t *testing.T) {
	k, closed := newKit(t, byAccount(map[string]int{"a": 418}), "a", "b"), false
	base := k.transport.base
	k.transport.base = upstreamFunc(func(r *http.Request) (*http.Response, error) {
		resp, err := base.RoundTrip(r)
		resp.Body = closing{resp.Body, &closed}
		return resp, err
	})
	if resp, _ := k.send("hi"); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("got %d", resp.StatusCode)
	}
	k.wantCooling("a", accounts.CoolFault, faultCooldown)
	if !closed {
		t.Error("the answer that nobody got is open")
	}
	if _, body := k.send("hi"); body != "hello from b" {
		t.Errorf("%q", body)
	}
}

func TestAVaultWithoutItsKeyBlamesNoAccount(t *testing.T) {
	k := newKit(t, byAccount(nil), "a", "b")
	k.purse.read = &vault.KeyError{State: vault.KeyLocked}
	resp, body := k.send("hi")
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "keyring is locked") {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	k.wantUntouched("a", "b")
}

// closing tells that it was closed.
type closing struct {
	io.ReadCloser
	closed *bool
}

func (c closing) Close() error {
	*c.closed = true
	return c.ReadCloser.Close()
}
