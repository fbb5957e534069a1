package dashboard

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

// waiting is an overlay that waits for a person in a window, and gives the window
// up when it goes away with the screen.
type waiting interface{ waits() bool }

// running reports whether f is a browser at work that has not come to its end.
func running(f *control.Flow) bool {
	return f.How == control.HowBrowser && (f.State == control.FlowWaiting || f.State == control.FlowExchanging)
}

// browserFlow is the browser at work for an account; nil: none is.
func (m *model) browserFlow(account string) *control.Flow {
	for i := range m.state.Flows {
		if f := &m.state.Flows[i]; account != "" && f.For == account && running(f) && !slices.Contains(m.past, f.ID) {
			return f
		}
	}
	return nil
}

// windowOpen reports whether leaving the screen while o is open closes a window
// that waits for the person: any window of an engine that ends with the screen,
// and of another one the window that o waits for.
func (m *model) windowOpen(o overlay) bool {
	if w, ok := o.(waiting); ok && w.waits() {
		return true
	}
	for i := range m.state.Flows {
		if f := &m.state.Flows[i]; m.owner() && f.Visible && running(f) {
			return true
		}
	}
	return false
}

// hasDisplay reports whether there is a display that a window could be shown on
// to the person who looks at this screen.
func (m *model) hasDisplay() bool { return m.desktop || control.DisplayOf(m.o.Env).Known() }

// noWindow says why no window can be opened here to sign in with at p; "": one can.
func (m *model) noWindow(p control.Provider) string {
	switch {
	case !p.HasBrowser:
		return "no browser was found"
	case !m.hasDisplay():
		return "no display here"
	}
	return ""
}

// doing words what the browser of f does now.
func (m *model) doing(f *control.Flow) string {
	words := "in its own browser, without a window"
	switch {
	case f.State == control.FlowExchanging:
		words = "finishing the sign-in"
	case f.Visible:
		words = "a window is open, and waits for you"
	}
	return cmp.Or(m.text(f.Step, 200), words)
}

// viewWindow draws how far it is with a window that the person signs in with.
func (m *model) viewWindow(f *control.Flow, width int) []string {
	left := ""
	if !f.Ends.IsZero() {
		text, holds := stopwatch(f.Ends.Sub(m.now))
		m.hold(holds)
		left = text + " left"
	}
	lines := []string{m.working(m.doing(f), left, width), ""}
	return append(lines, m.wrap("Sign in there as in any browser. Nothing is pressed for you, and the window closes by itself at the end.",
		width, m.th.dim.Render)...)
}

// working draws what is done now, and how long it has gone on or may still go on,
// in exactly that width: a box must not jump with every step.
func (m *model) working(doing, clock string, width int) string {
	if clock != "" {
		clock = "   " + clock
	}
	return m.spinner() + m.th.text.Render(fit(" "+doing, max(1, width-1-ansi.StringWidth(clock)))) + m.th.dim.Render(clock)
}

// elapsed words how long something has gone on, to the second.
func (m *model) elapsed(since time.Time) string {
	d := max(0, m.wall.Sub(since))
	m.hold(time.Second - d%time.Second)
	text, _ := stopwatch(d - d%time.Second)
	return text
}

// viewWho says who signed in.
func (m *model) viewWho(r *row, width int) []string {
	t := m.th
	lines := []string{t.ok.Render(t.g.tick+" signed in as ") + t.strong.Render(m.text(cmp.Or(r.Email, r.ID), width-15))}
	var who []string
	for _, s := range []string{r.Org, r.Plan} {
		if s != "" {
			who = append(who, m.text(s, width))
		}
	}
	if len(who) > 0 {
		lines = append(lines, t.dim.Render(ansi.Truncate("  "+strings.Join(who, " · "), width, "…")))
	}
	return lines
}

// wantsPassphrase reports whether a passphrase would help against err.
func wantsPassphrase(err error) bool {
	e, ok := errors.AsType[*control.Error](err)
	return ok && (e.Code == control.CodeKeyPrefix+"passphrase_needed" || e.Code == control.CodeKeyPrefix+"wrong_passphrase")
}
