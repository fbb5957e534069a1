package dashboard

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

// whyPace is how often an engine is asked again while the answer is on the screen.
const whyPace = 2 * time.Second

// whyOverlay shows what an account waits for, and the last decisions about it: which
// accounts a request considered, what spoke against them, and how it ended.
type whyOverlay struct {
	scroller
	account       string
	have, asking  bool
	next          time.Time          // when the engine is asked again
	decisions     []control.Decision // oldest first
	trouble, rest []story            // of them
	problem, hint string
}

func (m *model) openWhy(r *row) tea.Cmd {
	o := &whyOverlay{scroller: scroller{m: m}, account: r.ID}
	m.overlay = o
	return o.ask()
}

func (o *whyOverlay) ask() tea.Cmd {
	o.asking = true
	return o.m.jobs.do(o.m.o.Engine, o, control.Request{Action: control.ActionWhy, Account: o.account})
}

func (o *whyOverlay) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case replyMsg:
		o.have, o.asking, o.next = true, false, o.m.wall.Add(whyPace)
		if o.problem, o.hint = o.m.errorWords(msg.err); msg.err == nil {
			o.tell(msg.reply.Decisions)
		}
	case stateMsg:
		if !o.asking && !o.m.wall.Before(o.next) {
			return o.ask() // something happened
		}
	case tea.KeyMsg:
		if matches(msg, keys.Why) {
			o.m.close()
			return nil
		}
		o.key(msg)
	}
	return nil
}

func (o *whyOverlay) view(width, height int) panel {
	m, t := o.m, o.m.th
	p := panel{title: "Why " + m.labelOf(o.account)}
	lines := o.standing(width)
	switch {
	case !o.have:
		lines = append(lines, m.spinner()+t.dim.Render(" asking the engine"))
	case o.problem != "":
		lines = append(lines, m.problemLines(o.problem, o.hint, width)...)
	case len(o.decisions) == 0:
		lines = append(lines, m.wrap("No request is remembered that considered this account.", width, t.dim.Render)...)
	default:
		lines = append(lines, o.drawStories(width)...)
	}
	p.lines = o.window(lines, height)
	return p
}

// standing draws what keeps requests away from the account now, also when no
// decision about it is remembered: until when, on what evidence, and how many
// requests went elsewhere because of it.
func (o *whyOverlay) standing(width int) []string {
	m := o.m
	i := slices.IndexFunc(m.rows, func(r row) bool { return r.ID == o.account })
	if i < 0 {
		return nil
	}
	r := &m.rows[i]
	lines := o.cooldowns(r, width)
	switch r.State {
	case control.StatePaused, control.StateLoginNeeded, control.StateNeedsYou, control.StateUnreadable:
		sign, style := m.stateSign(m.rowInk(false), r)
		lines = append(lines, style.Render(sign+" "+m.stateWord(r)))
		if why := m.text(r.Reason, maxBytes); why != "" {
			lines = append(lines, m.hang("  ", why, width, m.th.dim)...)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	if n, since := o.passes(); n > 0 {
		words := fmt.Sprintf("%s passed it by since %s", plural(n, "request"), since.In(m.zone).Format(time.TimeOnly))
		lines = append(lines, m.hang("  ", words, width, m.th.text)...)
	}
	return append(lines, "")
}

// cooldowns draws the spans in which the account, or a model family of it, serves
// nothing.
func (o *whyOverlay) cooldowns(r *row, width int) []string {
	m, t := o.m, o.m.th
	var lines []string
	for _, c := range r.Cooldowns {
		left := c.Until.Sub(m.now)
		if left <= 0 {
			continue
		}
		what := "cooling"
		if c.Scope != "" {
			what = m.text(c.Scope, 16) + " cooling"
		}
		text, holds := stopwatch(left)
		m.hold(holds)
		lines = append(lines, t.warn.Render(fmt.Sprintf("%s %s until %s, %s left", t.g.cooling, what, moment(c.Until, m.now, m.zone), text)))
		if c.Evidence != "" {
			lines = append(lines, m.hang("  ", m.text(c.Evidence, maxBytes), width, t.dim)...)
		}
	}
	return lines
}

// passes counts the latest requests that passed the account by, up to the one that
// asked it, and says when the first of them came.
func (o *whyOverlay) passes() (n int, since time.Time) {
	for _, d := range slices.Backward(o.decisions) {
		if !o.passedBy(&d) {
			break
		}
		n, since = n+1, d.At
	}
	return n, since
}

// hang wraps text behind prefix, and below where it begins.
func (m *model) hang(prefix, text string, width int, style lipgloss.Style) []string {
	indent := ansi.StringWidth(prefix)
	lines := m.wrap(text, width-indent, style.Render)
	lines[0] = prefix + lines[0]
	for i := range lines[1:] {
		lines[1+i] = strings.Repeat(" ", indent) + lines[1+i]
	}
	return lines
}
