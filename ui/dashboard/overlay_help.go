package dashboard

import (
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

// helpOverlay shows every key, and what the signs mean.
type helpOverlay struct{ scroller }

func (h *helpOverlay) update(msg tea.Msg) tea.Cmd {
	if k, ok := msg.(tea.KeyMsg); ok {
		if matches(k, keys.Help) {
			h.m.close()
			return nil
		}
		h.key(k)
	}
	return nil
}

// Widths of the help.
const (
	helpGap    = 3   // between its two halves
	helpHalves = 100 // from here on there are two, beside one another
)

func (h *helpOverlay) view(width, height int) panel {
	m := h.m
	p := panel{title: m.brand, broad: true}
	if v := m.text(m.o.Version, 30); v != "" {
		p.title += " " + v
	}
	var lines []string
	if room := m.broadInside(); room >= helpHalves {
		half := min((room-helpGap)/2, boxWidth)
		last := len(helpGroups) - 1
		left, right := h.groups(helpGroups[:last], half), append(append(h.groups(helpGroups[last:], half), ""), h.signs(half)...)
		for i := range max(len(left), len(right)) {
			lines = append(lines, fit(at(left, i), half+helpGap)+at(right, i))
		}
	} else {
		lines = append(append(h.groups(helpGroups, width), ""), h.signs(width)...)
	}
	p.lines = h.window(lines, height)
	return p
}

// at is the line of that number; "": there is none.
func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// groups draws the keys of these groups.
func (h *helpOverlay) groups(all []group, width int) []string {
	m := h.m
	column := 0 // of the keys
	for _, g := range helpGroups {
		for _, k := range g.bindings {
			column = max(column, 2+ansi.StringWidth(m.keyName(k))+2)
		}
	}
	var lines []string
	for i, g := range all {
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, m.th.strong.Render(g.title))
		for _, k := range g.bindings {
			lines = append(lines, m.hang(m.th.accent.Render(fit("  "+m.keyName(k), column)), k.Help().Desc, width, m.th.text)...)
		}
	}
	return lines
}

// signs draws what the signs of the table mean, a line for as many as fit.
func (h *helpOverlay) signs(width int) []string {
	m := h.m
	type meaning struct{ sign, words string }
	var all []meaning
	for _, s := range []string{
		control.StateServing, control.StateReady, control.StateCooling, control.StatePaused,
		control.StateRenewing, control.StateLoginNeeded, control.StateNeedsYou,
	} {
		sign, style := m.th.sign(s)
		all = append(all, meaning{style.Render(sign), stateWords(s)})
	}
	all = append(all,
		meaning{m.th.warn.Render(m.th.g.star), "preferred"},
		meaning{m.th.warn.Render(m.th.g.early), "full before it resets, at this pace"},
	)
	lines, line := []string{m.th.strong.Render("Signs")}, " "
	for _, s := range all {
		word := " " + s.sign + " " + m.th.text.Render(s.words) + "  "
		if ansi.StringWidth(line+word)-2 > width { // the spaces behind it may go
			lines, line = append(lines, line), " "
		}
		line += word
	}
	return append(lines, line)
}
