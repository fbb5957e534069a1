package ui

import (
	"errors"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/vault"
	"github.com/oauthmux/oauthmux/ui/control"
)

// left is where leave puts a record.
const left = "leftoverleftoverleftover22"

// leave puts a record where a sign-in leaves one.
func leave(t *testing.T, d *demo, record vault.Record) {
	t.Helper()
	held, err := d.app.vault.Lock(t.Context(), left)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	record.Generation = 0
	if err := held.Store(record); err != nil {
		t.Fatal(err)
	}
}

// What a killed sign-in leaves of a login that its account has goes when the
// engine gets its key, and the account stays as it is.
func TestUnlockingSweepsWhatASignInLeft(t *testing.T) {
	d := stage(t, 1)
	acc := d.app.registry.All()[0]
	record, err := d.app.vault.Read(string(acc.ID))
	if err != nil {
		t.Fatal(err)
	}
	leave(t, d, record)
	if err := d.app.unlock(t.Context(), "", false); err != nil {
		t.Fatal(err)
	}
	if _, err := d.app.vault.Read(left); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("the copy is still there: %v", err)
	}
	if all := d.app.registry.All(); len(all) != 1 || all[0].ID != acc.ID {
		t.Errorf("the accounts are %+v", all)
	}
	if _, err := d.app.vault.Read(string(acc.ID)); err != nil {
		t.Errorf("the account's own record: %v", err)
	}
}

// A login that waits for its account to be free goes when a person removes the
// account, and is none of its own at the next start.
func TestRemovingAnAccountRemovesTheLoginThatWaitsForIt(t *testing.T) {
	d := stage(t, 1)
	acc := d.app.registry.All()[0]
	record, err := d.app.vault.Read(string(acc.ID))
	if err != nil {
		t.Fatal(err)
	}
	record.RefreshToken, record.LoggedInAt = "newer", record.LoggedInAt.Add(time.Minute)
	leave(t, d, record)
	if _, err := d.app.doRemove(t.Context(), control.Request{Account: acc.Label}); err != nil {
		t.Fatal(err)
	}
	if err := d.app.inspect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all := d.app.registry.All(); len(all) != 0 {
		t.Errorf("the accounts are %+v", all)
	}
	if _, err := d.app.vault.Read(left); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("the login is still there: %v", err)
	}
}

// Who removes an account that is being renewed waits for that, and nobody else does.
func TestARemovalHasNobodyElseWait(t *testing.T) {
	d := stage(t, 2)
	acc := d.app.registry.All()[0]
	held, err := d.app.vault.Lock(t.Context(), string(acc.ID))
	if err != nil {
		t.Fatal(err)
	}
	removed := make(chan error, 1)
	go func() {
		_, err := d.app.doRemove(t.Context(), control.Request{Account: acc.Label})
		removed <- err
	}()
	time.Sleep(100 * time.Millisecond) // it waits for the lock by now
	others := make(chan struct{})
	go func() {
		defer close(others)
		d.app.damaged() // as every action does
		if err := d.app.inspect(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-others:
	case <-time.After(10 * time.Second):
		t.Error("everybody waits for the removal")
	}
	held.Release()
	if err := <-removed; err != nil {
		t.Fatal(err)
	}
	<-others
	if all := d.app.registry.All(); len(all) != 1 || all[0].ID == acc.ID {
		t.Errorf("the accounts are %+v", all)
	}
}

// A sign-in that was killed between the vault and accounts.json has its account
// serve again from the next start on.
func TestAStartWritesDownWhatAKilledSignInDidNot(t *testing.T) {
	d := stage(t, 1)
	acc := d.app.registry.All()[0]
	held, err := d.app.vault.Lock(t.Context(), string(acc.ID))
	if err != nil {
		t.Fatal(err)
	}
	record, err := held.Read()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.app.registry.Edit(acc.ID, func(a *accounts.Account) error {
		a.NeedsLogin, a.NeedsLoginGen = accounts.LoginRevoked, record.Generation
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	record.LoggedInAt, record.Generation = record.LoggedInAt.Add(time.Minute), 0
	if err := held.Store(record); err != nil {
		t.Fatal(err)
	}
	held.Release()
	if err := d.app.inspect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := d.app.registry.Get(acc.ID); err != nil || got.NeedsLogin != "" || !got.LoggedInAt.Equal(record.LoggedInAt) {
		t.Errorf("the account is %+v, %v", got, err)
	}
}
