package dashboard

import (
	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/crash"
)

// part is what a report of a panic calls this package.
const part = "the screen"

// crashMsg says that a command panicked.
type crashMsg struct{ report *crash.PanicError }

// guarded is a model whose panic ends the screen in order, with a terminal as it
// was before. Bubble Tea would restore it, too, but print the panic's value, which
// may be anything, and would leave what the terminal still answers to the shell.
type guarded struct {
	*model
	report *crash.PanicError // nil: nothing has panicked
}

// Init implements tea.Model.
func (g *guarded) Init() (cmd tea.Cmd) {
	defer g.caught(&cmd)
	return g.model.Init()
}

// Update implements tea.Model.
func (g *guarded) Update(msg tea.Msg) (_ tea.Model, cmd tea.Cmd) {
	if g.report != nil {
		return g, nil // the model is as the panic left it
	}
	if c, ok := msg.(crashMsg); ok {
		g.report = c.report
		return g, g.end()
	}
	defer g.caught(&cmd)
	_, cmd = g.model.Update(msg)
	return g, cmd
}

// caught, deferred, makes a panic the end of the screen.
func (g *guarded) caught(cmd *tea.Cmd) {
	if v := recover(); v != nil {
		g.report = crash.Of(part, v)
		*cmd = g.end()
	}
}

// end asks nothing of the model but what its probe of the terminal knows.
func (g *guarded) end() tea.Cmd { return tea.Sequence(g.settle(), tea.Quit) }
