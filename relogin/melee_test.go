package relogin

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// TestC13_ABrowsersLoginWhileEverythingElseHappens has a browser sign in again to an
// account that is renewed, renamed and perhaps removed meanwhile, with its session,
// as the removal of an account does it. Nobody comes back, and no login is lost.
func TestC13_ABrowsersLoginWhileEverythingElseHappens(t *testing.T) {
	t.Parallel()
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	h := newHome(t)
	renewer := accounts.NewRenewer(accounts.RenewerOptions{Registry: h.registry, Vault: h.vault, Providers: h.providers, Bus: h.bus})
	t.Cleanup(func() {
		if err := renewer.Drain(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	bob := h.addSession(t, "bob", "bob")
	var ada accounts.Account
	removals, done := 0, 0
	for n := range rounds {
		if ada.ID == "" {
			ada = h.addSession(t, "ada", "")
		} else {
			ada = h.needLogin(t, ada.ID)
		}
		h.driver.does(func(_ context.Context, v Visit) (accounts.Secret, error) {
			time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond) // another order each time
			return h.driver.redirect(v, "ada")
		})
		label, remove := fmt.Sprintf("ada-%d", n), rand.IntN(2) == 0
		var login error
		var all sync.WaitGroup
		soon := func(do func()) {
			all.Go(func() {
				time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
				do()
			})
		}
		soon(func() { login = h.manager.LoginNow(t.Context(), ada.ID) })
		soon(func() {
			if token, err := renewer.Token(ada.ID); err == nil {
				_, _ = renewer.Renew(t.Context(), ada.ID, token.Generation) // it may be gone
			}
		})
		soon(func() { _ = h.registry.Rename(ada.ID, label) }) // likewise
		if remove {
			removals++
			soon(func() {
				_ = h.manager.Remove(t.Context(), ada.ID) // a window may have ended since: once more below
				err := errors.Join(h.vault.Remove(t.Context(), string(ada.ID)), h.registry.Remove(ada.ID), h.vault.Remove(t.Context(), string(ada.ID)))
				if err != nil {
					t.Errorf("the removal: %v", err)
				}
				_ = h.manager.Remove(t.Context(), ada.ID)
			})
		}
		all.Wait()
		now, err := h.registry.Latest(ada.ID)
		switch {
		case remove && !errors.Is(err, accounts.ErrNotFound):
			t.Fatalf("round %d: the account that was removed is %+v, %v", n, now, err)
		case !remove && (err != nil || login != nil || now.Label != label || now.NeedsLogin != ""):
			t.Fatalf("round %d: the login ended with %v, the account is %+v, %v", n, login, now, err)
		case login == nil:
			done++
		}
		for _, a := range h.registry.All() {
			want := "ada"
			if a.ID == bob.ID {
				want = "bob"
			}
			token, err := renewer.Token(a.ID)
			if err != nil {
				t.Fatalf("round %d: %s has no token: %v", n, a.Label, err)
			}
			if user, live := h.sim.Owner(token.RefreshToken.Reveal()); user != want || !live {
				t.Fatalf("round %d: the token of %s is %q's, live %v", n, a.Label, user, live)
			}
		}
		ids, err := h.vault.IDs()
		if err != nil || len(ids) != len(h.registry.All()) || remove && len(ids) != 1 {
			t.Fatalf("round %d: the vault has %v, %v, accounts.json %d", n, ids, err, len(h.registry.All()))
		}
		ada = now
	}
	if c := h.sim.Counts(); c.Reuse != 0 || c.TotalViolations() != 0 {
		t.Errorf("%d reused tokens, violations %v", c.Reuse, c.Violations)
	}
	t.Logf("%d rounds, %d of them with a removal; %d logins came to an end", rounds, removals, done)
	if removals == 0 || done < rounds/4 {
		t.Error("some outcome hardly came")
	}
}
