package dashboard

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/muesli/termenv"

	"github.com/oauthmux/oauthmux/ui/control"
)

// coloured is a screen in colours, on a terminal that looks dark.
func coloured(t *testing.T, e *fakeEngine, f func(*screen)) {
	t.Helper()
	onScreenWith(t, 110, 30, e, newTheme(termenv.TrueColor, true, false), f)
}

func themeRequest(name string) control.Request {
	return control.Request{Action: control.ActionTheme, Theme: name}
}

func TestChoosingATheme(t *testing.T) {
	coloured(t, &fakeEngine{state: busy()}, func(s *screen) {
		first := s.m.View()
		for _, tt := range []struct {
			name string
			dark bool
			says string
		}{{"dark", true, "theme dark"}, {"light", false, "theme light"}, {"auto", true, "theme auto: as the terminal is"}} {
			s.press("T")
			if s.m.th.dark != tt.dark {
				t.Errorf("the theme is dark: %v, with %s chosen", s.m.th.dark, tt.name)
			}
			s.asked(themeRequest(tt.name))
			s.wants("✓ " + tt.says)
		}
		s.wait(time.Minute)
		if got := len(s.engine.requests()); got != 3 {
			t.Errorf("%d requests for three choices", got)
		}
		s.show(busy())
		if s.m.View() != first {
			t.Error("back at the first theme, the screen is another")
		}
	})
	onScreen(t, 110, 30, busy(), func(s *screen) {
		s.press("T")
		s.wants("theme dark (no colours are shown here)")
	})
}

func TestAThemeThatIsFixed(t *testing.T) {
	st := busy()
	st.Theme = "light"
	coloured(t, &fakeEngine{}, func(s *screen) {
		s.m.o.ThemeFixed = "OAUTHMUX_UI_THEME"
		s.show(st)
		s.press("T")
		s.wants("the theme is fixed by OAUTHMUX_UI_THEME")
		if got := s.did(); len(got) != 0 || !s.m.th.dark {
			t.Errorf("asked %q, and it is dark: %v", got, s.m.th.dark)
		}
	})
}

// A screen begins with what was chosen on an earlier one, and no other screen
// changes its colours after that.
func TestAThemeIsTakenWithTheFirstState(t *testing.T) {
	light, dark, odd := busy(), busy(), busy()
	light.Theme, dark.Theme, odd.Theme = "light", "dark", "solarized"
	coloured(t, &fakeEngine{state: light}, func(s *screen) {
		if s.m.th.dark || !strings.Contains(s.m.View(), "38;2;47;143;58") {
			t.Error("the screen does not begin in the light theme")
		}
		s.show(dark)
		if s.m.th.dark {
			t.Error("another screen's choice changed this one")
		}
		s.press("T") // goes on from light
		s.asked(themeRequest("auto"))
	})
	coloured(t, &fakeEngine{state: odd}, func(s *screen) {
		if !s.m.th.dark || s.m.choice != "auto" {
			t.Errorf("an unknown theme made it %s", s.m.choice)
		}
	})
	coloured(t, &fakeEngine{}, func(s *screen) {
		s.press("T", "T", "T", "T") // chosen before the engine said anything
		s.show(light)
		if !s.m.th.dark || s.m.choice != "dark" {
			t.Errorf("what was chosen here became %s", s.m.choice)
		}
	})
}

// One request is under way at a time, and the last choice is what is remembered.
func TestThemesChosenQuicklyAreRememberedInOrder(t *testing.T) {
	e := &fakeEngine{state: busy()}
	coloured(t, e, func(s *screen) {
		e.block = make(chan struct{})
		s.press("T", "T", "T", "T", "T")
		if got := len(e.requests()); got != 1 {
			t.Fatalf("%d requests are under way", got)
		}
		close(e.block)
		s.settle()
		if got := e.requests(); len(got) != 2 || got[0] != themeRequest("dark") || got[1] != themeRequest("light") {
			t.Errorf("asked %v", got)
		}
	})
}

func TestAThemeThatCannotBeRemembered(t *testing.T) {
	e := &fakeEngine{state: busy(), answer: func(control.Request) (control.Reply, error) {
		return control.Reply{}, &control.Error{Message: "the disk is full", Hint: "make room"}
	}}
	coloured(t, e, func(s *screen) {
		s.press("T", "T")
		s.wants("! theme light, but it is not remembered: the disk is full (make room)")
		if s.m.th.dark {
			t.Error("it does not hold on this screen either")
		}
		e.answer = func(control.Request) (control.Reply, error) { return control.Reply{}, errors.New("x") }
		s.press("T")
		s.asked(themeRequest("auto")) // it is tried again
	})
}

// A terminal is asked for its background when that first matters, and once.
func TestTheTerminalIsAskedOnceAThemeNeedsIt(t *testing.T) {
	st := busy()
	st.Theme = "dark"
	coloured(t, &fakeEngine{state: st}, func(s *screen) {
		s.m.probe = newProbe(nil)
		s.start(s.m.askBackground())
		s.settle()
		if s.sent.String() != "" {
			t.Errorf("sent %q for a theme that is chosen", s.sent)
		}
		s.press("T", "T") // light, auto
		if s.sent.String() != question {
			t.Fatalf("sent %q, want the question", s.sent)
		}
		s.m.probe.filter([]byte("\x1b]11;rgb:ffff/ffff/ffff\a\x1b[?62c"))
		s.settle()
		if s.m.th.dark {
			t.Error("auto is dark on a light terminal")
		}
		s.press("T")
		if !s.m.th.dark {
			t.Error("dark is light on a light terminal")
		}
		s.press("T", "T")
		if s.sent.String() != question || s.m.th.dark {
			t.Errorf("sent %q; dark: %v", s.sent, s.m.th.dark)
		}
	})
}
