package dashboard

import (
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/ui/control"
)

const signInURL = "https://login.example/authorize?code=true&state=abc"

// loginEngine starts logins and refuses codes that are not "good".
func loginEngine(s control.State) *fakeEngine {
	e := &fakeEngine{state: s}
	e.answer = func(r control.Request) (control.Reply, error) {
		switch r.Action {
		case control.ActionLoginStart:
			return control.Reply{Flow: &control.Flow{
				ID: "f1", Provider: r.Provider, How: r.How, URL: signInURL, Ends: fixedNow.Add(10 * time.Minute), State: control.FlowWaiting,
			}}, nil
		case control.ActionLoginCode:
			if r.Code != "good" {
				return control.Reply{}, &control.Error{Message: "that is not the code", Hint: "copy all of it"}
			}
			return control.Reply{Flow: &control.Flow{ID: "f1", State: control.FlowDone, Account: "a2"}}, nil
		}
		return control.Reply{}, nil
	}
	return e
}

func withEngine(t *testing.T, e *fakeEngine, f func(*screen)) {
	t.Helper()
	onScreenWith(t, 110, 30, e, plainTheme(), f)
}

func TestRenaming(t *testing.T) {
	withEngine(t, &fakeEngine{state: busy()}, func(s *screen) {
		s.press("e")
		s.wants("Rename work", "work▏")
		s.press("ctrl+u", "enter")
		s.wants("at least one character")
		s.typed("HOME")
		s.wants("another account has this label already")
		s.press("enter")
		if got := s.engine.requests(); len(got) != 0 {
			s.t.Fatalf("asked %+v", got)
		}
		s.press("ctrl+w")
		s.typed("office 2")
		s.lacks("another account")
		s.engine.answer = func(control.Request) (control.Reply, error) {
			return control.Reply{}, &control.Error{Message: "a label may not contain a space", Hint: "office-2 would do"}
		}
		s.press("enter")
		s.asked(control.Request{Action: control.ActionRename, Account: "a1", Label: "office 2"})
		s.wants("may not contain a space", "office-2 would do")
		s.engine.answer = nil
		s.press("left", "backspace")
		s.typed("-")
		s.press("enter")
		s.asked(control.Request{Action: control.ActionRename, Account: "a1", Label: "office-2"})
		s.wants("renamed to office-2")
		if s.m.overlay != nil {
			t.Errorf("%T is still open", s.m.overlay)
		}
	})
}

func TestRenamingToTheSameNameAsksNothing(t *testing.T) {
	withEngine(t, &fakeEngine{state: busy()}, func(s *screen) {
		s.press("e", "enter")
		if got := s.engine.requests(); len(got) != 0 || s.m.overlay != nil {
			t.Errorf("asked %+v with %T open", got, s.m.overlay)
		}
	})
}

func TestRemovingNamesWhatGoes(t *testing.T) {
	st := busy()
	st.Accounts[0].Browser = "ready"
	withEngine(t, &fakeEngine{state: st}, func(s *screen) {
		s.press("d")
		s.wants("Remove work?", "work@acme.dev", "access token", "refresh token", "browser profile", "2 requests on it right now")
		s.press("n")
		if got := s.engine.requests(); len(got) != 0 || s.m.overlay != nil {
			t.Errorf("asked %+v with %T open", got, s.m.overlay)
		}
		s.press("j", "d")
		s.wants("Remove home?")
		s.lacks("browser profile", "right now")
		s.engine.answer = func(control.Request) (control.Reply, error) {
			return control.Reply{Message: "removed home"}, nil
		}
		s.press("y")
		s.wants("removed home")
	})
}

func TestConnectingAClientCopiesItsLines(t *testing.T) {
	e := &fakeEngine{state: busy(), answer: func(control.Request) (control.Reply, error) {
		return control.Reply{Client: connection()}, nil
	}}
	withEngine(t, e, func(s *screen) {
		s.env["SHELL"] = "/usr/bin/fish"
		s.press("c")
		s.asked(control.Request{Action: control.ActionClient, Provider: "anthropic", Shell: "fish"})
		s.wants("export ANTHROPIC_BASE_URL=http://127.0.0.1:4747/anthropic", "omx_0123********", "sent to the clipboard")
		s.lacks(connection().Key)
		lines := strings.Join(connection().Lines, "\n") + "\n"
		if want := "\x1b]52;c;" + base64.StdEncoding.EncodeToString([]byte(lines)) + "\a"; s.sent.String() != want {
			t.Errorf("sent %q, want %q", s.sent, want)
		}
		s.lacks("again (")
		s.press("y")
		s.wants("sent to the clipboard again (2)")
		s.sent.Reset()
		s.press("v")
		s.wants(connection().Key)
		s.press("v")
		s.lacks(connection().Key)
		s.sent.Reset()
		s.press("y")
		if s.sent.Len() == 0 {
			t.Error("y copied nothing")
		}
		s.press("esc")
		s.lacks("Connect a client")
	})
}

func TestErrorsOfOverlaysAreShownInThem(t *testing.T) {
	for _, k := range []string{"w", "c"} {
		e := &fakeEngine{state: busy(), answer: func(control.Request) (control.Reply, error) {
			return control.Reply{}, &control.Error{Message: "the vault is locked", Hint: "unlock it first"}
		}}
		withEngine(t, e, func(s *screen) {
			s.press(k)
			s.wants("the vault is locked", "unlock it first")
			s.press("esc")
			s.lacks("the vault is locked")
		})
	}
}

func TestALongNoticeCanBeReadToItsEnd(t *testing.T) {
	st := empty()
	st.Providers[0].Terms = strings.Repeat(terms+"\n\n", 4) + "This is the end of it."
	onScreen(t, 60, 15, st, func(s *screen) {
		s.press("a")
		s.lacks("This is the end of it.")
		s.wants("scroll", "read on", "You are asked this once.")
		s.press("enter") // accepts nothing that was not on the screen
		s.lacks("How do you want")
		s.press("G")
		s.wants("This is the end of it.", "You are asked this once.")
		s.press("enter")
		s.wants("How do you want")
	})
}

func TestAnAnswerReachesTheQuestionUnderTheQuestionToQuit(t *testing.T) {
	e := loginEngine(busy())
	withEngine(t, e, func(s *screen) {
		e.block = make(chan struct{})
		s.press("a", "enter", "ctrl+c")
		s.wants("Quit?")
		close(e.block)
		s.settle()
		s.wants("Quit?")
		s.press("n")
		s.wants("waiting for you to sign in")
	})
}

func TestTheFirstStartFitsAndMakesRoom(t *testing.T) {
	onScreen(t, 60, 15, empty(), func(s *screen) {
		s.wants("the next goes on.", "made-up", "accounts")
		s.lacks("…")
		s.press("a")
		s.lacks("adds your first account", "oauthmux demo") // nothing shines through
		s.press("esc")
		s.wants("adds your first account")
	})
}

// A label that is taken is said to be before anybody asks for it.
func TestALabelThatIsTakenIsSaidWhileItIsTyped(t *testing.T) {
	e := loginEngine(oneAccount())
	withEngine(t, e, func(s *screen) {
		s.press("a", "down", "enter")
		s.paste("good")
		s.press("enter")
		st := oneAccount()
		st.Accounts = busy().Accounts[:2]
		s.show(st)
		s.wants("signed in as", "Label")
		s.press("ctrl+u")
		s.lacks("another account", "at least one character")
		s.typed("Work")
		s.wants("another account has this label already")
		s.typed("2")
		s.lacks("another account")
	})
}

// Who closes a question while the engine is at work still hears how it ended.
func TestAnAnswerIsToldThoughItsQuestionIsClosed(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"done":   {nil, "home is removed from this machine"},
		"failed": {&control.Error{Code: control.CodeInternal, Message: "the disk is full", Hint: "make room"}, "the disk is full (make room)"},
	} {
		e := &fakeEngine{state: busy(), answer: func(control.Request) (control.Reply, error) {
			return control.Reply{Message: "home is removed from this machine"}, tt.err
		}}
		withEngine(t, e, func(s *screen) {
			block := make(chan struct{})
			e.block = block
			open := sync.OnceFunc(func() { close(block) })
			defer open()
			s.press("j", "d", "y")
			s.wants("removing")
			s.press("esc")
			s.lacks("Remove home?", tt.want)
			open()
			s.settle()
			if !strings.Contains(s.text(), tt.want) {
				t.Errorf("%s: the screen lacks %q:\n%s", name, tt.want, s.text())
			}
		})
	}
}

func TestALabelIsWhatIsSeenOfIt(t *testing.T) {
	onScreen(t, 110, 30, busy(), func(s *screen) {
		s.press("e", "ctrl+u")
		s.paste("  of\u202efice\u200b \u3000 2 ")
		s.press("enter")
		s.asked(control.Request{Action: control.ActionRename, Account: "a1", Label: "office 2"})
	})
}

func TestWithoutAnEngineKeysThatNeedOneSaySo(t *testing.T) {
	e := &fakeEngine{down: control.ErrNoEngine}
	withEngine(t, e, func(s *screen) {
		s.wants("No engine answers (no oauthmux runs for this home); trying again.", "`oauthmux serve` in a shell starts one")
		for _, k := range []string{"a", "c", "s", "l", "U"} {
			s.press(k)
			if s.m.overlay != nil {
				t.Errorf("%s opens %T", k, s.m.overlay)
			}
			s.wants("this has to wait for one")
			s.press("esc")
			s.lacks("this has to wait for one")
		}
		if got := e.requests(); len(got) != 0 {
			t.Errorf("asked %+v", got)
		}
	})
}
