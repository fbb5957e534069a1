package accounts

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/accounts/vault"
)

// startAgain does what a start does once the vault is open.
func (h *home) startAgain(t *testing.T) {
	t.Helper()
	records := h.records(t)
	if err := h.registry.Rebuild(records); err != nil {
		t.Fatal(err)
	}
	h.registry.Sweep(t.Context(), h.vault, records)
}

// onlyAccount fails the test if there is more than that account.
func (h *home) onlyAccount(t *testing.T, id ID) {
	t.Helper()
	if ids, all := vaulted(t, h), h.registry.All(); !slices.Equal(ids, []string{string(id)}) || len(all) != 1 {
		t.Errorf("the vault has %v, want %s; accounts: %+v", ids, id, all)
	}
}

// TestC13_ALoginThatFoundItsAccountBusyIsTakenLater has it taken by the next start,
// and by the next renewal, of an account whose own login has ended.
func TestC13_ALoginThatFoundItsAccountBusyIsTakenLater(t *testing.T) {
	for name, take := range map[string]func(t *testing.T, h *home, id ID){
		"at a start": func(t *testing.T, h *home, _ ID) { t.Helper(); h.startAgain(t) },
		"at a renewal": func(t *testing.T, h *home, id ID) {
			t.Helper()
			if _, err := h.renewer.Renew(t.Context(), id, h.token(t, id).Generation); err != nil {
				t.Error(err)
			}
		},
	} {
		for _, silent := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				h := newHome(t, simulator.Options{})
				a, waiting := h.signInWhileBusy(t, silent)
				before, login := h.token(t, a.ID), h.records(t)[waiting]
				if _, err := h.registry.Edit(a.ID, func(a *Account) error {
					a.NeedsLogin, a.NeedsLoginGen, a.Paused = LoginRevoked, before.Generation, true
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				asked := h.sim.Counts().Total(simulator.PathToken)
				take(t, h, a.ID)
				h.onlyAccount(t, a.ID)
				record, now := h.records(t)[a.ID], h.token(t, a.ID)
				if record.RefreshToken != login.RefreshToken || record.For != "" || record.Label != "work" || !record.Paused || now.Generation != before.Generation+1 {
					t.Errorf("the account has %v, labelled %q, for %q", record, record.Label, record.For)
				}
				if got, err := h.registry.Get(a.ID); err != nil || got.NeedsLogin != "" || !got.LoggedInAt.Equal(login.LoggedInAt) || !got.TokenExpiresAt.Equal(now.Expiry) {
					t.Errorf("the account is %+v, %v", got, err)
				}
				if got := h.sim.Counts().Total(simulator.PathToken); got != asked {
					t.Errorf("%d tokens were presented", got-asked)
				}
				if _, err := h.renewer.Renew(t.Context(), a.ID, now.Generation); err != nil {
					t.Error(err)
				}
				h.checkClean(t)
			})
		}
	}
}

// TestC13_AnOlderLoginThatWaitedIsNotTaken signs in once more, which gets the lock.
func TestC13_AnOlderLoginThatWaitedIsNotTaken(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	a, _ := h.signInWhileBusy(t, true)
	flow, err := h.logins.StartFor(t.Context(), a.ID, LoginPaste)
	if err != nil {
		t.Fatal(err)
	}
	if got := h.pasteFor(t, flow, "ada"); got.State != FlowDone {
		t.Fatalf("%+v", got)
	}
	want := h.token(t, a.ID)
	h.startAgain(t)
	h.onlyAccount(t, a.ID)
	if h.records(t)[a.ID].RefreshToken != want.RefreshToken.Reveal() {
		t.Error("the account has another login")
	}
}

// TestC13_ALoginThatWaitsStaysWhereItIs holds the lock of the login, as its sign-in
// does, then that of the account, then has the disk refuse it.
func TestC13_ALoginThatWaitsStaysWhereItIs(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	a, waiting := h.signInWhileBusy(t, false)
	before := h.records(t)
	same := func(when string) {
		t.Helper()
		h.startAgain(t)
		now := h.records(t)
		if len(now) != 2 || now[a.ID].RefreshToken != before[a.ID].RefreshToken || now[waiting].RefreshToken != before[waiting].RefreshToken {
			t.Errorf("%s: there is %v", when, now)
		}
	}
	for when, id := range map[string]ID{"its sign-in is under way": waiting, "its account is busy": a.ID} {
		held, err := h.vault.Lock(t.Context(), string(id))
		if err != nil {
			t.Fatal(err)
		}
		same(when)
		held.Release()
	}
	full := filepath.Join(h.dir, "vault", string(a.ID), "cred.tmp")
	if err := os.MkdirAll(filepath.Join(full, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	same("the disk refuses it")
	if err := os.RemoveAll(full); err != nil {
		t.Fatal(err)
	}
	h.startAgain(t)
	h.onlyAccount(t, a.ID)
}

// TestC13_ALoginThatWaitsGoesWithItsAccount removes the account before its lock was
// free for the login.
func TestC13_ALoginThatWaitsGoesWithItsAccount(t *testing.T) {
	for name, disowned := range map[string]bool{"as a person does": true, "by a process that was killed": false} {
		for _, silent := range []bool{false, true} {
			if !silent && !disowned {
				continue // whoever an identity belongs to may sign in to a new account
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				h := newHome(t, simulator.Options{})
				a, waiting := h.signInWhileBusy(t, silent)
				if !silent { // as of a sign-in that was asked for nobody
					record := h.records(t)[waiting]
					record.For = ""
					leave(t, h, waiting, record)
				}
				if err := h.vault.Remove(t.Context(), string(a.ID)); err != nil {
					t.Fatal(err)
				}
				if disowned {
					if err := h.registry.Disown(t.Context(), h.vault, a.ID); err != nil {
						t.Error(err)
					}
				}
				if err := errors.Join(h.registry.Remove(a.ID), h.vault.Remove(t.Context(), string(a.ID))); err != nil {
					t.Fatal(err)
				}
				h.startAgain(t)
				if ids, all := vaulted(t, h), h.registry.All(); len(ids) != 0 || len(all) != 0 {
					t.Errorf("the vault has %v; accounts: %+v", ids, all)
				}
			})
		}
	}
}

// TestT20_ALoginThatMayBeAnybodysIsNotTaken is killed before it was known whose it is.
func TestT20_ALoginThatMayBeAnybodysIsNotTaken(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	a, waiting := h.signInWhileBusy(t, true)
	before := h.records(t)
	unproven := before[waiting]
	unproven.Unproven = true
	leave(t, h, waiting, unproven)
	h.startAgain(t)
	if now := h.records(t); len(now) != 2 || now[a.ID].RefreshToken != before[a.ID].RefreshToken || len(h.registry.All()) != 1 {
		t.Errorf("there is %v", now)
	}
	flow, err := h.logins.StartFor(t.Context(), a.ID, LoginPaste)
	if err != nil {
		t.Fatal(err)
	}
	if got := h.pasteFor(t, flow, "ada"); got.State != FlowDone {
		t.Fatalf("%+v", got)
	}
	h.startAgain(t)
	h.onlyAccount(t, a.ID)
}

// TestT20_ASignInSaysWhatIsProven looks at the copy before and after it was found out
// whose it is.
func TestT20_ASignInSaysWhatIsProven(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	p, _ := h.providers.Get(simulated)
	p.Identity = nil
	a := h.addAccount(t, "ada", "work")
	profile := p.Profile
	var asked vault.Record
	p.Profile = func(ctx context.Context, c Doer, token Token) (Identity, error) {
		for id, record := range h.records(t) {
			if id != a.ID {
				asked = record
			}
		}
		return profile(ctx, c, token)
	}
	held, err := h.vault.Lock(t.Context(), string(a.ID))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	flow, err := h.logins.StartFor(t.Context(), a.ID, LoginPaste)
	if err != nil {
		t.Fatal(err)
	}
	waiting := h.finishWhileBusy(t, flow, a.ID)
	if asked.For != string(a.ID) || !asked.Unproven {
		t.Errorf("while it was asked whose it is, it was for %q, unproven %v", asked.For, asked.Unproven)
	}
	if record := h.records(t)[waiting]; record.For != string(a.ID) || record.Unproven || record.Identity == "" {
		t.Errorf("then it is for %q, unproven %v", record.For, record.Unproven)
	}
}

// TestC13_AnAccountThatGoesWhileItGetsALogin has nothing left of it.
func TestC13_AnAccountThatGoesWhileItGetsALogin(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	a, waiting := h.signInWhileBusy(t, false)
	login := h.records(t)[waiting]
	if err := errors.Join(h.vault.Remove(t.Context(), string(a.ID)), h.registry.Remove(a.ID)); err != nil {
		t.Fatal(err)
	}
	has, err := h.registry.hand(t.Context(), h.vault, a, login)
	if !has || err != nil {
		t.Errorf("got %v, %v", has, err)
	}
	if _, err := os.Lstat(filepath.Join(h.dir, "vault", string(a.ID))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder is there: %v", err)
	}
}

// TestALoginThatWaitsIsSaidToBeKept has its person not sign in again for nothing.
func TestALoginThatWaitsIsSaidToBeKept(t *testing.T) {
	for _, err := range []error{vault.ErrBusy, &vault.BusyError{PID: 7, Since: time.Now()}} {
		if p := problemOf(err); !strings.Contains(p.text, "is kept") || !strings.Contains(p.hint, "nothing to do") {
			t.Errorf("%v: %+v", err, p)
		}
	}
}

// TestI2_ALoginMayBeSupersededByARecordThatCannotBeRead damages the record of an
// account, beside a copy of its own login, and beside one that came later.
func TestI2_ALoginMayBeSupersededByARecordThatCannotBeRead(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	a, waiting := h.signInWhileBusy(t, true)
	later := h.records(t)[waiting]
	copied := later
	copied.LoggedInAt = a.LoggedInAt
	leave(t, h, waiting, copied)
	cred := filepath.Join(h.dir, "vault", string(a.ID), "cred")
	if err := os.WriteFile(cred, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	sweep := func(record vault.Record) error {
		h.registry.Sweep(t.Context(), h.vault, map[ID]vault.Record{waiting: record})
		_, err := h.vault.Read(string(a.ID))
		return err
	}
	if err := sweep(copied); !errors.Is(err, vault.ErrUnreadable) || !slices.Contains(vaulted(t, h), string(waiting)) {
		t.Errorf("with a copy of its login: %v; the vault has %v", err, vaulted(t, h))
	}
	leave(t, h, waiting, later)
	if err := sweep(later); err != nil {
		t.Errorf("with a later login: %v", err)
	}
	h.onlyAccount(t, a.ID)
}

// TestC13_NoAccountGoesWhileALoginOfItCannotBeSeen has the vault locked. The login
// that waits says only inside whose it is: it would come back as an account.
func TestC13_NoAccountGoesWhileALoginOfItCannotBeSeen(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	a, waiting := h.signInWhileBusy(t, false)
	record := h.records(t)[waiting]
	record.For = ""
	leave(t, h, waiting, record)
	locked, err := vault.Open(vault.Options{Dir: filepath.Join(h.dir, "vault"), Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer locked.Close()
	if err := h.registry.Disown(t.Context(), locked, a.ID); err == nil {
		t.Error("the account may go, though nobody can see what waits for it")
	}
	if err := h.registry.Disown(t.Context(), h.vault, a.ID); err != nil {
		t.Error(err)
	}
	if err := h.registry.Disown(t.Context(), locked, a.ID); err != nil {
		t.Errorf("with nothing that waits: %v", err)
	}
}

// TestC13_ALoginIsTakenThoughTheClockWasSetBack, if the account's own has ended; and
// never is a copy of that, whose token may be used up.
func TestC13_ALoginIsTakenThoughTheClockWasSetBack(t *testing.T) {
	for name, c := range map[string]struct {
		ended bool
		back  time.Duration
		taken bool
	}{
		"its own has ended":     {true, time.Hour, true},
		"its own is in force":   {false, time.Hour, false},
		"a copy of one that is": {true, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, simulator.Options{})
			a, waiting := h.signInWhileBusy(t, false)
			own, login := h.records(t)[a.ID], h.records(t)[waiting]
			login.LoggedInAt = own.LoggedInAt.Add(-c.back)
			leave(t, h, waiting, login)
			if c.ended {
				if _, err := h.registry.Edit(a.ID, func(a *Account) error {
					a.NeedsLogin, a.NeedsLoginGen = LoginRevoked, own.Generation
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			h.startAgain(t)
			h.onlyAccount(t, a.ID)
			if taken := h.records(t)[a.ID].RefreshToken == login.RefreshToken; taken != c.taken {
				t.Errorf("taken: %v, want %v", taken, c.taken)
			}
			if got, err := h.registry.Get(a.ID); err != nil || (got.NeedsLogin == "") != (c.taken || !c.ended) {
				t.Errorf("the account is %+v, %v", got, err)
			}
		})
	}
}

// TestI5_ALoginThatWasNotWrittenDownIsFoundAgain is killed between the vault and
// accounts.json, with and without the copy that such a sign-in leaves.
func TestI5_ALoginThatWasNotWrittenDownIsFoundAgain(t *testing.T) {
	for name, copied := range map[string]bool{"with its copy": true, "alone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, simulator.Options{})
			a, waiting := h.signInWhileBusy(t, false)
			ended, login := h.records(t)[a.ID].Generation, h.records(t)[waiting]
			if _, err := h.registry.Edit(a.ID, func(a *Account) error {
				a.NeedsLogin, a.NeedsLoginGen = LoginRevoked, ended
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			leave(t, h, a.ID, adopted(a, login))
			if copied {
				h.startAgain(t)
			} else if err := h.vault.Remove(t.Context(), string(waiting)); err != nil {
				t.Fatal(err)
			}
			for range 2 { // and once is enough
				if err := h.registry.Acknowledge(a.ID, h.records(t)[a.ID]); err != nil {
					t.Fatal(err)
				}
			}
			h.onlyAccount(t, a.ID)
			got, err := h.registry.Get(a.ID)
			if err != nil || got.NeedsLogin != "" || !got.LoggedInAt.Equal(login.LoggedInAt) || !got.TokenExpiresAt.Equal(h.token(t, a.ID).Expiry) {
				t.Errorf("the account is %+v, %v", got, err)
			}
		})
	}
}

// TestC15_ALoginThatIsAllThatIsLeftOfItsAccountIsKept loses the account's own record
// and accounts.json, while a login waits for it. One of which it was never known whose
// it is may be anybody's.
func TestC15_ALoginThatIsAllThatIsLeftOfItsAccountIsKept(t *testing.T) {
	for name, unproven := range map[string]bool{"proven": false, "unproven": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, simulator.Options{})
			a, waiting := h.signInWhileBusy(t, false)
			login := h.records(t)[waiting]
			login.Unproven = unproven
			leave(t, h, waiting, login)
			if err := errors.Join(h.vault.Remove(t.Context(), string(a.ID)), os.WriteFile(filepath.Join(h.dir, "accounts.json"), []byte("garbage"), 0o600)); err != nil {
				t.Fatal(err)
			}
			h.registry = openRegistry(t, h.dir, nil)
			for range 2 { // what a start finds, the next one leaves
				h.startAgain(t)
			}
			all := h.registry.All()
			if unproven {
				if len(all) != 0 {
					t.Errorf("the accounts are %+v", all)
				}
				return
			}
			if len(all) != 1 || all[0].ID != waiting || all[0].Identity != a.Identity || h.records(t)[waiting].RefreshToken != login.RefreshToken {
				t.Errorf("the accounts are %+v", all)
			}
		})
	}
}
