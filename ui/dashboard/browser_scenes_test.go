package dashboard

import (
	"time"

	"github.com/oauthmux/oauthmux/ui/control"
)

// blocked is why the old account of withBrowsers needs the person.
const blockedReason = "the page asks for a code that was sent by e-mail"

// withBrowsers is busy with browser sessions: one that is ready, one whose login
// ends soon, and one that needs the person.
func withBrowsers() control.State {
	s := busy()
	s.Providers[0].HasBrowser = true
	s.Accounts[0].Browser = control.BrowserReady
	s.Accounts[1].Browser, s.Accounts[1].LoginExpiresAt = control.BrowserReady, in(2*day+5*hour)
	a := &s.Accounts[3]
	a.State, a.Reason, a.Browser = control.StateNeedsYou, blockedReason, control.BrowserLoginNeeded
	a.LoggedInAt = in(-31 * day)
	s.Feed = append(s.Feed,
		control.Line{Seq: 5, At: fixedNow, Kind: "login_ends", Account: "a2", Label: "home", Text: "its login ends in 2 days: b opens a window to sign in again"},
		control.Line{Seq: 6, At: fixedNow, Kind: "needs_you", Account: "a4", Label: "old", Text: "needs you: " + blockedReason},
	)
	return s
}

const picturePath = "/home/you/.local/state/oauthmux/browser/a4/stopped-2026-03-04.png"

// sessions are what the engine of browserEngine tells of the accounts of withBrowsers.
func sessions() map[string]control.Browser {
	return map[string]control.Browser{
		"a1": {
			Account: "a1", Provider: "anthropic", Label: "work", State: control.BrowserReady, Profile: "/p/a1", Size: new(int64(48_300_000)),
			LastUsed: in(-26 * hour), LastResult: "signed in, in 9 s", Today: 1, Budget: 3,
		},
		"a3": {Account: "a3", Provider: "anthropic", Label: "lab", State: control.BrowserNone, Budget: 3},
		"a4": {
			Account: "a4", Provider: "anthropic", Label: "old", State: control.BrowserLoginNeeded, Profile: "/p/a4", Size: new(int64(61_000_000)),
			LastUsed: in(-12 * time.Minute), LastResult: "stopped at a page that only you can pass", Needs: blockedReason, Screenshot: picturePath, Today: 3, Budget: 3,
		},
	}
}

// windowFlow is a window that is open for an account; "": for one that is added.
func windowFlow(account string) control.Flow {
	return control.Flow{
		ID: "w1", Provider: "anthropic", How: control.HowBrowser, For: account, Visible: true, Step: "waiting for you to sign in",
		Ends: fixedNow.Add(9*time.Minute + 12*time.Second), State: control.FlowWaiting,
	}
}

// headlessFlow is a sign-in without a window.
func headlessFlow(account string) control.Flow {
	return control.Flow{
		ID: "h1", Provider: "anthropic", How: control.HowBrowser, For: account, Step: "opening the sign-in page",
		Ends: fixedNow.Add(time.Minute), State: control.FlowWaiting,
	}
}

// browserEngine knows the sessions of withBrowsers, and opens windows.
func browserEngine(s control.State) *fakeEngine {
	e := &fakeEngine{state: s, windows: true}
	e.answer = func(r control.Request) (control.Reply, error) {
		switch r.Action {
		case control.ActionBrowserStatus:
			if b, ok := sessions()[r.Account]; ok {
				return control.Reply{Browsers: []control.Browser{b}}, nil
			}
		case control.ActionBrowserSetup:
			f := windowFlow(r.Account)
			return control.Reply{Flow: &f}, nil
		case control.ActionBrowserLogin:
			return control.Reply{Message: "signed work in through its browser session"}, nil
		}
		return control.Reply{}, nil
	}
	return e
}

// refusing answers an action with an error, and any other as e does.
func (e *fakeEngine) refusing(action string, err *control.Error) {
	answer := e.answer
	e.answer = func(r control.Request) (control.Reply, error) {
		if r.Action == action {
			return control.Reply{}, err
		}
		return answer(r)
	}
}

func withFlow(s control.State, f control.Flow) control.State {
	s.Flows = []control.Flow{f}
	return s
}

var elsewhere = &control.Error{
	Code: control.CodeElsewhere, Message: "the browser profile is in use on laptop-2", Hint: "close it there, or use --take-over",
}

func browserScenes() []scene {
	st := withBrowsers()
	browsers := func(e *fakeEngine) { e.answer, e.windows = browserEngine(st).answer, true }
	refused := func(e *fakeEngine) {
		browsers(e)
		e.refusing(control.ActionBrowserSetup, elsewhere)
	}
	done := windowFlow("a1")
	done.State, done.Account, done.Renewed = control.FlowDone, "a1", true
	display := func(s *screen) { s.env["DISPLAY"] = ":0" }

	return []scene{
		{name: "needs_you", state: st, play: func(s *screen) { s.press("G") }},
		{name: "login_ends", state: st, play: func(s *screen) { s.press("j") }},
		{name: "signing_in", state: withFlow(st, headlessFlow("a4")), play: func(s *screen) { s.press("G") }},
		{name: "serving_window", state: withFlow(st, windowFlow("a1"))},
		{name: "browser_ready", state: st, engine: browsers, play: func(s *screen) { s.press("b") }},
		{name: "browser_needs_you", state: st, engine: browsers, play: func(s *screen) { s.press("G", "b") }},
		{name: "browser_none", state: st, engine: browsers, play: func(s *screen) { s.press("j", "j", "b") }},
		{name: "browser_no_display", state: st, engine: func(e *fakeEngine) { browsers(e); e.windows = false }, play: func(s *screen) { s.press("G", "b") }},
		{name: "browser_running", state: st, engine: browsers, play: func(s *screen) {
			s.engine.block, s.engine.blocked = make(chan struct{}), control.ActionBrowserLogin
			s.press("b", "n")
			s.show(withFlow(withBrowsers(), headlessFlow("a1")))
			s.wait(7 * time.Second)
		}},
		{name: "browser_window", state: st, engine: browsers, play: func(s *screen) { s.press("b", "s") }},
		{name: "browser_done", state: st, engine: browsers, play: func(s *screen) {
			s.press("b", "s")
			s.show(withFlow(withBrowsers(), done))
		}},
		{name: "browser_remove", state: st, engine: browsers, play: func(s *screen) { s.press("b", "x") }},
		{name: "browser_refused", state: st, engine: refused, play: func(s *screen) { s.press("G", "b", "s") }},
		{name: "browser_take_over", state: st, engine: refused, play: func(s *screen) { s.press("b", "s", "t") }},
		{name: "browser_quit", state: st, engine: browsers, play: func(s *screen) { s.press("b", "s", "ctrl+c") }},
		{name: "add_how_window", state: st, play: func(s *screen) { display(s); s.press("a") }},
		{name: "add_window", state: st, engine: browsers, play: func(s *screen) { display(s); s.press("a", "enter") }},
	}
}
