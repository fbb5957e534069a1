package dashboard

import (
	"cmp"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

func (o *addOverlay) view(width, height int) panel {
	p := panel{title: o.title()}
	switch o.step {
	case addProvider:
		p.lines = o.viewProviders(width, height)
	case addTerms:
		p.lines = o.viewTerms(width, height)
	case addHow:
		p.lines = o.viewWays(width)
	case addWait:
		if o.waits() {
			p.lines = o.m.viewWindow(&o.flow, min(width, 64))
			break
		}
		p.sheet = true
		p.lines = o.viewWait(height)
	case addDone:
		p.lines = o.viewDone(width)
	case addFailed:
		p.lines = o.m.problemLines(cmp.Or(o.problem, "the sign-in did not succeed"), o.hint, width)
	}
	return p
}

// title says where one is: Add an account · My Corp · sign in.
func (o *addOverlay) title() string {
	parts := []string{"Add an account"}
	if o.step != addProvider {
		parts = append(parts, o.m.text(o.provider.Name, 24))
	}
	switch o.step {
	case addTerms:
		parts = append(parts, "before you start")
	case addHow:
		parts = append(parts, "how")
	case addWait:
		parts = append(parts, "sign in")
	case addDone:
		parts = append(parts, "done")
	case addFailed:
		parts = append(parts, "not signed in")
	case addProvider:
		parts = append(parts, "whose")
	}
	return strings.Join(parts, " · ")
}

// choice draws one answer of a question.
func (o *addOverlay) choice(i int, text string, width int) string {
	t := o.m.th
	if i == o.cursor {
		return t.picked.accent.Render(t.g.cursor) + t.picked.strong.Render(fit(" "+text, width-1))
	}
	return t.text.Render(fit("  "+text, width))
}

func (o *addOverlay) viewProviders(width, height int) []string {
	w := min(width, 52)
	lines := []string{o.m.th.dim.Render(fit("Whose account is it?", w)), ""}
	room := max(1, height-len(lines))
	first := max(0, min(o.cursor-room/2, len(o.providers)-room))
	for i := first; i < min(first+room, len(o.providers)); i++ {
		p := &o.providers[i]
		lines = append(lines, o.choice(i, o.m.text(cmp.Or(p.Name, p.ID), w-4), w))
	}
	return lines
}

func (o *addOverlay) viewTerms(width, height int) []string {
	m := o.m
	var lines []string
	for p := range strings.SplitSeq(o.provider.Terms, "\n") {
		lines = append(lines, m.wrap(m.text(p, maxBytes), width, m.th.text.Render)...)
	}
	end := append([]string{"", m.th.dim.Render("You are asked this once.")}, o.status("noting that", width)...)
	return append(o.terms.window(lines, max(2, height-len(end))), end...)
}

func (o *addOverlay) viewWays(width int) []string {
	w := min(width, 64)
	lines := []string{o.m.th.dim.Render(fit("How do you want to sign in?", w)), ""}
	t := o.m.th
	for i, way := range o.ways() {
		if way.off != "" {
			lines = append(lines, t.dim.Render(fit("  "+way.title, w)), t.dim.Render(fit("    not now: "+way.off, w)))
			continue
		}
		lines = append(lines, o.choice(i, way.title, w), t.dim.Render(ansi.Truncate("    "+way.text, w, "…")))
	}
	return append(lines, o.status("preparing the sign-in", w)...)
}

// status draws what is under way, or what went wrong.
func (o *addOverlay) status(words string, width int) []string {
	if o.busy {
		return []string{"", o.m.spinner() + o.m.th.dim.Render(" "+words)}
	}
	if o.problem == "" && o.hint == "" {
		return nil
	}
	return append([]string{""}, o.m.problemLines(o.problem, o.hint, width)...)
}

// viewWait draws the sheet with the link: as a link, and as text at the edge of
// the screen, so that it can be selected and copied without anything in between.
func (o *addOverlay) viewWait(height int) []string {
	m, t := o.m, o.m.th
	w := m.width - 4
	left, holds := stopwatch(o.flow.Ends.Sub(m.now))
	m.hold(holds)
	doing := "waiting for you to sign in"
	if o.busy || o.flow.State == control.FlowExchanging {
		doing = "checking the code"
	}
	status := "  " + m.spinner() + t.text.Render(" "+doing)
	if !o.flow.Ends.IsZero() {
		status += t.dim.Render("   " + left + " left")
	}
	head := []string{status}
	switch room := w - ansi.StringWidth(status) - 1; {
	case o.note == "":
	case ansi.StringWidth(o.note) <= room:
		head[0] += "   " + o.drawNote(o.note)
	default:
		for _, l := range m.wrap(o.note, w, o.drawNote) {
			head = append(head, "  "+l)
		}
	}
	link := webAddress(o.flow.URL)
	if link != "" {
		head = append(head, "  "+linked(link, t.accent, "Open the sign-in page")+t.dim.Render(" (o), or copy the link (y):"))
	} else {
		head = append(head, t.dim.Render("  Sign in at this address:"))
	}

	var tail []string
	prompt := "Paste the code that the page shows:"
	if o.flow.How == control.HowLoopback {
		prompt = "Browser on another machine? Paste the address it ended on:"
	}
	tail = append(tail, t.dim.Render("  "+ansi.Truncate(prompt, w, "…")), "  "+m.input(&o.code, w))
	for _, l := range m.problemLines(o.problem, o.hint, w) {
		tail = append(tail, "  "+l)
	}

	text := o.flow.URL
	if link == "" {
		text = m.text(text, fieldMax)
	}
	var lines []string
	for l := range strings.SplitSeq(ansi.Hardwrap(text, m.width, true), "\n") {
		if link != "" {
			l = linked(link, t.text, l)
		}
		lines = append(lines, l)
	}
	room := max(1, height-len(head)-len(tail))
	if len(lines) > room {
		lines = append(lines[:room-1], t.dim.Render("  (the link is longer than the screen: y copies all of it)"))
	}
	out := head
	if len(lines)+2 <= room {
		out = append(out, "")
		lines = append(lines, "")
	}
	return append(append(out, lines...), tail...)
}

func (o *addOverlay) drawNote(words ...string) string {
	if o.stuck {
		return o.m.th.warn.Render(words...)
	}
	return o.m.th.ok.Render(words...)
}

// linked draws text as a link to address (OSC 8). All lines of one link carry
// one id, so that a terminal treats them as one.
func linked(address string, style lipgloss.Style, text string) string {
	return ansi.SetHyperlink(address, "id=sign-in") + style.Render(text) + ansi.ResetHyperlink()
}

// viewDone says who it is, and asks what to call it.
func (o *addOverlay) viewDone(width int) []string {
	m, t := o.m, o.m.th
	w := min(width, 60)
	r := o.account()
	if r == nil || o.label == nil {
		return []string{m.spinner() + t.dim.Render(" signed in; asking who it is")}
	}
	lines := append(m.viewWho(r, w), "")
	same := 0
	for i := range m.rows {
		if m.rows[i].Provider == r.Provider {
			same++
		}
	}
	switch {
	case o.flow.Renewed:
		lines = append(lines, m.wrap("This identity was here already: its login was renewed.", w, t.info.Render)...)
		lines = append(lines, "")
	case same == 2:
		lines = append(lines, m.wrap("That makes two: from now on, when one is limited, requests go on with the other.", w, t.info.Render)...)
		lines = append(lines, "")
	}
	lines = append(lines, t.dim.Render("Label"), m.input(o.label, w))
	return append(lines, o.status("renaming", w)...)
}
