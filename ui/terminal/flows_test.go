//go:build unix

package terminal

import (
	"fmt"
	"strings"
	"testing"
)

// At each point of adding an account there is a way out, and nothing is left behind.
func TestEscLeadsOutOfEveryQuestion(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada, mary)
	h.signsIn("ada")
	m := open(t, ordinary, h.environment()...)
	m.runs("oauthmux")
	m.until("a row for ada", func(screen string) bool { return row(screen, "ada") != "" })

	m.press("a")
	m.shows("How do you want to sign in?")
	m.press("Escape")
	m.hides("How do you want to sign in?")

	m.press("a")
	m.shows("How do you want to sign in?")
	m.press("Down")
	m.finds(`▌ paste the code`)
	m.press("Enter")
	m.shows("Paste the code", "left")
	m.press("Escape") // the sign-in is given up
	m.hides("Paste the code")

	m.press("a")
	m.shows("How do you want to sign in?")
	m.press("Down")
	m.finds(`▌ paste the code`)
	m.press("Enter")
	m.shows("Paste the code", "left")
	m.pastes(h.code(address(m), "mary"))
	m.until("what to do with the code", func(screen string) bool { return strings.Contains(screen, "enter send") })
	m.press("Enter")
	m.shows("signed in as mary@home.example", "Label")
	m.press("C-u")
	m.types("ada")
	m.shows("another account has this label") // before it is asked for
	m.press("Escape")                         // it keeps the label it came with
	m.hides("Label")
	m.until("a row for mary", func(screen string) bool { return row(screen, `mary\S*`) != "" })

	m.press("e")
	m.shows("New label")
	m.press("Escape")
	m.hides("New label")
	m.press("d")
	m.shows("Remove mary", "refresh token")
	m.press("n")
	m.hides("refresh token")
	if got := strings.Fields(h.labels()); len(got) != 2 || got[0] != "ada" || !strings.HasPrefix(got[1], "mary") {
		t.Errorf("the accounts are %v", got)
	}
	leave(m)
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	isClean(t, m)
}

func TestFilterStrategyAndLogByTheKeyboard(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada, mary, rosa)
	h.signsIn("ada", "mary", "rosa")
	m := open(t, ordinary, h.environment()...)
	m.runs("oauthmux")
	for _, label := range []string{"ada", "mary", "rosa"} {
		m.until("a row for "+label, func(screen string) bool { return row(screen, label) != "" })
	}

	m.press("/")
	m.shows("enter keep", "esc show all")
	m.types("home.example")
	m.until("mary alone", func(screen string) bool {
		return row(screen, "mary") != "" && row(screen, "ada") == "" && row(screen, "rosa") == ""
	})
	m.press("Enter")
	m.shows(`1 of 3 accounts with "home.example"`)
	m.press("p") // the keys work on who is shown
	m.until("mary to be paused", func(screen string) bool { return strings.Contains(row(screen, "mary"), "paused") })
	m.press("p")
	m.until("mary to be ready", func(screen string) bool { return strings.Contains(row(screen, "mary"), "ready") })
	m.press("Escape")
	m.until("everybody again", func(screen string) bool { return row(screen, "ada") != "" && row(screen, "rosa") != "" })

	m.press("s")
	m.finds(`✓ sticky`)
	m.press("Down")
	m.finds(`▌ +round-robin`)
	m.press("Enter")
	m.hides("✓ sticky")
	m.press("s")
	m.finds(`✓ round-robin`)
	m.press("Escape")
	m.hides("✓ round-robin")
	if accounts := read(t, h.dir+"/accounts.json"); !strings.Contains(accounts, "round-robin") {
		t.Error("the strategy is not in accounts.json")
	}

	m.press("l")
	m.finds(`engine started`)
	m.press("Escape")
	m.hides("engine started")
	m.press("Tab") // of one provider there is nothing else to show
	m.press("G")
	m.until("the last to be selected", func(screen string) bool {
		return strings.HasPrefix(row(screen, "rosa"), " ▌") && row(screen, "ada") != ""
	})
	leave(m)
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	isClean(t, m)
}

func TestTheMouseSelectsPrefersAndScrolls(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada, mary, rosa)
	h.signsIn("ada", "mary", "rosa")
	m := open(t, ordinary, h.environment()...)
	m.runs("oauthmux")
	prefers(m, "ada")
	m.until("the mouse", func(string) bool { return m.is("mouse_any_flag") == "1" })

	m.mouse(0, "rosa", 1)
	m.until("rosa to be selected", func(screen string) bool { return strings.HasPrefix(row(screen, "rosa"), " ▌") })
	m.mouse(0, "mary", 2)
	prefers(m, "mary")
	m.until("mary to be selected", func(screen string) bool { return strings.HasPrefix(row(screen, "mary"), " ▌") })
	m.mouse(65, "mary", 1) // the wheel, down
	m.until("rosa to be selected", func(screen string) bool { return strings.HasPrefix(row(screen, "rosa"), " ▌") })
	m.mouse(64, "mary", 2)
	m.until("ada to be selected", func(screen string) bool { return strings.HasPrefix(row(screen, "ada"), " ▌") })
	prefers(m, "mary") // the wheel prefers nobody
	leave(m)
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	isClean(t, m)
}

// mouse presses a button over the row with that label, so many times at once. The
// terminal reports it in one piece: an escape alone would be a key.
func (m *terminal) mouse(button int, label string, times int) {
	m.t.Helper()
	line := 0
	m.until("a row for "+label, func(screen string) bool {
		line = 1 + strings.Count(screen[:max(0, strings.Index(screen, "\n"+row(screen, label)))], "\n") + 1
		return row(screen, label) != ""
	})
	reports := strings.Repeat(fmt.Sprintf("\x1b[<%d;10;%dM\x1b[<%d;10;%dm", button, line, button, line), times)
	m.tmux("set-buffer", "-b", "mouse", reports)
	m.tmux("paste-buffer", "-r", "-d", "-b", "mouse", "-t", session)
}
