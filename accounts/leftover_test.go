package accounts

import (
	"context"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// TestI5_ALoginIsDurableBeforeItsAccountIsFree signs in to an account whose lock
// somebody has, and gives up: the new login is on disk meanwhile, and afterwards.
func TestI5_ALoginIsDurableBeforeItsAccountIsFree(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	before := h.token(t, a.ID)
	held, err := h.vault.Lock(t.Context(), string(a.ID))
	if err != nil {
		t.Fatal(err)
	}
	flow, err := h.logins.Start(t.Context(), simulated, LoginPaste, "")
	if err != nil {
		t.Fatal(err)
	}
	code, _ := h.authorize(t, flow, "ada")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, _, err := h.logins.finish(ctx, h.logins.flows[flow.ID], code); err == nil {
		t.Error("the account was renewed without its lock")
	}
	held.Release()
	found := false
	for _, id := range vaulted(t, h) {
		record, err := h.vault.Read(id)
		if err != nil {
			t.Fatal(err)
		}
		user, live := h.sim.Owner(record.RefreshToken)
		found = found || user == "ada" && live && record.RefreshToken != before.RefreshToken.Reveal() && record.Identity == a.Identity
	}
	if !found {
		t.Error("the new login is lost")
	}
	if got := h.signIn(t, "ada", ""); got.State != FlowDone || got.Account != a.ID {
		t.Errorf("signing in once more: %+v", got)
	}
}
