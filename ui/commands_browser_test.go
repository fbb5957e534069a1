package ui

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/relogin"
	"github.com/oauthmux/oauthmux/ui/control"
)

func someBrowsers() []control.Browser {
	size := int64(31 << 20)
	used := time.Date(2026, 3, 1, 9, 30, 0, 0, time.FixedZone("somewhere", 5*3600))
	return []control.Browser{
		{
			Account: "id-work", Provider: "acme", Label: "work", State: control.BrowserReady, Profile: "/d/browsers/acme/id-work", Size: &size,
			LastUsed: &used, LastResult: "signed in", Today: 1, Budget: 4,
		},
		{
			Account: "id-old", Provider: "zeta", Label: "old\x1b[2J", State: control.BrowserLoginNeeded, Profile: "/d/browsers/zeta/id-old",
			LastResult: "stopped at a page", Needs: "zeta.example asks to sign in", Screenshot: "/d/browsers/zeta/id-old/page.png", Today: 4, Budget: 4,
		},
		{Account: "id-home", Provider: "acme", Label: "home", State: control.BrowserNone, Budget: 4},
	}
}

func TestBrowserStatus(t *testing.T) {
	e := &fakeEngine{state: someState(), do: func(control.Request) (control.Reply, error) {
		return control.Reply{Browsers: someBrowsers()}, nil
	}}
	status, out, errs := run(t, e, "browser", "status")
	if status != 0 || errs != "" {
		t.Fatalf("status %d, %s", status, errs)
	}
	for _, want := range []string{"31 MiB", "1 of 4", "needs you", "zeta.example asks to sign in", "/d/browsers/zeta/id-old/page.png", "hint: oauthmux browser setup 'old[2J'"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Errorf("it prints what it was given: %q", out)
	}

	_, out, _ = run(t, e, "browser", "status", "--json")
	var doc struct {
		Schema   int              `json:"schema"`
		Browsers []map[string]any `json:"browsers"`
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || doc.Schema != 1 || len(doc.Browsers) != 3 {
		t.Fatalf("%v: %s", err, out)
	}
	for _, b := range doc.Browsers {
		for _, field := range []string{
			"account", "provider", "label", "state", "profile", "size", "last_used_at", "last_result", "needs", "screenshot", "today", "budget", "running",
		} {
			if _, there := b[field]; !there {
				t.Errorf("%v has no %s", b["label"], field)
			}
		}
	}
	if !strings.Contains(out, `"last_used_at":"2026-03-01T04:30:00Z"`) {
		t.Errorf("no time in UTC: %s", out)
	}
	if _, out, _ := run(t, &fakeEngine{}, "browser", "status", "--json"); out != `{"schema":1,"browsers":[]}`+"\n" {
		t.Errorf("without accounts: %s", out)
	}
}

func TestBrowserCommandsAskTheEngine(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want control.Request
	}{
		{[]string{"login", "work"}, control.Request{Action: control.ActionBrowserLogin, Account: "id-work"}},
		{[]string{"remove", "work", "--yes"}, control.Request{Action: control.ActionBrowserRemove, Account: "id-work"}},
		{[]string{"status", "work"}, control.Request{Action: control.ActionBrowserStatus, Account: "id-work"}},
		{[]string{"setup", "work", "--take-over"}, control.Request{Action: control.ActionBrowserSetup, Account: "id-work", TakeOver: true}},
		{[]string{"setup", "--provider", "zeta", "--label", "new"}, control.Request{Action: control.ActionBrowserSetup, Provider: "zeta", Label: "new"}},
		{[]string{"setup", "work", "--paste"}, control.Request{Action: control.ActionBrowserSetup, Account: "id-work", How: control.HowPaste}},
	} {
		e := &fakeEngine{state: someState(), do: func(r control.Request) (control.Reply, error) {
			switch r.Action {
			case control.ActionBrowserSetup:
				return control.Reply{Flow: &control.Flow{ID: "f", State: control.FlowDone, Account: "id-work", Renewed: true}}, nil
			case control.ActionLoginWait, control.ActionLoginCode:
				return control.Reply{Flow: &control.Flow{ID: "f", State: control.FlowDone, Account: "id-work", Renewed: true}}, nil
			}
			return control.Reply{Message: "done"}, nil
		}}
		_, _, errs := run(t, e, append([]string{"browser"}, tt.args...)...)
		if len(e.asked) == 0 || e.asked[0] != tt.want {
			t.Errorf("%q asked %+v: %s", tt.args, e.asked, errs)
		}
	}
}

func TestBrowserCommandsThatAreWrong(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "browser needs to be told what to do"},
		{[]string{"wipe"}, `unknown command "browser wipe"`},
		{[]string{"login"}, "login"},
		{[]string{"setup", "work", "--label", "x"}, "for an account that is added"},
		{[]string{"setup", "--paste", "--take-over"}, "starts no browser"},
		{[]string{"remove", "work"}, "no terminal to ask on"},
		{[]string{"setup"}, "which provider?"},
	} {
		e := &fakeEngine{state: someState()}
		status, out, errs := run(t, e, append([]string{"browser"}, tt.args...)...)
		if status != exitUsage || out != "" || !strings.Contains(errs, tt.want) || len(e.asked) != 0 {
			t.Errorf("%q: status %d, asked %v, %s", tt.args, status, e.asked, errs)
		}
	}
}

// TestWhatABrowserMetHasItsWordsAndItsStatus: 3 where the person is needed.
func TestWhatABrowserMetHasItsWordsAndItsStatus(t *testing.T) {
	about := func(text string) string { return "work: " + text }
	for _, tt := range []struct {
		err    error
		code   string
		status int
		hint   string
	}{
		{&relogin.PageError{Words: "claude.ai asks to sign in"}, control.CodeNeedsYou, exitLogin, "oauthmux browser setup work"},
		{&relogin.IdentityError{Words: "bob signed in"}, control.CodeOtherIdentity, exitLogin, "sign out there"},
		{&relogin.RefusedError{Words: "access was denied"}, control.CodeNeedsYou, exitLogin, "oauthmux browser setup work"},
		{&relogin.WaitError{Words: "4 of 4 used"}, control.CodeBudget, exitFailed, "oauthmux browser login work"},
		{&relogin.WaitError{Words: "claude.ai asks to sign in", NeedsYou: true}, control.CodeNeedsYou, exitLogin, "oauthmux browser setup work"},
		{&relogin.BrowserMissingError{Hint: "apt install chromium"}, control.CodeNoBrowser, exitFailed, "apt install chromium"},
		{&relogin.DisplayError{}, control.CodeNoDisplay, exitFailed, "--paste"},
		{&relogin.InUseError{Host: "attic"}, control.CodeElsewhere, exitFailed, "--take-over work"},
		{&relogin.InUseError{PID: 7}, control.CodeBrowserInUse, exitFailed, "close that browser"},
		{&relogin.ProfileError{Dir: "/d", Problem: "no space left on device", Hint: "free some space"}, control.CodeBrowserProfile, exitFailed, "free some space"},
		{&relogin.BrowserError{Problem: "ended by itself"}, control.CodeBrowserFailed, exitFailed, "OAUTHMUX_BROWSER"},
		{relogin.ErrNoSession, control.CodeNoSession, exitFailed, "oauthmux browser setup work"},
		{relogin.ErrNotInTime, control.CodeUnavailable, exitFailed, "oauthmux browser setup work"},
		{relogin.ErrWindowClosed, control.CodeLoginFailed, exitFailed, "oauthmux browser setup work"},
		{&relogin.TroubleError{Words: "the token endpoint cannot be reached", Hint: "look at the network"}, control.CodeUnavailable, exitFailed, "look at the network"},
		{relogin.ErrGivenUp, control.CodeUnavailable, exitFailed, "nothing was changed"},
		{relogin.ErrClosed, control.CodeUnavailable, exitFailed, "try again"},
	} {
		e := browserError(tt.err, "work", about)
		if e == nil || e.Code != tt.code || !strings.HasPrefix(e.Message, "work: ") || !strings.Contains(e.Hint, tt.hint) {
			t.Errorf("%T: %+v", tt.err, e)
			continue
		}
		engine := &fakeEngine{state: someState(), do: func(control.Request) (control.Reply, error) { return control.Reply{}, e }}
		if status, _, errs := run(t, engine, "browser", "login", "work"); status != tt.status || !strings.Contains(errs, "hint: ") {
			t.Errorf("%T: status %d, %s", tt.err, status, errs)
		}
	}
	if e := browserError(errors.New("anything else"), "work", about); e != nil {
		t.Errorf("anything else: %+v", e)
	}
}

func TestAWindowOpensWhereThePersonIs(t *testing.T) {
	own := []string{"DISPLAY=:7", "PATH=/bin", "WAYLAND_DISPLAY=wayland-3"}
	if got := onDisplay(own, control.Display{}); strings.Join(got, " ") != strings.Join(own, " ") {
		t.Errorf("nobody's display: %q", got)
	}
	if got := strings.Join(onDisplay(own, control.Display{X11: ":0", XAuthority: "/x"}), " "); got != "PATH=/bin DISPLAY=:0 XAUTHORITY=/x" {
		t.Errorf("a person's display: %q", got)
	}
}
