package dashboard

import (
	"fmt"
	"io"

	tea "github.com/charmbracelet/bubbletea"
)

// resumedMsg says that the program is back from the shell, or never left.
type resumedMsg struct{ err error }

// suspend gives the terminal back to the shell until the person says fg. The
// terminal has answered before that, or its answer would be the shell's.
func (m *model) suspend() tea.Cmd {
	words := m.brand + " is stopped: `fg` shows it again"
	if m.have && !m.lost && m.owner() {
		words = m.brand + " is stopped, and its proxy with it: requests wait until `fg`"
	}
	return tea.Sequence(m.untitle(), m.settle(), tea.Exec(&suspension{words: words}, func(err error) tea.Msg { return resumedMsg{err} }))
}

// resumed finds the terminal again as the shell left it.
func (m *model) resumed(msg resumedMsg) {
	m.away = false
	m.mouse.on = false // the terminal was told to report it no longer
	if msg.err != nil {
		m.say(toneWarn, "there is no shell here that could show the screen again: it stays")
	}
}

// suspension is a command that is this program being stopped. Bubble Tea has one
// of its own, which waits for ever where the system stops nobody: in a window of
// which the program is the only one, there is no shell to say fg.
type suspension struct {
	words string
	out   io.Writer
}

// SetStdin, SetStdout and SetStderr implement tea.ExecCommand.
func (*suspension) SetStdin(io.Reader)      {}
func (s *suspension) SetStdout(w io.Writer) { s.out = w }
func (*suspension) SetStderr(io.Writer)     {}

// Run implements tea.ExecCommand.
func (s *suspension) Run() error {
	if !suspendable() {
		return errNotStopped
	}
	if _, err := fmt.Fprintln(s.out, s.words); err != nil {
		return err
	}
	return stop()
}
