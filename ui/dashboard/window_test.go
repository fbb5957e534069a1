package dashboard

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/ui/control"
)

func TestSigningInInAWindow(t *testing.T) {
	withEngine(t, browserEngine(withBrowsers()), func(s *screen) {
		s.env["DISPLAY"], s.env["XAUTHORITY"], s.env["WAYLAND_DISPLAY"], s.env["XDG_RUNTIME_DIR"] = ":1", "/x", "wayland-0", "/run/user/1"
		s.press("G", "b", "s")
		s.asks(control.Request{
			Action: control.ActionBrowserSetup, Account: "a4",
			Display: control.Display{X11: ":1", XAuthority: "/x", Wayland: "wayland-0", RuntimeDir: "/run/user/1"},
		})
		s.wants("Sign old in", "waiting for you to sign in", "9:12 left", "Sign in as old@acme.dev", "leave it open", "give up")
		s.wait(2 * time.Second)
		s.wants("9:10 left")
		f := windowFlow("a4")
		f.Step, f.State = "", control.FlowExchanging
		s.show(withFlow(withBrowsers(), f))
		s.wants("finishing the sign-in")
		f.State, f.Account = control.FlowDone, "a4"
		s.show(withFlow(withBrowsers(), f))
		s.wants("signed in as old@acme.dev", "signs in again by itself", "esc close")
		s.press("enter")
		s.closed()
	})
}

func TestAWindowThatFailsSaysWhy(t *testing.T) {
	withEngine(t, browserEngine(withBrowsers()), func(s *screen) {
		s.press("b", "s")
		f := windowFlow("a1")
		f.State, f.Problem, f.Hint = control.FlowFailed, "somebody else signed in: me@home.example", "sign in as work@acme.dev"
		s.show(withFlow(withBrowsers(), f))
		s.wants("Browser session of work", "somebody else signed in", "sign in as work@acme.dev", "s open a window")
		s.press("s") // and once more, in the place of what went wrong
		s.lacks("somebody else signed in")
	})
}

func TestTheEndOfAWindowMayComeAsAnAnswer(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reply control.Reply
		err   error
		want  string
	}{
		{"done", control.Reply{Flow: &control.Flow{ID: "w1", State: control.FlowDone, Account: "a1"}}, nil, "signed in as work@acme.dev"},
		{"failed", control.Reply{}, &control.Error{Message: "the window was closed"}, "the window was closed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := browserEngine(withBrowsers())
			withEngine(t, e, func(s *screen) {
				answer, ends := e.answer, make(chan struct{})
				e.mu.Lock()
				e.loginEnds = ends
				e.mu.Unlock()
				e.answer = func(r control.Request) (control.Reply, error) {
					if r.Action == control.ActionLoginWait {
						return tt.reply, tt.err
					}
					return answer(r)
				}
				s.press("b", "s")
				close(ends)
				s.settle()
				s.wants(tt.want)
			})
		})
	}
}

func TestAWindowThatWasGivenUpDoesNotComeBack(t *testing.T) {
	withEngine(t, browserEngine(withBrowsers()), func(s *screen) {
		s.press("b", "s", "esc")
		s.show(withFlow(withBrowsers(), windowFlow("a1"))) // said before the engine gave it up
		s.lacks("Sign work in")
		s.wants("Browser session of work")
	})
}

// The answer that a window is over may come before the state that says so: the
// overlay that is opened meanwhile is about what comes next.
func TestAWindowThatIsOverIsNotFoundAgain(t *testing.T) {
	e := browserEngine(withBrowsers())
	withEngine(t, e, func(s *screen) {
		answer, ends := e.answer, make(chan struct{})
		e.mu.Lock()
		e.loginEnds = ends
		e.mu.Unlock()
		e.answer = func(r control.Request) (control.Reply, error) {
			if r.Action == control.ActionLoginWait {
				return control.Reply{Flow: &control.Flow{ID: "w1", State: control.FlowDone, Account: "a1"}}, nil
			}
			return answer(r)
		}
		s.press("b", "s")
		s.show(withFlow(withBrowsers(), windowFlow("a1")))
		close(ends)
		s.settle()
		s.wants("signed in as work@acme.dev")
		s.press("esc", "b")
		s.wants("Browser session of work", "n sign in now")
		s.lacks("signed in as work@acme.dev")
	})
}

func TestAWindowIsLeftOpenAndFoundAgain(t *testing.T) {
	e := browserEngine(withBrowsers())
	withEngine(t, e, func(s *screen) {
		s.press("G", "b", "s", "enter")
		s.closed()
		if got := s.did(); len(got) != 1 {
			s.t.Errorf("asked %q, want the window left alone", got)
		}
		s.show(withFlow(withBrowsers(), windowFlow("a4")))
		s.wants("signing in · waiting for you to sign in") // the detail
		if !strings.Contains(s.selectedLine(), "signing in") {
			s.t.Errorf("the row says %q", s.selectedLine())
		}
		s.press("b")
		s.wants("Sign old in", "leave it open")
		s.press("esc")
		s.asks(control.Request{Action: control.ActionLoginCancel, Flow: "w1"})
	})
}

func TestAWindowThatOpensForNobodyIsGivenUp(t *testing.T) {
	e := browserEngine(withBrowsers())
	withEngine(t, e, func(s *screen) {
		e.block, e.blocked = make(chan struct{}), control.ActionBrowserSetup
		s.press("b", "s")
		s.wants("opening a window")
		s.press("s", "n", "x") // one thing at a time
		s.press("esc")
		s.closed()
		close(e.block)
		s.settle()
		s.closed()
		s.asks(control.Request{Action: control.ActionLoginCancel, Flow: "w1"})
	})
}

func TestWhatStandsInTheWayOfAWindowIsSaid(t *testing.T) {
	for _, code := range []string{control.CodeNoDisplay, control.CodeNoBrowser, control.CodeBrowserInUse, control.CodeBrowserProfile, control.CodeBrowserFailed, control.CodeBudget} {
		e := browserEngine(withBrowsers())
		e.refusing(control.ActionBrowserSetup, &control.Error{Code: code, Message: "it is " + code, Hint: "try something else"})
		withEngine(t, e, func(s *screen) {
			s.press("b", "s")
			s.wants("it is "+code, "try something else", "s open a window")
			s.lacks("take over")
			s.press("t") // nothing to take over
			s.wants("Browser session of work")
		})
	}
	e := browserEngine(withBrowsers())
	e.answer = func(control.Request) (control.Reply, error) { return control.Reply{}, nil }
	withEngine(t, e, func(s *screen) {
		s.press("b", "s")
		s.wants("did not say how to go on")
	})
}

func TestAProfileOfAnotherComputerCanBeTakenOver(t *testing.T) {
	e := browserEngine(withBrowsers())
	answer := e.answer
	e.answer = func(r control.Request) (control.Reply, error) {
		if r.Action == control.ActionBrowserLogin || (r.Action == control.ActionBrowserSetup && !r.TakeOver) {
			return control.Reply{}, elsewhere
		}
		return answer(r)
	}
	for _, first := range []string{"s", "n"} {
		withEngine(t, e, func(s *screen) {
			s.press("b", first)
			s.wants("in use on laptop-2", "t takes it over", "t take over")
			s.press("t")
			s.wants("Take the browser profile of work over?", "in use on laptop-2", "Two browsers on one profile")
			s.press("n")
			s.wants("Browser session of work", "t take over")
			s.press("t", "y")
			s.asks(control.Request{Action: control.ActionBrowserSetup, Account: "a1", TakeOver: true})
			s.wants("Sign work in")
		})
	}
}

func TestAWindowThatNeedsThePassphraseFirst(t *testing.T) {
	e := browserEngine(withBrowsers())
	e.refusing(control.ActionBrowserSetup, &control.Error{Code: control.CodeKeyPrefix + "passphrase_needed", Message: "the tokens are sealed"})
	withEngine(t, e, func(s *screen) {
		s.press("b", "s")
		s.wants("Unlock")
		e.answer = browserEngine(withBrowsers()).answer
		s.typed("secret")
		s.press("enter")
		s.wants("Sign work in")
	})
}

func TestQuittingWhileAWindowIsOpenAsks(t *testing.T) {
	idle := withBrowsers()
	idle.Accounts[0].State, idle.Accounts[0].InFlight = control.StateReady, 0
	attached := idle
	attached.Engine.PID = 99
	for _, tt := range []struct {
		name    string
		state   control.State
		keys    string
		asks    bool
		cancels bool
	}{
		{"a window somebody left open", withFlow(idle, windowFlow("a1")), "q", true, false},
		{"one of another engine", withFlow(attached, windowFlow("a1")), "q", false, false},
		{"the window that is waited for", idle, "b s ctrl+c", true, true},
		{"the same at another engine", attached, "b s ctrl+c", true, true},
		{"an account that is added", attached, "a enter ctrl+c", true, true},
		{"a sign-in without a window", withFlow(idle, headlessFlow("a1")), "q", false, false},
		{"nothing", idle, "q", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withEngine(t, browserEngine(tt.state), func(s *screen) {
				s.env["DISPLAY"] = ":0"
				s.press(strings.Fields(tt.keys)...)
				if tt.asks {
					s.wants("Quit?", "A window is open to sign in with: leaving closes it.")
					s.lacks("Nothing is under way")
					s.press("y")
				}
				s.wait(2 * grace)
				if !s.quit {
					t.Error("it does not quit")
				}
				if got := slices.Contains(s.did(), control.ActionLoginCancel); got != tt.cancels {
					t.Errorf("gave a login up: %v", got)
				}
			})
		})
	}
}
