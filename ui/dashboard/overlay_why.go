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

// whyOverlay shows what an account waits for, and the last decisions about an account: which accounts a
// request considered, what spoke against them, and how it ended.
type whyOverlay struct {
	scroller
	account       string
	label         string
	busy          bool
	decisions     []control.Decision
	problem, hint string
}

func (m *model) openWhy(r *row) tea.Cmd {
	o := &whyOverlay{scroller: scroller{m: m}, account: r.ID, label: r.label, busy: true}
	m.overlay = o
	return m.jobs.do(m.o.Engine, o, control.Request{Action: control.ActionWhy, Account: r.ID})
}

func (o *whyOverlay) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case replyMsg:
		o.busy = false
		o.decisions = msg.reply.Decisions
		o.problem, o.hint = o.m.errorWords(msg.err)
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
	p := panel{title: "Why " + o.label}
	lines := o.cooldowns(width)
	switch {
	case o.busy:
		lines = append(lines, m.spinner()+t.dim.Render(" asking the engine"))
	case o.problem != "":
		lines = append(lines, m.problemLines(o.problem, o.hint, width)...)
	case len(o.decisions) == 0:
		lines = append(lines, m.wrap("No request has considered this account since the engine started.", width, t.dim.Render)...)
	default:
		for i := len(o.decisions) - 1; i >= 0; i-- {
			lines = append(lines, o.draw(&o.decisions[i], width)...)
		}
	}
	p.lines = o.window(lines, height)
	return p
}

// cooldowns draws what the account still waits for, also when no decision about
// it is remembered: until when, and what was the evidence.
func (o *whyOverlay) cooldowns(width int) []string {
	m, t := o.m, o.m.th
	i := slices.IndexFunc(m.rows, func(r row) bool { return r.ID == o.account })
	if i < 0 {
		return nil
	}
	var lines []string
	for _, c := range m.rows[i].Cooldowns {
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
	if len(lines) > 0 {
		lines = append(lines, "")
	}
	return lines
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

// draw draws one decision: a line on the request, and one for each account that
// was considered, where that was more than the one that served it.
func (o *whyOverlay) draw(d *control.Decision, width int) []string {
	m, t := o.m, o.m.th
	status, style := "the client went away", t.dim
	passed := len(d.Steps) > 0 && d.Steps[len(d.Steps)-1].Outcome == passOutcome
	switch {
	case d.Status == 0:
	case d.Status >= 400:
		status, style = fmt.Sprintf("answered %d", d.Status), t.bad
	case passed:
		status, style = fmt.Sprintf("served, %d", d.Status), t.ok
	default:
		status, style = fmt.Sprintf("answered %d", d.Status), t.ok
	}
	head := t.dim.Render(d.At.In(m.zone).Format("15:04:05")) + " " + style.Render(status) + t.dim.Render(", "+took(d.Duration))
	if d.Scope != "" {
		head += t.dim.Render("  " + m.text(d.Scope, 16))
	}
	if d.Session != "" {
		head += t.dim.Render("  conversation " + m.text(d.Session, 12))
	}
	lines := []string{ansi.Truncate(head, width, "…")}
	if passed && len(d.Steps) == 1 && m.labelOf(d.Steps[0].Account) == o.label {
		return lines // that is all there is to say
	}
	for i := range d.Steps {
		s := &d.Steps[i]
		word := s.Outcome
		if word == passOutcome {
			word = "served"
		}
		prefix := "  " + t.text.Render(fit(m.labelOf(s.Account), 14)) + " " + t.outcome(s.Outcome).Render(fit(m.text(word, 13), 13)) + " "
		lines = append(lines, m.hang(prefix, m.text(s.Evidence, 200), width, t.dim)...)
	}
	return lines
}

// took words how long a request took.
func took(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// passOutcome is what a step says of the account whose answer was handed on.
const passOutcome = "pass"

// outcome is the style of what became of an account that was considered.
func (t *theme) outcome(word string) lipgloss.Style {
	switch word {
	case "skipped":
		return t.dim
	case passOutcome:
		return t.ok
	case "limited", "throttled":
		return t.warn
	}
	return t.bad
}
