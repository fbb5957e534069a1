package dashboard

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	humanize "github.com/dustin/go-humanize"

	"github.com/oauthmux/oauthmux/ui/control"
)

// factName is the width of the names of facts.
const factName = 13

func (o *browserOverlay) view(width, height int) panel {
	m, r := o.m, o.row()
	w := min(width, 64)
	if r == nil {
		return panel{title: "Browser session", lines: []string{m.th.dim.Render("The account is gone.")}}
	}
	p := panel{title: "Browser session of " + r.label}
	switch o.page {
	case browserFacts:
		p.lines = o.viewFacts(r, w, width, height)
	case browserWindow:
		p.title = "Sign " + r.label + " in"
		p.lines = m.viewWindow(&o.window, w)
		if r.Email != "" {
			p.lines = append(p.lines, m.wrap("Sign in as "+m.text(r.Email, w)+": with anybody else nothing is stored.", w, m.th.text.Render)...)
		}
	case browserDone:
		p.lines = append(m.viewWho(r, w), "")
		p.lines = append(p.lines, m.wrap("When its login ends, this session signs in again by itself, unless a page asks for something that only you can give.",
			w, m.th.dim.Render)...)
	case browserForget:
		p.title = "Remove the browser session of " + r.label + "?"
		p.lines = o.viewForget(w)
	case browserTakeOver:
		p.title = "Take the browser profile of " + r.label + " over?"
		p.lines = o.viewTakeOver(w)
	}
	return p
}

// viewFacts draws what the person has to do, what there is to know, and below it
// what is under way or went wrong, which stays while the rest scrolls. Only a path
// may be as wide as wide: it is better whole.
func (o *browserOverlay) viewFacts(r *row, width, wide, height int) []string {
	end := o.viewStatus(width)
	body := append(o.viewNeeds(r, width, wide), o.listFacts(r, width)...)
	return append(o.facts.window(body, max(2, height-len(end))), end...)
}

// viewNeeds says what only the person can do, and where to see the page.
func (o *browserOverlay) viewNeeds(r *row, width, wide int) []string {
	m, t := o.m, o.m.th
	needs := o.needs(r)
	if needs == "" || o.signing() {
		return nil
	}
	lines := m.problemLines(needs, "", width)
	if !o.take {
		lines = append(lines, m.wrap(o.windowWords("s opens a window at the right page."), width, t.text.Render)...)
	}
	if path := m.text(o.picture(), maxBytes); path != "" {
		lines = append(lines, t.dim.Render("A picture of the page (y copies its path):"))
		for l := range strings.SplitSeq(ansi.Hardwrap(path, wide-2, true), "\n") {
			lines = append(lines, t.text.Render("  "+l))
		}
	}
	return append(lines, "")
}

// needs is what only the person can do; "": nothing.
func (o *browserOverlay) needs(r *row) string {
	needs := ""
	if o.info != nil {
		needs = o.info.Needs
	}
	if needs == "" && r.State == control.StateNeedsYou {
		needs = r.Reason
	}
	return o.m.text(needs, 400)
}

// listFacts draws the session's facts, a line for each.
func (o *browserOverlay) listFacts(r *row, width int) []string {
	m, t := o.m, o.m.th
	var lines []string
	add := func(name, value string, style lipgloss.Style) {
		lines = append(lines, m.hang(t.dim.Render(fit(name, factName)), value, width, style)...)
	}
	words, style := o.sessionWords()
	add("session", fit(words, width-factName), style) // the widest line, so that the box stays as it is
	if o.session() == control.BrowserNone {
		lines = append(lines, "")
		lines = append(lines, m.wrap(o.windowWords("s opens a window of this account's own browser profile, and you sign in there once. "+
			"When the login ends, it is used to sign in again without you."), width, t.dim.Render)...)
	}
	if b := o.info; b != nil && o.mute == "" {
		if b.Size != nil {
			add("profile", humanize.Bytes(uint64(max(0, *b.Size))), t.text)
		}
		if b.LastUsed != nil {
			text, holds := age(m.now.Sub(*b.LastUsed))
			m.hold(holds)
			add("last used", moment(*b.LastUsed, m.now, m.zone)+" ("+strings.Replace(text, " old", " ago", 1)+")", t.text)
		}
		if b.LastResult != "" {
			add("last result", m.text(b.LastResult, 200), t.text)
		}
		if o.session() != control.BrowserNone || b.Today > 0 {
			add("today", sharesOf(b.Today, b.Budget), t.text)
		}
	}
	if r.LoginExpiresAt != nil {
		words, soon := m.loginEnds(*r.LoginExpiresAt)
		style := t.text
		if soon {
			style = t.warn
		}
		add("login", words, style)
	}
	switch {
	case o.mute != "":
		lines = append(lines, m.problemLines(o.mute, "", width)...)
	case o.info == nil:
		lines = append(lines, m.spinner()+t.dim.Render(" asking the engine"))
	}
	return lines
}

// sessionWords are the state of the session in words.
func (o *browserOverlay) sessionWords() (string, lipgloss.Style) {
	t, s := o.m.th, o.session()
	words, style := o.m.text(s, 30), t.text // a newer engine may know more
	switch s {
	case "":
		return "", style
	case control.BrowserNone:
		return "none yet", style
	case control.BrowserReady:
		words, style = "ready", t.ok
	case control.BrowserLoginNeeded:
		words, style = "needs you", t.bad
	}
	if o.info != nil && o.info.Running && !o.signing() {
		words += ", and a browser works on it now"
	}
	return words, style
}

// sharesOf words how much of the day's sign-ins is used up.
func sharesOf(today, budget int) string {
	if budget <= 0 {
		return "no sign-in without you: the daily budget is 0"
	}
	return fmt.Sprintf("%d of %d sign-ins without you", today, budget)
}

// viewStatus draws what is under way, or how the last thing asked for ended.
func (o *browserOverlay) viewStatus(width int) []string {
	m, t := o.m, o.m.th
	switch {
	case o.busy != "":
		return []string{"", m.working(o.busy, "", width)}
	case o.signing():
		return []string{"", o.viewSigning(width)}
	case o.note != "":
		return append([]string{""}, m.wrap(t.g.tick+" "+o.note, width, t.ok.Render)...)
	case o.problem == "" && o.hint == "":
		return nil
	}
	problem, hint := o.problem, o.hint
	if o.take {
		hint = "Is it no longer used there? Then t takes it over."
	}
	if r := o.row(); r != nil && problem == o.needs(r) {
		return nil // it stands above, and what to do about it
	}
	return append([]string{""}, m.problemLines(problem, hint, width)...)
}

// viewSigning draws how far a sign-in without a window is.
func (o *browserOverlay) viewSigning(width int) string {
	m := o.m
	clock := ""
	f := m.browserFlow(o.account)
	switch {
	case !o.since.IsZero():
		clock = m.elapsed(o.since)
	case f != nil && !f.Ends.IsZero(): // begun by somebody else
		text, holds := stopwatch(f.Ends.Sub(m.now))
		m.hold(holds)
		clock = text + " left"
	}
	doing := "starting its browser"
	if f != nil {
		doing = m.doing(f)
	}
	return m.working("signing in: "+doing, clock, width)
}

func (o *browserOverlay) viewForget(width int) []string {
	m, t := o.m, o.m.th
	what := "its browser profile, with its cookies"
	if o.info != nil && o.info.Size != nil {
		what += ", " + humanize.Bytes(uint64(max(0, *o.info.Size)))
	}
	lines := []string{t.text.Render("This deletes from this machine:")}
	lines = append(lines, m.hang(t.bad.Render("  "+t.g.login)+" ", what, width, t.text)...)
	lines = append(lines, "")
	lines = append(lines, m.wrap("The account and its tokens stay. When its login ends, you are asked to sign in.", width, t.dim.Render)...)
	if o.busy != "" {
		lines = append(lines, m.working(o.busy, "", width))
	}
	return lines
}

func (o *browserOverlay) viewTakeOver(width int) []string {
	m, t := o.m, o.m.th
	lines := m.problemLines(o.problem, "", width)
	lines = append(lines, "")
	lines = append(lines, m.wrap("Two browsers on one profile spoil it. Take it over only if no browser works on it on that computer.", width, t.text.Render)...)
	return append(lines, m.wrap("Then a window opens, and you sign in there.", width, t.dim.Render)...)
}
