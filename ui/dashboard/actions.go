package dashboard

import (
	"context"
	"errors"
	"io"
	"net/url"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

func matches(msg tea.KeyMsg, b ...key.Binding) bool { return !msg.Paste && key.Matches(msg, b...) }

// tableKey does what a key means while no overlay is open.
func (m *model) tableKey(msg tea.KeyMsg) tea.Cmd {
	switch {
	case m.lost && matches(msg, keysOfEngine...):
		m.say(toneWarn, "no engine answers: this has to wait for one")
		return nil
	case matches(msg, keys.Quit):
		return m.askToQuit()
	case matches(msg, keys.LeaveOn):
		return m.askToLeave()
	case matches(msg, keys.Help):
		m.overlay = &helpOverlay{scroller{m: m}}
		return nil
	case matches(msg, keys.Add):
		return m.openAdd()
	case matches(msg, keys.Unlock):
		return m.openUnlock()
	case matches(msg, keys.Provider):
		m.nextProvider(msg.String() == "shift+tab")
		return nil
	case matches(msg, keys.Client):
		return m.openClient()
	case matches(msg, keys.Strategy):
		m.openStrategy()
		return nil
	case matches(msg, keys.Theme):
		return m.nextTheme()
	case matches(msg, keys.Log):
		return m.openLog()
	case matches(msg, keys.Filter):
		m.startFilter()
		return nil
	case matches(msg, keys.Back) && m.filtered():
		m.clearFilter()
		return nil
	case matches(msg, keys.Back):
		m.toast = toast{}
		return nil
	}
	if m.moveKey(msg) {
		return nil
	}
	if r := m.current(); r != nil {
		return m.accountKey(msg, r)
	}
	return nil
}

// accountKey does what a key means for the selected account.
func (m *model) accountKey(msg tea.KeyMsg, r *row) tea.Cmd {
	switch {
	case matches(msg, keys.Prefer):
		return m.ask(control.Request{Action: control.ActionSwitch, Account: r.ID}, "preferring "+r.label)
	// What is to change is said relative to what is: the state on the screen does not
	// have the key before this one yet.
	case matches(msg, keys.Pause):
		return m.ask(control.Request{Action: control.ActionToggle, Account: r.ID}, "pausing or resuming "+r.label)
	case matches(msg, keys.Renew):
		return m.ask(control.Request{Action: control.ActionRenew, Account: r.ID}, "renewing the token of "+r.label)
	case matches(msg, keys.Usage):
		return m.ask(control.Request{Action: control.ActionUsage, Account: r.ID}, "reading the usage of "+r.label)
	case matches(msg, keys.Earlier) && r.place > 1:
		return m.ask(control.Request{Action: control.ActionMove, Account: r.ID, By: -1}, "moving "+r.label)
	case matches(msg, keys.Later):
		return m.ask(control.Request{Action: control.ActionMove, Account: r.ID, By: 1}, "moving "+r.label)
	case matches(msg, keys.Rename):
		m.overlay = newRename(m, r)
	case matches(msg, keys.Remove):
		m.overlay = newRemove(m, r)
	case matches(msg, keys.Browser):
		return m.openBrowser(r)
	case matches(msg, keys.Why):
		return m.openWhy(r)
	}
	return nil
}

// ask sends an action of the table to the engine.
func (m *model) ask(r control.Request, words string) tea.Cmd {
	m.begin(r, words)
	return m.jobs.do(m.o.Engine, nil, r)
}

// answered takes the engine's answer to whoever asked for it.
func (m *model) answered(msg replyMsg) tea.Cmd {
	m.finish(msg.request)
	if msg.request.Action == control.ActionTheme {
		return m.keptTheme(msg)
	}
	var cmd tea.Cmd
	if msg.to != nil {
		if m.open(msg.to) {
			return msg.to.update(msg)
		}
		if o, ok := msg.to.(orphan); ok {
			cmd = o.orphaned(msg)
		}
		if !alters(msg.request) {
			return cmd // nobody else wants to know any more
		}
	}
	if msg.err != nil {
		m.sayError(msg.err)
	} else {
		m.sayReply(msg.reply)
	}
	return cmd
}

// alters reports whether a request changes something: what came of it is said, also
// when the question was closed meanwhile.
func alters(r control.Request) bool {
	switch r.Action {
	case control.ActionRename, control.ActionRemove, control.ActionStrategy, control.ActionUnlock:
		return true
	}
	return false
}

// sayReply shows what was done as a toast.
func (m *model) sayReply(r control.Reply) {
	switch {
	case r.Message == "":
	case r.Caution:
		m.say(toneWarn, r.Message)
	default:
		m.say(toneGood, r.Message)
	}
}

// moveKey moves the selection.
func (m *model) moveKey(msg tea.KeyMsg) bool {
	switch {
	case matches(msg, keys.Up):
		m.moveBy(-1)
	case matches(msg, keys.Down):
		m.moveBy(1)
	case matches(msg, keys.PageUp):
		m.moveBy(-max(1, m.lay.table-1))
	case matches(msg, keys.PageDown):
		m.moveBy(max(1, m.lay.table-1))
	case matches(msg, keys.Top):
		m.moveBy(-len(m.items))
	case matches(msg, keys.Bottom):
		m.moveBy(len(m.items))
	default:
		return false
	}
	return true
}

// moveBy moves the selection by so many lines, and on past headings.
func (m *model) moveBy(n int) {
	if m.cursor < 0 {
		return
	}
	step := 1
	if n < 0 {
		step = -1
	}
	to := max(0, min(m.cursor+n, len(m.items)-1))
	for to >= 0 && to < len(m.items) && m.items[to].row < 0 {
		to += step
	}
	if to >= 0 && to < len(m.items) {
		m.sel(to)
	} else if n < 0 {
		m.sel(m.firstAccount())
	}
}

func (m *model) sel(i int) {
	m.cursor = i
	m.selected = m.rows[m.items[i].row].ID
}

// firstAccount is the first item that is one; -1: there is none.
func (m *model) firstAccount() int {
	for i := range m.items {
		if m.items[i].row >= 0 {
			return i
		}
	}
	return -1
}

// reselect finds the selected account again after the items changed. Where it
// is gone, the one that took its place is selected.
func (m *model) reselect() {
	for i := range m.items {
		if r := m.items[i].row; r >= 0 && m.rows[r].ID == m.selected {
			m.cursor = i
			return
		}
	}
	first := m.firstAccount()
	if first < 0 {
		m.cursor = -1
		return
	}
	i := max(first, min(m.cursor, len(m.items)-1))
	if m.items[i].row < 0 {
		i++ // below a heading there is always an account
	}
	m.sel(i)
}

// nextProvider shows one provider alone, then the next, then all again.
func (m *model) nextProvider(back bool) {
	ring := append([]string{""}, m.shownProviders()...)
	if len(ring) < 3 {
		return
	}
	at := 0
	for i, id := range ring {
		if id == m.only {
			at = i
		}
	}
	step := 1
	if back {
		step = len(ring) - 1
	}
	m.only = ring[(at+step)%len(ring)]
	clear(m.cache)
	m.arrange()
}

// send writes a sequence to the terminal, beside the frames.
func (m *model) send(sequence string) tea.Cmd {
	return m.jobs.act(func(context.Context) tea.Msg {
		if m.screen != nil {
			_, _ = io.WriteString(m.screen, sequence) // a terminal that is gone ends the program elsewhere
		}
		return nil
	})
}

// copyText puts s on the clipboard of the terminal, over OSC 52: it works where
// the person sits, also over ssh. Where that is pasted, a control character would
// be a key: each line is as clean as one that is drawn.
func (m *model) copyText(s string) tea.Cmd {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if !plain(l) {
			lines[i] = clean(l, maxBytes)
		}
	}
	return m.send(ansi.SetSystemClipboard(strings.Join(lines, "\n")))
}

// openURL opens a page in the usual browser, and tells the overlay whether that could
// be asked for.
func (m *model) openURL(to overlay, address string) tea.Cmd {
	return m.jobs.act(func(context.Context) tea.Msg {
		if m.o.OpenURL == nil {
			return openedMsg{to, errors.New("no browser can be opened from here")}
		}
		if webAddress(address) == "" {
			return openedMsg{to, errors.New("this is not the address of a page")}
		}
		return openedMsg{to, m.o.OpenURL(address)}
	})
}

// webAddress returns s if it is the address of a page and nothing that a
// terminal or a browser would take for something else; else "".
func webAddress(s string) string {
	if !plain(s) || strings.ContainsAny(s, " \"<>`") {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	return s
}
