package ui

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/ui/control"
)

// stage is a demo without its traffic, whose engine runs until the test ends.
func stage(t *testing.T, n int) *demo {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	d, err := openDemo(ctx, demoOptions{Accounts: n, Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- d.app.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-gone; err != nil {
			t.Errorf("engine: %v", err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-d.app.ready:
	case err := <-gone:
		t.Fatalf("engine ended: %v", err)
	}
	return d
}

func TestEveryActionHasAHandler(t *testing.T) {
	actions := []string{
		control.ActionSwitch, control.ActionRename, control.ActionPause, control.ActionResume, control.ActionToggle, control.ActionMove, control.ActionRemove, control.ActionStrategy, control.ActionTheme,
		control.ActionRenew, control.ActionUsage, control.ActionTerms, control.ActionLoginStart, control.ActionLoginCode,
		control.ActionLoginWait, control.ActionLoginCancel, control.ActionUnlock, control.ActionClient, control.ActionToken, control.ActionWhy, control.ActionLog, control.ActionStop,
		control.ActionBrowserSetup, control.ActionBrowserLogin, control.ActionBrowserRemove, control.ActionBrowserStatus,
	}
	if len(actions) != len(handlers) {
		t.Errorf("%d actions, %d handlers", len(actions), len(handlers))
	}
	for _, action := range actions {
		if handlers[action] == nil {
			t.Errorf("%s has no handler", action)
		}
	}
}

func TestActionsChangeWhatTheStateShows(t *testing.T) {
	d := stage(t, 3)
	do := func(r control.Request) control.Reply {
		t.Helper()
		reply, err := d.app.Do(t.Context(), r)
		if err != nil {
			t.Fatalf("%s: %v", r.Action, err)
		}
		return reply
	}
	do(control.Request{Action: control.ActionSwitch, Account: "home"})
	do(control.Request{Action: control.ActionRename, Account: "lab", Label: "bench"})
	do(control.Request{Action: control.ActionPause, Account: "bench"})
	do(control.Request{Action: control.ActionMove, Account: "bench", Position: 1})
	if reply := do(control.Request{Action: control.ActionRemove, Account: "work", Revoke: true}); !strings.Contains(reply.Message, "revoked") {
		t.Errorf("remove says %q", reply.Message)
	}

	s := eventually(t, d.app, func(s control.State) bool {
		return len(s.Accounts) == 2 && s.Accounts[0].State == control.StatePaused
	})
	if got := []string{s.Accounts[0].Label, s.Accounts[1].Label}; !reflect.DeepEqual(got, []string{"bench", "home"}) {
		t.Errorf("order %q", got)
	}
	if s.Accounts[0].Preferred || !s.Accounts[1].Preferred {
		t.Error("home is not the preferred one")
	}
}

// Who serves must not change without a word.
func TestWhoIsPreferredInsteadIsSaid(t *testing.T) {
	d := stage(t, 3)
	said := map[string]string{}
	for _, r := range []control.Request{
		{Action: control.ActionMove, Account: "lab", Position: 1},
		{Action: control.ActionMove, Account: "work", Position: 3},
		{Action: control.ActionRemove, Account: "lab"},
		{Action: control.ActionSwitch, Account: "work"},
		{Action: control.ActionMove, Account: "work", Position: 1},
		{Action: control.ActionMove, Account: "home", Position: 1},
		{Action: control.ActionRemove, Account: "work"},
		{Action: control.ActionRemove, Account: "home"},
	} {
		reply, err := d.app.Do(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		said[r.Action+" "+r.Account+" "+strconv.Itoa(r.Position)] = reply.Message
	}
	want := map[string]string{
		"move lab 1":    "lab is number 1 now; lab is preferred now, as the first in order",
		"move work 3":   "work is number 3 now",
		"remove lab 0":  "lab is removed from this machine; home is preferred now, as the first in order",
		"switch work 0": "work is preferred from now on, in place of home",
		"move work 1":   "work is number 1 now",
		"move home 1":   "home is number 1 now", // work was chosen
		"remove work 0": "work is removed from this machine; home is preferred now, as the first in order",
		"remove home 0": "home is removed from this machine",
	}
	if !reflect.DeepEqual(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}

// What happened to an account goes on being told of it by its name.
func TestAnAccountThatWasRemovedKeepsItsNameInTheFeed(t *testing.T) {
	d := stage(t, 2)
	do := func(r control.Request) {
		t.Helper()
		if _, err := d.app.Do(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	do(control.Request{Action: control.ActionSwitch, Account: "home"})
	do(control.Request{Action: control.ActionRename, Account: "home", Label: "bench"})
	do(control.Request{Action: control.ActionRemove, Account: "bench"})
	s, err := d.app.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, l := range s.Feed {
		if l.Label != "work" {
			told = append(told, l.Label+": "+l.Text)
		}
	}
	want := []string{"bench: signed in", "bench: preferred from now on", "bench: removed from this machine"}
	if !reflect.DeepEqual(told, want) {
		t.Errorf("the feed says %q, want %q", told, want)
	}
}

// Keys may be pressed faster than a state comes back: each one counts.
func TestKeysThatComeTogetherEachCount(t *testing.T) {
	d := stage(t, 4)
	for _, r := range []control.Request{
		{Action: control.ActionMove, Account: "work", By: 1}, {Action: control.ActionToggle, Account: "home"},
	} {
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				if _, err := d.app.Do(t.Context(), r); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	if _, err := d.app.Do(t.Context(), control.Request{Action: control.ActionPause, Account: "home"}); err != nil { // it is already
		t.Fatal(err)
	}
	var order []string
	for _, a := range d.app.registry.All() {
		order = append(order, fmt.Sprint(a.Label, " ", a.Paused))
	}
	if want := []string{"home true", "lab false", "side false", "work false"}; !reflect.DeepEqual(order, want) {
		t.Errorf("the accounts are %q, want %q", order, want)
	}
	var told []string
	for _, l := range d.app.feedLines() {
		if l.Kind != string(accounts.EntryLogin) {
			told = append(told, l.Label+" "+l.Kind)
		}
	}
	if want := []string{"home preferred", "home paused", "home resumed", "home paused"}; !reflect.DeepEqual(told, want) {
		t.Errorf("the feed tells %q, want %q", told, want)
	}
}

// Who prefers an account that serves nothing hears so.
func TestPreferringAnAccountSaysWhatItDoesNotDo(t *testing.T) {
	d := stage(t, 2)
	if err := oneMessage(t.Context(), d.app); err != nil {
		t.Fatal(err)
	}
	do := func(r control.Request) control.Reply {
		t.Helper()
		reply, err := d.app.Do(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	if r := do(control.Request{Action: control.ActionSwitch, Account: "home"}); r.Caution || r.Message != "home is preferred from now on, in place of work" {
		t.Errorf("of an account that is ready: %+v", r)
	}
	do(control.Request{Action: control.ActionPause, Account: "work"})
	if r := do(control.Request{Action: control.ActionSwitch, Account: "work"}); !r.Caution || !strings.HasSuffix(r.Message, "But it is paused, and gets no request until it is resumed") {
		t.Errorf("of one that is paused: %+v", r)
	}
	for state, want := range map[string]bool{
		control.StateReady: false, control.StateServing: false, control.StateRenewing: false, control.StateUnsaved: false,
		control.StateCooling: true, control.StateLoginNeeded: true, control.StateNeedsYou: true, control.StateUnreadable: true, control.StatePaused: true,
	} {
		if got := idle(&control.Account{State: state}); (got != "") != want {
			t.Errorf("of one that is %s: %q", state, got)
		}
	}
}

// What an account did is counted at once and stored a while later.
func TestRepliesCountWhatHasJustHappened(t *testing.T) {
	d := stage(t, 1)
	for range 2 {
		if err := oneMessage(t.Context(), d.app); err != nil {
			t.Fatal(err)
		}
	}
	want := eventually(t, d.app, func(s control.State) bool { return s.Accounts[0].Requests == 2 }).Accounts[0]
	reply, err := d.app.Do(t.Context(), control.Request{Action: control.ActionSwitch, Account: want.Label})
	if err != nil {
		t.Fatal(err)
	}
	got := reply.Account
	if got == nil || got.Requests != want.Requests || !reflect.DeepEqual(got.LastStatus, want.LastStatus) {
		t.Errorf("the reply shows %+v, the state %+v", got, want)
	}
}

// eventually waits for a state that is good, and returns it.
func eventually(t *testing.T, e control.Engine, good func(control.State) bool) control.State {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	states, err := e.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var last control.State
	for s := range states {
		if last = s; good(s) {
			return s
		}
	}
	t.Fatalf("it never came to that; the last state was %+v", last.Accounts)
	return last
}

func TestErrorsForPeopleHaveACodeAndNoSecret(t *testing.T) {
	d := stage(t, 2)
	for _, c := range []struct {
		request control.Request
		code    string
	}{
		{control.Request{Action: "dance"}, control.CodeUsage},
		{control.Request{Action: control.ActionSwitch, Account: "nobody"}, control.CodeNotFound},
		{control.Request{Action: control.ActionRename, Account: "work", Label: "home"}, control.CodeDuplicateLabel},
		{control.Request{Action: control.ActionRename, Account: "work", Label: ""}, control.CodeBadLabel},
		{control.Request{Action: control.ActionLoginStart, Provider: "nobody"}, control.CodeNotFound},
		{control.Request{Action: control.ActionLoginCode, Flow: "none", Code: "canary-code"}, control.CodeNotFound},
	} {
		_, err := d.app.Do(t.Context(), c.request)
		e, ok := errors.AsType[*control.Error](err)
		if !ok || e.Code != c.code {
			t.Errorf("%+v: got %#v, want code %s", c.request.Action, err, c.code)
			continue
		}
		if strings.Contains(e.Message+e.Hint, "canary") {
			t.Errorf("%s: the code is in the error", c.request.Action)
		}
	}
}

func TestDemoFailsOverAndComesBack(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	ctx, cancel := context.WithCancel(t.Context())
	d, err := openDemo(ctx, demoOptions{Speed: 3 * simulator.DemoSpeed, Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- d.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-gone; err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	seen := map[string]bool{}
	eventually(t, d.app, func(s control.State) bool {
		for _, l := range s.Feed {
			if strings.Contains(l.Text, "the request went on with") {
				seen["failover"] = true
			}
			seen[l.Kind] = true
		}
		return seen["failover"] && seen["cooling"] && seen["back"] && seen["renewed"]
	})
	counts := d.server.Counts()
	if counts.Reuse != 0 || counts.TotalViolations() != 0 {
		t.Errorf("reuse %d, violations %v", counts.Reuse, counts.Violations)
	}
}
