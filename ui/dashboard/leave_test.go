package dashboard

import (
	"testing"

	"github.com/oauthmux/oauthmux/ui/control"
)

func TestQuitSaysWhatStopsAndHowItNeedNot(t *testing.T) {
	onScreen(t, 110, 30, busy(), func(s *screen) {
		s.press("q")
		s.wants("2 requests in flight: leaving stops the proxy and cuts them.",
			"The proxy at 127.0.0.1:4747 stops", "connections to it are", "Keepalive, renewals and usage readings stop",
			"k leaves the engine running instead: it goes on at the same address", "k leave the engine running")
		s.press("k")
		if !s.quit || s.m.parting != leaving {
			t.Errorf("quit %v, parting %v", s.quit, s.m.parting)
		}
		if s.m.farewell() != "" {
			t.Errorf("it says %q of an engine that ends", s.m.farewell())
		}
	})
	onScreen(t, 110, 30, busy(), func(s *screen) { // no way to leave it, as in the demo
		s.m.o.Leave = nil
		s.press("q")
		s.wants("The proxy at 127.0.0.1:4747 stops")
		s.lacks("leave the engine running")
		s.press("k")
		if s.quit {
			t.Error("it left what cannot be left")
		}
	})
	onScreen(t, 110, 30, busy(), func(s *screen) {
		s.m.o.LeaveGap = true
		s.press("q")
		s.wants("the proxy is away for a moment")
	})
}

func TestLeavingTheEngineRunningAsksOnlyWhereSomethingIsLost(t *testing.T) {
	unsaved := busy()
	unsaved.Accounts[0].State = control.StateUnsaved
	attached := busy()
	attached.Engine.PID = 99
	for name, tt := range map[string]struct {
		state      control.State
		no         bool   // the engine cannot be left
		says       string // "": it leaves at once
		left, quit bool
	}{
		"requests run":       {busy(), false, "", true, true},
		"nothing runs":       {oneAccount(), false, "", true, true},
		"a token is unsaved": {unsaved, false, "1 token not saved yet", false, false},
		"attached":           {attached, false, "", false, true},
		"the demo":           {busy(), true, "this engine ends with its screen", false, false},
		"nothing known yet":  {control.State{}, false, "there is no engine", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			onScreen(t, 110, 30, tt.state, func(s *screen) {
				if tt.no {
					s.m.o.Leave = nil
				}
				s.press("Q")
				if s.quit != tt.quit || (s.m.parting == leaving) != tt.left {
					t.Fatalf("quit %v, parting %v", s.quit, s.m.parting)
				}
				if tt.says != "" {
					s.wants(tt.says)
				}
			})
		})
	}
}
