package dashboard

import (
	"context"
	"maps"
	"time"

	tea "github.com/charmbracelet/bubbletea"
)

const (
	// noticePace is the shortest time between two notices of one kind. What changes
	// back and forth within it is told once, as it is at its end, or not at all.
	noticePace = time.Minute
	// noticeTime is how long a desktop may take to show a notice.
	noticeTime = 5 * time.Second
	// noticeWidth is what a desktop shows of a text at most.
	noticeWidth = 160
)

// notice is what a person is told who looks elsewhere.
type notice string

const (
	noticeOut   notice = "out"     // every account is out
	noticeBack  notice = "back"    // and one can serve again
	noticeLogin notice = "sign-in" // only the person brings an account back
)

// tidings are what notices are about, as the state of the engine has it.
type tidings struct {
	out    bool            // every account is out
	asking map[string]bool // accounts that only their person brings back
}

// herald decides what is worth a notice, and when: at most one a minute on whether
// everybody is out, and one on who is to sign in. It compares what is so with
// what was told, so that nothing is told that is no longer so. What was so when
// the screen began is told by the screen.
type herald struct {
	begun   bool
	now     tidings
	told    tidings
	outAt   time.Time
	askedAt time.Time
}

// hear takes what is so.
func (h *herald) hear(t tidings) {
	h.now = t
	if !h.begun {
		h.begun, h.told = true, tidings{t.out, maps.Clone(t.asking)}
		return
	}
	maps.DeleteFunc(h.told.asking, func(id string, _ bool) bool { return !t.asking[id] })
}

// due takes the notices whose time has come, and says when the next one's does.
func (h *herald) due(now time.Time) (notices []notice, next time.Duration) {
	next = forever
	if h.now.out != h.told.out {
		if left := noticePace - now.Sub(h.outAt); left > 0 && !h.outAt.IsZero() {
			next = left
		} else {
			h.outAt, h.told.out = now, h.now.out
			n := noticeBack
			if h.now.out {
				n = noticeOut
			}
			notices = append(notices, n)
		}
	}
	if len(h.told.asking) < len(h.now.asking) { // those told of are among those asking
		if left := noticePace - now.Sub(h.askedAt); left > 0 && !h.askedAt.IsZero() {
			next = min(next, left)
		} else {
			h.askedAt, h.told.asking = now, maps.Clone(h.now.asking)
			notices = append(notices, noticeLogin)
		}
	}
	return notices, next
}

// tell lets the herald hear what the engine said. A locked vault says nothing of
// the accounts.
func (m *model) tell(out bool) {
	if len(m.rows) == 0 || m.locked() {
		return
	}
	t := tidings{out: out, asking: map[string]bool{}}
	for i := range m.rows {
		if r := &m.rows[i]; m.waitsForPerson(r) {
			t.asking[r.ID] = true
		}
	}
	m.herald.hear(t)
}

// announce sends the notices that are due.
func (m *model) announce() tea.Cmd {
	if m.parting != staying || m.still() || m.outlet == "" {
		return nil
	}
	notices, next := m.herald.due(m.wall)
	m.hold(next)
	var cmds []tea.Cmd
	for _, n := range notices {
		if m.o.Quiet.has(n) {
			continue
		}
		cmds = append(cmds, m.notify(n, m.text(m.noticeWords(n), noticeWidth)))
	}
	return tea.Batch(cmds...)
}

func (e Events) has(n notice) bool {
	switch n {
	case noticeOut:
		return e.Out
	case noticeBack:
		return e.Back
	case noticeLogin:
		return e.SignIn
	}
	return false
}

// noticeWords words a notice. It stands under the name of the program.
func (m *model) noticeWords(n notice) string {
	switch n {
	case noticeOut:
		o := m.outages()[0]
		if o.back == nil {
			return "every account is out, and none returns by itself"
		}
		return "every account is out; " + o.back.label + " returns first, at " + moment(o.at, m.now, m.zone)
	case noticeBack:
		for i := range m.rows {
			if canServe(m.rows[i].State) {
				return m.rows[i].label + " is back: requests are served again"
			}
		}
		return "requests are served again"
	case noticeLogin:
	}
	return m.calledFor()
}

// notify shows a notice the way this terminal has.
func (m *model) notify(n notice, text string) tea.Cmd {
	if m.outlet != outletDesktop {
		return m.send(m.outlet.sequence(n, m.brand, text, m.inTmux))
	}
	show, title := m.o.Desktop, m.brand
	return m.jobs.act(func(ctx context.Context) tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, noticeTime)
		defer cancel()
		show(ctx, title, text)
		return nil
	})
}
