package dashboard

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

// closed wants no overlay to be open.
func (s *screen) closed() {
	s.t.Helper()
	if s.m.overlay != nil {
		s.t.Fatalf("%T is still open", s.m.overlay)
	}
}

// did are the actions that were asked for, without the questions about sessions.
func (s *screen) did() []string {
	var out []string
	for _, r := range s.engine.requests() {
		if r.Action != control.ActionBrowserStatus {
			out = append(out, r.Action)
		}
	}
	return out
}

// asks wants the last request, but for questions about sessions, to be r.
func (s *screen) asks(r control.Request) {
	s.t.Helper()
	all := slices.DeleteFunc(s.engine.requests(), func(r control.Request) bool { return r.Action == control.ActionBrowserStatus })
	if len(all) == 0 || all[len(all)-1] != r {
		s.t.Fatalf("asked %+v, want %+v at the end", all, r)
	}
}

func TestTheFactsOfABrowserSession(t *testing.T) {
	withEngine(t, browserEngine(withBrowsers()), func(s *screen) {
		s.press("b")
		s.asked(control.Request{Action: control.ActionBrowserStatus, Account: "a1"})
		s.wants("Browser session of work", "ready", "48 MB", "Tue 12:02 (1 day ago)", "signed in, in 9 s", "1 of 3 sign-ins without you", "ends in 21 days",
			"s open a window", "n sign in now", "x remove")
		s.lacks("copy its path")
		s.press("b")
		s.closed()

		s.press("G", "b")
		s.wants("needs you", blockedReason, "s opens a window at the right page", picturePath, "3 of 3", "y copy its path")
		s.press("y")
		if want := ansi.SetSystemClipboard(picturePath); s.sent.String() != want {
			t.Errorf("sent %q, want the path to the clipboard", s.sent)
		}
		s.wants("path is sent to the clipboard")
		s.press("esc")
		s.closed()

		s.press("k", "b")
		s.wants("Browser session of lab", "none yet", "s set it up in a window")
		s.lacks("sign in now", "x remove")
		s.press("n", "x", "y", "t")
		if got := s.did(); len(got) != 0 {
			t.Errorf("asked %q of a session that is not there", got)
		}
	})
}

func TestSessionsThatCannotBeAskedFor(t *testing.T) {
	e := browserEngine(withBrowsers())
	e.refusing(control.ActionBrowserStatus, &control.Error{Message: "the folder cannot be read"})
	withEngine(t, e, func(s *screen) {
		s.press("b")
		s.wants("ready", "the folder cannot be read", "n sign in now")
		e.answer = browserEngine(withBrowsers()).answer
		st := withBrowsers()
		st.Accounts[0].Browser = control.BrowserLoginNeeded // something new: it is asked again
		s.show(st)
		s.wants("needs you", "48 MB")
		s.lacks("cannot be read")
		st.Accounts = st.Accounts[1:]
		s.show(st)
		s.wants("The account is gone", "esc close")
		s.press("s", "n", "x", "y")
		if got := s.did(); len(got) != 0 {
			t.Errorf("asked %q for an account that is gone", got)
		}
		s.press("esc")
		s.closed()
	})
}

func TestANewStateIsAskedAboutEvenWhileAnAnswerIsOnItsWay(t *testing.T) {
	e := browserEngine(withBrowsers())
	withEngine(t, e, func(s *screen) {
		e.block, e.blocked = make(chan struct{}), control.ActionBrowserStatus
		s.press("b")
		s.wants("asking the engine")
		for _, browser := range []string{control.BrowserLoginNeeded, control.BrowserReady, control.BrowserLoginNeeded} {
			st := withBrowsers()
			st.Accounts[0].Browser = browser
			s.show(st)
		}
		if n := len(e.requests()); n != 1 {
			s.t.Errorf("asked %d times at once", n)
		}
		close(e.block)
		s.settle()
		if n := len(e.requests()); n != 2 {
			t.Errorf("asked %d times, want once more for what is new", n)
		}
	})
}

func TestEscAtEveryPointOfABrowserSession(t *testing.T) {
	for _, tt := range []struct {
		name   string
		keys   string
		refuse bool
		shows  string // what is there after esc; "": the table
		did    string
	}{
		{"the facts", "b", false, "", ""},
		{"a window that waits", "b s", false, "Browser session of work", "browser_setup login_cancel"},
		{"the question of removal", "b x", false, "Browser session of work", ""},
		{"a refusal", "b s", true, "", "browser_setup"},
		{"the question of taking over", "b s t", true, "laptop-2", "browser_setup"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := browserEngine(withBrowsers())
			if tt.refuse {
				e.refusing(control.ActionBrowserSetup, elsewhere)
			}
			withEngine(t, e, func(s *screen) {
				s.press(strings.Fields(tt.keys)...)
				s.press("esc")
				if tt.shows == "" {
					s.closed()
				} else {
					s.wants(tt.shows)
				}
				if got := strings.Join(s.did(), " "); got != tt.did {
					t.Errorf("asked %q, want %q", got, tt.did)
				}
			})
		})
	}
}

func TestSigningInWithoutAWindow(t *testing.T) {
	e := browserEngine(withBrowsers())
	withEngine(t, e, func(s *screen) {
		e.block, e.blocked = make(chan struct{}), control.ActionBrowserLogin
		s.press("b", "n")
		s.asks(control.Request{Action: control.ActionBrowserLogin, Account: "a1"})
		s.wants("signing in: starting its browser", "0:00", "back, it goes on")
		s.show(withFlow(withBrowsers(), headlessFlow("a1")))
		s.wait(3 * time.Second)
		s.wants("signing in: opening the sign-in page", "0:03")
		s.press("s", "n", "x", "y")
		if got := s.did(); len(got) != 1 {
			s.t.Errorf("asked %q while it signs in", got)
		}
		s.press("esc")
		s.closed()
		s.wants("signing work in through its browser session")
		s.press("b")
		s.wants("signing in: opening the sign-in page", "0:03")
		s.show(withBrowsers())
		close(e.block)
		s.settle()
		s.wants("✓ signed work in through its browser session", "n sign in now")
		s.lacks("signing")
	})
}

func TestASignInWithoutAWindowThatFails(t *testing.T) {
	needs := &control.Error{Code: control.CodeNeedsYou, Message: blockedReason, Hint: "b opens a window"}
	t.Run("in front of the person", func(t *testing.T) {
		e := browserEngine(withBrowsers())
		e.refusing(control.ActionBrowserLogin, needs)
		withEngine(t, e, func(s *screen) {
			s.press("G", "b", "n")
			s.wants(blockedReason, picturePath)
			if n := strings.Count(s.text(), "! "+blockedReason); n != 1 {
				t.Errorf("the reason is there %d times:\n%s", n, s.text())
			}
		})
	})
	t.Run("left to itself", func(t *testing.T) {
		e := browserEngine(withBrowsers())
		e.refusing(control.ActionBrowserLogin, needs)
		withEngine(t, e, func(s *screen) {
			e.block, e.blocked = make(chan struct{}), control.ActionBrowserLogin
			s.press("b", "n", "esc")
			close(e.block)
			s.settle()
			s.wants("! " + blockedReason + " (b opens a window)")
			s.lacks("signing work in")
		})
	})
	t.Run("begun by somebody else", func(t *testing.T) {
		withEngine(t, browserEngine(withFlow(withBrowsers(), headlessFlow("a4"))), func(s *screen) {
			s.press("G", "b")
			s.wants("signing in: opening the sign-in page", "1:00 left")
			s.lacks(picturePath)
			s.show(withBrowsers())
			s.wants(picturePath, "n sign in now")
		})
	})
}

func TestRemovingABrowserSession(t *testing.T) {
	e := browserEngine(withBrowsers())
	withEngine(t, e, func(s *screen) {
		s.press("b", "x")
		s.wants("Remove the browser session of work?", "its cookies, 48 MB", "tokens stay")
		s.press("n")
		s.wants("Browser session of work")
		e.refusing(control.ActionBrowserRemove, &control.Error{Code: control.CodeBrowserInUse, Message: "another browser works on the profile"})
		s.press("x", "y")
		s.asks(control.Request{Action: control.ActionBrowserRemove, Account: "a1"})
		s.wants("another browser works on the profile", "x remove")
		e.answer = browserEngine(withBrowsers()).answer
		s.press("x", "y")
		s.closed()
		s.wants("the browser session was removed")
	})
}

func TestHostileWordsOfABrowser(t *testing.T) {
	for _, p := range payloads()[:60] {
		f := windowFlow("a1")
		f.Step = p
		onScreen(t, 80, 24, withFlow(withBrowsers(), f), func(s *screen) {
			checkControls(s.t, s.m.View())
			s.press("b")
			checkControls(s.t, s.m.View())
			checkFrame(s.t, s.m.View(), 80, 24)
		})
	}
}
