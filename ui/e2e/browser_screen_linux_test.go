package e2e

import (
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/ui/control"
)

// From the screen alone: a session is set up, an account is added in a window, a
// sign-in stops at a page, and its window is one key away.
func TestBrowserSessionsFromTheScreen(t *testing.T) {
	t.Parallel()
	who := newPerson(t)
	p := newProvider(t, simulator.Options{Pages: true}, people("work", "home")...)
	h := newHome(t, p)
	h.login("work")
	s := h.with("DISPLAY=" + who.display).onScreen(watched)
	s.shows(t, "work")

	s.does(t, "b", "none yet")
	s.does(t, "s", "a window is open")
	who.signsIn(h.user("work"))
	s.shows(t, cameIn)
	s.does(t, "\x1b", overTable)
	if b := h.browser("work"); b.State != control.BrowserReady {
		t.Errorf("after the setup the session is %+v", b)
	}

	s.does(t, "a", "window of this account's own")
	s.does(t, "\r", "a window is open")
	who.signsIn(h.user("home"))
	s.shows(t, cameIn)
	s.does(t, "\r", overTable)
	eventually(t, "the account is there", 20*time.Second, func() bool { return len(h.labels()) == 2 })

	p.ShowPage("work", simulator.PageChallenge, -1)
	s.press(t, "g")
	s.does(t, "b", "sign in now")
	s.does(t, "n", "wants to see that a human is there")
	s.shows(t, "open a window") // the sign-in has ended, and this is the way
	if a := h.account("work"); a.State != control.StateNeedsYou {
		t.Errorf("at the page work is %+v", a)
	}
	p.ClearPages()
	s.does(t, "s", "a window is open")
	who.grants()
	s.shows(t, cameIn)
	if a := h.account("work"); a.State != control.StateReady {
		t.Errorf("after the window work is %+v", a)
	}

	// A window that is given up closes, and nothing has changed.
	s.does(t, "\x1b", overTable)
	s.does(t, "b", "sign in now")
	s.does(t, "s", "a window is open")
	who.sees(pageTitles.consent)
	s.does(t, "\x1b", "sign in now")
	eventually(t, "the window is gone", 20*time.Second, func() bool { return len(who.windows()) == 0 })
	s.does(t, "\x1b", overTable)
	s.press(t, "q")
	if status := s.wait(t); status != 0 {
		t.Errorf("the screen ended with %d", status)
	}
	if a := h.account("work"); a.State != control.StateReady || a.Browser != control.BrowserReady {
		t.Errorf("work is %+v", a)
	}
	p.noViolations(t)
}

// What the screen shows when somebody has signed in (the feed says it too, without
// the sign), and when nothing lies over the table.
const (
	cameIn    = "[✓+] signed in as"
	overTable = "switch"
)
