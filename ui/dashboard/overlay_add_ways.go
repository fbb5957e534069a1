package dashboard

import (
	"slices"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/control"
)

// way is a way to sign in.
type way struct {
	how, title, text string
	off              string // why it cannot be gone here; "": it can
}

// ways are the ways to sign in that this provider has. The usual browser is
// always one of those that can be gone.
func (o *addOverlay) ways() []way {
	window := way{
		how: control.HowBrowser, title: "a window of this account's own browser profile",
		text: "sign in once; later it signs in by itself",
	}
	window.off = o.m.noWindow(o.provider)
	ways := []way{window, {
		how: control.HowLoopback, title: "your usual browser", text: "opens the sign-in page; the code comes by itself",
	}}
	if o.provider.HasPaste {
		ways = append(ways, way{how: control.HowPaste, title: "paste the code", text: "sign in on any machine, then paste the code here"})
	}
	return ways
}

// firstWay is the first way that can be gone.
func (o *addOverlay) firstWay() int {
	return slices.IndexFunc(o.ways(), func(w way) bool { return w.off == "" })
}

// signIn begins the way that was chosen.
func (o *addOverlay) signIn() tea.Cmd {
	r := control.Request{Action: control.ActionLoginStart, Provider: o.provider.ID, How: o.ways()[o.cursor].how}
	if r.How == control.HowBrowser {
		r = control.Request{Action: control.ActionBrowserSetup, Provider: o.provider.ID, Display: control.DisplayOf(o.m.o.Env)}
	}
	return o.ask(r)
}

// begins reports whether r begins a login.
func begins(r control.Request) bool {
	return r.Action == control.ActionLoginStart || r.Action == control.ActionBrowserSetup
}

// waits implements waiting.
func (o *addOverlay) waits() bool { return o.step == addWait && o.flow.How == control.HowBrowser }
