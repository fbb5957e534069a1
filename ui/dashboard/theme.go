package dashboard

import (
	"slices"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"

	"github.com/oauthmux/oauthmux/ui/control"
)

const themeAuto = "auto"

// Themes are the themes that can be chosen, in the order in which a key goes
// through them.
var Themes = []string{themeAuto, "dark", "light"}

// choiceOf is the theme of that name; of another name it is auto.
func choiceOf(name string) string {
	if slices.Contains(Themes, name) {
		return name
	}
	return themeAuto
}

// darkFor reports whether a theme is for a dark background, on a terminal of
// which is known what it says of its own.
func darkFor(choice string, terminal bool) bool {
	switch choice {
	case "dark":
		return true
	case "light":
		return false
	}
	return terminal
}

// wear draws the screen in the theme that was chosen.
func (m *model) wear() {
	if dark := darkFor(m.choice, m.dark); dark != m.th.dark {
		m.setTheme(newTheme(m.th.profile, dark, m.th.ascii))
	}
}

// remembered takes the theme that was chosen on an earlier screen, with the first
// state: where two look at one engine, the one does not change the other's colours.
func (m *model) remembered(first bool) tea.Cmd {
	if !first || m.chose || m.o.ThemeFixed != "" || !slices.Contains(Themes, m.state.Theme) {
		return nil
	}
	m.choice = m.state.Theme
	m.wear()
	return m.askBackground()
}

// nextTheme goes on to the next theme, at once, and has the engine remember it.
func (m *model) nextTheme() tea.Cmd {
	if m.o.ThemeFixed != "" {
		m.say(toneWarn, "the theme is fixed by "+m.o.ThemeFixed+": start without it, and choose here")
		return nil
	}
	m.choice, m.chose = Themes[(slices.Index(Themes, m.choice)+1)%len(Themes)], true
	m.wear()
	m.sayTheme()
	return tea.Batch(m.askBackground(), m.keepTheme())
}

// sayTheme says which theme this is.
func (m *model) sayTheme() {
	words := "theme " + m.choice
	if m.choice == themeAuto {
		words += ": as the terminal is"
	}
	if m.th.profile == termenv.Ascii {
		words += " (no colours are shown here)"
	}
	m.say(toneGood, words)
}

// keepTheme has the engine remember the theme. One request is under way at a
// time: two of them might overtake each other.
func (m *model) keepTheme() tea.Cmd {
	if m.keeping {
		return nil
	}
	m.keeping = true
	return m.ask(control.Request{Action: control.ActionTheme, Theme: m.choice}, "remembering the theme")
}

// keptTheme takes the engine's answer; another theme may be chosen by now.
func (m *model) keptTheme(msg replyMsg) tea.Cmd {
	m.keeping = false
	if msg.err != nil {
		why, hint := m.errorWords(msg.err)
		if hint != "" {
			why += " (" + hint + ")"
		}
		m.say(toneBad, "theme "+m.choice+", but it is not remembered: "+why)
		return nil
	}
	if msg.request.Theme != m.choice {
		return m.keepTheme()
	}
	return nil
}
