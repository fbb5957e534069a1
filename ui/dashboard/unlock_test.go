package dashboard

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/muesli/termenv"

	"github.com/oauthmux/oauthmux/accounts/vault"
	"github.com/oauthmux/oauthmux/ui/control"
)

func lockedState() control.State {
	s := busy()
	s.Key = control.Key{State: "passphrase_needed", Message: "The tokens are sealed with a passphrase.", Ask: true}
	return s
}

func TestUnlocking(t *testing.T) {
	e := &fakeEngine{state: lockedState()}
	e.answer = func(r control.Request) (control.Reply, error) {
		if r.Passphrase != "right" {
			return control.Reply{}, &control.Error{Message: "the passphrase is wrong", Hint: "try again"}
		}
		return control.Reply{}, nil
	}
	withEngine(t, e, func(s *screen) {
		s.wants("Unlock", "sealed with a passphrase", "ACCOUNT") // the table is there behind it
		s.press("enter")
		s.wants("type the passphrase first")
		s.typed("wrong")
		s.wants("•••••▏")
		s.lacks("wrong")
		s.press("enter")
		s.wants("the passphrase is wrong", "try again")
		s.typed("right")
		s.press("enter")
		s.asked(control.Request{Action: control.ActionUnlock, Passphrase: "right"})
		s.wants("the vault is unlocked")
		s.show(busy())
		s.lacks("Unlock", "needs you: locked")
	})
}

func TestLeavingItLocked(t *testing.T) {
	withEngine(t, &fakeEngine{state: lockedState()}, func(s *screen) {
		s.press("esc")
		s.wants("needs you: locked", "U unlocks")
		s.show(lockedState())
		if s.m.overlay != nil {
			s.t.Fatal("the question came back by itself")
		}
		s.press("U")
		s.wants("leave it locked")
		s.show(busy()) // somebody else unlocked it
		s.lacks("leave it locked", "needs you: locked")
		s.press("U")
		s.wants("the vault is not locked")
	})
}

func TestTheSystemsKeyringIsAskedAgain(t *testing.T) {
	st := busy()
	st.Key = control.Key{State: "locked", Message: "The login keyring is locked."}
	e := &fakeEngine{state: st}
	withEngine(t, e, func(s *screen) {
		e.block = make(chan struct{}) // in the bubble, or virtual time would not pass it
		s.wants("needs you: locked", "The login keyring is locked. (U unlocks)")
		s.press("U")
		s.asked(control.Request{Action: control.ActionUnlock})
		s.wait(shyness + 50*time.Millisecond)
		s.wants("waiting for the system's keyring")
		s.press("j") // and the screen lives
		if s.m.selected != "a2" {
			t.Error("the screen waits with the keyring")
		}
		close(e.block)
		s.wait(time.Millisecond)
		s.lacks("waiting for the system's keyring")
	})
}

func TestTheFirstPassphraseIsTypedTwice(t *testing.T) {
	st := empty()
	st.Providers[0].TermsAccepted = true
	st.Key = control.Key{State: "passphrase_needed", Ask: true, New: true}
	withEngine(t, loginEngine(st), func(s *screen) {
		s.lacks("passphrase", "needs you") // not before there is something to seal
		s.press("a")
		s.wants("Choose a passphrase")
		s.typed("one")
		s.press("enter")
		s.wants("Once more")
		s.typed("two")
		s.press("enter")
		s.wants("the two were not the same")
		s.typed("one")
		s.press("enter")
		s.typed("one")
		s.press("enter")
		s.asked(control.Request{Action: control.ActionUnlock, Passphrase: "one"})
		st.Key = control.Key{State: "ok"}
		s.show(st)
		s.wants("How do you want to sign in?") // what the person came for goes on
	})
}

func TestUnlockingSaysWhatHelpsHere(t *testing.T) {
	st := lockedState()
	st.Key.Message, st.Key.Hint = "the vault needs its passphrase", "set OAUTHMUX_PASSPHRASE, or run it on a terminal to be asked"
	wrong := lockedState()
	wrong.Key.State, wrong.Key.Message, wrong.Key.Hint = "wrong_passphrase", "the passphrase is wrong", "try again; nothing was changed"
	e := &fakeEngine{state: st}
	e.answer = func(control.Request) (control.Reply, error) {
		return control.Reply{}, &control.Error{Message: wrong.Key.Message, Hint: wrong.Key.Hint}
	}
	withEngine(t, e, func(s *screen) {
		s.wants("the vault needs its passphrase", "type it here")
		s.lacks("OAUTHMUX_PASSPHRASE")
		s.typed("wrong")
		s.press("enter")
		s.show(wrong)
		box := s.m.overlay.view(s.m.boxInside())
		if n := strings.Count(strings.Join(box.lines, "\n"), "is wrong"); n != 1 {
			t.Errorf("it says %d times that the passphrase is wrong:\n%s", n, s.text())
		}
		s.wants("try again; nothing was changed")
		s.press("esc")
		s.wants("U unlocks")
		s.lacks("OAUTHMUX_PASSPHRASE")
	})
}

func TestNothingLooksReadyThatCannotServe(t *testing.T) {
	th := newTheme(termenv.TrueColor, true, false)
	green := th.ok.Render("ready")
	scene{state: busy()}.stage(t, 110, 30, th, func(s *screen) {
		if !strings.Contains(s.m.View(), green) {
			t.Fatal("an account that can serve is not green")
		}
		s.wants("2 ready")
		s.m.say(toneGood, "something of before")
		s.engine.die(errors.New("connection refused"))
		s.wait(2 * pace)
		s.lacks("something of before", "  ready", "○", "serving", "renewing")
		s.wants("engine gone", "? home", "? unknown", "  sign in again")
		if strings.Contains(s.m.View(), green) {
			t.Error("the engine is gone, and an account looks as if it could serve")
		}
	})
	scene{state: lockedState()}.stage(t, 110, 30, th, func(s *screen) {
		s.press("esc")
		s.lacks("  ready", "serving")
		s.wants("4 accounts", "needs you: locked", "! home", "! locked", "  sign in again")
		if strings.Contains(s.m.View(), green) {
			t.Error("the vault is locked, and an account looks as if it could serve")
		}
		s.show(busy())
		s.wants("2 ready")
		if !strings.Contains(s.m.View(), green) {
			t.Error("unlocked, and nothing looks ready")
		}
	})
}

// Whatever is wrong with the key is called by its name, from the first frame on
// and in the middle of a run, and nobody is told that there are no accounts.
func TestC11TheKeyIsCalledByItsName(t *testing.T) {
	for _, k := range []vault.KeyState{
		vault.KeyLocked, vault.KeyAbsent, vault.KeyDismissed, vault.KeyTimeout, vault.KeyMissing, vault.KeyMismatch, vault.KeyDenied, vault.KeyDamaged, vault.KeyUnwritable,
	} {
		message, hint := k.Describe()
		st := busy()
		st.Key = control.Key{State: string(k), Message: message, Hint: hint}
		withEngine(t, &fakeEngine{state: st}, func(s *screen) { // at the start
			s.wants(message, "4 accounts", "work")
			s.lacks("no account", "  ready", "serving")
			s.show(busy())
			s.lacks(message)
			s.wants("2 ready")
			s.show(st) // in the middle
			s.wants(message, "4 accounts", "work")
			s.lacks("no account", "  ready", "serving")
		})
		gone := empty()
		gone.Key, gone.Hidden, gone.Damage = st.Key, true, "accounts.json is missing, and the vault holds 4 accounts"
		gone.Warnings = []string{gone.Damage}
		withEngine(t, &fakeEngine{state: gone}, func(s *screen) {
			s.wants(message, "no account to show", "the vault holds 4 accounts", "The accounts are in the vault")
			s.lacks("no account yet", "your first account")
		})
		fresh := empty()
		fresh.Key = st.Key
		fresh.Key.New = true // it could not be made
		withEngine(t, &fakeEngine{state: fresh}, func(s *screen) { s.wants(message, "no account yet") })
	}
}
