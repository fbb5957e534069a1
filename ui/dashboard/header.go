package dashboard

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"
)

// piece is a part of the header: words and how they are drawn.
type piece struct {
	text  string
	style lipgloss.Style
}

func width(pieces []piece) int {
	n := 0
	for _, p := range pieces {
		n += ansi.StringWidth(p.text)
	}
	return n
}

func render(pieces []piece) string {
	var b strings.Builder
	for _, p := range pieces {
		if p.text != "" {
			b.WriteString(p.style.Render(p.text))
		}
	}
	return b.String()
}

// drawHeader draws the first line: what this is on the left, what it does on the
// right. What does not fit goes, the least wanted first.
func (m *model) drawHeader() string {
	t := m.th
	brand := []piece{{" " + m.brand, t.badge}}
	if m.th.profile != termenv.Ascii {
		brand[0].text += " " // the badge has an edge
	}
	scope := piece{gap(m.scope()), t.strong}
	count := piece{gap(m.count()), t.text}
	strategy := piece{style: t.dim}
	if name := m.text(m.state.Strategy.Name, 16); name != "" && len(m.rows) > 1 {
		strategy.text = gap("strategy " + name)
	}
	key := m.keyNote()
	clock := piece{"   " + m.now.In(m.zone).Format("15:04") + " ", t.dim}
	m.hold(time.Minute - time.Duration(m.now.Second())*time.Second - time.Duration(m.now.Nanosecond()))
	flight := m.flight()
	listen := m.listening()

	for _, try := range []struct{ left, right []piece }{
		{[]piece{scope, count, strategy, key}, []piece{listen, flight, clock}},
		{[]piece{scope, count, key}, []piece{listen, flight, clock}},
		{[]piece{count, strategy, key}, []piece{listen, flight, clock}},
		{[]piece{count, key}, []piece{listen, flight, clock}},
		{[]piece{count, key}, []piece{flight, clock}},
		{[]piece{count, key}, []piece{flight}},
		{[]piece{key}, []piece{flight}},
		{[]piece{key}, nil},
	} {
		left := slices.Concat(brand, try.left)
		if gap := m.width - width(left) - width(try.right); gap >= 2 || len(try.right) == 0 && gap >= 0 {
			return render(left) + strings.Repeat(" ", gap) + render(try.right)
		}
	}
	return render(brand)
}

// gap sets a text off from what stands before it; nothing stays nothing.
func gap(s string) string {
	if s == "" {
		return ""
	}
	return "  " + s
}

// scope is whose accounts the table shows.
func (m *model) scope() string {
	shown := m.shownProviders()
	switch {
	case m.only != "":
		return m.providerName(m.only)
	case len(shown) == 1:
		return m.providerName(shown[0])
	case len(shown) > 1:
		return plural(len(shown), "provider")
	}
	return ""
}

// count says how many accounts are shown, and how many of them could serve.
func (m *model) count() string {
	if !m.have {
		return "connecting"
	}
	if m.filtered() {
		shown := 0
		for _, it := range m.items {
			if it.row >= 0 {
				shown++
			}
		}
		return m.found(shown, len(m.rows))
	}
	n, ready := 0, 0
	for i := range m.rows {
		if m.only != "" && m.rows[i].Provider != m.only {
			continue
		}
		n++
		if isReady(m.rows[i].State) {
			ready++
		}
	}
	switch {
	case n == 0 && m.hidden():
		return "no account to show"
	case n == 0:
		return "no account yet"
	}
	if m.still() {
		return plural(n, "account") // what stands beside it says why none is ready
	}
	return fmt.Sprintf("%s, %d ready", plural(n, "account"), ready)
}

// hidden reports whether there are accounts though none is shown: accounts.json is
// damaged, and the vault that knows them is shut.
func (m *model) hidden() bool { return len(m.rows) == 0 && m.state.Hidden }

// keyNote says in the header that the vault waits for the person.
func (m *model) keyNote() piece {
	if !m.have || !m.locked() {
		return piece{}
	}
	return piece{gap(m.th.g.needsYou + " needs you: locked"), m.th.bad}
}

// locked reports whether there is a key to the vault that cannot be used. Before
// the first account there is none, and nothing is locked by it.
func (m *model) locked() bool {
	k := &m.state.Key
	switch {
	case k.New, k.State == "", k.State == "ok":
		return false
	case k.Ask:
		return true
	}
	return k.State != "unasked" && k.Message != ""
}

// listening is the address of the proxy.
func (m *model) listening() piece {
	switch {
	case !m.have || m.lost:
		return piece{}
	case m.state.Engine.Listen == "":
		return piece{"not listening", m.th.warn}
	case !m.owner():
		return piece{"attached to " + m.text(m.state.Engine.Listen, 40), m.th.dim}
	}
	return piece{"proxy " + m.text(m.state.Engine.Listen, 40), m.th.dim}
}

// flight says how many requests are under way.
func (m *model) flight() piece {
	switch n := m.inFlight(); {
	case m.lost:
		return piece{"   " + m.th.g.needsYou + " engine gone", m.th.bad}
	case !m.have:
		return piece{}
	case n > 0:
		return piece{fmt.Sprintf("   %s %d in flight", m.th.g.active, n), m.th.ok}
	default:
		return piece{"   " + m.th.g.idle + " idle", m.th.dim}
	}
}

// inFlight is the number of requests under way.
func (m *model) inFlight() int {
	n := 0
	for i := range m.state.Accounts {
		n += m.state.Accounts[i].InFlight
	}
	return n
}

// owner reports whether the engine runs in this process, and so ends with the screen.
func (m *model) owner() bool { return m.state.Engine.PID == m.pid }
