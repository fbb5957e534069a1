package accounts

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/accounts/vault"
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

// TestC15_ACopyOfALoginGoesAtTheNextStart leaves a sign-in's copy beside the login
// that an account has by then, and a later login that no account has yet.
func TestC15_ACopyOfALoginGoesAtTheNextStart(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	record, err := h.vault.Read(string(a.ID))
	if err != nil {
		t.Fatal(err)
	}
	anonymous, later := record, record
	anonymous.Identity = ""
	later.RefreshToken, later.LoggedInAt = "later", record.LoggedInAt.Add(time.Minute)
	records := map[ID]vault.Record{a.ID: record, "copy": record, "nobodys": anonymous, "later": later}
	for id, r := range records {
		if id != a.ID {
			leave(t, h, id, r)
		}
	}
	if err := h.registry.Rebuild(records); err != nil {
		t.Fatal(err)
	}
	h.registry.Sweep(t.Context(), h.vault, records)
	want := []string{string(a.ID), "later"}
	slices.Sort(want)
	if got := vaulted(t, h); !slices.Equal(got, want) || len(h.registry.All()) != 1 {
		t.Errorf("the vault has %v, want %v; accounts: %d", got, want, len(h.registry.All()))
	}
}

func leave(t *testing.T, h *home, id ID, r vault.Record) {
	t.Helper()
	held, err := h.vault.Lock(t.Context(), string(id))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	r.Generation = 0
	if err := held.Store(r); err != nil {
		t.Fatal(err)
	}
}

// TestC15_ALoginThatWasNotRenamedYetIsFound has a process killed between the first
// record of an account and its place.
func TestC15_ALoginThatWasNotRenamedYetIsFound(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	record, err := h.vault.Read(string(a.ID))
	if err != nil {
		t.Fatal(err)
	}
	record.Identity, record.RefreshToken = "another", "another"
	leave(t, h, "fresh", record)
	dir := filepath.Join(h.dir, "vault", "fresh")
	if err := os.Rename(filepath.Join(dir, "cred"), filepath.Join(dir, "cred.tmp")); err != nil {
		t.Fatal(err)
	}
	h.registry.Promote(t.Context(), h.vault, "fresh")
	if err := h.registry.Rebuild(map[ID]vault.Record{"fresh": record}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.registry.Get("fresh"); err != nil {
		t.Error(err)
	}
}
