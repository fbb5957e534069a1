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

// TestC15_ACopyOfALoginGoesAtTheNextStart leaves a sign-in's copies beside the login
// that an account has by then, and a later login, which the account gets.
func TestC15_ACopyOfALoginGoesAtTheNextStart(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	record, err := h.vault.Read(string(a.ID))
	if err != nil {
		t.Fatal(err)
	}
	anonymous, later := record, record
	anonymous.Identity = "" // it is known by its token alone
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
	want := []string{string(a.ID)}
	if got := vaulted(t, h); !slices.Equal(got, want) || len(h.registry.All()) != 1 {
		t.Errorf("the vault has %v, want %v; accounts: %d", got, want, len(h.registry.All()))
	}
	if got := h.records(t)[a.ID].RefreshToken; got != "later" {
		t.Error("the account has not got the later login")
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

// records returns all that the vault holds.
func (h *home) records(t *testing.T) map[ID]vault.Record {
	t.Helper()
	records := map[ID]vault.Record{}
	for _, id := range vaulted(t, h) {
		record, err := h.vault.Read(id)
		if err != nil {
			t.Error(err)
		}
		records[ID(id)] = record
	}
	return records
}

// TestT20_ARefusedSignInThatIsKilledIsNoAccount has the processes of others, and the
// next start, look while it is not known yet that somebody else signed in.
func TestT20_ARefusedSignInThatIsKilledIsNoAccount(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	p, _ := h.providers.Get(simulated)
	ada := h.addAccount(t, "ada", "work")
	p.Identity = nil // as of a server whose token response says nothing
	profile := p.Profile
	var left map[ID]vault.Record
	p.Profile = func(ctx context.Context, c Doer, token Token) (Identity, error) {
		left = h.records(t)
		return profile(ctx, c, token)
	}
	flow, err := h.logins.StartFor(t.Context(), ada.ID, LoginPaste)
	if err != nil {
		t.Fatal(err)
	}
	if got := h.pasteFor(t, flow, "bob"); got.Failure != FailureIdentity {
		t.Errorf("bob for ada: %+v", got)
	}
	if ids := vaulted(t, h); len(left) != 2 || len(ids) != 1 {
		t.Fatalf("there were %d records while it was asked whose the login is, and then %v", len(left), ids)
	}
	for id, record := range left {
		if id != ada.ID {
			leave(t, h, id, record)
		}
	}
	if err := h.registry.Rebuild(left); err != nil {
		t.Fatal(err)
	}
	if all := h.registry.All(); len(all) != 1 {
		t.Errorf("bob's login is an account: %+v", all)
	}
}

// TestT20_ARefusedSignInIsNotStoredWhereItSaysItself fails where the refused login
// was in the vault for a moment.
func TestT20_ARefusedSignInIsNotStoredWhereItSaysItself(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	ada := h.addAccount(t, "ada", "work")
	flow, err := h.logins.StartFor(t.Context(), ada.ID, LoginPaste)
	if err != nil {
		t.Fatal(err)
	}
	code, _ := h.authorize(t, flow, "bob")
	s := &signIn{l: h.logins, f: h.logins.flows[flow.ID], p: h.logins.flows[flow.ID].provider, home: newID()}
	if s.held, err = h.vault.Lock(t.Context(), string(s.home)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.complete(t.Context(), code); err == nil {
		t.Error("bob is ada")
	}
	if ids := vaulted(t, h); len(ids) != 1 {
		t.Errorf("the vault has %v", ids)
	}
}

// TestC15_ALoginOfNobodyKnownIsNoAccountOfItsOwn signs in to a busy account of a
// provider that says of nobody who it is.
func TestC15_ALoginOfNobodyKnownIsNoAccountOfItsOwn(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	a, waiting := h.signInWhileBusy(t, true)
	if err := h.registry.Rebuild(h.records(t)); err != nil {
		t.Fatal(err)
	}
	if all := h.registry.All(); len(all) != 1 || waiting == "" {
		t.Errorf("%q is an account of its own beside %s: %+v", waiting, a.ID, all)
	}
}

// signInWhileBusy makes an account and signs in to it once more, for nothing, while
// somebody has its lock. It returns where the login is.
func (h *home) signInWhileBusy(t *testing.T, silent bool) (a Account, waiting ID) {
	t.Helper()
	if p, _ := h.providers.Get(simulated); silent {
		p.Identity, p.Profile = nil, nil
	}
	a = h.addAccount(t, "ada", "work")
	held, err := h.vault.Lock(t.Context(), string(a.ID))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	flow, err := h.logins.StartFor(t.Context(), a.ID, LoginPaste)
	if err != nil {
		t.Fatal(err)
	}
	return a, h.finishWhileBusy(t, flow, a.ID)
}

// finishWhileBusy ends the sign-in to an account whose lock is held as soon as it
// waits for nothing else, and returns where its login is.
func (h *home) finishWhileBusy(t *testing.T, flow LoginFlow, busy ID) (waiting ID) {
	t.Helper()
	code, _ := h.authorize(t, flow, "ada")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, _, err := h.logins.finish(ctx, h.logins.flows[flow.ID], code)
		done <- err
	}()
	for waiting == "" {
		select {
		case err := <-done:
			t.Fatalf("the sign-in did not wait: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
		for _, id := range vaulted(t, h) {
			if record, err := h.vault.Read(id); err == nil && ID(id) != busy && !record.Unproven {
				waiting = ID(id)
			}
		}
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("the account was renewed without its lock")
	}
	return waiting
}
