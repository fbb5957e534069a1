package dashboard

import (
	"cmp"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/control"
)

// passphraseLimit bounds what may be typed as a passphrase.
const passphraseLimit = 1024

// unlockOverlay asks for the passphrase of the vault, or, where there is no
// vault yet, for one to make it with: twice, because nobody sees what is typed.
type unlockOverlay struct {
	m             *model
	then          func() tea.Cmd // what the person was about to do; nil: nothing
	input         field
	first         string // typed once already
	busy          bool
	asked         bool // the engine said yes; the state is to show it
	problem, hint string
}

// offerUnlock opens the question when the engine says that a passphrase would
// help, and closes it when it no longer does. Where the person has closed it, it
// stays closed until the key is in another state.
func (m *model) offerUnlock() {
	k := &m.state.Key
	if o, open := m.overlay.(*unlockOverlay); open && !k.Ask && !o.busy && o.then == nil {
		o.forget()
		m.close()
		return
	}
	if !k.Ask {
		m.spared = ""
		return
	}
	if m.overlay == nil && !k.New && m.spared != k.State {
		m.overlay = newUnlock(m, nil)
	}
}

func newUnlock(m *model, then func() tea.Cmd) *unlockOverlay {
	o := &unlockOverlay{m: m, then: then}
	o.forget()
	return o
}

// forget drops what was typed.
func (o *unlockOverlay) forget() {
	clear(o.input.runes)
	o.first = ""
	o.input = field{masked: true, limit: passphraseLimit}
}

// openUnlock is the key's way to it. Where a passphrase does not help, the
// system's keyring is asked again: its own prompt may come up.
func (m *model) openUnlock() tea.Cmd {
	switch {
	case m.state.Key.Ask:
		m.overlay = newUnlock(m, nil)
		return nil
	case !m.have || !m.locked():
		m.say(toneInfo, "the vault is not locked")
		return nil
	}
	return m.ask(control.Request{Action: control.ActionUnlock}, "waiting for the system's keyring, which may ask you in a window of its own")
}

func (o *unlockOverlay) keys() []key.Binding {
	if o.m.state.Key.New {
		return []key.Binding{keys.Accept, keys.Back}
	}
	return []key.Binding{bind("enter", "unlock"), bind("esc", "leave it locked")}
}

func (o *unlockOverlay) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case replyMsg:
		o.busy = false
		if msg.err != nil {
			o.problem, o.hint = o.m.errorWords(msg.err)
			return nil
		}
		o.m.say(toneGood, cmp.Or(msg.reply.Message, "the vault is unlocked"))
		o.asked = true
		return o.done()
	case stateMsg:
		return o.done()
	case tea.KeyMsg:
		switch {
		case matches(msg, keys.Back):
			o.m.spared = o.m.state.Key.State
			o.forget()
			o.m.close()
		case o.busy:
		case matches(msg, keys.Accept):
			return o.accept()
		case o.input.update(msg):
			o.problem, o.hint = "", ""
		}
	}
	return nil
}

// done closes the question once it is answered, and goes on with what the person
// was about to do as soon as the state says that it can be done.
func (o *unlockOverlay) done() tea.Cmd {
	switch {
	case !o.asked:
	case o.then == nil:
		o.m.close()
	case !o.m.state.Key.Ask:
		return o.then()
	}
	return nil
}

func (o *unlockOverlay) accept() tea.Cmd {
	typed, first := o.input.value(), o.first
	switch {
	case typed == "":
		o.problem, o.hint = "type the passphrase first", ""
		return nil
	case o.m.state.Key.New && first == "":
		o.forget()
		o.first = typed
		return nil
	case o.m.state.Key.New && first != typed:
		o.forget()
		o.problem, o.hint = "the two were not the same", "choose it once more"
		return nil
	}
	o.forget()
	o.busy = true
	return o.m.jobs.do(o.m.o.Engine, o, control.Request{Action: control.ActionUnlock, Passphrase: typed})
}

func (o *unlockOverlay) view(width, _ int) panel {
	m, t := o.m, o.m.th
	w := min(width, 60)
	title, text := "Unlock", cmp.Or(m.text(m.state.Key.Message, 300), "The tokens are sealed with a passphrase.")
	if m.state.Key.New {
		title, text = "Choose a passphrase", "There is no keyring here to keep the key in: the tokens will be sealed with a passphrase of yours. It is asked for at each start, and nobody can recover it."
		if o.first != "" {
			text = "Once more, to be sure of what was typed."
		}
	}
	if o.problem == text || m.state.Key.State == "wrong_passphrase" {
		text = "The tokens are sealed with a passphrase." // what is wrong stands below, once
	}
	lines := append(m.wrap(text, w, t.text.Render), "", m.input(&o.input, w))
	switch {
	case o.busy, o.asked:
		lines = append(lines, m.spinner()+t.dim.Render(" unlocking"))
	default:
		problem, hint := o.problem, o.hint
		if problem == "" && m.state.Key.State == "wrong_passphrase" && o.input.value() == "" {
			problem, hint = m.text(m.state.Key.Message, 300), m.text(m.state.Key.Hint, 300)
		}
		if problem == "" && hint == "" {
			hint = m.keyHint()
		}
		lines = append(lines, pad(m.problemLines(problem, hint, w), 1)...)
	}
	return panel{title: title, lines: lines}
}

// keyHint is what to do about the key. Where a passphrase helps, it is typed
// here, whatever else the engine would tell a shell.
func (m *model) keyHint() string {
	switch m.state.Key.State {
	case "passphrase_needed", "wrong_passphrase":
		return "type it here"
	}
	return m.text(m.state.Key.Hint, 300)
}
