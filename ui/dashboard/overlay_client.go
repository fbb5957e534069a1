package dashboard

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/control"
)

// clientOverlay shows what a client needs to talk to the proxy, and copies it.
// The local key is not shown until the person asks: screens are shared.
type clientOverlay struct {
	m             *model
	provider      string
	busy          bool
	shown         bool
	sent          int // how often it was put on the clipboard
	connection    *control.Connection
	problem, hint string
}

func (m *model) openClient() tea.Cmd {
	provider := m.only
	if r := m.current(); r != nil {
		provider = r.Provider
	}
	o := &clientOverlay{m: m, provider: provider, busy: true}
	m.overlay = o
	return m.jobs.do(m.o.Engine, o,
		control.Request{Action: control.ActionClient, Provider: provider, Shell: shell(m.o.Env)})
}

// shell is the dialect of the lines, by the name of the person's shell.
func shell(env func(string) string) string {
	switch name := path.Base(env("SHELL")); {
	case name == "fish":
		return "fish"
	case name == "pwsh", env("SHELL") == "" && env("PSModulePath") != "":
		return "pwsh"
	}
	return "sh"
}

func (o *clientOverlay) keys() []key.Binding {
	if o.connection == nil {
		return []key.Binding{keys.Back}
	}
	show := keys.Show
	if o.shown {
		show = bind("v", "hide the key")
	}
	return []key.Binding{bind("y", "copy again"), show, keys.Back}
}

func (o *clientOverlay) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case replyMsg:
		o.busy = false
		o.problem, o.hint = o.m.errorWords(msg.err)
		if msg.err == nil && msg.reply.Client == nil {
			o.problem = "the engine did not say what a client needs"
		}
		if msg.err == nil {
			o.connection = msg.reply.Client
		}
		return o.copy()
	case tea.KeyMsg:
		switch {
		case matches(msg, keys.Back, keys.Quit):
			o.m.close()
		case matches(msg, keys.Show) && o.connection != nil:
			o.shown = !o.shown
		case matches(msg, keys.Copy):
			return o.copy()
		}
	}
	return nil
}

func (o *clientOverlay) copy() tea.Cmd {
	if o.connection == nil {
		return nil
	}
	o.sent++
	var b strings.Builder
	for _, line := range o.connection.Lines {
		b.WriteString(strings.ReplaceAll(line, "\n", " ") + "\n") // a line more would be a command more
	}
	return o.m.copyText(b.String())
}

func (o *clientOverlay) view(width, _ int) panel {
	m, t := o.m, o.m.th
	p := panel{title: "Connect a client to " + cmp.Or(m.providerName(o.provider), "the proxy")}
	switch c := o.connection; {
	case o.busy:
		p.lines = []string{m.spinner() + t.dim.Render(" asking the engine")}
	case c == nil:
		p.lines = m.problemLines(o.problem, o.hint, width)
	default:
		p.sheet = true
		p.lines = append(p.lines, "")
		p.lines = append(p.lines, m.hang("  "+t.ok.Render(t.g.tick)+" ", "sent to the clipboard"+again(o.sent)+": paste it into the shell in which your client starts", m.width-2, t.text)...)
		p.lines = append(p.lines, "")
		for _, line := range c.Lines {
			if !o.shown && c.Key != "" {
				line = strings.ReplaceAll(line, c.Key, masked(c.Key))
			}
			// At the edge and whole, so that they can be copied by hand too.
			p.lines = append(p.lines, m.wrap(m.text(line, fieldMax), m.width, t.strong.Render)...)
		}
		p.lines = append(p.lines, "")
		if len(m.rows) == 0 {
			p.lines = append(p.lines, m.hang("  "+t.warn.Render(t.g.needsYou)+" ", "there is no account yet: until one is added, requests are answered with an error that says so", m.width-2, t.text)...)
		}
		for _, l := range []string{
			"No clipboard? v shows the key, and oauthmux env prints the same lines.",
			"Or let a client be started with them: oauthmux run -- CMD",
		} {
			p.lines = append(p.lines, m.hang("  ", l, m.width-2, t.dim)...)
		}
	}
	return p
}

// again says that something was done more than once.
func again(times int) string {
	if times < 2 {
		return ""
	}
	return fmt.Sprintf(" again (%d)", times)
}

// masked shows enough of a key to tell it from another one.
func masked(key string) string {
	const shown = 8
	if len(key) <= 2*shown {
		return "********"
	}
	return key[:shown] + "********"
}
