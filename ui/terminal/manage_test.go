//go:build unix

package terminal

import (
	"regexp"
	"strings"
	"testing"
)

func TestAccountsAreRenamedPausedMovedAndRemovedByTheKeyboard(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada, mary, rosa)
	h.signsIn("ada", "mary", "rosa")
	m := open(t, ordinary, h.environment()...)
	m.runs("oauthmux")
	for _, label := range []string{"ada", "mary", "rosa"} {
		m.until("a row for "+label, func(screen string) bool { return row(screen, label) != "" })
	}
	m.called("three")

	m.press("Down", "e")
	m.shows("New label")
	m.called("rename")
	m.press("C-u")
	m.types("rosa")
	m.shows("another account has this label")
	m.press("C-u")
	m.types("home")
	m.press("Enter")
	m.until("the new label", func(screen string) bool { return row(screen, "home") != "" && row(screen, "mary") == "" })

	m.press("p")
	m.until("home to be paused", func(screen string) bool { return strings.Contains(row(screen, "home"), "paused") })
	m.called("paused")
	if !h.status().Accounts[1].Paused {
		t.Error("the screen says paused; the engine does not")
	}
	m.press("p")
	m.until("home to be ready", func(screen string) bool { return strings.Contains(row(screen, "home"), "ready") })

	m.press("K")
	m.until("home above ada", func(screen string) bool { return above(screen, "home", "ada") })
	m.press("J")
	m.until("home between the others", func(screen string) bool { return above(screen, "ada", "home") && above(screen, "home", "rosa") })
	m.press("J")
	m.until("home below rosa", func(screen string) bool { return above(screen, "rosa", "home") })
	if got := h.labels(); got != "ada rosa home" {
		t.Errorf("the order is %s", got)
	}

	m.press("d")
	asked := m.shows("Remove home?", "mary@home.example")
	m.called("remove")
	if !has(asked, "refresh token", "y remove") || !regexp.MustCompile(`esc\s+keep`).MatchString(asked) {
		t.Errorf("the question does not name what goes, and how to keep it:\n%s", asked)
	}
	m.press("Escape")
	m.hides("Remove home?")
	if got := h.labels(); got != "ada rosa home" {
		t.Errorf("esc removed something: %s", got)
	}
	m.press("d")
	m.shows("Remove home?")
	m.press("y")
	m.until("the end of home", func(screen string) bool { return row(screen, "home") == "" && row(screen, "rosa") != "" })
	if got := h.labels(); got != "ada rosa" {
		t.Errorf("the accounts are %s", got)
	}
	leave(m)
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	isClean(t, m)
}

// above reports whether one row of the table stands above another.
func above(screen, a, b string) bool {
	x, y := row(screen, a), row(screen, b)
	return x != "" && y != "" && strings.Index(screen, x) < strings.Index(screen, y)
}

func TestTheScreenExplainsItself(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada, mary)
	h.signsIn("ada", "mary")
	m := open(t, ordinary, h.environment()...)
	m.runs("oauthmux")
	m.until("a row for ada", func(screen string) bool { return row(screen, "ada") != "" })

	m.press("?")
	help := m.shows("The selected account", "why", "connect a client", "quit")
	m.called("help")
	for _, key := range []string{"enter", "a ", "e ", "p ", "d ", "r ", "u ", "w ", "c ", "tab", "esc", "q "} {
		if !strings.Contains(help, " "+key) {
			t.Errorf("the help does not tell of %s:\n%s", key, help)
		}
	}
	m.press("Escape")
	m.hides("connect a client")

	m.press("w")
	m.shows("Why ada")
	m.called("why-nothing")
	m.press("Escape")
	m.hides("Why ada")

	m.press("c")
	hidden := m.shows("export ANTHROPIC_BASE_URL=http://127.0.0.1:", "export ANTHROPIC_AUTH_TOKEN=omx_")
	m.called("connect")
	copied := m.copied()
	if copied != h.does("env") {
		t.Errorf("copied was %q; oauthmux env prints %q", copied, h.does("env"))
	}
	key := regexp.MustCompile(`omx_[\w-]{20,}`).FindString(copied)
	if strings.Contains(hidden, key) {
		t.Error("the key stands on the screen before anybody asked for it")
	}
	m.press("v")
	m.shows(key)
	m.press("Escape")
	m.hides("ANTHROPIC_BASE_URL")

	m.press("r")
	m.finds(`(?m)^ . ada: token renewed`)
	m.press("u")
	m.until("a reading", func(screen string) bool { return regexp.MustCompile(`\d+%`).MatchString(row(screen, "ada")) })
	leave(m)
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// Keys that are pressed faster than they are read, or that come over a slow
// line, arrive together.
func TestKeysThatComeTogetherAreAllHeard(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada, mary, rosa)
	h.signsIn("ada", "mary", "rosa")
	m := open(t, ordinary, h.environment()...)
	m.runs("oauthmux")
	m.until("the first to be selected", func(screen string) bool { return strings.HasPrefix(row(screen, "ada"), " ▌") })
	m.types("jjkj")
	m.until("the third to be selected", func(screen string) bool { return strings.HasPrefix(row(screen, "rosa"), " ▌") })
	m.types("kp")
	m.until("mary to be paused", func(screen string) bool { return strings.Contains(row(screen, "mary"), "paused") })
	leave(m)
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}
