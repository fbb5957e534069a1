package dashboard

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/control"
)

func TestTheFirstFrameDoesNotWaitForTheEngine(t *testing.T) {
	onScreen(t, 80, 24, control.State{}, func(s *screen) { // it says nothing yet
		s.wants("oauthmux", "connecting to the engine", "q quit")
		s.wait(time.Minute)
		s.show(busy())
		s.lacks("connecting")
		s.wants("work", "78%")
	})
}

func TestQuitAsksOnlyWhereSomethingIsLost(t *testing.T) {
	idle := busy()
	idle.Accounts[0].InFlight, idle.Accounts[0].State = 0, control.StateReady
	unsaved := busy()
	unsaved.Accounts[0].InFlight, unsaved.Accounts[0].State = 0, control.StateUnsaved
	attached := busy()
	attached.Engine.PID = 99
	for _, tt := range []struct {
		name  string
		state control.State
		asks  string // "": it leaves at once
	}{
		{"idle", idle, ""},
		{"streams run", busy(), "2 requests in flight"},
		{"a token is unsaved", unsaved, "1 token not saved yet"},
		{"attached", attached, ""},
		{"nothing known yet", control.State{}, ""},
	} {
		for _, k := range []string{"q", "ctrl+c"} {
			t.Run(tt.name+" "+k, func(t *testing.T) {
				onScreen(t, 80, 24, tt.state, func(s *screen) {
					s.press(k)
					if asked := !s.quit; asked != (tt.asks != "") {
						s.t.Fatalf("asked: %v", asked)
					}
					if tt.asks == "" {
						return
					}
					s.wants("Quit?", tt.asks)
					s.press("n")
					s.lacks("Quit?")
					s.press(k, k)
					if means := k == "ctrl+c"; s.quit != means { // q again is somebody in a hurry
						t.Errorf("after the second press it quits: %v", s.quit)
					}
					s.press("y")
					if !s.quit {
						t.Error("yes did not quit")
					}
				})
			})
		}
	}
}

func TestAnAttachedScreenSaysThatTheEngineKeepsRunning(t *testing.T) {
	st := busy()
	st.Engine.PID = 99
	onScreen(t, 110, 30, st, func(s *screen) {
		s.wants("attached to 127.0.0.1:4747")
		s.press("q")
		if got, want := s.m.farewell(), "oauthmux: the engine keeps running (pid 99, 127.0.0.1:4747); `oauthmux` shows it, `oauthmux serve --stop` ends it"; got != want {
			t.Errorf("farewell %q, want %q", got, want)
		}
	})
	onScreen(t, 110, 30, busy(), func(s *screen) {
		if got := s.m.farewell(); got != "" {
			t.Errorf("farewell %q of an engine that ends", got)
		}
	})
}

func TestQuittingGivesUpALoginThatWaits(t *testing.T) {
	withEngine(t, loginEngine(oneAccount()), func(s *screen) {
		s.press("a", "enter", "ctrl+c")
		s.wants("Quit?")
		s.press("n")
		s.wants("waiting for you") // back where one was
		s.press("ctrl+c", "y")
		s.asked(control.Request{Action: control.ActionLoginCancel, Flow: "f1"})
		if !s.quit {
			t.Error("it did not quit")
		}
	})
}

func TestAnEngineThatHangsDoesNotHoldTheScreen(t *testing.T) {
	e := loginEngine(oneAccount())
	withEngine(t, e, func(s *screen) {
		s.press("a", "enter")
		e.mu.Lock()
		e.block = make(chan struct{})
		e.mu.Unlock()
		s.press("ctrl+c", "y")
		s.wait(grace)
		if !s.quit {
			t.Error("giving up the login holds the screen")
		}
	})
}

func TestQuittingLetsAnActionFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEngine{block: make(chan struct{})}
		j := newJobs(t.Context())
		done := make(chan error, 1)
		cmd := j.do(e, nil, control.Request{Action: control.ActionSwitch})
		go func() {
			if msg, ok := cmd().(replyMsg); ok {
				done <- msg.err
			} else {
				done <- errors.New("cut")
			}
		}()
		synctest.Wait()
		time.AfterFunc(grace/2, func() { close(e.block) })
		j.end()
		if err := <-done; err != nil {
			t.Errorf("the action was not finished: %v", err)
		}
		if msg := cmd(); msg != nil {
			t.Errorf("a command that begins after the end sent %v", msg)
		}
	})
}

func TestQuittingDoesNotWaitForAnActionForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEngine{block: make(chan struct{})}
		j := newJobs(t.Context())
		cmd := j.do(e, nil, control.Request{Action: control.ActionUnlock})
		done := make(chan tea.Msg, 1)
		go func() { done <- cmd() }()
		synctest.Wait()
		began := time.Now()
		j.end()
		if took := time.Since(began); took > grace+patience {
			t.Errorf("the end took %s", took)
		}
		if msg := <-done; msg != nil {
			t.Errorf("a cut action sent %v", msg)
		}
	})
}

func TestTheEndOfTheContextEndsTheScreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		j := newJobs(ctx)
		defer j.end()
		m := newModel(Options{Engine: &fakeEngine{}, Env: func(string) string { return "" }}, j, plainTheme())
		cmd := j.untilEnd()
		cancel()
		_, quit := m.Update(cmd())
		if quit == nil || m.parting == staying {
			t.Error("the screen stays")
		}
	})
}

func TestToasts(t *testing.T) {
	withLine := func(n int, text string) control.State {
		st := busy()
		st.Feed = append(st.Feed, control.Line{Seq: uint64(4 + n), At: fixedNow, Kind: "back", Label: "lab", Text: text, Toast: true})
		return st
	}
	onScreen(t, 110, 30, busy(), func(s *screen) {
		toast := func() string { return strings.Split(s.text(), "\n")[28] }
		if got := strings.TrimSpace(toast()); got != "" {
			s.t.Fatalf("a line from before is a toast: %q", got)
		}
		s.show(withLine(1, "is back from cooling"))
		if !strings.Contains(toast(), "lab  is back from cooling") {
			s.t.Fatalf("toast %q", toast())
		}
		s.wait(7 * time.Second)
		if !strings.Contains(toast(), "is back from cooling") {
			t.Error("the toast went before its 8 s")
		}
		s.show(withLine(2, "is back once more"))
		if !strings.Contains(toast(), "is back once more") {
			t.Error("the newest does not win")
		}
		s.wait(7 * time.Second)
		if toast() == "" {
			t.Error("the newer toast did not get its own 8 s")
		}
		s.wait(time.Second)
		if got := strings.TrimSpace(toast()); got != "" {
			t.Errorf("the toast stays: %q", got)
		}
		s.wants("is back once more") // in the feed
	})
}

func TestAnActionSaysWhatItDid(t *testing.T) {
	e := &fakeEngine{state: busy()}
	withEngine(t, e, func(s *screen) {
		e.answer = func(control.Request) (control.Reply, error) { return control.Reply{Message: "token renewed"}, nil }
		s.press("r")
		s.wants("✓ token renewed")
		e.answer = func(control.Request) (control.Reply, error) {
			return control.Reply{}, &control.Error{Message: "read 40 s ago", Hint: "again in 2m"}
		}
		s.press("u")
		s.wants("! read 40 s ago (again in 2m)")
		s.lacks("✓ token renewed")
	})
}

func TestNothingBlocksTheScreen(t *testing.T) {
	e := &fakeEngine{state: busy()}
	withEngine(t, e, func(s *screen) {
		e.block = make(chan struct{})
		s.press("r")
		s.lacks("renewing the token")
		s.wait(shyness + time.Millisecond)
		s.wants("renewing the token of work")
		drawn := s.drawn
		s.wait(time.Second)
		if s.drawn-drawn < 8 {
			t.Errorf("the spinner stands still: %d frames in a second", s.drawn-drawn)
		}
		s.press("j", "?")
		s.wants("The selected account")
		s.press("esc")
		close(e.block)
		s.wait(time.Millisecond)
		s.lacks("renewing the token")
	})
}

func TestTheBellRingsOnceWhenEverybodyIsOut(t *testing.T) {
	onScreen(t, 110, 30, busy(), func(s *screen) {
		out := exhausted()
		out.Feed = append(out.Feed, control.Line{Seq: 5, At: fixedNow, Kind: "exhausted", Text: "nobody is left", Toast: true, Bell: true})
		s.show(out)
		s.wants("Every account is out: work returns first, in 12:05 (14:14).")
		if s.sent.String() != "\a" {
			s.t.Fatalf("sent %q, want one bell", s.sent)
		}
		out.Feed = append(out.Feed, control.Line{Seq: 6, At: fixedNow, Kind: "exhausted", Text: "nobody is left", Bell: true})
		s.show(out)
		if s.sent.String() != "\a" {
			t.Errorf("sent %q, want no second bell", s.sent)
		}
		s.show(busy())
		s.lacks("is out")
		s.show(out)
		if s.sent.String() != "\a\a" {
			t.Errorf("sent %q, want a bell for the next time", s.sent)
		}
	})
}

func TestOneProviderThatIsOutIsNamed(t *testing.T) {
	st := several()
	st.Accounts[4].State = control.StateLoginNeeded // corp
	onScreen(t, 110, 30, st, func(s *screen) {
		s.wants("Every account of My Corp is out, and none returns by itself.")
		if s.sent.Len() != 0 {
			t.Errorf("sent %q though the others can serve", s.sent)
		}
	})
}

func TestALostEngineIsAskedAgain(t *testing.T) {
	onScreen(t, 110, 30, busy(), func(s *screen) {
		s.engine.die(errors.New("connection refused"))
		s.wait(2 * pace)
		s.wants("engine gone", "trying again", "work") // with what was there
		s.wait(time.Second)
		s.wants("connection refused")
		s.engine.mu.Lock()
		s.engine.down = nil
		s.engine.mu.Unlock()
		s.wait(5 * time.Second)
		s.lacks("engine gone")
		s.wants("the engine is back", "2 in flight")
		s.engine.die(errors.New("x"))
		s.wait(2 * pace)
		s.press("q") // nothing to lose, nothing to ask
		if !s.quit {
			t.Error("q asked about an engine that is gone")
		}
	})
}

func TestTheClockMovesNoMoreThanItMust(t *testing.T) {
	quiet := busy()
	quiet.Accounts[2].State, quiet.Accounts[2].Cooldowns = control.StateReady, nil
	long := busy()
	long.Accounts[2].Cooldowns[0].Until = fixedNow.Add(3 * hour)
	for _, tt := range []struct {
		name     string
		state    control.State
		from, to int // frames a minute
	}{
		{"a cooldown under an hour", busy(), 58, 64},
		{"a cooldown of hours", long, 1, 5},
		{"nothing to count", quiet, 1, 5},
		{"no account", empty(), 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onScreen(t, 110, 30, tt.state, func(s *screen) {
				drawn := s.drawn
				s.wait(time.Minute)
				if n := s.drawn - drawn; n < tt.from || n > tt.to {
					t.Errorf("%d frames in a minute, want %d to %d", n, tt.from, tt.to)
				}
			})
		})
	}
}

func TestACountdownOffTheScreenDoesNotTick(t *testing.T) {
	st := crowd(300)
	for i := range st.Accounts {
		if st.Accounts[i].State == control.StateCooling && i < 200 {
			st.Accounts[i].State = control.StateReady
		}
	}
	onScreen(t, 110, 30, st, func(s *screen) {
		drawn := s.drawn
		s.wait(10 * time.Second)
		if n := s.drawn - drawn; n > 1 {
			t.Errorf("%d frames for countdowns nobody sees", n)
		}
		s.press("G")
		drawn = s.drawn
		s.wait(10 * time.Second)
		if n := s.drawn - drawn; n < 9 {
			t.Errorf("%d frames in ten seconds of a countdown on the screen", n)
		}
	})
}

func TestCountdownsRunOnTheEnginesClock(t *testing.T) {
	onScreen(t, 110, 30, busy(), func(s *screen) {
		s.wants("cooling 37:41")
		s.wait(time.Second)
		s.wants("cooling 37:40")
		st := busy()
		st.Now = fixedNow.Add(10 * time.Minute) // the demo's clock runs fast
		s.show(st)
		s.wants("cooling 27:41", "14:12")
	})
}

func TestTheSameStateDrawsNothing(t *testing.T) {
	onScreen(t, 110, 30, busy(), func(s *screen) {
		drawn := s.drawn
		for range 20 {
			st := busy()
			st.Now = s.m.now
			s.engine.set(st)
			s.settle()
		}
		if s.drawn != drawn {
			t.Errorf("%d frames for the same state", s.drawn-drawn)
		}
	})
}

func TestStatesAreNotTakenFasterThanTheyCanBeSeen(t *testing.T) {
	onScreen(t, 110, 30, busy(), func(s *screen) {
		drawn := s.drawn
		for i := range 200 {
			st := busy()
			st.Accounts[0].InFlight = i + 3
			s.engine.set(st)
			s.wait(5 * time.Millisecond)
		}
		if n := s.drawn - drawn; n < 20 || n > 35 {
			t.Errorf("%d frames in a second of 200 states", n)
		}
		s.wait(2 * pace)
		s.wants("202 in flight") // the newest is what stays
	})
}

func TestResizing(t *testing.T) {
	onScreen(t, 160, 45, busy(), func(s *screen) {
		s.wants("PLAN", "1h12m", "detail", "feed")
		s.feed(resizedMsg{Width: 109, Height: 30})
		s.lacks("PLAN")
		s.wants("38m  ███", "detail")
		s.feed(resizedMsg{Width: 80, Height: 24})
		s.lacks("PLAN", "38m  ███")
		s.wants("detail", "feed", "78%", "35%", "serving · 2", "sign in again")
		s.feed(resizedMsg{Width: 80, Height: 23})
		s.lacks("── detail")
		s.wants("feed", "78%", "35%", "serving · 2")
		s.feed(resizedMsg{Width: 60, Height: 15})
		s.wants("work", "78%", "35%", "serving · 2", "cooling 37:41", "sign in again")
		checkFrame(t, s.m.View(), 60, 15)
	})
}

func TestALabelIsNotCutForABar(t *testing.T) {
	st := busy()
	const label = "mary.somerville@example.org"
	st.Accounts[0].Label = label
	for _, width := range []int{80, 100, 110, 160} {
		onScreen(t, width, 30, st, func(s *screen) {
			if l := s.selectedLine(); !strings.Contains(l, label) || !strings.Contains(l, "78%") || !strings.Contains(l, "serving · 2") {
				t.Errorf("%d columns: %q", width, l)
			}
			s.wants("resets 15:14 (1h12m)")
			checkFrame(t, s.m.View(), width, 30)
		})
	}
}
