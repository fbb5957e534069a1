package dashboard

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

// Outcomes of a step that are not a trouble of its account.
const (
	passOutcome = "pass"    // its answer was handed on
	leftOutcome = "left"    // the client went away
	skipOutcome = "skipped" // it was not asked
)

// Columns of a decision.
const (
	whyStatus  = 12 // "answered 429"
	whyTook    = 8
	whyLabel   = 14
	whyOutcome = 12 // "unauthorized"
)

// run is a row of decisions that say the same, the newest first.
type run struct {
	*control.Decision // the newest
	oldest            time.Time
	n                 int
}

// runs puts decisions that say the same together, as long as no other one came
// between. It wants them oldest first, and returns the newest first.
func runs(all []*control.Decision) []run {
	var out []run
	for _, d := range slices.Backward(all) {
		if last := len(out) - 1; last >= 0 && sameStory(out[last].Decision, d) {
			out[last].oldest, out[last].n = d.At, out[last].n+1
			continue
		}
		out = append(out, run{d, d.At, 1})
	}
	return out
}

// sameStory reports whether two requests went the same way.
func sameStory(a, b *control.Decision) bool {
	same := func(a, b control.Step) bool {
		return a.Account == b.Account && a.Outcome == b.Outcome && a.Evidence == b.Evidence && a.Until.Equal(b.Until)
	}
	return a.Status == b.Status && a.Scope == b.Scope && a.Candidates == b.Candidates &&
		slices.EqualFunc(a.Steps, b.Steps, same) && slices.EqualFunc(a.Skipped, b.Skipped, same)
}

// served reports whether an account's answer was handed on, and was no refusal.
func served(d *control.Decision) bool {
	return len(d.Steps) > 0 && d.Steps[len(d.Steps)-1].Outcome == passOutcome && d.Status > 0 && d.Status < 400
}

// troubled reports whether a request did not get on with the account, or did not get
// on at all.
func (o *whyOverlay) troubled(d *control.Decision) bool {
	return d.Status >= 400 || slices.ContainsFunc(d.Steps, func(s control.Step) bool {
		return s.Account == o.name && s.Outcome != passOutcome && s.Outcome != leftOutcome
	})
}

// passedBy reports whether a request went elsewhere because the account was not to be
// had.
func (o *whyOverlay) passedBy(d *control.Decision) bool {
	return slices.ContainsFunc(d.Skipped, func(s control.Step) bool { return s.Account == o.name }) &&
		!slices.ContainsFunc(d.Steps, func(s control.Step) bool { return s.Account == o.name })
}

// story draws the decisions: what went wrong first, then the rest.
func (o *whyOverlay) story(width int) []string {
	var trouble, rest []*control.Decision
	for i := range o.decisions {
		d := &o.decisions[i]
		if o.troubled(d) {
			trouble = append(trouble, d)
		} else {
			rest = append(rest, d)
		}
	}
	if len(trouble) == 0 || len(rest) == 0 {
		return o.drawRuns(slices.Concat(trouble, rest), width)
	}
	heading := func(words string) string { return o.m.th.dim.Render(ansi.Truncate(words, width, "…")) }
	lines := append([]string{heading("what went wrong")}, o.drawRuns(trouble, width)...)
	return append(append(lines, "", heading("the other requests")), o.drawRuns(rest, width)...)
}

func (o *whyOverlay) drawRuns(all []*control.Decision, width int) []string {
	var lines []string
	for _, r := range runs(all) {
		lines = append(lines, o.draw(&r, width)...)
	}
	return lines
}

// draw draws a run: a line on its requests, and one for each account that was
// considered, where that was more than the one that served them.
func (o *whyOverlay) draw(r *run, width int) []string {
	m, t := o.m, o.m.th
	status, style := fmt.Sprintf("answered %d", r.Status), t.ok
	switch {
	case r.Status == 0:
		status, style = "client left", t.dim
	case r.Status >= 400:
		style = t.bad
	case served(r.Decision):
		status = fmt.Sprintf("served, %d", r.Status)
	}
	head := t.dim.Render(r.At.In(m.zone).Format(time.TimeOnly)) + "  " + style.Render(fit(status, whyStatus)) + " "
	if r.n > 1 {
		head += t.text.Render(fmt.Sprintf("%d times", r.n)) + t.dim.Render(" since "+r.oldest.In(m.zone).Format(time.TimeOnly))
	} else {
		head += t.dim.Render(fitRight(took(r.Duration), whyTook))
	}
	if r.Scope != "" {
		head += t.dim.Render("  " + m.text(r.Scope, 16))
	}
	if r.n == 1 && r.Session != "" {
		head += t.dim.Render("  conversation " + m.text(r.Session, 12))
	}
	lines := []string{ansi.Truncate(head, width, "…")}
	if served(r.Decision) && len(r.Skipped) == 0 && len(r.Steps) == 1 && r.Steps[0].Account == o.name {
		return lines // that is all there is to say
	}
	for i := range r.Skipped {
		lines = append(lines, o.drawStep(&r.Skipped[i], width)...)
	}
	for i := range r.Steps {
		lines = append(lines, o.drawStep(&r.Steps[i], width)...)
	}
	return lines
}

func (o *whyOverlay) drawStep(s *control.Step, width int) []string {
	m, t := o.m, o.m.th
	word, evidence := s.Outcome, m.text(s.Evidence, 200)
	if word == passOutcome {
		word = "served"
	}
	if !s.Until.IsZero() {
		evidence = strings.TrimPrefix(evidence+", until "+moment(s.Until, m.now, m.zone), ", ")
	}
	label := t.text
	if s.Account == o.name {
		label = t.accent
	}
	prefix := "  " + label.Render(fit(m.text(s.Account, whyLabel), whyLabel)) + " " +
		t.outcome(s.Outcome).Render(fit(m.text(word, whyOutcome), whyOutcome)) + " "
	return m.hang(prefix, evidence, width, t.dim)
}

// took words how long a request took.
func took(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// outcome is the style of what became of an account that was considered.
func (t *theme) outcome(word string) lipgloss.Style {
	switch word {
	case skipOutcome, leftOutcome:
		return t.dim
	case passOutcome:
		return t.ok
	case "limited", "throttled":
		return t.warn
	}
	return t.bad
}
