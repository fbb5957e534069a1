package accounts

import (
	"path/filepath"
	"sync"
	"testing"
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
