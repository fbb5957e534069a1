package dashboard

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

// notices are the lines under the header that say what is not as usual.
func (m *model) notices() []string {
	var out []string
	t := m.th
	if m.lost {
		why := ""
		if m.problem != "" {
			why = " (" + m.problem + ")"
		}
		text := "The engine does not answer" + why + "; trying again, and showing what it said last."
		if !m.have {
			text = "No engine answers" + why + "; trying again."
		}
		text += " `oauthmux serve` in a shell starts one."
		out = append(out, m.notice(t.g.needsYou, text, t.bad)...)
	}
	if !m.have {
		return out
	}
	if m.state.Demo != "" {
		demo := m.notice("demo", m.state.Demo, t.info)
		if len(demo) > 1 && m.height < gapHeight { // the accounts need the line more
			demo = []string{m.noticeLine("demo", m.state.Demo, m.width, t.info)}
		}
		out = append(out, demo...)
	}
	if k := m.state.Key; m.locked() {
		text := cmp.Or(k.Message, "The vault is locked.") + " (" + keys.Unlock.Help().Key + " unlocks)"
		if !k.Ask {
			text += " " + k.Hint
		}
		out = append(out, m.notice(t.g.needsYou, text, t.bad)...)
	} else if k.Trouble() { // there is no key yet, and none could be made
		out = append(out, m.notice(t.g.needsYou, k.Message+": "+k.Hint, t.bad)...)
	} else {
		for _, o := range m.outages() {
			out = append(out, m.notice(t.g.login, m.outageWords(o), t.bad)...)
		}
	}
	return append(out, m.warnings()...)
}

// warnings draws what the engine warns of: the first of it, and how much more there is.
func (m *model) warnings() []string {
	var out []string
	all := m.state.Warnings
	if len(m.rows) == 0 && len(all) == 1 { // there is room for all of it
		return m.notice(m.th.g.needsYou, all[0], m.th.warn)
	}
	most := 2
	if m.height < airyHeight {
		most = 1
	}
	for i, w := range all[:min(most, len(all))] {
		more := ""
		if i == most-1 && len(all) > most {
			more = fmt.Sprintf("  +%d more", len(all)-most)
		}
		room := m.width - ansi.StringWidth(more)
		out = append(out, m.noticeLine(m.th.g.needsYou, w, room, m.th.warn)+m.th.dim.Render(more))
	}
	return out
}

// notice draws a text behind a sign, in two lines where it needs them and there is room.
func (m *model) notice(sign, text string, style lipgloss.Style) []string {
	room := max(1, m.width-3-ansi.StringWidth(sign))
	text = m.text(text, maxBytes)
	lines := []string{text}
	if m.height >= airyHeight || len(m.rows) == 0 {
		if lines = breakLines(text, room); len(lines) > 2 {
			lines = []string{lines[0], strings.Join(lines[1:], " ")}
		}
	}
	for i := range lines {
		prefix := " " + sign + " "
		if i > 0 {
			prefix = strings.Repeat(" ", ansi.StringWidth(prefix))
		}
		lines[i] = style.Bold(true).Render(prefix) + style.Render(m.text(lines[i], room))
	}
	return lines
}

// noticeLine draws a text behind a sign, cut to one line of that width.
func (m *model) noticeLine(sign, text string, width int, style lipgloss.Style) string {
	prefix := " " + sign + " "
	return style.Bold(true).Render(prefix) + style.Render(m.text(text, max(1, width-1-ansi.StringWidth(prefix))))
}

// outage is a provider none of whose accounts can serve.
type outage struct {
	provider string
	all      bool      // no account of any provider can
	back     *row      // who returns first; nil: nobody does by itself
	at       time.Time // when
}

// outages finds the providers that are out altogether, in the order of the table.
func (m *model) outages() []outage {
	var out []outage
	providers := 0
	for i := 0; i < len(m.rows); {
		o := outage{provider: m.rows[i].Provider}
		can := false
		providers++
		for ; i < len(m.rows) && m.rows[i].Provider == o.provider; i++ {
			r := &m.rows[i]
			can = can || canServe(r.State) || slices.Contains(m.state.Holding, r.ID)
			if until := coolingUntil(r.Account); r.State == control.StateCooling && (o.back == nil || until.Before(o.at)) {
				o.back, o.at = r, until
			}
		}
		if !can {
			out = append(out, o)
		}
	}
	if len(out) > 0 && len(out) == providers {
		first := out[0]
		for _, o := range out[1:] {
			if o.back != nil && (first.back == nil || o.at.Before(first.at)) {
				first = o
			}
		}
		first.all = true
		return []outage{first}
	}
	return out
}

// canServe reports whether an account in that state can take a request now or
// within moments.
func canServe(state string) bool {
	switch state {
	case control.StateCooling, control.StatePaused, control.StateLoginNeeded, control.StateNeedsYou, control.StateUnreadable:
		return false
	}
	return true
}

func (m *model) outageWords(o outage) string {
	var b strings.Builder
	if o.all {
		b.WriteString("Every account is out")
	} else {
		b.WriteString("Every account of " + m.providerName(o.provider) + " is out")
	}
	if o.back == nil {
		b.WriteString(", and none returns by itself.")
		return b.String()
	}
	left, holds := stopwatch(o.at.Sub(m.now))
	m.hold(holds)
	fmt.Fprintf(&b, ": %s returns first, in %s (%s).", o.back.label, left, moment(o.at, m.now, m.zone))
	return b.String()
}
