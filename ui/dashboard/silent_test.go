package dashboard

import (
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/ui/control"
)

// turning returns the sign of the spinner that is on the screen; "": there is none.
func (s *screen) turning() string {
	signs := map[string]bool{}
	for _, sign := range s.m.th.g.spinner {
		signs[sign] = true
	}
	for _, r := range s.text() {
		if signs[string(r)] {
			return string(r)
		}
	}
	return ""
}

// An engine that never answers: a keyring that asks nobody, a browser that does
// not start, a disk or a network that is gone.
func TestEverythingThatWaitsTurnsAndCanBeLeft(t *testing.T) {
	idle := busy()
	for i := range idle.Accounts {
		idle.Accounts[i].InFlight = 0
	}
	idle.Accounts[0].State = control.StateReady
	locked := busy()
	locked.Accounts[0].InFlight, locked.Accounts[0].State = 0, control.StateReady
	locked.Key = control.Key{State: "locked", Message: "the keyring is locked"}
	asks := locked
	asks.Key = control.Key{State: "passphrase_needed", Message: "a passphrase is needed", Ask: true}
	for name, tt := range map[string]struct {
		state control.State
		keys  []string
	}{
		"prefer":                     {idle, []string{"j", "enter"}},
		"pause":                      {idle, []string{"p"}},
		"move":                       {idle, []string{"J"}},
		"renew with a dead network":  {idle, []string{"r"}},
		"read the usage":             {idle, []string{"u"}},
		"rename":                     {idle, []string{"e", "x", "enter"}},
		"remove":                     {idle, []string{"d", "y"}},
		"why":                        {idle, []string{"w"}},
		"the log":                    {idle, []string{"l"}},
		"connect a client":           {idle, []string{"c"}},
		"strategy":                   {idle, []string{"s", "down", "enter"}},
		"the browser sessions":       {idle, []string{"b"}},
		"set a browser session up":   {idle, []string{"b", "s"}},
		"add an account":             {idle, []string{"a", "enter"}},
		"unlock with a hung keyring": {locked, []string{"enter"}},
		"unlock with the passphrase": {asks, []string{"x", "enter"}},
	} {
		for _, way := range []string{"esc", "ctrl+c"} {
			t.Run(name+", "+way, func(t *testing.T) {
				e := &fakeEngine{state: tt.state}
				onScreenWith(t, 110, 30, e, plainTheme(), func(s *screen) {
					e.block = make(chan struct{}) // nobody closes it
					s.press(tt.keys...)
					s.wait(time.Second) // what is answered soon needs no sign
					first := s.turning()
					s.wait(100 * time.Millisecond)
					if second := s.turning(); first == "" || first == second {
						s.t.Errorf("the spinner was %q and is %q:\n%s", first, second, s.text())
					}
					if way == "esc" {
						s.press("esc", "esc")
						if s.m.overlay != nil {
							s.t.Fatalf("esc does not leave it:\n%s", s.text())
						}
					}
					s.press("ctrl+c")
					if _, asks := s.m.overlay.(*quitOverlay); asks {
						s.press("y")
					}
					s.wait(grace) // what has to be told to the engine gets that long
					if !s.quit {
						s.t.Errorf("%s does not end the screen:\n%s", way, s.text())
					}
				})
			})
		}
	}
}
