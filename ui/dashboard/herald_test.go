package dashboard

import (
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

// withDesktop gives the screen a desktop, and returns what was shown there.
func (s *screen) withDesktop() func() []string {
	shown := make(chan string, 100)
	s.m.outlet = outletDesktop
	s.m.o.Desktop = func(_ context.Context, title, text string) { shown <- title + ": " + text }
	return func() []string {
		s.settle()
		var all []string
		for len(shown) > 0 {
			all = append(all, <-shown)
		}
		return all
	}
}

// fine is a state that nobody need be told of.
func fine() control.State {
	st := busy()
	st.Accounts = st.Accounts[:3]
	return st
}

// out is fine, with everybody out.
func out() control.State {
	st := exhausted()
	st.Accounts = st.Accounts[:3]
	return st
}

func wants(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: told %q, want %q", what, got, want)
	}
}

const (
	wordsOut  = "oauthmux: every account is out; work returns first, at 14:14"
	wordsBack = "oauthmux: work is back: requests are served again"
)

// Each of the three can be switched off by itself.
func TestNobodyIsToldWhatTheyDoNotWantToHear(t *testing.T) {
	asking := fine()
	asking.Accounts[2].State, asking.Accounts[2].Reason = control.StateLoginNeeded, "the refresh token was refused"
	for quiet, missing := range map[Events]int{{}: -1, {Out: true}: 0, {Back: true}: 1, {SignIn: true}: 2} {
		onScreen(t, 110, 30, fine(), func(s *screen) {
			s.m.o.Quiet = quiet
			told := s.withDesktop()
			var got []string
			for _, st := range []control.State{fine(), out(), fine(), asking} {
				s.show(st)
				s.wait(2 * noticePace)
				got = append(got, told()...)
			}
			want := []string{wordsOut, wordsBack, "oauthmux: lab: sign in again"}
			if missing >= 0 {
				want = slices.Delete(want, missing, missing+1)
			}
			wants(t, fmt.Sprintf("with %+v", quiet), got, want...)
		})
	}
}

// The line above the table says it, and counts down: a toast would only repeat it.
func TestThatEverybodyIsOutIsSaidOnce(t *testing.T) {
	onScreen(t, 110, 30, fine(), func(s *screen) {
		s.show(fine())
		st := out()
		st.Feed = append(st.Feed, control.Line{Seq: 9, At: fixedNow, Kind: "exhausted", Text: "every account is out; the first is back at 14:14", Toast: true, Bell: true})
		s.show(st)
		s.wants("Every account is out", "the first is back at 14:14")
		if n := strings.Count(s.text(), "very account is out"); n != 2 { // and the feed
			t.Errorf("it is said %d times:\n%s", n, s.text())
		}
	})
}

func TestAPersonElsewhereIsToldWhenEverybodyIsOutAndWhenThatIsOver(t *testing.T) {
	onScreen(t, 110, 30, fine(), func(s *screen) {
		told := s.withDesktop()
		s.show(fine())
		wants(t, "at first", told())
		s.show(out())
		wants(t, "everybody out", told(), wordsOut)
		again := out()
		again.Feed = append(again.Feed, control.Line{Seq: 9, At: fixedNow, Kind: "exhausted", Text: "every account is out", Bell: true})
		s.show(again)
		s.wait(5 * time.Minute)
		wants(t, "still out", told())
		locked := fine()
		locked.Key = control.Key{State: "locked", Message: "The login keyring is locked."}
		s.show(locked)
		wants(t, "nobody knows", told())
		s.show(fine())
		wants(t, "back", told(), wordsBack)
		s.wait(5 * time.Minute)
		wants(t, "much later", told())
	})
}

func TestWhatTheScreenBeganWithIsNotTold(t *testing.T) {
	st := out()
	st.Accounts = append(st.Accounts, busy().Accounts[3])
	onScreen(t, 110, 30, st, func(s *screen) {
		told := s.withDesktop()
		s.show(st)
		s.wait(5 * time.Minute)
		wants(t, "at first", told())
		s.show(fine())
		wants(t, "and its end", told(), wordsBack)
	})
}

func TestAPersonElsewhereIsCalledWhereOnlyTheyCanHelp(t *testing.T) {
	lab := func(change func(a *control.Account)) control.State {
		st := fine()
		change(&st.Accounts[2])
		return st
	}
	for _, tt := range []struct {
		name  string
		state control.State
		want  []string
	}{
		{"sign in again", lab(func(a *control.Account) { a.State = control.StateLoginNeeded }), []string{"oauthmux: lab: sign in again"}},
		{"a page that only a person can pass", lab(func(a *control.Account) { a.State, a.Browser = control.StateNeedsYou, control.BrowserLoginNeeded }), []string{"oauthmux: lab: needs you"}},
		{"a browser does it", lab(func(a *control.Account) { a.State, a.Browser = control.StateLoginNeeded, control.BrowserReady }), nil},
		{"it is paused", lab(func(a *control.Account) { a.State, a.Paused = control.StateLoginNeeded, true }), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onScreen(t, 110, 30, fine(), func(s *screen) {
				told := s.withDesktop()
				s.show(tt.state)
				wants(t, "at once", told(), tt.want...)
				s.show(tt.state)
				s.wait(5 * time.Minute)
				wants(t, "later", told())
			})
		})
	}
}

func TestNoticesComeOnceAMinuteAtMost(t *testing.T) {
	onScreen(t, 110, 30, fine(), func(s *screen) {
		told := s.withDesktop()
		start := time.Now()
		for range 20 { // to and fro
			s.show(out())
			s.show(fine())
		}
		s.show(out())
		wants(t, "the first", told(), wordsOut)
		s.show(fine())
		s.wait(noticePace - time.Since(start) - pace)
		wants(t, "within the minute", told())
		s.wait(3 * pace)
		wants(t, "the last", told(), wordsBack)
		s.wait(5 * time.Minute)
		wants(t, "and no more", told())
	})
	onScreen(t, 110, 30, crowd(200), func(s *screen) {
		told := s.withDesktop()
		st := crowd(200)
		start := time.Now()
		for i := range st.Accounts[:100] { // one after the other, in less than a minute
			st.Accounts = slices.Clone(st.Accounts)
			st.Accounts[i].State = control.StateLoginNeeded
			s.show(st)
		}
		wants(t, "the first of a hundred", told(), "oauthmux: account 0000: sign in again")
		s.wait(noticePace - time.Since(start) - pace)
		wants(t, "within the minute", told())
		s.wait(3 * pace)
		wants(t, "the others", told(), "oauthmux: 100 accounts need you")
		s.wait(5 * time.Minute)
		wants(t, "and no more", told())
		for i := range st.Accounts[:100] { // 1 to 99 are well again
			st.Accounts = slices.Clone(st.Accounts)
			if i > 0 {
				st.Accounts[i].State = control.StateReady
			}
		}
		s.show(st)
		wants(t, "fewer than before", told())
		st.Accounts = slices.Clone(st.Accounts)
		st.Accounts[1].State = control.StateNeedsYou
		s.show(st)
		wants(t, "one that was told of and was well meanwhile", told(), "oauthmux: 2 accounts need you")
	})
}

func TestWhatIsSwitchedOffIsNotSent(t *testing.T) {
	onScreen(t, 110, 30, fine(), func(s *screen) {
		s.m.o.Bell = false
		s.show(out())
		s.show(fine())
		s.wait(2 * noticePace)
		if s.sent.Len() != 0 {
			t.Errorf("the terminal was sent %q", s.sent)
		}
	})
}

func TestNoticesOfATerminal(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, tt := range []struct {
		outlet outlet
		tmux   bool
		want   string
	}{
		{outletOSC9, false, "\x1b]9;oauthmux: a; b\x1b\\"},
		{outletOSC777, false, "\x1b]777;notify;oauthmux;a, b\x1b\\"},
		{outletOSC99, false, "\x1b]99;i=oauthmux-out:d=0:e=1:p=title;" + b64("oauthmux") + "\x1b\\\x1b]99;i=oauthmux-out:d=1:e=1:p=body;" + b64("a; b") + "\x1b\\"},
		{outletOSC9, true, "\x1bPtmux;\x1b\x1b]9;oauthmux: a; b\x1b\x1b\\\x1b\\"},
		{noOutlet, false, ""},
		{outletDesktop, false, ""},
	} {
		if got := tt.outlet.sequence(noticeBack, "oauthmux", "a; b", tt.tmux); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.outlet, got, tt.want)
		}
	}
}

func TestNothingInANoticeDoesAnythingToTheTerminal(t *testing.T) {
	shape := map[outlet]*regexp.Regexp{
		outletOSC9:   regexp.MustCompile(`^\x1b\]9;oauthmux: (x.*): sign in again\x1b\\$`),
		outletOSC777: regexp.MustCompile(`^\x1b\]777;notify;oauthmux;(x[^;]*): sign in again\x1b\\$`),
		outletOSC99:  regexp.MustCompile(`^\x1b\]99;[a-z0-9=:-]+;[A-Za-z0-9+/=]+\x1b\\\x1b\]99;[a-z0-9=:-]+;([A-Za-z0-9+/=]+)\x1b\\$`),
	}
	for o, want := range shape {
		for _, label := range hostile {
			st := fine()
			st.Accounts[2].Label, st.Accounts[2].State = "x"+label, control.StateLoginNeeded
			onScreen(t, 110, 30, fine(), func(s *screen) {
				s.m.outlet = o
				s.show(st)
				got := want.FindStringSubmatch(s.sent.String())
				if got == nil {
					t.Errorf("%s, %q: the terminal was sent %q", o, label, s.sent)
					return
				}
				text := got[1]
				if o == outletOSC99 {
					b, err := base64.StdEncoding.DecodeString(text)
					if err != nil {
						t.Error(err)
					}
					text = string(b)
				}
				if controls(text) {
					t.Errorf("%s, %q: the text is %q", o, label, text)
				}
			})
			// The last gate holds by itself.
			if sent := o.sequence(noticeLogin, "x"+label, "y"+label, false); strings.Count(sent, "\x1b") > 4 || controls(ansi.Strip(sent)) {
				t.Errorf("%s, %q: %q", o, label, sent)
			}
		}
	}
}

func TestWhereANoticeGoes(t *testing.T) {
	for _, tt := range []struct {
		choice  string
		env     string
		desktop bool
		want    outlet
	}{
		{"auto", "TERM=xterm-256color", true, outletDesktop},
		{"auto", "TERM=xterm-256color", false, noOutlet},
		{"auto", "TERM=xterm-kitty", true, outletOSC99},
		{"auto", "TERM=xterm-256color KITTY_WINDOW_ID=1", true, outletOSC99},
		{"auto", "TERM=xterm-256color KITTY_WINDOW_ID=1 VTE_VERSION=7600", true, outletDesktop},
		{"auto", "TERM=xterm-256color KITTY_WINDOW_ID=1 TERM_PROGRAM=vscode", false, noOutlet},
		{"auto", "TERM=xterm-256color TERM_PROGRAM=iTerm.app", true, outletOSC9},
		{"auto", "TERM=xterm-256color LC_TERMINAL=iTerm2", false, outletOSC9},
		{"auto", "TERM=xterm-ghostty", false, outletOSC9},
		{"auto", "TERM=foot-extra", false, outletOSC777},
		{"auto", "TERM=xterm-256color TERM_PROGRAM=WezTerm", false, outletOSC777},
		{"auto", "TERM=rxvt-unicode-256color", false, noOutlet},
		{"auto", "TERM=xterm-256color WT_SESSION=1", true, outletDesktop},
		{"auto", "TERM=xterm-256color VTE_VERSION=7600", false, noOutlet},
		{"auto", "TERM=tmux-256color TMUX=/tmp/x LC_TERMINAL=iTerm2", true, outletDesktop},
		{"auto", "TERM=screen TMUX=/tmp/x KITTY_WINDOW_ID=1", false, noOutlet},
		{"auto", "TERM=screen STY=1.x LC_TERMINAL=iTerm2", false, noOutlet},
		{"auto", "TERM=linux LC_TERMINAL=iTerm2", true, outletDesktop},
		{"osc9", "TERM=xterm-256color", true, outletOSC9},
		{"osc777", "TERM=tmux-256color", false, outletOSC777},
		{"osc99", "", true, outletOSC99},
		{"desktop", "TERM=xterm-kitty", true, outletDesktop},
		{"desktop", "TERM=xterm-kitty", false, noOutlet},
		{"off", "TERM=xterm-kitty", true, noOutlet},
		{"", "TERM=xterm-kitty", true, noOutlet},
	} {
		env := map[string]string{}
		for pair := range strings.FieldsSeq(tt.env) {
			name, value, _ := strings.Cut(pair, "=")
			env[name] = value
		}
		name := fmt.Sprintf("%s with %s, desktop %v", tt.choice, tt.env, tt.desktop)
		if got := chooseOutlet(tt.choice, func(name string) string { return env[name] }, true, tt.desktop); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		if got := chooseOutlet(tt.choice, func(name string) string { return env[name] }, false, tt.desktop); got != noOutlet && got != outletDesktop {
			t.Errorf("%s, without a terminal: %q", name, got)
		}
	}
}
