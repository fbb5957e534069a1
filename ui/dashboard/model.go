package dashboard

import (
	"io"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/control"
)

// model is the root of the screen. Update changes it and composes the frame;
// View hands the frame out. Everything on the screen follows from its fields.
type model struct {
	o      Options
	jobs   *jobs
	screen io.Writer // for what is no frame: the bell, the clipboard, a question to the terminal
	probe  *probe    // reads the terminal's answers out of the keys; nil: nothing is asked
	clock  func() time.Time
	zone   *time.Location
	pid    int
	// desktop says that windows are shown without a display that is named in the
	// environment, as X11 and Wayland do it.
	desktop bool
	brand   string
	th      *theme
	choice  string // one of Themes
	dark    bool   // the background, as far as the terminal said
	chose   bool   // the person chose a theme on this screen
	keeping bool   // the engine is told which

	width, height int
	lay           layout

	state   control.State
	have    bool      // a state came
	at      time.Time // when it came, by clock
	wall    time.Time // the screen's own time
	now     time.Time // the engine's time
	states  <-chan control.State
	lost    bool // the engine went away
	retries int
	problem string // why it cannot be reached

	rows     []row
	items    []item
	selected string // account
	cursor   int    // its place in items; -1: nothing is selected
	top      int    // the first item on the screen
	only     string // the provider shown alone; "": all
	filter   filter

	mouse   pointer
	sheet   bool // a sheet is on the screen
	overlay overlay
	spared  string // state of the key for which the person closed the unlock overlay
	toast   toast
	pending []pending
	past    []string // windows that this screen knows to be over: the state tells it later
	seen    uint64   // the newest line of the feed that was looked at
	rung    bool     // the bell rang for this outage
	titles  *titles  // the terminal's title; nil: it is left alone
	outlet  outlet   // how notices leave the screen
	inTmux  bool     // they go through it
	herald  herald   // what is worth one
	away    bool     // the program is about to be suspended
	parting parting  // how the screen ends, as soon as it does

	titleShown string    // the title asked for last; "": none yet
	titleAt    time.Time // when that was

	frame   string
	dirty   bool // the frame is no longer true
	cache   map[int]cachedRow
	holds   time.Duration // how long the frame stays true by itself
	alarm   int           // number of the newest tick asked for
	alarmAt time.Time     // when it fires; zero: none is under way
}

// Init implements tea.Model.
func (m *model) Init() tea.Cmd {
	m.compose()
	return tea.Batch(m.jobs.watch(m.o.Engine), m.jobs.untilEnd(), m.askBackground(), m.listen(), m.entitle(), m.arm())
}

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	m.look()
	cmd := m.handle(msg)
	if m.dirty {
		m.compose()
	}
	return m, tea.Batch(cmd, m.listen(), m.entitle(), m.announce(), m.arm())
}

// View implements tea.Model.
func (m *model) View() string { return m.frame }

// look reads the clock. The engine's time is what it said last, and what has
// passed since.
func (m *model) look() {
	m.wall = m.clock()
	m.now = m.wall
	if m.have {
		m.now = m.state.Now.Add(m.wall.Sub(m.at))
	}
}

func (m *model) handle(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tickMsg:
		if msg.alarm != m.alarm {
			return nil // a sooner one took its place
		}
		m.alarmAt = time.Time{}
		m.dirty = true
		m.expireToast()
		return nil
	case resizedMsg:
		m.setSize(msg.Width, msg.Height)
		return nil
	case tea.KeyMsg:
		m.dirty = true
		if matches(msg, keys.Suspend) {
			return m.suspend()
		}
		return m.press(msg)
	case tea.MouseMsg:
		m.dirty = true
		return m.click(tea.MouseEvent(msg))
	case stateMsg:
		return tea.Batch(m.take(msg.state), m.jobs.listen(m.states, pace))
	case watchMsg, goneMsg, retryMsg:
		m.dirty = true
		return m.follow(msg)
	case replyMsg:
		m.dirty = true
		return m.answered(msg)
	case openedMsg:
		m.dirty = true
		if m.open(msg.to) {
			return msg.to.update(msg)
		}
		return nil
	case backgroundMsg:
		m.dark = msg.dark
		m.wear()
		return nil
	case resumedMsg:
		m.dirty = true
		m.resumed(msg)
		return nil
	case endMsg:
		return m.part(ending)
	}
	return nil
}

// press gives a key to the overlay, or to the table when none is open. Keys that
// were pressed quickly, or over a slow line, come as one message: it is taken
// apart, unless somebody types a text or it looks like a paste that the terminal
// did not mark.
func (m *model) press(msg tea.KeyMsg) tea.Cmd {
	if m.parting != staying {
		return nil
	}
	// No key of ours has alt: it is esc and the next key, read at once by a screen
	// that was busy.
	if msg.Alt && !m.typing() {
		msg.Alt = false
		return tea.Batch(m.press(tea.KeyMsg{Type: tea.KeyEsc}), m.press(msg))
	}
	if n := len(msg.Runes); n > 1 && !msg.Paste && !m.typing() && (n <= 3 || allSame(msg.Runes) || onlyMoves(msg.Runes)) {
		first, rest := msg, msg
		first.Runes, rest.Runes = msg.Runes[:1], msg.Runes[1:]
		return tea.Batch(m.press(first), m.press(rest))
	}
	if m.overlay != nil {
		if matches(msg, keys.Interrupt) {
			return m.askToQuit()
		}
		return m.overlay.update(msg)
	}
	if m.filter.typing && !matches(msg, keys.Interrupt) {
		return m.filterKey(msg)
	}
	return m.tableKey(msg)
}

// typing reports whether keys go into a text.
func (m *model) typing() bool {
	switch o := m.overlay.(type) {
	case *renameOverlay, *unlockOverlay:
		return true
	case *addOverlay:
		return (o.step == addWait && !o.waits()) || o.step == addDone
	case nil:
		return m.filter.typing
	}
	return false
}

// onlyMoves reports whether rs do nothing but move the selection, so that a text
// that looks like them does no harm.
func onlyMoves(rs []rune) bool {
	return !slices.ContainsFunc(rs, func(r rune) bool { return !strings.ContainsRune("jkgG", r) })
}

func allSame(rs []rune) bool {
	return !slices.ContainsFunc(rs, func(r rune) bool { return r != rs[0] })
}

// follow keeps the connection to the engine: it takes a watch, and asks again
// when one ended.
func (m *model) follow(msg tea.Msg) tea.Cmd {
	if w, ok := msg.(watchMsg); ok && w.err == nil {
		m.states = w.states
		return m.jobs.listen(w.states, 0)
	}
	if _, ok := msg.(retryMsg); ok {
		return m.jobs.watch(m.o.Engine)
	}
	if !m.lost {
		m.lost, m.toast = true, toast{} // what was said last is old
		clear(m.cache)
	}
	m.states = nil
	if w, ok := msg.(watchMsg); ok {
		m.problem, _ = m.errorWords(w.err)
	}
	m.retries++
	return m.jobs.after(min(time.Duration(m.retries)*time.Second, 5*time.Second), retryMsg{})
}

// take makes s what the screen shows.
func (m *model) take(s control.State) tea.Cmd {
	first := !m.have
	m.state, m.have, m.at = s, true, m.wall
	m.now = s.Now
	if m.lost {
		m.lost, m.retries, m.problem = false, 0, ""
		m.say(toneGood, "the engine is back")
	}
	m.dirty = true
	clear(m.cache)
	m.arrange()
	cmd := tea.Batch(m.news(first), m.remembered(first))
	m.offerUnlock()
	if m.overlay != nil {
		return tea.Batch(cmd, m.overlay.update(stateMsg{s}))
	}
	return cmd
}

// setSize fits the screen to the terminal.
func (m *model) setSize(width, height int) {
	m.width, m.height = max(width, 0), max(height, 0)
	m.dirty = true
	m.layout()
}

func (m *model) setTheme(th *theme) {
	m.th = th
	clear(m.cache)
	m.dirty = true
}

// hold says that something just drawn stays true for d only.
func (m *model) hold(d time.Duration) { m.holds = min(m.holds, d) }

// arm asks for a tick at the moment from which the frame is no longer true,
// unless one comes before that anyway.
func (m *model) arm() tea.Cmd {
	if m.holds >= forever || m.parting != staying {
		return nil
	}
	wait := max(m.holds, 10*time.Millisecond)
	at := m.wall.Add(wait)
	if !m.alarmAt.IsZero() && !at.Before(m.alarmAt) {
		return nil
	}
	m.alarm++
	m.alarmAt = at
	return m.jobs.after(wait, tickMsg{m.alarm})
}

// text makes a text from outside safe to draw, in the characters of this screen.
func (m *model) text(s string, width int) string {
	s = clean(s, width)
	if m.th.ascii {
		s = ascii(s)
	}
	return s
}
