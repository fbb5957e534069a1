package dashboard

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

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

func TestWhyShowsTheDecisions(t *testing.T) {
	e := &fakeEngine{state: busy(), answer: func(control.Request) (control.Reply, error) {
		return control.Reply{Decisions: decisions()}, nil
	}}
	withEngine(t, e, func(s *screen) {
		s.press("w")
		s.inOrder("Why work", "14:02:10", "served, 200", "12 times since 14:01:59", "2 free",
			"lab", "skipped", "5-hour limit reached (429), until 14:39", "old", "skipped", "sign in again", "work", "served",
			"14:01:51", "served, 200", "2.1 s", "sonnet", "conversation s2", "lab", "limited", "5-hour limit reached (429), until 14:39", "work", "served")
		s.lacks("passed it by", "something went wrong")
		s.press("w")
		if s.m.overlay != nil {
			t.Errorf("%T is still open", s.m.overlay)
		}
		s.press("j", "j", "w")
		s.inOrder("Why lab", "cooling until 14:39, 37:41 left", "5-hour limit reached (429)", "12 requests passed it by since 14:01:59",
			"something went wrong", "14:01:51", "limited", "the other requests", "14:02:10", "12 times")
		s.press("w", "j", "w")
		s.inOrder("Why old", "sign in again", "the refresh token was refused", "13 requests passed it by", "12 times", "14:01:51")
	})
}

func TestRequestsThatWentTheSameWayAreOneStory(t *testing.T) {
	pass, away := control.Step{Account: "work", Outcome: "pass"}, control.Step{Account: "lab", Outcome: "skipped", Evidence: "paused"}
	at := func(second int, steps ...control.Step) *control.Decision {
		d := &control.Decision{At: fixedNow.Add(time.Duration(second) * time.Second), Status: 200, Candidates: 2}
		for _, s := range steps {
			if s.Outcome == skipOutcome {
				d.Skipped = append(d.Skipped, s)
			} else {
				d.Steps = append(d.Steps, s)
			}
		}
		return d
	}
	later := pass
	later.Until = fixedNow
	failed := at(6, pass)
	failed.Status = 500
	all := []*control.Decision{at(0, pass), at(1, pass), at(2, away, pass), at(3, pass), at(4, pass), at(5, later), failed, at(7, pass)}
	var got []string
	for _, r := range stories(all) {
		got = append(got, fmt.Sprintf("%d:%d-%d", r.n, r.oldest.Sub(fixedNow)/time.Second, r.At.Sub(fixedNow)/time.Second))
	}
	if want := []string{"5:0-7", "1:6-6", "1:5-5", "1:2-2"}; !slices.Equal(got, want) {
		t.Errorf("stories %v, want %v", got, want)
	}
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

func TestWhyBeginsWithTheCooldown(t *testing.T) {
	evidence := "429 five_hour rejected, representative claim five_hour, reset at 14:39:52, as the provider said"
	st := busy()
	st.Accounts[2].Cooldowns[0].Evidence = evidence
	onScreen(t, 60, 15, st, func(s *screen) {
		s.press("j", "j", "w")
		s.wants("Why lab", "cooling until 14:39, 37:41 left", "No request is remembered")
		for word := range strings.FieldsSeq(evidence) { // wrapped, not cut
			s.wants(word)
		}
		s.wait(time.Second)
		s.wants("37:40 left")
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

// What is decided while one looks is seen, also when the account gets another name.
func TestWhyFollowsWhatHappens(t *testing.T) {
	all := decisions()
	e := &fakeEngine{state: busy()}
	e.answer = func(control.Request) (control.Reply, error) { return control.Reply{Decisions: all}, nil }
	withEngine(t, e, func(s *screen) {
		s.press("j", "j", "w")
		s.wants("12 requests passed it by")
		more := all[len(all)-1]
		more.At = more.At.Add(time.Second)
		all = append(slices.Clone(all), more)
		s.wait(whyPace)
		st := busy()
		st.Accounts[2].Label = "bench"
		s.show(st)
		s.wants("Why bench", "13 requests passed it by")
		s.show(busy()) // too soon
		if got := len(e.requests()); got != 2 {
			t.Errorf("asked %d times", got)
		}
		e.answer = func(control.Request) (control.Reply, error) {
			return control.Reply{}, &control.Error{Message: "the engine is busy"}
		}
		s.wait(whyPace)
		s.show(busy())
		s.wants("the engine is busy")
	})
}
