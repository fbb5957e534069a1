package accounts

import (
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// A refusal is noted before the lock is free: whoever waits for it would present
// the refused token again, and a login whose answer was lost would then count as
// revoked.
func TestI3_ARefusedTokenIsNotPresentedByWhoComesNext(t *testing.T) {
	h := newSharedHome(t, simulator.Options{Presentations: true})
	a := h.addAccount(t, "ada", "work")
	gen := h.token(t, a.ID).Generation
	next := &home{dir: h.dir, sim: h.sim} // another process
	next.open(t, h.sim.URL(), sharedKey(h.dir))
	h.sim.Revoke("ada")

	// As long as somebody else writes accounts.json, nothing can be noted there.
	writing, err := lockState(filepath.Join(h.dir, "state.lock"))
	if err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	renew := func(h *home) {
		if _, err := h.renewer.Renew(t.Context(), a.ID, gen); !isLoginNeeded(err, LoginRevoked) {
			t.Errorf("got %v", err)
		}
	}
	both.Go(func() { renew(h) })
	waitUntil(t, func() bool { return h.sim.Counts().Statuses[400] == 1 })
	both.Go(func() { renew(next) })
	time.Sleep(300 * time.Millisecond) // for who does not wait
	if err := writing.Unlock(); err != nil {
		t.Fatal(err)
	}
	both.Wait()
	if n := len(h.sim.Presentations()); n != 1 {
		t.Errorf("the refused token was presented %d times", n)
	}
}

// The login of a record that is missing is not known to be an older one than the
// account's: whoever signed in long ago is told all the same, once.
func TestAMissingRecordAsksForALogin(t *testing.T) {
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	if err := h.vault.Remove(t.Context(), string(a.ID)); err != nil {
		t.Fatal(err)
	}
	h.renewer.forget(a.ID)
	for range 2 {
		if _, err := h.renewer.Renew(t.Context(), a.ID, 0); !isLoginNeeded(err, LoginMissing) {
			t.Errorf("got %v", err)
		}
	}
	if now, _ := h.registry.Get(a.ID); now.LoggedInAt.IsZero() || now.NeedsLogin != LoginMissing {
		t.Errorf("signed in at %v, the account needs a login for %q", now.LoggedInAt, now.NeedsLogin)
	}
	if got := h.entries(EntryLoginNeeded); len(got) != 1 {
		t.Errorf("the journal says it %d times, want once", len(got))
	}
	if got := h.signIn(t, "ada", ""); !got.Renewed {
		t.Fatalf("%+v", got)
	}
	_ = h.renewer.needLogin(a, outcome{cause: LoginMissing}) // it was missing before that login
	if now, _ := h.registry.Get(a.ID); now.NeedsLogin != "" {
		t.Errorf("a login that is here by now is asked for: %s", now.NeedsLogin)
	}
}

// Answers of a token endpoint, or of what stands before it.
const (
	lostAnswer    = "lost"
	portalPage    = "403 portal" // a page of an office's proxy
	notThere      = "404"
	earlyNotThere = "404 early" // before anything of the token is sent
	earlyBroken   = "503 early"
	refusedGrant  = "400 invalid_grant"
)

// give answers a token request so.
func give(r *http.Request, what string) (*http.Response, error) {
	if what != earlyNotThere && what != earlyBroken {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
	}
	page := strings.NewReader("<html>go away</html>")
	switch what {
	case lostAnswer:
		return nil, io.ErrUnexpectedEOF
	case portalPage:
		return answerOf(http.StatusForbidden, page), nil
	case earlyBroken:
		return answerOf(http.StatusServiceUnavailable, page), nil
	case refusedGrant:
		return answerOf(http.StatusBadRequest, strings.NewReader(`{"error":"invalid_grant"}`)), nil
	}
	return answerOf(http.StatusNotFound, page), nil
}

// A whole answer that does not end the login says nothing of the presentations
// before it: their answers are still lost, and the refusal that follows is named
// for it.
func TestI3_ARefusalAfterALostAnswerIsNamedForIt(t *testing.T) {
	for _, tt := range []struct {
		answers []string
		want    string
	}{
		{[]string{lostAnswer, lostAnswer, notThere, refusedGrant}, LoginLostResponse},
		{[]string{lostAnswer, portalPage, refusedGrant}, LoginLostResponse},
		{[]string{lostAnswer, portalPage, portalPage, portalPage}, LoginLostResponse},
		{[]string{lostAnswer, earlyNotThere, refusedGrant}, LoginLostResponse},
		{[]string{lostAnswer, earlyBroken, earlyBroken, notThere, refusedGrant}, LoginLostResponse},
		{[]string{notThere, notThere, refusedGrant}, LoginRevoked},
		{[]string{earlyNotThere, portalPage, refusedGrant}, LoginRevoked},
		{[]string{portalPage, portalPage, portalPage}, LoginRevoked},
	} {
		t.Run(strings.Join(tt.answers, ", "), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				h, id := stubHome(t, func(r *http.Request) (*http.Response, error) {
					asked++
					return give(r, tt.answers[min(asked, len(tt.answers))-1])
				})
				var err error
				for range 2 * len(tt.answers) {
					if _, err = h.renewer.Renew(t.Context(), id, 1); isLoginNeeded(err, tt.want) {
						break
					}
					if postponed, ok := errors.AsType[*PostponedError](err); ok {
						if tt.want == LoginRevoked {
							t.Errorf("a whole answer holds the next presentation back until %v", postponed.Until)
						}
						time.Sleep(time.Until(postponed.Until))
					}
				}
				if !isLoginNeeded(err, tt.want) || asked != len(tt.answers) {
					t.Errorf("after %d answers: %v", asked, err)
				}
				if a, _ := h.registry.Get(id); a.NeedsLogin != tt.want {
					t.Errorf("accounts.json says %q", a.NeedsLogin)
				}
				_ = h.renewer.wait(t.Context())
			})
		})
	}
}

// Whole answers in between neither reset how often a token is presented without
// one, nor bring the next presentation nearer.
func TestI3_AnswersBetweenLostOnesResetNoBound(t *testing.T) {
	for _, between := range []string{notThere, earlyNotThere, earlyBroken} {
		t.Run(between, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				var lost []time.Time
				h, id := stubHome(t, func(r *http.Request) (*http.Response, error) {
					if asked++; asked%3 == 0 {
						return give(r, between)
					}
					_, err := give(r, lostAnswer)
					if errors.Is(err, io.ErrUnexpectedEOF) { // else it was not sent
						lost = append(lost, time.Now())
					}
					return nil, err
				})
				var err error
				for range 200 {
					if _, err = h.renewer.Renew(t.Context(), id, 1); isLoginNeeded(err, LoginLostResponse) {
						break
					}
					if postponed, ok := errors.AsType[*PostponedError](err); ok {
						time.Sleep(time.Until(postponed.Until))
					}
				}
				if !isLoginNeeded(err, LoginLostResponse) || len(lost) != 6 {
					t.Fatalf("after %d presentations without an answer: %v", len(lost), err)
				}
				for n, least := range []time.Duration{0, time.Second, 10 * time.Minute, time.Hour, 6 * time.Hour, 6 * time.Hour} {
					if n > 0 && lost[n].Sub(lost[n-1]) < least {
						t.Errorf("presentation %d came %s after the one before, want at least %s", n+1, lost[n].Sub(lost[n-1]), least)
					}
				}
				_ = h.renewer.wait(t.Context())
			})
		})
	}
}
