package dashboard

import (
	"errors"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/control"
)

// clicks presses a button of the mouse on the line where a text stands.
func (s *screen) clicks(b tea.MouseButton, text string) {
	s.t.Helper()
	s.feed(tea.MouseMsg{X: 10, Y: s.lineOf(text), Action: tea.MouseActionPress, Button: b})
	s.feed(tea.MouseMsg{X: 10, Y: s.lineOf(text), Action: tea.MouseActionRelease, Button: b})
	s.settle()
}

// lineOf is the first line of the screen on which a text stands.
func (s *screen) lineOf(text string) int {
	s.t.Helper()
	before, _, found := strings.Cut(s.text(), text)
	if !found {
		s.t.Fatalf("the screen lacks %q:\n%s", text, s.text())
	}
	return strings.Count(before, "\n")
}

func TestTheMouseSelectsAndPrefers(t *testing.T) {
	e := &fakeEngine{state: several()}
	withEngine(t, e, func(s *screen) {
		s.clicks(tea.MouseButtonLeft, "home")
		if got := s.m.labelOf(s.m.selected); got != "home" {
			t.Errorf("a click selects %s", got)
		}
		if got := s.did(); len(got) != 0 {
			t.Errorf("one click asks for %q", got)
		}
		s.clicks(tea.MouseButtonRight, "lab")
		s.clicks(tea.MouseButtonLeft, "Anthropic ─")
		s.clicks(tea.MouseButtonLeft, "detail")
		if got := s.m.labelOf(s.m.selected); got != "home" {
			t.Errorf("clicks beside accounts select %s", got)
		}
		s.clicks(tea.MouseButtonLeft, "lab")
		s.wait(2 * doubleClick)
		s.clicks(tea.MouseButtonLeft, "lab") // too late for a second click
		if got := s.did(); len(got) != 0 {
			t.Errorf("two slow clicks ask for %q", got)
		}
		s.clicks(tea.MouseButtonLeft, "lab")
		s.asks(control.Request{Action: control.ActionSwitch, Account: s.m.selected})
	})
}

func TestTheWheelScrolls(t *testing.T) {
	onScreen(t, 80, 24, crowd(60), func(s *screen) {
		wheel := func(b tea.MouseButton, n int) {
			for range n {
				s.feed(tea.MouseMsg{Action: tea.MouseActionPress, Button: b})
			}
		}
		wheel(tea.MouseButtonWheelDown, 30)
		if s.m.selected != "id-0030" || s.m.top == 0 {
			t.Errorf("after 30 turns down %s is selected, and %d is the first line", s.m.selected, s.m.top)
		}
		s.clicks(tea.MouseButtonLeft, "account 0025") // where the table has scrolled to
		if s.m.selected != "id-0025" {
			t.Errorf("the click selects %s", s.m.selected)
		}
		wheel(tea.MouseButtonWheelUp, 40)
		if s.m.selected != "id-0000" {
			t.Errorf("after 40 turns up %s is selected", s.m.selected)
		}
		s.press("?")
		s.lacks("paused")
		wheel(tea.MouseButtonWheelDown, 60)
		s.wants("paused") // the end of the help
		s.clicks(tea.MouseButtonLeft, "paused")
		if s.m.overlay == nil || s.m.selected != "id-0000" {
			t.Error("a click on the help reaches through it")
		}
	})
}

// The address of a sign-in is selected with the mouse and copied: meanwhile the
// terminal has it.
func TestTheMouseIsTheTerminalsWhileThereIsSomethingToCopy(t *testing.T) {
	e := loginEngine(oneAccount())
	withEngine(t, e, func(s *screen) {
		s.m.o.Mouse = true
		s.press("j")
		if !s.m.mouse.on {
			t.Error("the mouse is off")
		}
		s.press("a", "down", "enter")
		if !s.m.sheet || s.m.mouse.on {
			t.Errorf("with an address on the screen (%v) the mouse is on: %v", s.m.sheet, s.m.mouse.on)
		}
		s.press("esc")
		if !s.m.mouse.on {
			t.Error("the mouse stays off")
		}
		s.m.o.Mouse = false
		s.press("j")
		if s.m.mouse.on {
			t.Error("the mouse is on against the configuration")
		}
	})
}

// A second click asks no engine that is gone: it is a key like any other.
func TestTheMousePrefersNobodyWithoutAnEngine(t *testing.T) {
	withEngine(t, &fakeEngine{state: busy()}, func(s *screen) {
		s.engine.die(errors.New("connection refused"))
		s.wait(2 * pace)
		s.clicks(tea.MouseButtonLeft, "home")
		s.clicks(tea.MouseButtonLeft, "home")
		s.wants("this has to wait for one")
		if got := s.did(); len(got) != 0 {
			t.Errorf("it asks for %q", got)
		}
	})
}
