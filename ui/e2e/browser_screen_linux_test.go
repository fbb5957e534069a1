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

	s.press(t, "b")
	s.shows(t, "none yet")
	s.press(t, "s")
	who.signsIn(h.user("work"))
	s.shows(t, "signed in as")
	s.press(t, "\x1b")
	if b := h.browser("work"); b.State != control.BrowserReady {
		t.Errorf("after the setup the session is %+v", b)
	}

	s.press(t, "a")
	s.shows(t, "window of this account's own")
	s.press(t, "\r")
	who.signsIn(h.user("home"))
	s.shows(t, "home@example.org")
	s.press(t, "\r")
	s.press(t, "\x1b")
	eventually(t, "the account is there", 20*time.Second, func() bool { return len(h.labels()) == 2 })

	p.ShowPage("work", simulator.PageChallenge, -1)
	s.press(t, "g")
	s.press(t, "b")
	s.shows(t, "sign in now")
	h.seen.note("the terminal so far", s.String())
	s.forget()
	s.press(t, "n")
	s.shows(t, "wants to see that a human is there")
	s.shows(t, "open a window") // the sign-in has ended, and this is the way
	if a := h.account("work"); a.State != control.StateNeedsYou {
		t.Errorf("at the page work is %+v", a)
	}
	p.ClearPages()
	s.press(t, "s")
	who.grants()
	s.shows(t, "signed in as")
	if a := h.account("work"); a.State != control.StateReady {
		t.Errorf("after the window work is %+v", a)
	}

	// A window that is given up closes, and nothing has changed.
	s.press(t, "\x1b")
	s.press(t, "b")
	s.press(t, "s")
	who.sees(pageTitles.consent)
	s.press(t, "\x1b")
	eventually(t, "the window is gone", 20*time.Second, func() bool { return len(who.windows()) == 0 })
	s.press(t, "\x1b")
	s.press(t, "q")
	if status := s.wait(t); status != 0 {
		t.Errorf("the screen ended with %d", status)
	}
	if a := h.account("work"); a.State != control.StateReady || a.Browser != control.BrowserReady {
		t.Errorf("work is %+v", a)
	}
	p.noViolations(t)
}
