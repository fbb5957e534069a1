package dashboard

import (
	"slices"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/control"
)

// strategyOverlay shows where new sessions start, and where else they could.
type strategyOverlay struct {
	m             *model
	cursor        int
	busy          bool
	problem, hint string
}

func (m *model) openStrategy() {
	o := &strategyOverlay{m: m}
	o.cursor = max(0, slices.IndexFunc(m.state.Strategy.All, func(c control.Choice) bool { return c.Name == m.state.Strategy.Name }))
	m.overlay = o
}

func (o *strategyOverlay) keys() []key.Binding {
	if o.m.state.Strategy.Fixed != "" || len(o.m.state.Strategy.All) == 0 {
		return []key.Binding{keys.Back}
	}
	return []key.Binding{keys.Choose, keys.Accept, keys.Back}
}

func (o *strategyOverlay) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case replyMsg:
		o.busy = false
		if msg.err == nil {
			o.m.say(toneGood, msg.reply.Message)
			o.m.close()
			return nil
		}
		o.problem, o.hint = o.m.errorWords(msg.err)
	case tea.KeyMsg:
		all := o.m.state.Strategy.All
		switch {
		case matches(msg, keys.Back, keys.Quit, keys.Strategy):
			o.m.close()
		case o.busy, o.m.state.Strategy.Fixed != "", len(all) == 0:
		case matches(msg, keys.Up), msg.String() == "shift+tab":
			o.cursor = (o.cursor + len(all) - 1) % len(all)
		case matches(msg, keys.Choose):
			o.cursor = (o.cursor + 1) % len(all)
		case matches(msg, keys.Prefer): // enter, and space as in the table
			o.busy, o.problem, o.hint = true, "", ""
			return o.m.jobs.do(o.m.o.Engine, o, control.Request{Action: control.ActionStrategy, Strategy: all[min(o.cursor, len(all)-1)].Name})
		}
	}
	return nil
}

// roomy is the height from which every choice says what it means, and not only the
// one under the cursor.
const roomy = 16

func (o *strategyOverlay) view(width, height int) panel {
	m, t, s := o.m, o.m.th, o.m.state.Strategy
	w := min(width, 66)
	lines := append(m.wrap("A conversation stays with its account as long as that can serve it. Where does a new one start?", w, t.dim.Render), "")
	for i, c := range s.All {
		name, mark := m.text(c.Name, 20), "  "
		if c.Name == s.Name {
			mark = t.g.tick + " "
		}
		switch {
		case i == o.cursor && s.Fixed == "":
			lines = append(lines, t.picked.accent.Render(t.g.cursor)+t.picked.strong.Render(fit(" "+mark+name, w-1)))
		default:
			lines = append(lines, t.text.Render(fit("  "+mark+name, w)))
		}
		if height < roomy && i != o.cursor {
			continue
		}
		lines = append(lines, m.hang("      ", m.text(c.Means, 200), w, t.dim)...)
	}
	switch {
	case o.busy:
		lines = append(lines, "", m.spinner()+t.dim.Render(" telling the engine"))
	case s.Fixed != "":
		lines = append(lines, "")
		lines = append(lines, m.wrap("Fixed by "+m.text(s.Fixed, 60)+" for as long as the engine runs.", w, t.warn.Render)...)
	case o.problem != "":
		lines = append(lines, "")
		lines = append(lines, m.problemLines(o.problem, o.hint, w)...)
	}
	return panel{title: "Strategy", lines: lines}
}
