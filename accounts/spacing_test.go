package accounts

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/accounts/vault"
)

// stubHome is a home whose token endpoint is a function, for tests that live in
// a bubble: no socket, and a clock that jumps. It has one account, whose access
// token is good for an hour.
func stubHome(t *testing.T, endpoint doerFunc) (h *home, id ID) {
	t.Helper()
	return stubHomeIn(t, t.TempDir(), endpoint)
}

// stubHomeIn is stubHome in a folder of the caller's.
func stubHomeIn(t *testing.T, dir string, endpoint doerFunc) (h *home, id ID) {
	t.Helper()
	h = &home{dir: dir}
	if err := h.build("http://127.0.0.1:1", vault.Options{Memory: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.vault.Close)
	h.renewer.o.Client = func(*Provider) Doer { return endpoint }
	a := add(t, h.registry, Account{Provider: simulated, Label: "work"})
	held, err := h.vault.Lock(t.Context(), string(a.ID))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	err = held.Store(vault.Record{
		Provider: string(simulated), RefreshToken: "the-refresh-token",
		ReceivedAt: time.Now(), Raw: []byte(`{"access_token":"a","expires_in":3600}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	return h, a.ID
}

func TestTroubleOfTheTokenEndpointIsSpaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests, retryAfter, status := 0, "", http.StatusInternalServerError
		h, id := stubHome(t, func(r *http.Request) (*http.Response, error) {
			_, _ = io.Copy(io.Discard, r.Body)
			requests++
			resp := answerOf(status, strings.NewReader(`{"access_token":"b","expires_in":3600}`))
			if retryAfter != "" {
				resp.Header.Set("Retry-After", retryAfter)
			}
			return resp, nil
		})
		wait := func() time.Duration {
			t.Helper()
			_, err := h.renewer.Renew(t.Context(), id, 1)
			if te, ok := errors.AsType[*TokenError](err); !ok || te.StatusCode != status {
				t.Fatalf("got %v", err)
			}
			before := requests
			_, err = h.renewer.Renew(t.Context(), id, 1)
			postponed, ok := errors.AsType[*PostponedError](err)
			if !ok || requests != before || errors.Unwrap(postponed) == nil {
				t.Fatalf("at once after it: %v", err)
			}
			d := time.Until(postponed.Until)
			time.Sleep(d)
			return d
		}
		for n, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
			if got := wait(); got != want*time.Second {
				t.Errorf("after %d failures it waits %s, want %d s", n+1, got, want)
			}
		}
		retryAfter = "17"
		if got := wait(); got != 17*time.Second {
			t.Errorf("asked to wait 17 s it waits %s", got)
		}
		status, retryAfter = http.StatusOK, ""
		if token, err := h.renewer.Renew(t.Context(), id, 1); err != nil || token.Generation != 2 {
			t.Fatalf("generation %d, %v", token.Generation, err)
		}
		status = http.StatusTooManyRequests
		_, err := h.renewer.Renew(t.Context(), id, 2)
		if _, ok := errors.AsType[*TokenError](err); !ok {
			t.Fatal(err)
		}
		_, err = h.renewer.Renew(t.Context(), id, 2)
		if postponed, ok := errors.AsType[*PostponedError](err); !ok || time.Until(postponed.Until) != restThrottled {
			t.Errorf("after a 429 without a time: %v", err)
		}
		if got := h.entries(EntryRenewFailed); len(got) != 13 {
			t.Errorf("the journal names %d failures, want one for each that was tried", len(got))
		}
		_ = h.renewer.wait(t.Context())
	})
}

// TestLostAnswersAreSpacedAndBounded is SAFETY 2.2, step 4.
func TestLostAnswersAreSpacedAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		h, id := stubHome(t, func(r *http.Request) (*http.Response, error) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return nil, err
			}
			at = append(at, time.Since(start))
			return nil, io.ErrUnexpectedEOF
		})
		var err error
		for range 20 {
			if _, err = h.renewer.Renew(t.Context(), id, 1); isLoginNeeded(err, LoginLostResponse) {
				break
			}
			if postponed, ok := errors.AsType[*PostponedError](err); ok {
				time.Sleep(time.Until(postponed.Until))
			}
		}
		if !isLoginNeeded(err, LoginLostResponse) {
			t.Fatalf("after %d presentations: %v", len(at), err)
		}
		for n, least := range []time.Duration{0, time.Second, 10 * time.Minute, time.Hour, 6 * time.Hour, 6 * time.Hour} {
			if n >= len(at) {
				t.Errorf("it was presented %d times, want six", len(at))
				break
			}
			if n > 0 && at[n]-at[n-1] < least {
				t.Errorf("presentation %d came %s after the one before, want at least %s", n+1, at[n]-at[n-1], least)
			}
		}
		if len(at) > 6 {
			t.Errorf("it was presented %d times: %v", len(at), at)
		}
		if at[1]-at[0] > 3*time.Second {
			t.Errorf("the first time it was made up for after %s, want within 3 s", at[1]-at[0])
		}
		if a, _ := h.registry.Get(id); a.NeedsLogin != LoginLostResponse {
			t.Errorf("accounts.json says %q", a.NeedsLogin)
		}
		_ = h.renewer.wait(t.Context())
	})
}

func TestALoginEndsAfterTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := stubHome(t, nil)
		flow, err := h.logins.Start(t.Context(), simulated, LoginPaste, "")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(loginLimit - time.Second)
		if got := h.logins.All(); len(got) != 1 || got[0].State != FlowWaiting {
			t.Errorf("a second before its end: %+v", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := h.logins.All(); len(got) != 1 || got[0].State != FlowFailed || !strings.Contains(got[0].Problem, "ten minutes") {
			t.Errorf("after its end: %+v", got)
		}
		if got, err := h.logins.Code(t.Context(), flow.ID, "code"); err != nil || got.State != FlowFailed {
			t.Errorf("a code after the end: %+v, %v", got, err)
		}
		time.Sleep(loginShown + time.Second)
		if got := h.logins.All(); len(got) != 0 {
			t.Errorf("a while later: %+v", got)
		}
		h.logins.Close()
	})
}

func TestATokenIsReadAgainWhenAnotherProcessStoredOne(t *testing.T) {
	h, id := stubHome(t, nil)
	before := h.token(t, id)
	other := openRegistry(t, h.dir, nil) // another process, with the same vault
	held, err := h.vault.Lock(t.Context(), string(id))
	if err != nil {
		t.Fatal(err)
	}
	record, err := held.Read()
	if err != nil {
		t.Fatal(err)
	}
	record.Generation, record.Raw = 0, []byte(`{"access_token":"b","expires_in":7200}`)
	if err := held.Store(record); err != nil {
		t.Fatal(err)
	}
	held.Release()
	if got := h.token(t, id); got != before {
		t.Errorf("nothing says that the token changed, and it is generation %d", got.Generation)
	}
	if _, err := other.Edit(id, func(a *Account) error { a.TokenExpiresAt = record.ReceivedAt.Add(2 * time.Hour); return nil }); err != nil {
		t.Fatal(err)
	}
	stop := runRegistry(t, h.registry)
	defer stop()
	waitUntil(t, func() bool { return h.token(t, id).AccessToken == "b" })
}
