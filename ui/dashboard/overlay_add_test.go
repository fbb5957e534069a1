package dashboard

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

func TestAddingTheFirstAccount(t *testing.T) {
	st := empty()
	st.Providers[0].Terms = terms
	withEngine(t, loginEngine(st), func(s *screen) {
		s.wants("adds your first account", "oauthmux demo")
		s.press("a")
		s.wants("The provider's published terms")
		s.press("enter")
		s.asked(control.Request{Action: control.ActionTerms, Provider: "anthropic"})
		s.wants("your usual browser", "paste the code")
		s.press("down", "enter")
		s.asked(control.Request{Action: control.ActionLoginStart, Provider: "anthropic", How: control.HowPaste})
		s.wants("waiting for you to sign in", "10:00 left", signInURL)
		if len(s.opened) != 0 {
			t.Errorf("opened %q though the code is to be pasted", s.opened)
		}

		s.wants("paste, then enter")
		s.paste("bad")
		s.lacks("bad")
		s.wants("•••")
		s.press("enter")
		s.asked(control.Request{Action: control.ActionLoginCode, Flow: "f1", Code: "bad"})
		s.wants("that is not the code", "copy all of it", "waiting for you")
		s.paste(" go\r\nod ") // a terminal broke the line
		s.press("enter")
		s.asked(control.Request{Action: control.ActionLoginCode, Flow: "f1", Code: "good"})
		s.wants("asking who it is") // the account is not in the state yet

		done := empty()
		done.Accounts = busy().Accounts[1:2]
		s.show(done)
		s.wants("signed in as me@home.example", "Max 5x", "home", "keep this label")
		s.typed("x")
		s.wants("use this label")
		s.press("backspace")
		s.wants("keep this label")
		s.lacks("That makes two")
		s.press("ctrl+u")
		s.typed("laptop")
		s.press("enter")
		s.asked(control.Request{Action: control.ActionRename, Account: "a2", Label: "laptop"})
		if s.m.overlay != nil {
			t.Errorf("%T is still open", s.m.overlay)
		}
	})
}

// What there is to do instead is never cut off: nothing else on the screen says it.
func TestABrowserThatCannotBeOpenedIsSaidInFull(t *testing.T) {
	for _, size := range sizes {
		onScreenWith(t, size.width, size.height, loginEngine(oneAccount()), plainTheme(), func(s *screen) {
			s.m.o.OpenURL = nil
			s.press("a", "enter")
			said := strings.Join(strings.Fields(s.text()), " ")
			if want := "your browser could not be opened from here: open the link yourself"; !strings.Contains(said, want) {
				t.Errorf("%dx%d lacks %q:\n%s", size.width, size.height, want, s.text())
			}
		})
	}
}

func TestSigningInWithTheUsualBrowser(t *testing.T) {
	withEngine(t, loginEngine(oneAccount()), func(s *screen) {
		s.press("a", "enter")
		s.asked(control.Request{Action: control.ActionLoginStart, Provider: "anthropic", How: control.HowLoopback})
		if len(s.opened) != 1 || s.opened[0] != signInURL {
			t.Errorf("opened %q, want the sign-in page", s.opened)
		}
		s.wants("opened in your browser", "Paste the address it ended on")
		s.press("y")
		if want := ansi.SetSystemClipboard(signInURL); s.sent.String() != want {
			t.Errorf("sent %q, want the address to the clipboard", s.sent)
		}
		s.wants("link sent to the clipboard")
		s.press("o")
		if len(s.opened) != 2 {
			t.Errorf("o opened nothing")
		}

		st := oneAccount()
		st.Accounts = busy().Accounts[:2]
		st.Flows = []control.Flow{{ID: "f1", How: control.HowLoopback, State: control.FlowDone, Account: "a2"}}
		s.show(st)
		s.wants("signed in as me@home.example", "That makes two")
		if s.m.selected != "a2" {
			t.Errorf("selected %s, want the new account", s.m.selected)
		}
		s.press("enter") // keeps the label
		if s.m.overlay != nil || s.engine.requests()[len(s.engine.requests())-1].Action == control.ActionRename {
			t.Error("accepting the label asked for another one")
		}
	})
}

func TestTheLinkIsALinkAndCanBeCopiedByHand(t *testing.T) {
	withEngine(t, loginEngine(busy()), func(s *screen) {
		long := "https://login.example/authorize?state=" + strings.Repeat("0123456789", 30)
		answer := s.engine.answer
		s.engine.answer = func(r control.Request) (control.Reply, error) {
			reply, err := answer(r)
			if reply.Flow != nil {
				reply.Flow.URL = long
			}
			return reply, err
		}
		s.press("a", "down", "enter")
		if !strings.Contains(s.m.View(), ansi.SetHyperlink(long, "id=sign-in")) {
			t.Error("the address is no link")
		}
		// What a mouse selects line by line, put together, is the address: nothing
		// stands before, between or behind it.
		var lines []string
		for l := range strings.SplitSeq(s.text(), "\n") {
			if l = strings.TrimRight(l, " "); strings.Contains(long, l) && len(l) >= 8 {
				lines = append(lines, l)
			}
		}
		if got := strings.Join(lines, ""); got != long {
			t.Errorf("the lines of the address are\n%s\nwant\n%s", strings.Join(lines, "\n"), long)
		}
	})
}

func TestAnAddressThatIsNoneIsNoLink(t *testing.T) {
	for _, bad := range []string{"javascript:alert(1)", "file:///etc/passwd", "https://a.example/\x1b]52;c;aGk=\a", "https:///x", "https://a b"} {
		if got := webAddress(bad); got != "" {
			t.Errorf("webAddress(%q) = %q", bad, got)
		}
	}
	if webAddress(signInURL) != signInURL {
		t.Error("an ordinary address is refused")
	}
}

func TestEscGoesBackOneQuestionAtATime(t *testing.T) {
	withEngine(t, loginEngine(several()), func(s *screen) {
		s.press("a")
		s.wants("Whose account")
		s.press("down", "enter") // Codex: not accepted yet
		s.wants("A notice on the terms")
		s.press("esc")
		s.wants("Whose account")
		s.press("up", "enter")
		s.wants("How do you want")
		s.press("esc", "esc")
		if s.m.overlay != nil {
			t.Errorf("%T is still open", s.m.overlay)
		}
		s.press("a", "enter", "enter")
		s.wants("waiting for you")
		s.press("esc")
		s.asked(control.Request{Action: control.ActionLoginCancel, Flow: "f1"})
		if s.m.overlay != nil {
			t.Errorf("%T is still open", s.m.overlay)
		}
	})
}

func TestALoginThatFailsCanBeTriedAgain(t *testing.T) {
	withEngine(t, loginEngine(busy()), func(s *screen) {
		s.press("a", "enter")
		st := busy()
		st.Flows = []control.Flow{{ID: "f1", State: control.FlowFailed, Problem: "the provider said no", Hint: "another account, perhaps"}}
		s.show(st)
		s.wants("the provider said no", "another account, perhaps", "try again")
		s.press("enter")
		s.wants("How do you want")
		s.press("esc")
		if s.m.overlay != nil {
			t.Errorf("%T is still open", s.m.overlay)
		}
	})
}

func TestAProviderWithoutAPasteHasOneWay(t *testing.T) {
	withEngine(t, loginEngine(several()), func(s *screen) {
		s.press("a", "down", "down", "enter")
		s.wants("My Corp", "your usual browser")
		s.lacks("paste the code")
	})
}

func TestTheSameIdentityIsSaidToBeRenewed(t *testing.T) {
	withEngine(t, loginEngine(busy()), func(s *screen) {
		s.press("a", "enter")
		st := busy()
		st.Flows = []control.Flow{{ID: "f1", State: control.FlowDone, Account: "a4", Renewed: true}}
		s.show(st)
		s.wants("was here already", "old@acme.dev")
		s.press("ctrl+u")
		s.typed("work")
		s.press("enter")
		s.wants("another account has this label already")
		s.press("esc")
		if s.m.overlay != nil {
			t.Errorf("%T is still open", s.m.overlay)
		}
	})
}

func TestTheEnginesWaitEndsTheLoginToo(t *testing.T) {
	e := loginEngine(busy())
	withEngine(t, e, func(s *screen) {
		block := make(chan struct{})
		answer := e.answer
		e.answer = func(r control.Request) (control.Reply, error) {
			if r.Action == control.ActionLoginWait {
				return control.Reply{Flow: &control.Flow{ID: "f1", State: control.FlowDone, Account: "a2"}}, nil
			}
			return answer(r)
		}
		e.mu.Lock()
		e.loginEnds = block
		e.mu.Unlock()
		s.press("a", "enter")
		s.wants("waiting for you")
		close(block)
		s.settle()
		s.wants("signed in as me@home.example")
	})
}

func TestALoginThatBeganForNobodyIsGivenUp(t *testing.T) {
	e := loginEngine(busy())
	withEngine(t, e, func(s *screen) {
		e.block = make(chan struct{})
		s.press("a", "enter")
		s.wants("preparing the sign-in")
		s.press("esc")
		if s.m.overlay != nil {
			s.t.Fatalf("%T is still open", s.m.overlay)
		}
		close(e.block)
		s.settle()
		s.asked(control.Request{Action: control.ActionLoginCancel, Flow: "f1"})
		if s.m.overlay != nil || len(s.opened) != 0 {
			t.Errorf("%T is open, %q opened", s.m.overlay, s.opened)
		}
	})
}

func TestARefusedCodesWordsStayGoneOnceTheNextIsTyped(t *testing.T) {
	e := loginEngine(oneAccount())
	withEngine(t, e, func(s *screen) {
		s.press("a")
		s.press("down", "enter")
		s.wants("paste, then enter")
		s.paste("bad")
		s.press("enter")
		s.wants("that is not the code")
		s.typed("x")
		s.lacks("that is not the code")
		late := oneAccount()
		late.Flows = []control.Flow{{
			ID: "f1", Provider: "anthropic", How: control.HowPaste, URL: signInURL, Ends: fixedNow.Add(10 * time.Minute),
			State: control.FlowWaiting, Problem: "that is not the code", Hint: "copy all of it",
		}}
		s.show(late)
		s.lacks("that is not the code")
	})
}
