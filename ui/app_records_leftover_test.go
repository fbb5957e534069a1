package ui

import (
	"errors"
	"testing"

	"github.com/oauthmux/oauthmux/accounts/vault"
)

// What a killed sign-in leaves of a login that its account has goes when the
// engine gets its key, and the account stays as it is.
func TestUnlockingSweepsWhatASignInLeft(t *testing.T) {
	d := stage(t, 1)
	acc := d.app.registry.All()[0]
	record, err := d.app.vault.Read(string(acc.ID))
	if err != nil {
		t.Fatal(err)
	}
	const left = "leftoverleftoverleftover22"
	held, err := d.app.vault.Lock(t.Context(), left)
	if err != nil {
		t.Fatal(err)
	}
	record.Generation = 0
	err = held.Store(record)
	held.Release()
	if err != nil {
		t.Fatal(err)
	}
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
