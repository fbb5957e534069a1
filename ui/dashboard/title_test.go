package dashboard

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/ui/control"
)

// withTitle gives the screen's terminal a title.
func (s *screen) withTitle() {
	s.m.titles = &titles{out: s.m.screen}
	s.wait(titlePace)
}

// titlesSent are the titles that the terminal was given, and the sequences
// around them.
func titlesSent(sent string) []string {
	return strings.Split(strings.NewReplacer("\x1b]2;", "", saveTitle, "save|").Replace(strings.TrimSuffix(sent, "\x1b\\")), "\x1b\\")
}

func TestTheTitleSaysHowThingsAre(t *testing.T) {
	calm := busy()
	calm.Accounts = calm.Accounts[:3]
	idle := busy()
	idle.Accounts = idle.Accounts[:2]
	idle.Accounts[0].State, idle.Accounts[1].State = control.StateReady, control.StateRenewing
	both := calm
	both.Accounts = slices.Clone(calm.Accounts)
	both.Accounts[1].State = control.StateServing
	locked := busy()
	locked.Key = control.Key{State: "locked", Message: "The login keyring is locked."}
	needed := exhausted()
	for i := range needed.Accounts {
		needed.Accounts[i].State, needed.Accounts[i].Cooldowns = control.StateNeedsYou, nil
	}
	browser := busy()
	browser.Accounts[3].Browser = control.BrowserReady
	paused := busy()
	paused.Accounts[3].Paused = true
	tomorrow := exhausted()
	for i := range tomorrow.Accounts {
		for j := range tomorrow.Accounts[i].Cooldowns {
			tomorrow.Accounts[i].Cooldowns[j].Until = fixedNow.Add(25 * hour)
		}
	}
	for _, tt := range []struct {
		name  string
		state control.State
		want  string
	}{
		{"one serves", calm, "oauthmux: work serving, 2/3 ready"},
		{"two serve", both, "oauthmux: 2 serving, 2/3 ready"},
		{"nobody serves", idle, "oauthmux: 2/2 ready"},
		{"one is to sign in", busy(), "oauthmux: old: sign in again, 2/4 ready"},
		{"one signs in by itself", browser, "oauthmux: work serving, 2/4 ready"},
		{"one that is paused may wait", paused, "oauthmux: work serving, 2/4 ready"},
		{"everybody is out", exhausted(), "oauthmux: all out until 14:14"},
		{"until tomorrow", tomorrow, "oauthmux: all out until Thu 15:02"},
		{"nobody comes back by itself", needed, "oauthmux: all out, 4 accounts need you"},
		{"the vault is locked", locked, "oauthmux: locked"},
		{"no account", empty(), "oauthmux: no account yet"},
		{"no engine yet", control.State{}, "oauthmux"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onScreen(t, 110, 30, tt.state, func(s *screen) {
				s.withTitle()
				s.press("esc")
				if got := titlesSent(s.sent.String()); !slices.Equal(got, []string{"save|" + tt.want}) {
					t.Errorf("the terminal was sent %q, want %q", got, tt.want)
				}
			})
		})
	}
	onScreen(t, 110, 30, busy(), func(s *screen) {
		s.engine.die(nil)
		s.withTitle()
		s.press("j")
		if !strings.Contains(s.sent.String(), "oauthmux: engine gone") {
			t.Errorf("the terminal was sent %q", s.sent)
		}
	})
}

func TestATitleIsWrittenWhenItChangesAndNotOften(t *testing.T) {
	onScreen(t, 110, 30, exhausted(), func(s *screen) {
		s.withTitle()
		s.wait(3 * time.Minute) // with a countdown on the screen
		s.press("j", "k")
		if got := titlesSent(s.sent.String()); len(got) != 1 {
			t.Fatalf("nothing changed, and the terminal was sent %q", got)
		}
		// Requests come and go: what stays is written, and no more than one in between.
		idle := busy()
		idle.Accounts = idle.Accounts[:2]
		idle.Accounts[0].State = control.StateReady
		serving := busy()
		serving.Accounts = serving.Accounts[:2]
		for range 10 {
			s.show(idle)
			s.show(serving)
		}
		s.wait(titlePace)
		want := []string{"save|oauthmux: all out until 14:14", "oauthmux: 2/2 ready", "oauthmux: work serving, 2/2 ready"}
		if got := titlesSent(s.sent.String()); !slices.Equal(got, want) {
			t.Errorf("the terminal was sent %q, want %q", got, want)
		}
	})
}

func TestTheTitleIsGivenBack(t *testing.T) {
	onScreen(t, 110, 30, busy(), func(s *screen) {
		s.withTitle()
		s.feed(keyMsg("j"))
		_, stop := s.m.Update(keyMsg("ctrl+z"))
		s.press("k") // it is not stopped yet
		set := saveTitle + "\x1b]2;oauthmux: old: sign in again, 2/4 ready\x1b\\"
		if got := s.sent.String(); got != set {
			t.Errorf("the terminal was sent %q, want %q", got, set)
		}
		s.start(stop)
		s.settle()
		if got := s.sent.String(); got != set+restoreTitle {
			t.Errorf("the shell was left %q", got)
		}
		s.feed(resumedMsg{})
		s.settle()
		if got := s.sent.String(); got != set+restoreTitle+set {
			t.Errorf("the terminal was sent %q", got)
		}
		s.m.titles.giveBack()
		was := s.sent.Len()
		s.m.titles.giveBack() // there is nothing to give back any more
		s.m.titles.set()      // a command that comes late
		if got := s.sent.String()[was:]; got != "" {
			t.Errorf("after the end the terminal was sent %q", got)
		}
	})
}

func TestNothingInATitleDoesAnythingToTheTerminal(t *testing.T) {
	for _, label := range hostile {
		st := busy()
		st.Accounts = st.Accounts[:1]
		st.Accounts[0].Label = "x" + label
		onScreen(t, 110, 30, st, func(s *screen) {
			s.withTitle()
			s.press("j")
			sent := s.sent.String()
			if !strings.HasPrefix(sent, saveTitle+"\x1b]2;oauthmux: x") || !strings.HasSuffix(sent, "serving, 1/1 ready\x1b\\") {
				t.Errorf("%q: the terminal was sent %q", label, sent)
			}
			inside := strings.TrimSuffix(strings.TrimPrefix(sent, saveTitle+"\x1b]2;"), "\x1b\\")
			if controls(inside) {
				t.Errorf("%q: the title is %q", label, inside)
			}
		})
	}
	// The last gate holds by itself.
	var out bytes.Buffer
	bad := "a\x1b]52;c;aGk=\a\u009cb"
	ts := titles{out: &out}
	ts.want.Store(&bad)
	ts.set()
	if got := out.String(); got != saveTitle+"\x1b]2;a]52;c;aGk=b\x1b\\" {
		t.Errorf("sent %q", got)
	}
}

func TestTerminalsWithATitle(t *testing.T) {
	for name, want := range map[string]bool{
		"xterm-256color": true, "tmux-256color": true, "screen": true, "xterm-kitty": true,
		"dumb": false, "linux": false, "vt220": false, "eterm-color": false,
	} {
		if got := titled(func(string) string { return name }); got != want {
			t.Errorf("TERM=%s: %v, want %v", name, got, want)
		}
	}
}

// hostile are ends of a label that mean harm to a terminal.
var hostile = []string{
	"", "\a", "\x1b\\", "\u009c", "\x1b]52;c;aGk=\a", "\x1b\\\x1b]2;owned\x1b\\", "\x9c", "\r\n", "\x00", "\x7f", "\u202e", ";y", "\x1bP0;1|17/ab\x1b\\",
}

// controls reports whether a control character of any kind, or half a character,
// is in s.
func controls(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e }) || strings.ContainsAny(s, "\x1b\a")
}
