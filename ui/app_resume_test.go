package ui

import (
	"testing"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/ui/control"
)

func TestResumingSwitchesPingsOnAgain(t *testing.T) {
	d := stage(t, 1)
	id := d.app.registry.All()[0].ID
	if _, err := d.app.registry.Edit(id, func(a *accounts.Account) error {
		a.Paused, a.PingsOff = true, "refused twice"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.app.Do(t.Context(), control.Request{Action: control.ActionResume, Account: string(id)}); err != nil {
		t.Fatal(err)
	}
	if a, err := d.app.registry.Get(id); err != nil || a.Paused || a.PingsOff != "" {
		t.Errorf("after resuming: %+v, %v", a, err)
	}
}
