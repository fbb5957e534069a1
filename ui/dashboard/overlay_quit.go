package dashboard

import (
	"fmt"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/control"
)

// parting is how the screen ends.
type parting int

const (
	staying parting = iota // it does not
	ending                 // with the engine of this process, whose requests come to their ends
	cutting                // and those do not: the person said yes to what that costs
	leaving                // the engine of this process goes on without it
)

// quitOverlay asks before requests are cut or a token is lost.
type quitOverlay struct {
	m     *model
	under overlay // what was open before
}

// askToQuit leaves, and asks first where something would be lost by it.
func (m *model) askToQuit() tea.Cmd {
	switch _, again := m.overlay.(*quitOverlay); {
	case again:
		return m.part(cutting)
	case !m.wouldLose():
		return m.part(ending)
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

// askToLeave goes away from an engine of this process that goes on without a
// screen. Requests lose nothing by it; a window to sign in with is closed by it,
// and a token that is not saved yet may be lost.
func (m *model) askToLeave() tea.Cmd {
	switch {
	case !m.have || m.lost:
		m.say(toneWarn, "there is no engine that could go on without this screen")
	case !m.owner():
		return m.askToQuit() // it goes on anyway
	case m.o.Leave == nil:
		m.say(toneWarn, "this engine ends with its screen: its home goes with it")
	case m.windowOpen(m.overlay) || m.unsaved() > 0:
		m.overlay = &quitOverlay{m: m, under: m.overlay}
	default:
		return m.part(leaving)
	}
	return nil
}

// leavable reports whether the engine can be left running.
func (m *model) leavable() bool { return m.owner() && m.o.Leave != nil }

func (o *quitOverlay) keys() []key.Binding {
	bindings := []key.Binding{bind("y", "quit"), bind("n esc", "stay")}
	if o.m.leavable() {
		bindings = append(bindings, keys.Keep)
	}
	return bindings
}

func (o *quitOverlay) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.KeyMsg:
		switch {
		case matches(msg, keys.Yes): // q again is somebody in a hurry, not an answer; ctrl+c again is one
			return o.m.part(cutting)
		case matches(msg, keys.Keep, keys.LeaveOn) && o.m.leavable():
			return o.m.part(leaving)
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
	if m.owner() {
		lines = append(lines, o.viewStops(width)...)
	}
	return panel{title: "Quit?", lines: lines}
}

// viewStops says what ends with an engine of this process, and how it need not.
func (o *quitOverlay) viewStops(width int) []string {
	m, t := o.m, o.m.th
	proxy := "The proxy"
	if l := m.text(m.state.Engine.Listen, 60); l != "" {
		proxy += " at " + l
	}
	lines := m.wrap(proxy+" stops with this screen: connections to it are refused from then on. "+
		"Keepalive, renewals and usage readings stop too.", width, t.text.Render)
	if !m.leavable() {
		return lines
	}
	words := "leaves the engine running instead: it goes on at the same address, and requests come to their ends first."
	if m.o.LeaveGap {
		words = "leaves the engine running instead: requests come to their ends first, and the proxy is away for a moment."
	}
	return append(lines, m.wrap(m.keyName(keys.Keep)+" "+words, width, t.text.Render)...)
}

// part ends the screen. A login that waits for the person is given up first, and an
// answer that the terminal still owes is taken, or it would end up in the shell.
func (m *model) part(how parting) tea.Cmd {
	if m.parting != staying {
		return nil
	}
	m.parting = how
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
	return KeepsRunning(m.brand, m.state.Engine.PID, m.text(m.state.Engine.Listen, 60))
}

// KeepsRunning says in the shell that an engine of another process goes on, and
// how it is ended. The address may be "".
func KeepsRunning(name string, pid int, listen string) string {
	if listen != "" {
		listen = ", " + listen
	}
	return fmt.Sprintf("%s: the engine keeps running (pid %d%s); `oauthmux` shows it, `oauthmux serve --stop` ends it", name, pid, listen)
}
