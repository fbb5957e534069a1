package dashboard

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

// drawDetail draws what there is to know of the selected account, in exactly as
// many lines as the layout gives.
func (m *model) drawDetail() []string {
	lines := []string{m.rule("detail", m.position())}
	if r := m.current(); r != nil {
		lines = append(lines, m.drawIdentity(r))
		lines = append(lines, m.drawCondition(r)...)
		lines = append(lines, m.drawLife(r))
		lines = append(lines, m.drawWindows(r, m.lay.detail-5-m.lay.talks-m.lay.tower)...)
		lines = append(lines, m.drawReading(r)...)
		lines = append(lines, m.drawConversations(r, m.lay.talks)...)
	}
	for len(lines) < m.lay.detail {
		lines = append(lines, "")
	}
	return lines[:m.lay.detail]
}

func (m *model) drawIdentity(r *row) string {
	var words []string
	for _, w := range []string{r.Email, r.Org, r.Plan} {
		if w != "" && !strings.EqualFold(w, r.Email+"'s Organization") { // a person's own
			words = append(words, m.text(w, 60))
		}
	}
	if r.Preferred {
		words = append(words, "preferred")
	}
	label := " " + r.label + " " + fence(r.label)
	return m.th.accent.Bold(true).Render(label) +
		m.th.text.Render(ansi.Truncate(strings.Join(words, " · "), m.width-1-ansi.StringWidth(label), "…"))
}

// drawCondition says the state in a sentence, with its evidence, and what the
// person can do about it.
func (m *model) drawCondition(r *row) []string {
	sign, style := m.stateSign(m.rowInk(false), r)
	text := m.stateWord(r)
	switch m.stateOf(r) {
	case control.StateServing:
		text = "serving " + plural(r.InFlight, "request")
	case control.StateCooling:
		if until := coolingUntil(r.Account); !until.IsZero() {
			left, holds := stopwatch(until.Sub(m.now))
			m.hold(holds)
			text = "cooling until " + moment(until, m.now, m.zone) + " (" + left + ")"
		}
	}
	var more []string
	f := m.browserFlow(r.ID)
	if f != nil {
		doing := m.doing(f)
		if !m.signingIn(r) { // the word says something else
			doing = "signing in: " + doing
		}
		more = append(more, doing)
	}
	out := style.Render(" " + sign + " " + text)
	room := m.width - 2 - ansi.StringWidth(out)
	if r.State == control.StateNeedsYou && f == nil {
		return m.drawNeeds(r, out, room)
	}
	if why := m.evidence(r); why != "" && !m.signingIn(r) {
		more = append(more, why)
	}
	for _, c := range r.Cooldowns {
		if c.Scope != "" && c.Until.After(m.now) {
			more = append(more, m.text(c.Scope, 20)+" cooling until "+moment(c.Until, m.now, m.zone)+because(m.text(c.Evidence, 60)))
		}
	}
	if n := m.conversations(r.ID); n > 0 && m.lay.talks == 0 {
		more = append(more, plural(n, "conversation")+" on it")
	}
	if len(more) == 0 {
		return []string{out}
	}
	return []string{out + m.th.dim.Render(ansi.Truncate(" · "+strings.Join(more, " · "), room, "…"))}
}

// drawNeeds says what only the person can do, and how: in one line behind the
// state, or in a second one, for which the age of the reading goes.
func (m *model) drawNeeds(r *row, state string, room int) []string {
	how := m.th.accent.Render("b") + m.th.text.Render(" opens a window at the right page")
	why := m.text(r.Reason, 200)
	if why != "" {
		why = " · " + why
	}
	if ansi.StringWidth(why)+3+ansi.StringWidth(how) <= room {
		return []string{state + m.th.dim.Render(why+" · ") + how}
	}
	return []string{state + m.th.dim.Render(ansi.Truncate(why, room, "…")), "   " + how}
}

func because(evidence string) string {
	if evidence == "" {
		return ""
	}
	return ": " + evidence
}

// drawWindows draws every window of the account.
func (m *model) drawWindows(r *row, most int) []string {
	windows := slices.Clone(r.Windows)
	slices.SortStableFunc(windows, func(a, b control.Window) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Scope, b.Scope))
	})
	if len(windows) == 0 {
		text := "no reading yet: u asks for one"
		switch r.State {
		case control.StateLoginNeeded, control.StateNeedsYou, control.StateUnreadable:
			text = "no reading yet" // and nobody to ask as
		}
		if !r.hasUsage {
			text = "this provider says nothing about usage"
		}
		return []string{"   " + m.th.dim.Render(text)}
	}
	lines := make([]string, max(0, min(most, len(windows))))
	stale := m.stale(r)
	for i := range lines {
		lines[i] = m.drawWindow(&windows[i], stale)
	}
	return lines
}

// rank puts the account's own windows before those of a model family.
func rank(w control.Window) int {
	switch {
	case w.Scope != "":
		return 2
	case w.Name == fiveHours:
		return 0
	}
	return 1
}

func (m *model) drawWindow(w *control.Window, stale bool) string {
	t, c := m.rowInk(false), &m.lay.windows
	name := "   " + fit(m.windowName(w), c.start-3)
	if w.Used == nil {
		return t.text.Render(name) + t.dim.Render("no reading")
	}
	resets, over := m.resetWords(w, c.reset-2)
	stale = stale && !m.full(w) || over
	return t.text.Render(name) + t.bar(*w.Used, c.bar, stale) +
		t.share(*w.Used, stale).Render(fitRight(percent(*w.Used), 5)) + // the forecast bears the sign
		t.dim.Render("  "+resets) + m.drawForecast(t, w, stale, c.reset-2-ansi.StringWidth(resets))
}

// resetWords say when w resets, in as many words as there is room for, and
// whether it has: the reading is of a window that is over.
func (m *model) resetWords(w *control.Window, room int) (words string, over bool) {
	if w.ResetsAt == nil {
		return "", false
	}
	left := w.ResetsAt.Sub(m.now)
	if left <= 0 {
		return "has reset", true
	}
	text, holds := countdown(left)
	m.hold(holds)
	return longest(room, "resets "+moment(*w.ResetsAt, m.now, m.zone)+" ("+text+")", "resets in "+text), false
}

// widestWindow is the width of the longest name of a window, of whichever
// account, so that the bars stay where they are as one moves.
func (m *model) widestWindow() int {
	n := 0
	for i := range m.rows {
		for j := range m.rows[i].Windows {
			n = max(n, ansi.StringWidth(m.windowName(&m.rows[i].Windows[j])))
		}
	}
	return n
}

// windowName words the name of a window: 5 h, 7 d Sonnet.
func (m *model) windowName(w *control.Window) string {
	name := m.text(w.Name, 8)
	switch w.Name {
	case fiveHours:
		name = "5 h"
	case sevenDays:
		name = "7 d"
	}
	if scope := m.text(w.Scope, 12); scope != "" {
		first, n := utf8.DecodeRuneInString(scope)
		name += " " + string(unicode.ToUpper(first)) + scope[n:]
	}
	return name
}
