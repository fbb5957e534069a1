package dashboard

import (
	"testing"

	"github.com/oauthmux/oauthmux/ui/control"
)

func TestTheWindowIsTheFirstWayWhereThereCanBeOne(t *testing.T) {
	none := busy()
	for _, tt := range []struct {
		name    string
		state   control.State
		display string
		says    string // why not; "": it is offered
	}{
		{"a browser and a display", withBrowsers(), "DISPLAY", ""},
		{"a browser and a Wayland display", withBrowsers(), "WAYLAND_DISPLAY", ""},
		{"no display", withBrowsers(), "", "no display here"},
		{"no browser", none, "DISPLAY", "no browser was found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withEngine(t, browserEngine(tt.state), func(s *screen) {
				s.m.desktop, s.env[tt.display] = false, "x"
				s.press("a")
				s.wants("a window of this account's own browser profile", "your usual browser", "paste the code")
				want := control.ActionBrowserSetup
				if tt.says != "" {
					s.wants(tt.says)
					want = control.ActionLoginStart
				}
				s.press("down", "down", "down")
				if tt.says != "" {
					s.press("up") // past the one that cannot be gone, from below and from above
				}
				s.press("enter")
				if got := s.did(); len(got) != 1 || got[0] != want {
					t.Errorf("asked %q, want %s", got, want)
				}
			})
		})
	}
}

func TestAddingWithAWindow(t *testing.T) {
	st := withBrowsers()
	st.Accounts = st.Accounts[:1]
	e := browserEngine(st)
	withEngine(t, e, func(s *screen) {
		s.env["DISPLAY"] = ":0"
		s.press("a", "enter")
		s.asked(control.Request{Action: control.ActionBrowserSetup, Provider: "anthropic", Display: control.Display{X11: ":0"}})
		s.wants("Add an account · Anthropic · sign in", "waiting for you to sign in", "9:12 left", "esc give up")
		s.lacks("Paste", "copy the link")
		s.paste("code#state") // there is nothing to paste it into
		s.press("y", "o", "enter")
		if got := s.did(); len(got) != 1 || s.sent.Len() != 0 || len(s.opened) != 0 {
			s.t.Errorf("asked %q, sent %q, opened %q", got, s.sent, s.opened)
		}

		f := windowFlow("")
		f.Step = "asking who it is"
		s.show(withFlow(st, f))
		s.wants("asking who it is")
		done := withBrowsers()
		done.Accounts = done.Accounts[:2]
		f.State, f.Account = control.FlowDone, "a2"
		s.show(withFlow(done, f))
		s.wants("signed in as me@home.example", "That makes two", "keep this label")
		s.press("ctrl+u")
		s.typed("laptop")
		s.press("enter")
		s.asked(control.Request{Action: control.ActionRename, Account: "a2", Label: "laptop"})
		s.closed()
	})
}

func TestAnAddedAccountsWindowIsGivenUp(t *testing.T) {
	e := browserEngine(withBrowsers())
	withEngine(t, e, func(s *screen) {
		s.env["DISPLAY"] = ":0"
		s.press("a", "enter", "esc")
		s.closed()
		s.asked(control.Request{Action: control.ActionLoginCancel, Flow: "w1"})

		e.block, e.blocked = make(chan struct{}), control.ActionBrowserSetup
		s.press("a", "enter")
		s.wants("preparing the sign-in")
		s.press("esc")
		close(e.block)
		s.settle()
		s.closed()
		if got := s.did(); len(got) != 4 || got[3] != control.ActionLoginCancel {
			t.Errorf("asked %q, want the window that opened for nobody given up", got)
		}
	})
}

func TestWhatStandsInTheWayOfAnAddedAccountsWindow(t *testing.T) {
	e := browserEngine(withBrowsers())
	e.refusing(control.ActionBrowserSetup, &control.Error{Code: control.CodeNoDisplay, Message: "there is no screen for a window", Hint: "paste the code instead"})
	withEngine(t, e, func(s *screen) {
		s.env["DISPLAY"] = ":0"
		s.press("a", "enter")
		s.wants("there is no screen for a window", "paste the code instead", "How do you want")
		f := windowFlow("")
		f.State, f.Problem = control.FlowFailed, "the window was closed"
		e.answer = browserEngine(withBrowsers()).answer
		s.press("enter")
		s.show(withFlow(withBrowsers(), f))
		s.wants("the window was closed", "try again")
		s.press("enter")
		s.wants("How do you want")
	})
}
