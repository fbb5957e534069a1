package accounts

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/accounts/vault"
)

// TestC25_RenewalsWhenTheClockJumps asks for a token every second while the clock
// jumps, and has the server refuse it once it is spent there. A jump by d comes to
// all that was written down before lying so much further back.
func TestC25_RenewalsWhenTheClockJumps(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]time.Duration{
		"suspended for 8 hours": 8 * time.Hour,
		"set back 8 hours":      -8 * time.Hour,
		"a year later":          365 * 24 * time.Hour,
		"a year back":           -365 * 24 * time.Hour,
		"summer begins":         time.Hour, // to a clock that keeps local time
		"summer ends":           -time.Hour,
		"1970":                  -30 * 365 * 24 * time.Hour, // a bubble begins in 2000
		"50 years later":        50 * 365 * 24 * time.Hour,
	} {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, the first answer lost %v", name, lost), func(t *testing.T) {
				dir := quickDir(t)
				synctest.Test(t, func(t *testing.T) {
					var posts []time.Time
					spentAt := time.Now().Add(time.Hour) // by the server's clock
					h, id := stubHomeIn(t, dir, func(r *http.Request) (*http.Response, error) {
						if _, err := io.Copy(io.Discard, r.Body); err != nil {
							return nil, err
						}
						posts = append(posts, time.Now())
						if lost && len(posts) == 1 {
							return nil, io.ErrUnexpectedEOF
						}
						spentAt = time.Now().Add(time.Hour)
						return answerOf(http.StatusOK, strings.NewReader(fmt.Sprintf(`{"access_token":"n%d","expires_in":3600}`, len(posts)))), nil
					})
					ask := func() {
						token, err := h.renewer.Token(id)
						if err == nil && (!token.Valid(time.Now()) || !time.Now().Before(spentAt)) { // the server's 401 wins
							_, _ = h.renewer.Renew(t.Context(), id, token.Generation)
						}
					}
					for range 10 * 60 {
						ask()
						time.Sleep(time.Second)
					}
					h.jump(t, id, d)
					if d > 0 {
						spentAt = spentAt.Add(-d) // it slept, too, and the server did not
					}
					woke := time.Now()
					for time.Since(woke) < 50*time.Minute {
						ask()
						time.Sleep(time.Second)
					}
					most := 1
					if lost {
						most++
					}
					if len(posts) > most || d > 0 && (len(posts) < most || posts[0].Sub(woke) > time.Minute) {
						t.Errorf("after waking at %v the token was presented at %v", woke, posts)
					}
					time.Sleep(time.Until(spentAt))
					ask()
					if token, err := h.renewer.Token(id); err != nil || !token.Valid(time.Now()) {
						t.Errorf("in the end there is a token of %v, %v", token.ReceivedAt, err)
					}
					if err := h.renewer.wait(t.Context()); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// A rest after the server's trouble ends by the wall clock, which goes on while the
// machine sleeps, and is none the longer for a clock that was set back.
func TestC25_ARestEndsWhateverTheClockDoes(t *testing.T) {
	r := NewRenewer(RenewerOptions{})
	r.note("aaa", outcome{}, &TokenError{StatusCode: http.StatusServiceUnavailable, RetryAfter: time.Minute})
	now := time.Now() // no bubble's: that has no other clock
	until, err := r.resting("aaa", 0, now)
	if left := until.Sub(now); err == nil || left > time.Minute || left < 50*time.Second {
		t.Fatalf("asked to wait a minute it rests %v, %v", left, err)
	}
	if until != until.Round(0) {
		t.Errorf("it rests until %v", until)
	}
	back := now.Add(-8 * time.Hour)
	if until, _ := r.resting("aaa", 0, back); !until.Equal(back.Add(time.Minute)) || until != until.Round(0) {
		t.Errorf("set back to %v it rests until %v, want a minute", back, until)
	}
	if until, err := r.resting("aaa", 0, back.Add(time.Minute)); err != nil {
		t.Errorf("a minute later it rests until %v", until)
	}
}

// jump is what the clock's jump by d comes to for the account.
func (h *home) jump(t *testing.T, id ID, d time.Duration) {
	t.Helper()
	h.rewrite(t, id, func(r *vault.Record) { r.ReceivedAt = r.ReceivedAt.Add(-d) })
	if _, err := h.registry.Edit(id, func(a *Account) error {
		if !a.TokenExpiresAt.IsZero() {
			a.TokenExpiresAt = a.TokenExpiresAt.Add(-d)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	h.renewer.mu.Lock()
	defer h.renewer.mu.Unlock()
	if c, ok := h.renewer.tokens[id]; ok {
		c.named, c.readAt = c.named.Add(-d), c.readAt.Add(-d)
		c.token.ReceivedAt, c.token.Expiry = c.token.ReceivedAt.Add(-d), c.token.Expiry.Add(-d)
		h.renewer.tokens[id] = c
	}
}
