package dashboard

import (
	"cmp"
	"errors"
	"slices"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/control"
)

func (o *browserOverlay) press(msg tea.KeyMsg) tea.Cmd {
	switch o.page {
	case browserForget, browserTakeOver:
		return o.questionKey(msg)
	case browserWindow:
		return o.windowKey(msg)
	case browserDone:
		if matches(msg, keys.Back, keys.Quit, keys.Accept, keys.Browser) {
			o.m.close()
		}
		return nil
	case browserFacts:
	}
	switch {
	case matches(msg, keys.Back, keys.Quit, keys.Browser):
		o.leaveSigning()
		o.m.close()
	case matches(msg, keys.Scroll):
		o.facts.key(msg)
	case o.row() == nil, o.busy != "", o.signing():
	case matches(msg, keys.TakeOver) && o.take:
		o.page = browserTakeOver
	case matches(msg, keys.Window) && o.m.noWindow(o.provider()) == "":
		return o.setup(false)
	case matches(msg, keys.Picture) && o.picture() != "":
		o.note = "the picture's path is sent to the clipboard"
		return o.m.copyText(clean(o.picture(), maxBytes))
	case !o.exists():
	case matches(msg, keys.SignIn):
		return o.signIn()
	case matches(msg, keys.Forget):
		o.forgetWords()
		o.page = browserForget
	}
	return nil
}

func (o *browserOverlay) questionKey(msg tea.KeyMsg) tea.Cmd {
	switch {
	case o.busy != "":
		if matches(msg, keys.Back) {
			o.m.close()
		}
	case matches(msg, keys.No, keys.Quit):
		o.page = browserFacts
	case !matches(msg, keys.Yes):
	case o.page == browserTakeOver:
		return o.setup(true)
	case o.page == browserForget:
		o.busy = "removing"
		return o.do(control.Request{Action: control.ActionBrowserRemove, Account: o.account})
	}
	return nil
}

func (o *browserOverlay) windowKey(msg tea.KeyMsg) tea.Cmd {
	switch {
	case matches(msg, keys.Leave, keys.Quit, keys.Browser):
		o.left = true
		o.m.close()
	case matches(msg, keys.Cancel):
		cmd := o.leave()
		return tea.Batch(cmd, o.ended(browserFacts))
	}
	return nil
}

// setup asks for a window to sign in with.
func (o *browserOverlay) setup(over bool) tea.Cmd {
	o.forgetWords()
	o.page, o.over, o.busy = browserFacts, over, "opening a window"
	return o.do(control.Request{
		Action: control.ActionBrowserSetup, Account: o.account, TakeOver: over, Display: control.DisplayOf(o.m.o.Env),
	})
}

func (o *browserOverlay) loginRequest() control.Request {
	return control.Request{Action: control.ActionBrowserLogin, Account: o.account}
}

func (o *browserOverlay) signIn() tea.Cmd {
	o.forgetWords()
	o.since = o.m.wall
	return o.do(o.loginRequest())
}

// leaveSigning lets a sign-in go on without the overlay. The line above the
// footer tells of it until it is done.
func (o *browserOverlay) leaveSigning() {
	r := o.row()
	known := slices.ContainsFunc(o.m.pending, func(p pending) bool { return p.request == o.loginRequest() })
	if o.since.IsZero() || r == nil || known {
		return
	}
	o.m.pending = append(o.m.pending, pending{o.loginRequest(), "signing " + r.label + " in through its browser session", o.since})
}

func (o *browserOverlay) answered(msg replyMsg) tea.Cmd {
	switch msg.request.Action {
	case control.ActionBrowserStatus:
		return o.told(msg)
	case control.ActionLoginWait:
		return o.waited(msg)
	case control.ActionLoginCancel:
		return nil
	case control.ActionBrowserLogin:
		o.since = time.Time{}
		if msg.err == nil {
			o.note = cmp.Or(o.m.text(msg.reply.Message, 200), "signed in")
			return o.refresh()
		}
	case control.ActionBrowserRemove:
		if msg.err == nil {
			o.m.say(toneGood, cmp.Or(msg.reply.Message, "the browser session was removed"))
			o.m.close()
			return nil
		}
		o.page = browserFacts
	case control.ActionBrowserSetup:
		o.busy = ""
		if msg.err == nil && msg.reply.Flow != nil {
			return o.opened(*msg.reply.Flow)
		}
		if wantsPassphrase(msg.err) {
			o.m.overlay = newUnlock(o.m, func() tea.Cmd { o.m.overlay = o; return o.setup(o.over) })
			return nil
		}
	}
	return o.refused(msg.err)
}

// refused takes an answer that is not what was asked for.
func (o *browserOverlay) refused(err error) tea.Cmd {
	o.busy = ""
	o.problem, o.hint = o.m.errorWords(err)
	if err == nil {
		o.problem = "the engine did not say how to go on"
	}
	if e, ok := errors.AsType[*control.Error](err); ok {
		o.take = e.Code == control.CodeElsewhere
	}
	return o.refresh()
}

// told takes what the engine says about the session.
func (o *browserOverlay) told(msg replyMsg) tea.Cmd {
	o.asking = false
	o.mute, _ = o.m.errorWords(msg.err)
	if o.info == nil {
		o.info = &control.Browser{}
	}
	for i := range msg.reply.Browsers {
		if b := &msg.reply.Browsers[i]; b.Account == o.account {
			o.info = b
		}
	}
	if o.stale {
		o.stale = false
		return o.refresh()
	}
	return nil
}

// waited takes the end of a window's flow.
func (o *browserOverlay) waited(msg replyMsg) tea.Cmd {
	switch {
	case o.page != browserWindow || msg.request.Flow != o.window.ID: // a state told it before
	case msg.err != nil:
		cmd := o.ended(browserFacts)
		o.problem, o.hint = o.m.errorWords(msg.err)
		return cmd
	case msg.reply.Flow != nil:
		return o.follow(*msg.reply.Flow)
	}
	return nil
}

// orphaned takes an answer that came after the overlay was closed.
func (o *browserOverlay) orphaned(msg replyMsg) tea.Cmd {
	again, reopened := o.m.overlay.(*browserOverlay)
	reopened = reopened && again.account == o.account
	switch msg.request.Action {
	case control.ActionBrowserSetup:
		if msg.reply.Flow != nil { // opened for nobody
			return o.do(control.Request{Action: control.ActionLoginCancel, Flow: msg.reply.Flow.ID})
		}
	case control.ActionBrowserLogin, control.ActionBrowserRemove:
		if reopened && msg.request.Action == control.ActionBrowserLogin {
			return again.answered(msg)
		}
		if msg.err != nil {
			o.m.sayError(msg.err) // what went well is in the feed
		}
	case control.ActionLoginWait:
		if msg.err != nil && o.left && !reopened {
			o.m.sayError(msg.err)
		}
	}
	return nil
}
