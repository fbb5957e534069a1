package dashboard

import (
	"slices"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/control"
)

func TestKeysAskTheEngine(t *testing.T) {
	paused := busy()
	paused.Accounts[0].Paused, paused.Accounts[0].State = true, control.StatePaused
	for _, tt := range []struct {
		name  string
		state control.State
		keys  []string
		want  control.Request
	}{
		{"enter prefers", busy(), []string{"down", "enter"}, control.Request{Action: control.ActionSwitch, Account: "a2"}},
		{"space prefers", busy(), []string{"down", " "}, control.Request{Action: control.ActionSwitch, Account: "a2"}},
		{"p pauses", busy(), []string{"p"}, control.Request{Action: control.ActionToggle, Account: "a1"}},
		{"p resumes", paused, []string{"p"}, control.Request{Action: control.ActionToggle, Account: "a1"}},
		{"r renews", busy(), []string{"r"}, control.Request{Action: control.ActionRenew, Account: "a1"}},
		{"u reads usage", busy(), []string{"u"}, control.Request{Action: control.ActionUsage, Account: "a1"}},
		{"J moves later", busy(), []string{"J"}, control.Request{Action: control.ActionMove, Account: "a1", By: 1}},
		{"K moves earlier", busy(), []string{"G", "K"}, control.Request{Action: control.ActionMove, Account: "a4", By: -1}},
		{"K counts within the provider", several(), []string{"G", "K"}, control.Request{Action: control.ActionMove, Account: "m2", By: -1}},
		{"w asks why", busy(), []string{"w"}, control.Request{Action: control.ActionWhy, Account: "a1"}},
		{"c asks what a client needs", several(), []string{"G", "c"}, control.Request{Action: control.ActionClient, Provider: "mycorp", Shell: "sh"}},
		{"d and y remove", busy(), []string{"d", "y"}, control.Request{Action: control.ActionRemove, Account: "a1"}},
		{"d, v and y remove and revoke", busy(), []string{"d", "v", "y"}, control.Request{Action: control.ActionRemove, Account: "a1", Revoke: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onScreen(t, 110, 30, tt.state, func(s *screen) {
				s.press(tt.keys...)
				s.asked(tt.want)
			})
		})
	}
}

func TestTheFirstInTheOrderDoesNotMoveUp(t *testing.T) {
	onScreen(t, 110, 30, busy(), func(s *screen) {
		s.press("K")
		if got := s.engine.requests(); len(got) != 0 {
			t.Errorf("asked %+v, want nothing", got)
		}
	})
}

func TestMoving(t *testing.T) {
	for _, tt := range []struct {
		keys string
		want string
	}{
		{"", "a1"},
		{"down", "a2"},
		{"j j", "a3"},
		{"j j k", "a2"},
		{"up", "a1"},
		{"j j j j", "c1"}, // past the next provider's name
		{"j j j j k", "a4"},
		{"G", "m2"},
		{"end", "m2"},
		{"G down", "m2"},
		{"G g", "a1"},
		{"G home", "a1"},
		{"pgdown pgdown pgdown", "m2"},
		{"pgdown pgup", "a1"},
	} {
		t.Run(tt.keys, func(t *testing.T) {
			onScreen(t, 110, 30, several(), func(s *screen) {
				s.press(strings.Fields(tt.keys)...)
				if s.m.selected != tt.want {
					t.Errorf("selected %s, want %s", s.m.selected, tt.want)
				}
			})
		})
	}
}

// A busy screen reads esc and the key after it at once, which terminals also send
// for alt and that key.
func TestEscAndTheNextKeyAreTwoKeys(t *testing.T) {
	onScreen(t, 80, 24, crowd(3), func(s *screen) {
		s.press("?")
		s.feed(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("j"), Alt: true})
		if s.m.overlay != nil || s.m.selected != "id-0001" {
			t.Errorf("after help, esc and j %T is open and %s selected", s.m.overlay, s.m.selected)
		}
	})
}

func TestKeysThatComeTogetherAreTakenApart(t *testing.T) {
	together := func(s string) tea.KeyMsg { return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(s)} }
	onScreen(t, 80, 24, crowd(30), func(s *screen) {
		s.feed(together("jjjjjjj")) // held down, over a slow line
		if s.m.selected != "id-0007" {
			t.Errorf("selected %s after seven times j", s.m.selected)
		}
		s.feed(together("dirty old text y")) // a paste without marks must not remove anything
		s.settle()
		if got := s.engine.requests(); len(got) != 0 || s.m.overlay != nil {
			t.Errorf("asked %+v with %T open", got, s.m.overlay)
		}
		s.feed(together("ej")) // the j is typed into the label
		s.wants("Rename", "account 0007j")
		s.press("esc")
		s.feed(together("qy"))
		s.settle()
		if !s.quit {
			t.Error("q and y together do not quit")
		}
	})
}

func TestTheSelectedAccountIsAlwaysOnTheScreen(t *testing.T) {
	onScreen(t, 80, 24, crowd(300), func(s *screen) {
		for k := range strings.FieldsSeq("j j j pgdown pgdown G k k pgup pgup g G pgup j") {
			s.press(k)
			if label := s.m.current().label; !strings.Contains(s.selectedLine(), label) {
				s.t.Fatalf("after %s %q is selected and not on the screen:\n%s", k, label, s.text())
			}
		}
	})
}

func TestTabShowsOneProviderAfterTheOther(t *testing.T) {
	onScreen(t, 110, 30, several(), func(s *screen) {
		s.wants("3 providers", "work", "plus", "corp-test")
		s.press("tab")
		s.wants("Anthropic", "work")
		s.lacks("plus", "corp-test", "3 providers")
		s.press("tab")
		s.wants("Codex", "1 account,", "plus")
		s.lacks("corp-test")
		s.press("shift+tab", "shift+tab")
		s.wants("3 providers")
		s.press("shift+tab")
		s.wants("My Corp", "TODAY", "17 requests, 1 failover today")
		s.lacks("plus", "5 H")
	})
}

func TestTheSelectionFollowsItsAccount(t *testing.T) {
	onScreen(t, 110, 30, busy(), func(s *screen) {
		s.press("j", "j")
		st := busy()
		st.Accounts[2].Order, st.Accounts[0].Order = 1, 3 // moved to the front
		s.show(st)
		if s.m.selected != "a3" {
			t.Errorf("selected %s after the order changed, want a3", s.m.selected)
		}
		st.Accounts = append(st.Accounts[:2:2], st.Accounts[3])
		s.show(st)
		if got := s.m.current(); got == nil || got.ID == "a3" {
			t.Errorf("selected %+v after a3 went", got)
		}
	})
}

func TestKeysThatNeedAnAccountDoNothingWithoutOne(t *testing.T) {
	onScreen(t, 80, 24, empty(), func(s *screen) {
		s.press("enter", "e", "d", "p", "r", "u", "w", "J", "K", "j", "k", "g", "G", "pgup", "pgdown", "tab")
		if got := s.engine.requests(); len(got) != 0 || s.m.overlay != nil {
			t.Errorf("asked %+v with %T open", got, s.m.overlay)
		}
	})
}

func TestPastedTextIsNoCommand(t *testing.T) {
	onScreen(t, 80, 24, busy(), func(s *screen) {
		s.paste("q")
		s.paste("d")
		if s.quit || s.m.overlay != nil {
			t.Error("a paste was taken for a key")
		}
	})
}

func TestHelpShowsEveryKey(t *testing.T) {
	onScreen(t, 160, 45, busy(), func(s *screen) {
		s.press("?")
		for _, g := range helpGroups {
			for _, b := range g.bindings {
				s.wants(b.Help().Key, b.Help().Desc)
			}
		}
		s.wants("oauthmux 1.2.3", "sign in again", "needs you")
		s.press("?")
		s.lacks("Everything else")
	})
}

// What is not written anywhere might as well not be there.
func TestHelpNamesEveryKeyThatIsTaken(t *testing.T) {
	written := map[string]string{"up": "↑", "down": "↓", " ": "space", "pgdown": "pgdn", "shift+up": "shift+↑↓", "shift+down": "shift+↑↓", "shift+tab": "tab"}
	for _, g := range helpGroups {
		for _, b := range g.bindings {
			words := strings.Fields(strings.NewReplacer("(", " ", ")", " ").Replace(b.Help().Key + " " + b.Help().Desc))
			for _, k := range b.Keys() {
				if w, ok := written[k]; ok {
					k = w
				}
				if !slices.Contains(words, k) {
					t.Errorf("%q is not in %q", k, words)
				}
			}
		}
	}
}

func TestHelpFitsWithoutScrolling(t *testing.T) {
	for _, size := range [][2]int{{110, 30}, {120, 30}, {160, 45}} {
		onScreen(t, size[0], size[1], busy(), func(s *screen) {
			s.press("?")
			s.wants("Move", "Everything else", "full before it resets")
			s.lacks("scroll", " of ")
		})
	}
}

func TestHelpScrollsWhereItDoesNotFit(t *testing.T) {
	onScreen(t, 60, 15, busy(), func(s *screen) {
		s.press("?")
		s.wants("1-11 of")
		s.lacks("Signs")
		s.press("G")
		s.wants("Signs", "preferred")
		s.press("g")
		s.wants("1-11 of")
		s.press("esc")
		s.wants("ACCOUNT")
	})
}

func TestKeyTable(t *testing.T) {
	table := KeyTable()
	for _, want := range []string{
		"| Key | What it does |\n|---|---|\n", "| `a` | add an account |", "| `enter` `space` | switch to it",
		"| `↑` `↓` `k` `j` | move |", "| `q` `ctrl+c` | quit |",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
}

// Two bindings of the table must not want the same key.
func TestNoKeyMeansTwoThings(t *testing.T) {
	means := map[string]string{}
	for _, g := range helpGroups {
		for _, b := range g.bindings {
			for _, k := range b.Keys() {
				if other, taken := means[k]; taken {
					t.Errorf("%q means %q and %q", k, other, b.Help().Desc)
				}
				means[k] = b.Help().Desc
			}
		}
	}
	for _, b := range footerKeys {
		for _, k := range b.Keys() {
			if means[k] == "" {
				t.Errorf("the footer shows %q, which the help does not know", k)
			}
		}
	}
}
