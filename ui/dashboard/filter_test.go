package dashboard

import (
	"slices"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"
)

// shown are the labels in the table, in its order.
func (s *screen) shown() []string {
	var out []string
	for _, it := range s.m.items {
		if it.row >= 0 {
			out = append(out, s.m.rows[it.row].label)
		}
	}
	return out
}

func TestAFilterShowsWhoHasTheText(t *testing.T) {
	onScreen(t, 110, 30, busy(), func(s *screen) {
		for _, c := range []struct {
			typed string
			want  []string
		}{
			{"acme", []string{"work", "old"}},             // e-mail
			{"UNIV", []string{"lab"}},                     // organisation, whatever the case
			{"max acme", []string{"work"}},                // each word
			{"sign in", []string{"old"}},                  // state
			{"anthropic lab", []string{"lab"}},            // provider
			{"37:41", nil},                                // not what changes by the second
			{" ", []string{"work", "home", "lab", "old"}}, // nothing is no filter
		} {
			s.press("/", "ctrl+u")
			s.typed(c.typed)
			if got := s.shown(); !slices.Equal(got, c.want) {
				t.Errorf("%q shows %q, want %q", c.typed, got, c.want)
			}
			s.press("enter")
		}
	})
}

func TestAFilterIsKeptAndTakenAway(t *testing.T) {
	onScreen(t, 110, 30, busy(), func(s *screen) {
		s.press("/")
		s.typed("q?d") // letters, while one types
		s.wants("0 of 4 accounts", "no account has that", "enter keep", "esc show all")
		if s.quit || s.m.overlay != nil {
			t.Error("what is typed does something else")
		}
		s.press("ctrl+u")
		s.typed("acme")
		s.press("down") // a look at what is found
		if s.m.selected != "a4" {
			t.Errorf("selected %s, want a4", s.m.selected)
		}
		s.press("enter")
		s.wants("2 of 4 accounts", "enter switch", "esc show all") // the footer's keys again
		st := busy()
		st.Accounts[1].Email = "home@acme.dev"
		s.show(st) // who is found by now is shown
		if got := s.shown(); !slices.Equal(got, []string{"work", "home", "old"}) {
			t.Errorf("shown are %q", got)
		}
		s.press("esc")
		if got := s.shown(); len(got) != 4 || s.m.selected != "a4" {
			t.Errorf("after esc %q are shown, and %s is selected", got, s.m.selected)
		}
		s.press("/")
		s.typed("a")
		s.press("esc")
		if got := s.shown(); len(got) != 4 || s.m.filter.typing {
			t.Errorf("given up, %q are shown", got)
		}
		s.press("/")
		s.feed(tea.KeyMsg{Type: tea.KeyCtrlC})
		s.wants("Quit?") // streams run
	})
}

// A mark that has no letter to stand on takes a cell of its own in ASCII, and none
// elsewhere: it is measured as it is drawn.
func TestAFilterOfAMarkAloneFits(t *testing.T) {
	for _, ascii := range []bool{false, true} {
		onScreenWith(t, 80, 24, &fakeEngine{state: busy()}, newTheme(termenv.Ascii, true, ascii), func(s *screen) {
			s.press("/")
			s.typed("\u0300")
			s.press("enter")
			checkFrame(t, s.m.View(), 80, 24)
		})
	}
}
