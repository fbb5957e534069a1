package dashboard

import (
	"cmp"
	"slices"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/control"
)

// browserPage is what the overlay of a browser session shows.
type browserPage int

const (
	browserFacts    browserPage = iota
	browserForget               // asks before the session goes
	browserTakeOver             // asks before a profile of another computer is used
	browserWindow               // the person signs in in a window
	browserDone                 // who it turned out to be
)

// browserOverlay shows an account's browser session, and does what can be done with it.
type browserOverlay struct {
	m       *model
	account string
	page    browserPage
	facts   scroller

	info   *control.Browser // nil: the engine has not told yet
	mute   string           // why it did not tell
	seen   string           // what the state said when it was last asked
	asking bool
	stale  bool // the state said something else meanwhile: ask once more

	busy   string       // what the engine was asked for, in words; "": nothing
	over   bool         // the window that is asked for takes the profile over
	since  time.Time    // when this screen began a sign-in without a window; zero: it did not
	window control.Flow // of browserWindow
	left   bool         // the person went back to the table while a window is open
	note   string       // what went well
	take   bool         // the profile may be taken over

	problem, hint string
}

// openBrowser shows the browser session of r.
func (m *model) openBrowser(r *row) tea.Cmd {
	o := &browserOverlay{m: m, account: r.ID, facts: scroller{m: m}}
	for _, p := range m.pending { // begun here before, and left to itself
		if p.request == o.loginRequest() {
			o.since = p.since
		}
	}
	m.overlay = o
	return tea.Batch(o.refresh(), o.attach())
}

func (o *browserOverlay) row() *row {
	i := slices.IndexFunc(o.m.rows, func(r row) bool { return r.ID == o.account })
	if i < 0 {
		return nil
	}
	return &o.m.rows[i]
}

// session is the state of the session; "": it is not known yet.
func (o *browserOverlay) session() string {
	switch r := o.row(); {
	case r != nil && r.Browser != "":
		return r.Browser
	case o.info != nil:
		return cmp.Or(o.info.State, control.BrowserNone)
	}
	return ""
}

// exists reports whether there is a session at all.
func (o *browserOverlay) exists() bool {
	s := o.session()
	return s != "" && s != control.BrowserNone
}

// signing reports whether the account is being signed in without a window.
func (o *browserOverlay) signing() bool {
	f := o.m.browserFlow(o.account)
	return !o.since.IsZero() || (f != nil && !f.Visible)
}

func (o *browserOverlay) picture() string {
	if o.info == nil {
		return ""
	}
	return o.info.Screenshot
}

func (o *browserOverlay) keys() []key.Binding {
	switch {
	case o.row() == nil, o.page == browserDone:
		return []key.Binding{bind("esc", "close")}
	case o.page == browserWindow:
		return []key.Binding{keys.Leave, keys.Cancel}
	case o.page == browserForget && o.busy == "":
		return []key.Binding{bind("y", "remove"), bind("n esc", "keep")}
	case o.page == browserTakeOver:
		return []key.Binding{bind("y", "take it over"), bind("n esc", "leave it alone")}
	}
	b := o.factsKeys()
	if o.facts.lines > o.facts.room {
		b = append(b, keys.Scroll)
	}
	if o.picture() != "" && o.busy == "" && !o.signing() {
		b = append(b, keys.Picture) // last: what stands above the path says it too
	}
	return b
}

func (o *browserOverlay) factsKeys() []key.Binding {
	switch {
	case o.busy != "":
		return []key.Binding{keys.Back}
	case o.signing():
		return []key.Binding{bind("esc", "back, it goes on")}
	}
	var b []key.Binding
	switch {
	case o.take:
		b = append(b, keys.TakeOver)
	case o.m.noWindow(o.provider()) != "":
	case !o.exists():
		b = append(b, bind("s", "set it up in a window"))
	default:
		b = append(b, keys.Window)
	}
	if o.exists() {
		b = append(b, keys.SignIn, keys.Forget)
	}
	return append(b, keys.Back)
}

// provider is the account's; nothing is known of one that is gone.
func (o *browserOverlay) provider() control.Provider {
	if r := o.row(); r != nil {
		return o.m.provider(r.Provider)
	}
	return control.Provider{}
}

// windowWords say how a window is opened, or, where none can be, what is left.
func (o *browserOverlay) windowWords(words string) string {
	provider := o.provider()
	off := o.m.noWindow(provider)
	if off == "" {
		return words
	}
	words = "A window cannot be opened: " + off + "."
	if provider.HasPaste {
		words += " To sign this account in again: " + keys.Add.Help().Key + " in the table, and paste the code, which comes from a browser on any machine."
	}
	return words
}

func (o *browserOverlay) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.KeyMsg:
		return o.press(msg)
	case replyMsg:
		return o.answered(msg)
	case stateMsg:
		return o.look()
	}
	return nil
}

// look takes what a new state says about the account and its browser.
func (o *browserOverlay) look() tea.Cmd {
	if o.page == browserWindow {
		for _, f := range o.m.state.Flows {
			if f.ID == o.window.ID {
				return o.follow(f)
			}
		}
		return nil
	}
	if o.seen != o.sight() {
		return tea.Batch(o.refresh(), o.attach())
	}
	return o.attach()
}

// sight is what a state says about the session: with it changes what the engine
// can tell besides.
func (o *browserOverlay) sight() string {
	r := o.row()
	if r == nil {
		return ""
	}
	s := r.State + "\n" + r.Reason + "\n" + r.Browser
	if f := o.m.browserFlow(o.account); f != nil {
		s += "\n" + f.ID
	}
	return s
}

// refresh asks what the state does not hold: sizes, times and files.
func (o *browserOverlay) refresh() tea.Cmd {
	o.seen = o.sight()
	if o.asking || o.row() == nil {
		o.stale = o.asking
		return nil
	}
	o.asking = true
	return o.do(control.Request{Action: control.ActionBrowserStatus, Account: o.account})
}

// attach follows a window that is open already, whoever opened it.
func (o *browserOverlay) attach() tea.Cmd {
	f := o.m.browserFlow(o.account)
	if f == nil || !f.Visible || o.page != browserFacts || o.busy != "" {
		return nil
	}
	return o.opened(*f)
}

// opened shows the window's page until the flow has ended.
func (o *browserOverlay) opened(f control.Flow) tea.Cmd {
	o.page, o.window = browserWindow, f
	o.forgetWords()
	return tea.Batch(o.m.jobs.awaitLogin(o.m.o.Engine, o, f.ID), o.follow(f))
}

// follow takes what is new about the window's flow.
func (o *browserOverlay) follow(f control.Flow) tea.Cmd {
	o.window = f
	switch f.State {
	case control.FlowDone:
		return o.ended(browserDone)
	case control.FlowFailed:
		cmd := o.ended(browserFacts)
		o.problem, o.hint = cmp.Or(o.m.text(f.Problem, 300), "the sign-in did not succeed"), o.m.text(f.Hint, 300)
		return cmd
	}
	return nil
}

// ended leaves the window's page.
func (o *browserOverlay) ended(page browserPage) tea.Cmd {
	o.m.past = append(o.m.past[max(0, len(o.m.past)-15):], o.window.ID)
	o.page, o.window = page, control.Flow{}
	o.forgetWords()
	return o.refresh()
}

func (o *browserOverlay) forgetWords() {
	o.problem, o.hint, o.note, o.take = "", "", "", false
}

// waits implements waiting.
func (o *browserOverlay) waits() bool { return o.page == browserWindow }

// leave gives up the window that waits for the person.
func (o *browserOverlay) leave() tea.Cmd {
	if !o.waits() {
		return nil
	}
	return o.do(control.Request{Action: control.ActionLoginCancel, Flow: o.window.ID})
}

func (o *browserOverlay) do(r control.Request) tea.Cmd { return o.m.jobs.do(o.m.o.Engine, o, r) }
