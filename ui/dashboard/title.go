package dashboard

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/control"
)

const (
	// titlePace is how long a title stays at least. A busy proxy begins and ends
	// requests many times a second, and nobody reads a tab that flickers.
	titlePace = 2 * time.Second
	// titleWidth is more than any window or tab shows.
	titleWidth = 80
)

// What a terminal is told of its title. Its own is put on the stack that xterm
// has for it (XTWINOPS 22 and 23). A terminal without that stack is left with no
// title at the end, which most show as their own, and the shell writes its next.
// ST ends them, and not BEL: where one is not understood, nothing rings.
const (
	saveTitle    = "\x1b[22;2t"
	restoreTitle = "\x1b]2;\x1b\\" + "\x1b[23;2t"
)

// titled reports whether a terminal of that name has a title. The others print
// what sets it.
func titled(env func(string) string) bool {
	switch name := env("TERM"); {
	case name == "":
		return runtime.GOOS == "windows" // where none is named, and each has one
	case name == "dumb", name == "linux", strings.HasPrefix(name, "eterm"), strings.HasPrefix(name, "vt"), strings.HasPrefix(name, "cons"):
		return false
	}
	return true
}

// titles writes the terminal's title. Commands run beside each other and in any
// order, so they all write what is wanted last.
type titles struct {
	out  io.Writer
	want atomic.Pointer[string] // nil: the terminal's own

	mu    sync.Mutex // held while the terminal is written to
	saved bool       // the terminal's own is on its stack
	shown string
}

// set writes what is wanted, unless it is there already.
func (t *titles) set() {
	t.mu.Lock()
	defer t.mu.Unlock()
	want := t.want.Load()
	if want == nil || t.saved && *want == t.shown {
		return
	}
	sequence := "\x1b]2;" + clean(*want, titleWidth) + "\x1b\\"
	if !t.saved {
		sequence = saveTitle + sequence
	}
	t.saved, t.shown = true, *want
	_, _ = io.WriteString(t.out, sequence) // a terminal that is gone ends the program elsewhere
}

// giveBack lets the terminal have its own title again.
func (t *titles) giveBack() {
	t.want.Store(nil)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.saved {
		t.saved = false
		_, _ = io.WriteString(t.out, restoreTitle)
	}
}

// entitle has the terminal's title say how things are, when that has changed.
func (m *model) entitle() tea.Cmd {
	if m.titles == nil || m.away || m.parting != staying {
		return nil
	}
	title := m.title()
	if title == m.titleShown {
		return nil
	}
	if left := titlePace - m.wall.Sub(m.titleAt); left > 0 && m.titleShown != "" {
		m.hold(left)
		return nil
	}
	m.titleShown, m.titleAt = title, m.wall
	t := m.titles
	t.want.Store(&title)
	return m.jobs.act(func(context.Context) tea.Msg {
		t.set()
		return nil
	})
}

// untitle leaves the shell its title while the program is stopped.
func (m *model) untitle() tea.Cmd {
	if m.titles == nil {
		return nil
	}
	m.away, m.titleShown = true, ""
	t := m.titles
	return m.jobs.act(func(context.Context) tea.Msg {
		t.giveBack()
		return nil
	})
}

// title says in few words how things are: what stops everything first, then whom
// the person is needed for, then who serves. There is no countdown in it.
func (m *model) title() string {
	said := ""
	switch {
	case m.lost:
		said = "engine gone"
	case !m.have:
	case m.locked():
		said = "locked"
	case len(m.rows) == 0:
		said = "no account yet"
	case m.everybodyOut():
		if said = "all out"; m.outages()[0].back != nil {
			said += " until " + moment(m.outages()[0].at, m.now, m.zone)
		} else if called := m.calledFor(); called != "" {
			said += ", " + called
		}
	default:
		said = m.calledFor()
		if said == "" {
			said = m.whoServes()
		}
		if said != "" {
			said += ", "
		}
		said += m.readiness()
	}
	if said == "" {
		return m.brand
	}
	return m.text(m.brand+": "+said, titleWidth)
}

// calledFor names the account that its person must sign in again or help; "":
// nobody is called for.
func (m *model) calledFor() string {
	var first *row
	n := 0
	for i := range m.rows {
		if r := &m.rows[i]; m.waitsForPerson(r) {
			if n++; first == nil {
				first = r
			}
		}
	}
	switch n {
	case 0:
		return ""
	case 1:
		return first.label + ": " + stateWords(first.State)
	}
	return fmt.Sprintf("%d accounts need you", n)
}

// waitsForPerson reports whether nothing but its person brings r back. An account
// with a browser session signs in by itself, and one that is paused may wait.
func (m *model) waitsForPerson(r *row) bool {
	switch {
	case r.Paused || m.signingIn(r):
		return false
	case r.State == control.StateNeedsYou:
		return true
	}
	return r.State == control.StateLoginNeeded && (r.Browser == "" || r.Browser == control.BrowserNone)
}

// whoServes names the account that works on requests; "": nobody has any.
func (m *model) whoServes() string {
	var first *row
	n := 0
	for i := range m.rows {
		if m.rows[i].State == control.StateServing {
			if n++; first == nil {
				first = &m.rows[i]
			}
		}
	}
	switch n {
	case 0:
		return ""
	case 1:
		return first.label + " serving"
	}
	return fmt.Sprintf("%d serving", n)
}

// readiness counts the accounts that can take a request, of all.
func (m *model) readiness() string {
	ready := 0
	for i := range m.rows {
		if isReady(m.rows[i].State) {
			ready++
		}
	}
	return fmt.Sprintf("%d/%d ready", ready, len(m.rows))
}
