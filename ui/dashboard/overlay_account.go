package dashboard

import (
	"cmp"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/control"
)

// labelLimit is how many characters a label may have here; the engine has the
// last word on what a label is.
const labelLimit = 64

// labelProblem says what is wrong with a label before the engine is asked; "":
// nothing that could be seen from here.
func (m *model) labelProblem(label, account string) string {
	if label == "" {
		return "a label needs at least one character"
	}
	for i := range m.rows {
		if m.rows[i].ID != account && strings.EqualFold(m.rows[i].Label, label) {
			return "another account has this label already"
		}
	}
	return ""
}

// typedProblem is labelProblem while somebody types: an empty field is one that is
// about to be filled.
func (m *model) typedProblem(f *field, account string) string {
	label := strings.TrimSpace(f.value())
	if label == "" {
		return ""
	}
	return m.labelProblem(label, account)
}

// renameOverlay asks for a new label.
type renameOverlay struct {
	m             *model
	account       string
	old           string
	input         field
	busy          bool
	problem, hint string
}

func newRename(m *model, r *row) *renameOverlay {
	return &renameOverlay{m: m, account: r.ID, old: r.Label, input: newField(clean(r.Label, labelLimit), labelLimit)}
}

func (o *renameOverlay) keys() []key.Binding { return []key.Binding{keys.Accept, keys.Back} }

func (o *renameOverlay) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case replyMsg:
		o.busy = false
		if msg.err == nil {
			o.m.say(toneGood, cmp.Or(msg.reply.Message, "renamed to "+msg.request.Label))
			o.m.close()
			return nil
		}
		o.problem, o.hint = o.m.errorWords(msg.err)
	case tea.KeyMsg:
		switch {
		case matches(msg, keys.Back):
			o.m.close()
		case o.busy:
		case matches(msg, keys.Accept):
			return o.accept()
		case o.input.update(msg):
			o.problem, o.hint = o.m.typedProblem(&o.input, o.account), ""
		}
	}
	return nil
}

func (o *renameOverlay) accept() tea.Cmd {
	label := oneSpaced(o.input.value())
	if label == o.old {
		o.m.close()
		return nil
	}
	if o.problem = o.m.labelProblem(label, o.account); o.problem != "" {
		return nil
	}
	o.busy = true
	return o.m.jobs.do(o.m.o.Engine, o, control.Request{Action: control.ActionRename, Account: o.account, Label: label})
}

func (o *renameOverlay) view(width, _ int) panel {
	m := o.m
	w := min(width, 46)
	lines := []string{m.th.dim.Render("New label"), m.input(&o.input, w)}
	if o.busy {
		lines = append(lines, m.spinner()+m.th.dim.Render(" renaming"))
	} else {
		lines = append(lines, pad(m.problemLines(o.problem, o.hint, w), 1)...)
	}
	return panel{title: "Rename " + m.labelOf(o.account), lines: lines}
}

// oneSpaced is a label as it may be: single spaces, and none at its ends.
func oneSpaced(label string) string { return strings.Join(strings.Fields(label), " ") }

// input draws a field with a mark in front that says: type here.
func (m *model) input(f *field, width int) string {
	return m.th.accent.Render(m.th.g.cursor+" ") + f.view(m.th, width-2)
}

// pad makes lines at least n, so that a box keeps its size when a problem comes.
func pad(lines []string, n int) []string {
	for len(lines) < n {
		lines = append(lines, "")
	}
	return lines
}

// removeOverlay asks before an account goes, and names what goes with it.
type removeOverlay struct {
	m             *model
	account       string
	provider      string
	revoke        bool
	busy          bool
	problem, hint string
}

func newRemove(m *model, r *row) *removeOverlay {
	return &removeOverlay{m: m, account: r.ID, provider: m.providerName(r.Provider)}
}

func (o *removeOverlay) keys() []key.Binding {
	return []key.Binding{bind("y", "remove"), keys.Revoke, bind("n esc", "keep")}
}

func (o *removeOverlay) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case replyMsg:
		o.busy = false
		if msg.err == nil {
			o.m.say(toneGood, cmp.Or(msg.reply.Message, "removed"))
			o.m.close()
			return nil
		}
		o.problem, o.hint = o.m.errorWords(msg.err)
	case tea.KeyMsg:
		switch {
		case matches(msg, keys.No):
			o.m.close()
		case o.busy:
		case matches(msg, keys.Revoke):
			o.revoke = !o.revoke
		case matches(msg, keys.Yes):
			o.busy = true
			return o.m.jobs.do(o.m.o.Engine, o,
				control.Request{Action: control.ActionRemove, Account: o.account, Revoke: o.revoke})
		}
	}
	return nil
}

func (o *removeOverlay) view(width, _ int) panel {
	m, t := o.m, o.m.th
	w := min(width, 62)
	var a *control.Account
	for i := range m.rows {
		if m.rows[i].ID == o.account {
			a = m.rows[i].Account
		}
	}
	title := "Remove " + m.labelOf(o.account) + "?"
	if a == nil {
		return panel{title: title, lines: []string{t.dim.Render("It is gone already.")}}
	}
	var lines []string
	if who := m.text(a.Email, w); who != "" {
		lines = append(lines, t.strong.Render(who), "")
	}
	goes := []string{"its access token and its refresh token", "its label, its place and its cooldowns"}
	if a.Browser != "" && a.Browser != "none" {
		goes = append(goes, "its browser profile, which is signed in")
	}
	lines = append(lines, t.text.Render("This deletes from this machine:"))
	for _, g := range goes {
		lines = append(lines, t.bad.Render("  "+t.g.login)+t.text.Render(" "+g))
	}
	if a.Preferred && len(m.rows) > 1 {
		lines = append(lines, t.warn.Render("It is the preferred account."))
	}
	if a.InFlight > 0 {
		lines = append(lines, t.warn.Render(plural(a.InFlight, "request")+" on it right now"))
	}
	mark := "[ ]"
	if o.revoke {
		mark = "[" + t.g.tick + "]"
	}
	lines = append(lines, "")
	lines = append(lines, m.wrap(mark+" also tell "+o.provider+" to end the login (v)", w, t.text.Render)...)
	lines = append(lines, m.wrap("The account itself stays: you can sign in again any time.", w, t.dim.Render)...)
	if o.busy {
		lines = append(lines, m.spinner()+t.dim.Render(" removing"))
	}
	return panel{title: title, lines: append(lines, m.problemLines(o.problem, o.hint, w)...)}
}
