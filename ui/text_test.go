package ui

import (
	"strings"
	"testing"

	"github.com/oauthmux/oauthmux/accounts/vault"
	"github.com/oauthmux/oauthmux/ui/control"
)

// A vault that is shut is never said to be empty, and a list of accounts that
// cannot serve says why.
func TestC11AListSaysHowTheKeyIs(t *testing.T) {
	keyOf := func(state vault.KeyState) control.Key {
		message, hint := state.Describe()
		return control.Key{State: string(state), Message: message, Hint: hint}
	}
	work := []control.Account{{Provider: "p", Label: "work", State: control.StateReady}}
	for _, state := range []vault.KeyState{
		vault.KeyLocked, vault.KeyAbsent, vault.KeyDismissed, vault.KeyTimeout, vault.KeyMissing, vault.KeyMismatch, vault.KeyDenied,
		vault.KeyPassphraseNeeded, vault.KeyWrongPassphrase, vault.KeyDamaged, vault.KeyUnwritable,
	} {
		s := control.State{Key: keyOf(state)}
		s.Accounts = work
		for name, text := range map[string]string{"list": listText(s), "usage": usageText(s)} {
			if !strings.Contains(text, "work") || !strings.Contains(text, "\nkey  "+s.Key.Message+"\n     "+s.Key.Hint+"\n") {
				t.Errorf("%s, %s: %s", state, name, text)
			}
		}
		s.Accounts, s.Hidden, s.Damage = nil, true, "accounts.json is missing, and the vault holds 2 accounts"
		s.Warnings = []string{s.Damage}
		for name, text := range map[string]string{"list": listText(s), "usage": usageText(s), "status": statusText(s)} {
			if strings.Contains(text, "no account yet") || !strings.Contains(text, "the vault holds 2 accounts") || !strings.Contains(text, s.Key.Message) {
				t.Errorf("%s, %s, and no accounts.json: %s", state, name, text)
			}
		}
	}
	for _, key := range []control.Key{{}, keyOf(vault.KeyUnasked), keyOf(vault.KeyOK), {State: string(vault.KeyPassphraseNeeded), New: true, Message: "m", Hint: "h"}} {
		s := control.State{Key: key}
		if text := listText(s); text != noAccounts {
			t.Errorf("before the first account, with the key %+v: %s", key, text)
		}
	}
}
