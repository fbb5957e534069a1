package dashboard

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
)

// filterLimit is how many characters a filter has: more finds nobody.
const filterLimit = 24

// filter narrows the table to the accounts that a text is found in.
type filter struct {
	input  field
	typing bool // keys go into it
}

// words are what is looked for, in lower case.
func (f *filter) words() []string { return strings.Fields(strings.ToLower(f.input.value())) }

// finds reports whether r has every word somewhere in what a person knows it by.
func (m *model) finds(words []string, r *row, provider string) bool {
	if len(words) == 0 {
		return true
	}
	text := strings.ToLower(strings.Join([]string{r.label, r.Email, r.Org, r.plan, provider, stateWords(m.stateOf(r))}, "\n"))
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// startFilter has keys go into the filter, which keeps what stands in it.
func (m *model) startFilter() {
	m.filter.input.limit = filterLimit
	m.filter.typing = true
}

// clearFilter shows every account again.
func (m *model) clearFilter() {
	m.filter = filter{}
	m.refilter()
}

// filtered reports whether a filter is set.
func (m *model) filtered() bool { return len(m.filter.words()) > 0 }

func (m *model) refilter() {
	clear(m.cache)
	m.arrange()
}

// filterKey takes a key while a filter is typed. The arrows move the selection
// as ever, for a look at what was found.
func (m *model) filterKey(msg tea.KeyMsg) tea.Cmd {
	switch {
	case matches(msg, keys.Cancel):
		m.clearFilter()
	case matches(msg, keys.Accept):
		m.filter.typing = false
	case msg.Type == tea.KeyUp, msg.Type == tea.KeyDown, msg.Type == tea.KeyPgUp, msg.Type == tea.KeyPgDown:
		m.moveKey(msg)
	case m.filter.input.update(msg):
		m.refilter()
	}
	return nil
}

// drawFilter stands in the place of the footer while a filter is typed.
func (m *model) drawFilter() string {
	bindings := []key.Binding{bind("enter", "keep", "enter"), bind("esc", "show all", "esc")}
	room := m.width - 2 - 2
	for _, b := range bindings {
		room -= m.keyWidth(b)
	}
	var out strings.Builder
	out.WriteString(m.th.accent.Render(" /") + m.filter.input.view(m.th, max(1, min(room, filterLimit+1))) + "  ")
	for _, b := range bindings {
		out.WriteString(m.drawKey(b))
	}
	return out.String()
}

// found says how many accounts the filter found.
func (m *model) found(shown, of int) string {
	return fmt.Sprintf("%d of %s with %q", shown, plural(of, "account"), m.text(m.filter.input.value(), filterLimit))
}
