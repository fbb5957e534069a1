package dashboard

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muesli/termenv"

	"github.com/oauthmux/oauthmux/ui/control"
)

var sizes = []struct{ width, height int }{{160, 45}, {110, 30}, {100, 30}, {80, 24}, {60, 15}}

// scene is a moment of the screen.
type scene struct {
	name   string
	state  control.State
	engine func(*fakeEngine)
	play   func(*screen)
}

func scenes() []scene {
	signIn := "https://claude.ai/oauth/authorize?code=true&client_id=9d1c250a-e61b-44d9-88ed-5944d1962f5e&response_type=code&redirect_uri=" +
		"https%3A%2F%2Fplatform.claude.com%2Foauth%2Fcode%2Fcallback&scope=org%3Acreate_api_key+user%3Aprofile+user%3Ainference&code_challenge=" +
		"cOdEcHaLlEnGe0123456789abcdefghijklmnopqrst&code_challenge_method=S256&state=StAtE0123456789abcdefghijklmnopqrstuvwxyz"
	flow := control.Flow{ID: "f1", Provider: "anthropic", How: control.HowPaste, URL: signIn, Ends: fixedNow.Add(10 * time.Minute), State: control.FlowWaiting}
	login := func(e *fakeEngine) {
		e.answer = func(r control.Request) (control.Reply, error) {
			switch r.Action {
			case control.ActionLoginStart:
				f := flow
				f.How = r.How
				return control.Reply{Flow: &f}, nil
			case control.ActionLoginCode:
				return control.Reply{}, &control.Error{Message: "that code belongs to another sign-in", Hint: "copy the code from the page that opened last"}
			}
			return control.Reply{}, nil
		}
	}
	unaccepted := empty()
	unaccepted.Providers[0].Terms = terms
	locked := busy()
	locked.Key = control.Key{State: "passphrase_needed", Message: "The tokens are sealed with a passphrase.", Hint: "It is the one you chose when the vault was made.", Ask: true}
	fresh := empty()
	fresh.Providers[0].TermsAccepted = true
	fresh.Key = control.Key{State: "passphrase_needed", Ask: true, New: true}
	asleep := busy()
	asleep.Key = control.Key{State: "locked", Message: "The login keyring is locked.", Hint: "Unlock it, or press U for its own prompt."}
	demo := busy()
	demo.Demo = "This is the demo: the accounts are made up, the limits are short, and nothing leaves this machine."
	demo.Warnings = []string{"anthropic: token_url is overridden: http://127.0.0.1:9/token", "requests go through the proxy http://proxy.example:3128", "accounts.json was damaged and is rebuilt from the vault"}
	stale := busy()
	for i := range stale.Accounts {
		if stale.Accounts[i].UsageAt != nil {
			stale.Accounts[i].UsageAt = in(-25 * time.Minute)
		}
	}
	stale.Accounts[1].Windows[0].ResetsAt = in(-time.Minute)
	stale.Accounts[1].Cooldowns = []control.Cooldown{{Until: fixedNow.Add(3 * hour), Scope: "opus", Evidence: "7-day opus limit reached (429)"}}

	fixed := busy()
	fixed.Strategy.Name, fixed.Strategy.Fixed = "least-used", "OAUTHMUX_ROTATION_STRATEGY"

	return []scene{
		{name: "filter", state: several(), play: func(s *screen) { s.press("/"); s.typed("work") }},
		{name: "filter_kept", state: busy(), play: func(s *screen) { s.press("/"); s.typed("acme"); s.press("enter", "down") }},
		{name: "filter_nobody", state: busy(), play: func(s *screen) { s.press("/"); s.typed("nobody"); s.press("enter") }},
		{name: "log", state: busy(), engine: func(e *fakeEngine) {
			e.answer = func(control.Request) (control.Reply, error) { return control.Reply{Log: records()}, nil }
		}, play: func(s *screen) { s.press("l") }},
		{name: "strategy", state: busy(), play: func(s *screen) { s.press("s", "j") }},
		{name: "strategy_fixed", state: fixed, play: func(s *screen) { s.press("s") }},
		{name: "busy", state: busy()},
		{name: "several", state: several()},
		{name: "one_provider", state: several(), play: func(s *screen) { s.press("tab", "tab", "tab") }},
		{name: "stale", state: stale, play: func(s *screen) { s.press("j") }},
		{name: "exhausted", state: exhausted()},
		{name: "crowd", state: crowd(1000), play: func(s *screen) { s.press("pgdown", "pgdown", "k") }},
		{name: "empty", state: empty()},
		{name: "connecting"},
		{name: "no_engine", engine: func(e *fakeEngine) { e.down = errors.New("connect: no such file") }},
		{name: "gone", state: busy(), play: func(s *screen) { s.engine.die(errors.New("connection refused")); s.wait(2 * pace) }},
		{name: "demo", state: demo},
		{name: "locked", state: locked, play: func(s *screen) { s.typed("secret") }},
		{name: "left_locked", state: locked, play: func(s *screen) { s.press("esc") }},
		{name: "passphrase", state: fresh, play: func(s *screen) { s.press("a") }},
		{name: "passphrase_again", state: fresh, play: func(s *screen) {
			s.press("a")
			s.typed("secret")
			s.press("enter")
			s.typed("other")
			s.press("enter")
		}},
		{name: "keyring", state: asleep},
		{name: "toast", state: busy(), play: func(s *screen) {
			st := busy()
			st.Feed = append(st.Feed, control.Line{Seq: 5, At: fixedNow, Kind: "back", Account: "a3", Label: "lab", Text: "is back from cooling", Toast: true})
			s.show(st)
		}},
		{name: "help", state: busy(), play: func(s *screen) { s.press("?") }},
		{name: "add_provider", state: several(), play: func(s *screen) { s.press("a") }},
		{name: "add_terms", state: unaccepted, play: func(s *screen) { s.press("a") }},
		{name: "add_how", state: busy(), play: func(s *screen) { s.press("a", "down") }},
		{name: "add_paste", state: busy(), engine: login, play: func(s *screen) {
			s.press("a", "down", "enter")
			s.paste("code#state")
			s.press("enter")
		}},
		{name: "add_browser", state: busy(), engine: login, play: func(s *screen) { s.press("a", "enter") }},
		{name: "add_unopened", state: busy(), engine: login, play: func(s *screen) {
			s.m.o.OpenURL = nil // over ssh, for one
			s.press("a", "enter")
		}},
		{name: "add_done", state: oneAccount(), engine: login, play: func(s *screen) {
			s.press("a", "enter")
			st := oneAccount()
			st.Accounts = busy().Accounts[:2]
			done := flow
			done.State, done.Account = control.FlowDone, "a2"
			st.Flows = []control.Flow{done}
			s.show(st)
		}},
		{name: "add_renewed", state: busy(), engine: login, play: func(s *screen) {
			s.press("a", "enter")
			st := busy()
			done := flow
			done.State, done.Account, done.Renewed = control.FlowDone, "a4", true
			st.Flows = []control.Flow{done}
			s.show(st)
		}},
		{name: "add_failed", state: busy(), engine: login, play: func(s *screen) {
			s.press("a", "enter")
			st := busy()
			failed := flow
			failed.State, failed.Problem, failed.Hint = control.FlowFailed, "the provider refused the code", "try again; a code is good for a few minutes"
			st.Flows = []control.Flow{failed}
			s.show(st)
		}},
		{name: "rename", state: busy(), play: func(s *screen) { s.press("e", "ctrl+u"); s.typed("home") }},
		{name: "remove", state: busy(), play: func(s *screen) { s.press("d", "v") }},
		{name: "why", state: busy(), engine: func(e *fakeEngine) {
			e.answer = func(control.Request) (control.Reply, error) { return control.Reply{Decisions: decisions()}, nil }
		}, play: func(s *screen) { s.press("j", "j", "w") }},
		{name: "why_serving", state: busy(), engine: func(e *fakeEngine) {
			e.answer = func(control.Request) (control.Reply, error) { return control.Reply{Decisions: decisions()}, nil }
		}, play: func(s *screen) { s.press("w") }},
		{name: "client", state: busy(), engine: func(e *fakeEngine) {
			e.answer = func(control.Request) (control.Reply, error) { return control.Reply{Client: connection()}, nil }
		}, play: func(s *screen) { s.press("c") }},
		{name: "begun", state: begun()},
		{name: "quit", state: busy(), play: func(s *screen) { s.press("q") }},
	}
}

// allScenes are the scenes of every file.
func allScenes() []scene {
	return slices.Concat(scenes(), browserScenes(), detailScenes(), labelScenes())
}

// begun is what an engine shows that has just taken another one's place.
func begun() control.State {
	s := busy()
	s.Feed, s.Began = nil, fixedNow.Add(-time.Minute)
	return s
}

func oneAccount() control.State {
	s := busy()
	s.Accounts = s.Accounts[:1]
	return s
}

func decisions() []control.Decision {
	served := control.Step{Account: "a1", Label: "work", Outcome: "pass"}
	old := control.Step{Account: "a4", Label: "old", Outcome: "skipped", Evidence: "sign in again: revoked"}
	lab := control.Step{Account: "a3", Label: "lab", Outcome: "skipped", Evidence: "5-hour limit reached (429)", Until: fixedNow.Add(37*time.Minute + 41*time.Second)}
	met := lab
	met.Outcome = "limited"
	all := []control.Decision{{
		At: fixedNow.Add(-20 * time.Second), Scope: "sonnet", Session: "s2", Candidates: 3, Status: 200, Duration: 2143 * time.Millisecond,
		Skipped: []control.Step{old}, Steps: []control.Step{met, served},
	}}
	for i := range 12 {
		all = append(all, control.Decision{
			At: fixedNow.Add(time.Duration(i-12) * time.Second), Session: "s1", Candidates: 2, Status: 200, Duration: 1830 * time.Millisecond,
			Skipped: []control.Step{lab, old}, Steps: []control.Step{served},
		})
	}
	return all
}

func connection() *control.Connection {
	return &control.Connection{
		Provider: "anthropic", BaseURL: "http://127.0.0.1:4747/anthropic", Key: "omx_0123456789abcdef0123456789abcdef",
		Lines: []string{
			"export ANTHROPIC_BASE_URL=http://127.0.0.1:4747/anthropic",
			"export ANTHROPIC_AUTH_TOKEN=omx_0123456789abcdef0123456789abcdef",
		},
	}
}

// stage plays a scene and hands over the screen.
func (sc scene) stage(t *testing.T, width, height int, th *theme, f func(*screen)) {
	t.Helper()
	e := &fakeEngine{state: sc.state}
	if sc.engine != nil {
		sc.engine(e)
	}
	onScreenWith(t, width, height, e, th, func(s *screen) {
		if sc.play != nil {
			sc.play(s)
		}
		f(s)
	})
}

func TestScreensLookAsDrawn(t *testing.T) {
	for _, sc := range allScenes() {
		for _, size := range sizes {
			name := fmt.Sprintf("%s_%dx%d", sc.name, size.width, size.height)
			t.Run(name, func(t *testing.T) {
				sc.stage(t, size.width, size.height, newTheme(termenv.Ascii, true, false), func(s *screen) {
					checkFrame(t, s.m.View(), size.width, size.height)
					golden(t, name, trimmed(s.text()))
				})
				if *frames != "" {
					paint(t, sc, name, size.width, size.height)
				}
			})
		}
	}
}

// trimmed leaves the spaces at the ends of lines out of the golden files.
func trimmed(frame string) string {
	lines := strings.Split(frame, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// paint writes a scene with its colours, to look at.
func paint(t *testing.T, sc scene, name string, width, height int) {
	t.Helper()
	for kind, th := range map[string]*theme{
		"dark": newTheme(termenv.TrueColor, true, false), "light": newTheme(termenv.TrueColor, false, false), "dark16": newTheme(termenv.ANSI, true, false),
	} {
		sc.stage(t, width, height, th, func(s *screen) {
			path := filepath.Join(*frames, name+"_"+kind+".ansi")
			if err := os.WriteFile(path, []byte(s.m.View()+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestScreensInColoursAndASCII(t *testing.T) {
	for name, th := range map[string]*theme{
		"truecolor_dark":  newTheme(termenv.TrueColor, true, false),
		"truecolor_light": newTheme(termenv.TrueColor, false, false),
		"ansi256_dark":    newTheme(termenv.ANSI256, true, false),
		"ansi16_dark":     newTheme(termenv.ANSI, true, false),
		"ascii":           newTheme(termenv.Ascii, true, true),
	} {
		t.Run(name, func(t *testing.T) {
			scene{state: several()}.stage(t, 110, 30, th, func(s *screen) {
				checkFrame(t, s.m.View(), 110, 30)
				golden(t, "several_"+name, trimmed(s.m.View()))
			})
		})
	}
}

func TestASCIIScreensAreASCII(t *testing.T) {
	for _, sc := range allScenes() {
		t.Run(sc.name, func(t *testing.T) {
			sc.stage(t, 80, 24, newTheme(termenv.Ascii, true, true), func(s *screen) {
				checkFrame(t, s.m.View(), 80, 24)
				for i, r := range s.m.View() {
					if r > '~' {
						t.Fatalf("byte %d is %q:\n%s", i, r, s.m.View())
					}
				}
			})
		})
	}
}

func TestTooSmallAsksForMore(t *testing.T) {
	for _, size := range []struct{ width, height int }{{59, 24}, {80, 14}, {20, 3}, {1, 1}} {
		onScreen(t, size.width, size.height, busy(), func(s *screen) {
			checkFrame(t, s.m.View(), size.width, size.height)
			if size.width >= 40 {
				s.wants("needs 60x15")
			}
			s.lacks("ACCOUNT")
			s.feed(resizedMsg{Width: 80, Height: 24})
			s.wants("ACCOUNT")
		})
	}
}
