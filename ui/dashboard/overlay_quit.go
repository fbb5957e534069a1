package dashboard

import (
	"fmt"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/control"
)

// quitOverlay asks before requests are cut or a token is lost.
type quitOverlay struct {
	m     *model
	under overlay // what was open before
}

// askToQuit leaves, and asks first where something would be lost by it.
func (m *model) askToQuit() tea.Cmd {
	_, again := m.overlay.(*quitOverlay)
	if again || !m.wouldLose() {
		m.agreed = again
		return m.quit()
	}
	m.overlay = &quitOverlay{m: m, under: m.overlay}
	return nil
}

// wouldLose reports whether leaving now ends requests under way, loses a token
// that could not be saved yet, or closes a window that the person signs in with.
// An engine of another process loses nothing but a window that is waited for here.
func (m *model) wouldLose() bool {
	if !m.have || m.lost {
		return false
	}
	return m.windowOpen(m.overlay) || m.owner() && (m.inFlight() > 0 || m.unsaved() > 0)
}

func (m *model) unsaved() int {
	n := 0
	for i := range m.rows {
		if m.rows[i].State == control.StateUnsaved {
			n++
		}
	}
	return n
}

func (o *quitOverlay) keys() []key.Binding {
	return []key.Binding{bind("y", "quit"), bind("n esc", "stay")}
}

func (o *quitOverlay) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.KeyMsg:
		switch {
		case matches(msg, keys.Yes, keys.Quit):
			o.m.agreed = true
			return o.m.quit()
		case matches(msg, keys.No):
			o.m.overlay = o.under
		}
	default:
		if o.under != nil {
			return o.under.update(msg)
		}
	}
	return nil
}

func (o *quitOverlay) view(width, _ int) panel {
	m, t := o.m, o.m.th
	var lines []string
	if n := m.inFlight(); n > 0 && m.owner() {
		text := plural(n, "request") + " in flight: leaving stops the proxy and cuts them."
		if n == 1 {
			text = "1 request in flight: leaving stops the proxy and cuts it."
		}
		lines = append(lines, m.wrap(text, width, t.warn.Render)...)
	}
	if n := m.unsaved(); n > 0 && m.owner() {
		text := plural(n, "token") + " not saved yet: leaving now may cost that login."
		lines = append(lines, m.wrap(text, width, t.bad.Render)...)
	}
	if m.windowOpen(o.under) {
		lines = append(lines, m.wrap("A window is open to sign in with: leaving closes it.", width, t.warn.Render)...)
	}
	if len(lines) == 0 {
		lines = append(lines, t.ok.Render("Nothing is under way any more."))
	}
	return panel{title: "Quit?", lines: lines}
}

// quit leaves. A login that waits for the person is given up first, and an
// answer that the terminal still owes is taken, or it would end up in the shell.
func (m *model) quit() tea.Cmd {
	if m.quitting {
		return nil
	}
	m.quitting = true
	var last tea.Cmd
	o := m.overlay
	if q, ok := o.(*quitOverlay); ok {
		o = q.under
	}
	if c, ok := o.(closing); ok {
		last = m.jobs.atMost(grace, c.leave())
	}
	return tea.Sequence(last, m.settle(), tea.Quit)
}

// farewell is what is worth saying in the shell after the screen is gone.
func (m *model) farewell() string {
	if !m.have || m.lost || m.owner() || m.state.Engine.PID == 0 {
		return ""
	}
	s := fmt.Sprintf("%s: the engine keeps running (pid %d", m.brand, m.state.Engine.PID)
	if l := m.text(m.state.Engine.Listen, 60); l != "" {
		s += ", " + l
	}
	return s + ")"
}
