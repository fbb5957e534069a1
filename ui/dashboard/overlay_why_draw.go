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

// story is how requests went, and which: those that went the same way.
type story struct {
	*control.Decision // the newest
	oldest            time.Time
	n                 int
}

// stories puts decisions that say the same together. It wants them oldest first, and
// returns the newest first.
func stories(all []*control.Decision) []story {
	var out []story
	for _, d := range slices.Backward(all) {
		i := slices.IndexFunc(out, func(s story) bool { return sameStory(s.Decision, d) })
		if i < 0 {
			out = append(out, story{d, d.At, 1})
			continue
		}
		out[i].oldest, out[i].n = d.At, out[i].n+1
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
		return s.Account == o.account && s.Outcome != passOutcome && s.Outcome != leftOutcome
	})
}

// passedBy reports whether a request did without the account, because it was not to be
// had.
func (o *whyOverlay) passedBy(d *control.Decision) bool {
	here := func(s control.Step) bool { return s.Account == o.account }
	return slices.ContainsFunc(d.Skipped, here) && !slices.ContainsFunc(d.Steps, here)
}

// tell makes stories of decisions: of what went wrong, and of the rest.
func (o *whyOverlay) tell(decisions []control.Decision) {
	var trouble, rest []*control.Decision
	for i := range decisions {
		if d := &decisions[i]; o.troubled(d) {
			trouble = append(trouble, d)
		} else {
			rest = append(rest, d)
		}
	}
	o.decisions, o.trouble, o.rest = decisions, stories(trouble), stories(rest)
}

// drawStories draws what went wrong first, then the rest.
func (o *whyOverlay) drawStories(width int) []string {
	heading := func(words string) string { return o.m.th.dim.Render(ansi.Truncate(words, width, "…")) }
	both := len(o.trouble) > 0 && len(o.rest) > 0
	var lines []string
	if both {
		lines = append(lines, heading("something went wrong"))
	}
	for i := range o.trouble {
		lines = append(lines, o.draw(&o.trouble[i], width)...)
	}
	if both {
		lines = append(lines, "", heading("the other requests"))
	}
	for i := range o.rest {
		lines = append(lines, o.draw(&o.rest[i], width)...)
	}
	return lines
}

// draw draws a story: a line on its requests, and one for each account that was
// considered, where that was more than the one that served them.
func (o *whyOverlay) draw(r *story, width int) []string {
	lines := []string{ansi.Truncate(o.drawHead(r), width, "…")}
	if served(r.Decision) && len(r.Skipped) == 0 && len(r.Steps) == 1 && r.Steps[0].Account == o.account {
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

// drawHead draws the line on the requests themselves.
func (o *whyOverlay) drawHead(r *story) string {
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
	head += t.dim.Render(fmt.Sprintf("  %d free", r.Candidates))
	if r.Scope != "" {
		head += t.dim.Render("  " + m.text(r.Scope, 16))
	}
	if r.n == 1 && r.Session != "" {
		head += t.dim.Render("  conversation " + m.text(r.Session, 12))
	}
	return head
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
	if s.Account == o.account {
		label = t.accent
	}
	prefix := "  " + label.Render(fit(m.text(s.Label, whyLabel), whyLabel)) + " " +
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
