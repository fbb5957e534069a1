//go:build unix

package terminal

import (
	"slices"
	"strings"
	"testing"
)

func TestAPassphraseUnlocksTheVault(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada)
	h.signsIn("ada")
	m := open(t, ordinary, h.environment("OAUTHMUX_PASSPHRASE=")...)
	m.runs("oauthmux")
	m.shows("Unlock", "passphrase", "enter unlock")
	if screen := m.screen(); row(screen, "ada") == "" || !strings.Contains(screen, "needs you") {
		t.Errorf("behind the question there is no table that says what is needed:\n%s", screen)
	}
	m.called("unlock")

	m.press("Escape") // it may stay locked
	m.until("a locked screen without the question", func(screen string) bool {
		return has(screen, "needs you", "U unlocks", "q quit") && !has(screen, "enter unlock")
	})
	m.called("locked")
	m.press("Down", "?") // and the screen goes on working
	m.shows("The selected account")
	m.press("Escape")
	m.hides("The selected account")

	m.press("U")
	m.shows("enter unlock")
	m.types("not the passphrase")
	m.press("Enter")
	m.shows("passphrase is wrong", "enter unlock")
	m.called("unlock-wrong")
	m.types(passphrase)
	m.press("Enter")
	m.until("an open vault", func(screen string) bool {
		return !has(screen, "enter unlock") && !has(screen, "needs you") && strings.Contains(row(screen, "ada"), "ready")
	})
	m.called("unlocked")
	for _, typed := range []string{"not the passphrase", passphrase} {
		if strings.Contains(m.recorded(), typed) {
			t.Errorf("%q was written to the terminal", typed)
		}
	}
	leave(m)
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	isClean(t, m)
}

// Without a keyring and without OAUTHMUX_PASSPHRASE the first account needs a
// passphrase that nobody has chosen yet: it is typed twice, because it cannot be
// seen, and a slip would seal the tokens for good.
func TestThePassphraseOfANewVaultIsChosenTwice(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada)
	m := open(t, ordinary, h.environment("OAUTHMUX_PASSPHRASE=")...)
	m.runs("oauthmux")
	m.shows("no account yet")
	m.press("a")
	m.goesOn("Choose a passphrase")
	m.called("choose-passphrase")
	m.types(passphrase)
	m.press("Enter")
	m.shows("Once more")
	m.types("correct horse battery stable")
	m.press("Enter")
	m.shows("not the same")
	m.types(passphrase)
	m.press("Enter")
	m.shows("Once more")
	m.types(passphrase)
	m.press("Enter")
	m.hides("Once more")
	m.goesOn("waiting for you to sign in") // what the person was about to do
	m.pastes(h.code(address(m), "ada"))
	m.press("Enter")
	m.shows("signed in as ada@acme.example")
	m.press("Escape")
	m.hides("signed in as ada")
	leave(m)
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if token := h.does("token"); !strings.HasPrefix(token, "sk-ant-oat01-") { // the same passphrase opens it from the shell
		t.Error("no token comes out of the vault with that passphrase")
	}
}

// goesOn says yes to whatever adding an account asks, until the screen shows the text.
func (m *terminal) goesOn(text string) {
	m.t.Helper()
	questions := []string{"I have read this", "How do you want to sign in?"}
	for {
		screen := m.until(text, func(screen string) bool {
			return has(screen, text) || has(screen, questions[0]) || has(screen, questions[1])
		})
		if has(screen, text) {
			return
		}
		at := slices.IndexFunc(questions, func(q string) bool { return has(screen, q) })
		m.press("Enter")
		m.hides(questions[at])
	}
}
