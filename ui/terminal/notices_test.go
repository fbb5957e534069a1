//go:build unix

package terminal

import (
	"strings"
	"testing"
)

// sent is what was written to the terminal, without the question for its
// background, which ends in a bell that does not ring.
func (m *terminal) sent() string {
	m.t.Helper()
	return strings.ReplaceAll(m.recorded(), "\x1b]11;?\a", "")
}

// titled waits until the terminal has that title.
func (m *terminal) titled(want string) {
	m.t.Helper()
	m.until("the title "+want, func(string) bool { return m.is("pane_title") == want })
}

func TestTheTerminalSaysWhatHappensToWhoLooksElsewhere(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada)
	h.signsIn("ada")
	m := open(t, ordinary, append(h.environment(), "TERM_PROGRAM=iTerm.app")...)
	m.tmux("select-pane", "-t", session, "-T", "mine")
	m.runs("oauthmux")
	m.titled("oauthmux: 1/1 ready")
	m.press("p")
	m.titled("oauthmux: all out")
	notice := "\x1b]9;oauthmux: every account is out, and none returns by itself\x1b\\"
	m.until("one notice and one bell", func(string) bool {
		sent := m.sent()
		return strings.Count(sent, notice) == 1 && strings.Count(sent, "\a") == 1
	})
	m.press("p")
	m.titled("oauthmux: 1/1 ready")
	leave(m)
	m.titled("mine")
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	isClean(t, m)
}

func TestNoticesOutsideTheScreenCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada)
	h.signsIn("ada")
	m := open(t, ordinary, append(h.environment(), "TERM_PROGRAM=iTerm.app",
		"OAUTHMUX_UI_TITLE=false", "OAUTHMUX_UI_BELL=false", "OAUTHMUX_UI_NOTIFY=off")...)
	m.runs("oauthmux")
	m.until("a row for ada", func(screen string) bool { return row(screen, "ada") != "" })
	m.press("p")
	m.shows("Every account is out")
	leave(m)
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	for _, never := range []string{"\x1b]2;", "\x1b[22;2t", "\x1b[23;2t", "\x1b]9;", "\a"} {
		if strings.Contains(m.sent(), never) {
			t.Errorf("the terminal was sent %q", never)
		}
	}
}
