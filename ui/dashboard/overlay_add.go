package dashboard

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/control"
)

// addStep is one question of adding an account.
type addStep int

const (
	addProvider addStep = iota // whose account
	addTerms                   // the notice, before a provider's first account
	addHow                     // which way to sign in
	addWait                    // the person signs in
	addDone                    // who it is, and what to call it
	addFailed
)

// addOverlay adds an account. Each step is one question, and esc goes back or gives up.
type addOverlay struct {
	m         *model
	step      addStep
	providers []control.Provider
	cursor    int
	provider  control.Provider
	busy      bool // the engine was asked
	flow      control.Flow
	code      field
	terms     scroller
	note      string // what copying or opening came to
	stuck     bool   // it came to nothing
	label     *field // nil: who it is is not known yet
	old       string // the label the account came with

	problem, hint string
}

// openAdd begins with the first question. Where there is nothing yet to seal the
// tokens with, or no way to it, that comes before it.
func (m *model) openAdd() tea.Cmd {
	if m.state.Key.Ask {
		m.overlay = newUnlock(m, m.openAdd)
		return nil
	}
	providers := slices.Clone(m.state.Providers)
	slices.SortFunc(providers, func(a, b control.Provider) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.ID, b.ID))
	})
	if len(providers) == 0 {
		m.say(toneWarn, "the engine knows no provider yet")
		return nil
	}
	o := &addOverlay{m: m, providers: providers, terms: scroller{m: m}, code: codeField()}
	m.overlay = o
	if len(providers) == 1 { // a question with one answer is none
		o.pick(providers[0])
		return nil
	}
	if r := m.current(); r != nil {
		o.cursor = max(0, slices.IndexFunc(providers, func(p control.Provider) bool { return p.ID == r.Provider }))
	}
	return nil
}

// codeField takes a code, which is a secret until it is used: who looks over a
// shoulder, or at a recording of the screen, sees only that one was pasted.
func codeField() field { return field{masked: true} }

func (o *addOverlay) pick(p control.Provider) {
	o.provider = p
	o.problem, o.hint = "", ""
	o.step, o.cursor = addHow, o.firstWay()
	if p.Terms != "" && !p.TermsAccepted {
		o.step = addTerms
	}
}

func (o *addOverlay) keys() []key.Binding {
	switch o.step {
	case addProvider, addHow:
		return []key.Binding{keys.Choose, bind("enter", "go on"), keys.Back}
	case addTerms:
		b := []key.Binding{bind("enter", "I have read this, go on"), keys.Back}
		if o.terms.more() {
			b[0] = bind("enter", "read on") // nobody accepts what was not on the screen
		}
		if o.terms.lines > o.terms.room {
			b = append([]key.Binding{keys.Scroll}, b...)
		}
		return b
	case addWait:
		b := []key.Binding{keys.Cancel}
		if o.waits() {
			return b
		}
		if o.code.value() == "" {
			b = append([]key.Binding{bind("y", "copy the link"), keys.Open}, b...)
			if o.flow.How == control.HowPaste {
				b = append([]key.Binding{bind("paste,", "then enter")}, b...)
			}
			return b
		}
		return append([]key.Binding{bind("enter", "send the code")}, b...)
	case addDone:
		if o.label != nil {
			enter := bind("enter", "keep this label")
			if strings.TrimSpace(o.label.value()) != o.old {
				enter = bind("enter", "use this label")
			}
			return []key.Binding{enter, bind("esc", "close")}
		}
	case addFailed:
		return []key.Binding{keys.Retry, keys.Back}
	}
	return []key.Binding{keys.Back}
}

func (o *addOverlay) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.KeyMsg:
		return o.press(msg)
	case replyMsg:
		return o.answered(msg)
	case openedMsg:
		o.note, o.stuck = "opened in your browser", msg.err != nil
		if o.stuck {
			o.note = "your browser could not be opened from here: open the link yourself"
		}
	case stateMsg:
		for _, f := range msg.state.Flows {
			if o.flow.ID != "" && f.ID == o.flow.ID {
				o.follow(f)
			}
		}
		o.recognise()
	}
	return nil
}

func (o *addOverlay) press(msg tea.KeyMsg) tea.Cmd {
	if o.step == addWait {
		return o.waitKey(msg)
	}
	if o.step == addDone {
		return o.doneKey(msg)
	}
	switch {
	case matches(msg, keys.Back), matches(msg, keys.Quit):
		o.back()
	case o.busy:
	case o.step == addTerms && matches(msg, keys.Scroll):
		o.terms.key(msg)
	case matches(msg, keys.Choose):
		o.choose(msg)
	case matches(msg, keys.Accept), matches(msg, keys.Prefer):
		return o.accept()
	}
	return nil
}

// back goes one question back; from the first one the overlay closes.
func (o *addOverlay) back() {
	several := len(o.providers) > 1
	if several && !o.busy && (o.step == addHow || o.step == addTerms) {
		o.step = addProvider
		o.cursor = max(0, slices.IndexFunc(o.providers, func(p control.Provider) bool { return p.ID == o.provider.ID }))
		o.problem, o.hint = "", ""
		return
	}
	o.m.close()
}

func (o *addOverlay) choose(msg tea.KeyMsg) {
	var ways []way
	n := len(o.providers)
	switch o.step {
	case addProvider:
	case addHow:
		ways = o.ways()
		n = len(ways)
	default: // the others ask nothing of this kind
		return
	}
	step := 1
	if matches(msg, keys.Up) || msg.String() == "shift+tab" {
		step = n - 1
	}
	o.cursor = (o.cursor + step) % n
	for ways != nil && ways[o.cursor].off != "" { // there is always one that can be gone
		o.cursor = (o.cursor + step) % n
	}
}

func (o *addOverlay) accept() tea.Cmd {
	o.problem, o.hint = "", ""
	switch o.step {
	case addProvider:
		o.pick(o.providers[o.cursor])
	case addTerms:
		if o.terms.more() {
			o.terms.top += o.terms.room
			o.terms.bound()
			return nil
		}
		return o.ask(control.Request{Action: control.ActionTerms, Provider: o.provider.ID})
	case addHow:
		return o.signIn()
	case addFailed:
		o.step, o.flow, o.code, o.note = addHow, control.Flow{}, codeField(), ""
	case addWait, addDone:
	}
	return nil
}

func (o *addOverlay) ask(r control.Request) tea.Cmd {
	o.busy = true
	return o.m.jobs.do(o.m.o.Engine, o, r)
}

func (o *addOverlay) waitKey(msg tea.KeyMsg) tea.Cmd {
	// One key is a command only while nothing is typed: a code is pasted, and
	// comes as many characters at once even where the terminal does not mark a paste.
	single := o.code.value() == "" && len(msg.Runes) == 1
	switch {
	case matches(msg, keys.Cancel):
		o.m.close()
		return o.leave()
	case o.waits(): // a code comes out of the window, and from nowhere else
	case matches(msg, keys.Accept):
		code := strings.TrimSpace(o.code.value())
		if code == "" || o.busy {
			return nil
		}
		o.problem, o.hint = "", ""
		o.code = codeField()
		return o.ask(control.Request{Action: control.ActionLoginCode, Flow: o.flow.ID, Code: code})
	case single && matches(msg, keys.Copy):
		o.note, o.stuck = "link sent to the clipboard", false
		return o.m.copyText(cmp.Or(webAddress(o.flow.URL), clean(o.flow.URL, maxBytes)))
	case single && matches(msg, keys.Open):
		o.note = ""
		return o.m.openURL(o, o.flow.URL)
	case o.code.update(msg):
		o.problem, o.hint = "", ""
	}
	return nil
}

// leave gives up a login that waits for the person.
func (o *addOverlay) leave() tea.Cmd {
	if o.step != addWait || o.flow.ID == "" {
		return nil
	}
	return o.m.jobs.do(o.m.o.Engine, o, control.Request{Action: control.ActionLoginCancel, Flow: o.flow.ID})
}

func (o *addOverlay) answered(msg replyMsg) tea.Cmd {
	if msg.request.Action != control.ActionLoginWait {
		o.busy = false
	}
	if msg.err != nil {
		if begins(msg.request) && wantsPassphrase(msg.err) {
			o.m.overlay = newUnlock(o.m, func() tea.Cmd { o.m.overlay = o; return o.accept() })
			return nil
		}
		o.problem, o.hint = o.m.errorWords(msg.err)
		if e, ok := errors.AsType[*control.Error](msg.err); ok && msg.request.Action == control.ActionLoginCode {
			o.flow.Problem = e.Message // a state that says the same later is no news
		}
		if msg.request.Action == control.ActionLoginWait && o.step == addWait {
			o.step = addFailed
		}
		return nil
	}
	switch msg.request.Action {
	case control.ActionTerms:
		o.provider.TermsAccepted = true
		o.step, o.cursor = addHow, o.firstWay()
	case control.ActionLoginStart, control.ActionBrowserSetup:
		return o.started(msg.reply.Flow)
	case control.ActionLoginCode, control.ActionLoginWait:
		if msg.reply.Flow != nil {
			o.follow(*msg.reply.Flow)
			o.recognise()
		}
	case control.ActionRename:
		o.m.say(toneGood, cmp.Or(msg.reply.Message, "renamed to "+msg.request.Label))
		o.m.close()
	}
	return nil
}

func (o *addOverlay) started(f *control.Flow) tea.Cmd {
	if f == nil {
		o.problem, o.hint = "the engine did not say where to sign in", ""
		return nil
	}
	o.step = addWait
	cmd := o.m.jobs.awaitLogin(o.m.o.Engine, o, f.ID)
	o.follow(*f)
	if f.How == control.HowLoopback {
		cmd = tea.Batch(cmd, o.m.openURL(o, f.URL))
	}
	return cmd
}

// orphaned takes an answer that came after the overlay was closed: a login that
// was begun for nobody is given up.
func (o *addOverlay) orphaned(msg replyMsg) tea.Cmd {
	if !begins(msg.request) || msg.reply.Flow == nil {
		return nil
	}
	return o.m.jobs.do(o.m.o.Engine, o, control.Request{Action: control.ActionLoginCancel, Flow: msg.reply.Flow.ID})
}

// follow takes what is new about the login.
func (o *addOverlay) follow(f control.Flow) {
	if o.step != addWait {
		return
	}
	if f.URL == "" {
		f.URL = o.flow.URL
	}
	news := f.Problem != o.flow.Problem
	o.flow = f
	if news && f.Problem != "" {
		o.problem, o.hint = o.m.text(f.Problem, 300), o.m.text(f.Hint, 300)
	}
	switch f.State {
	case control.FlowDone:
		o.step, o.problem, o.hint = addDone, "", ""
	case control.FlowFailed:
		o.step = addFailed
	}
}

// account is the account that was added; nil while the state does not show it yet.
func (o *addOverlay) account() *row {
	for i := range o.m.rows {
		if o.flow.Account != "" && o.m.rows[i].ID == o.flow.Account {
			return &o.m.rows[i]
		}
	}
	return nil
}

// recognise fills in the label once the account is in the state.
func (o *addOverlay) recognise() {
	r := o.account()
	if o.step != addDone || o.label != nil || r == nil {
		return
	}
	f := newField(clean(r.Label, labelLimit), labelLimit)
	o.label, o.old = &f, r.Label
	for i := range o.m.items { // what was added is what one looks at next
		if at := o.m.items[i].row; at >= 0 && o.m.rows[at].ID == r.ID {
			o.m.sel(i)
		}
	}
}

func (o *addOverlay) doneKey(msg tea.KeyMsg) tea.Cmd {
	switch {
	case matches(msg, keys.Back):
		o.m.close()
	case o.busy:
	case o.label == nil:
	case matches(msg, keys.Accept):
		label := oneSpaced(o.label.value())
		if label == o.old {
			o.m.close()
			return nil
		}
		if o.problem = o.m.labelProblem(label, o.flow.Account); o.problem != "" {
			return nil
		}
		return o.ask(control.Request{Action: control.ActionRename, Account: o.flow.Account, Label: label})
	case o.label.update(msg):
		o.problem, o.hint = o.m.typedProblem(o.label, o.flow.Account), ""
	}
	return nil
}
