package ui

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/oauthmux/oauthmux/ui/control"
)

// fakeEngine shows one state and carries out what do says.
type fakeEngine struct {
	state control.State
	do    func(r control.Request) (control.Reply, error)
	asked []control.Request
}

func (f *fakeEngine) State(context.Context) (control.State, error) { return f.state, nil }

func (f *fakeEngine) Watch(ctx context.Context) (<-chan control.State, error) {
	states := make(chan control.State, 1)
	states <- f.state
	context.AfterFunc(ctx, func() { close(states) })
	return states, nil
}

func (f *fakeEngine) Do(_ context.Context, r control.Request) (control.Reply, error) {
	f.asked = append(f.asked, r)
	if f.do == nil {
		return control.Reply{Message: "done"}, nil
	}
	return f.do(r)
}

// run runs one command line on an engine.
func run(t *testing.T, e control.Engine, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	home := t.TempDir()
	p := &program{
		Env: Env{
			Args: args, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Version: "v0-test",
			Getenv:  func(name string) string { return map[string]string{"OAUTHMUX_HOME": home}[name] },
			Environ: func() []string { return nil },
		},
		in:      bufio.NewReader(strings.NewReader("")),
		connect: func(context.Context) (control.Engine, func(), error) { return e, func() {}, nil },
	}
	root := p.root()
	root.SetArgs(args)
	command, err := root.ExecuteContextC(t.Context())
	status = p.exit(command, err)
	return status, out.String(), errs.String()
}

func someState() control.State {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *time.Time { t := now.Add(d); return &t }
	share := func(f float64) *float64 { return &f }
	ok := 200
	return control.State{
		Status: control.Status{
			Schema:   1,
			Engine:   control.Info{Running: true, Listen: "127.0.0.1:4747", PID: 42, Version: "v0-test", Key: "ok"},
			Sessions: []control.Session{{Session: "s1", Account: "id-work", Since: *at(-3 * time.Minute), Requests: 7}},
			Accounts: []control.Account{
				{
					ID: "id-work", Provider: "acme", Label: "work", Email: "me@acme.example", Org: "Acme Inc", Plan: "Max 20x",
					Order: 1, Preferred: true, State: control.StateServing, InFlight: 2, Requests: 214, Failovers: 1, LastStatus: &ok,
					TokenExpiresAt: at(6 * time.Hour), LoggedInAt: at(-48 * time.Hour), UsageAt: at(-12 * time.Second), UsageSource: "headers",
					Windows: []control.Window{
						{Name: "5h", Used: share(0.78), ResetsAt: at(72 * time.Minute), Forecast: &control.Forecast{
							FullAt: at(39 * time.Minute), UsedAtReset: share(1), Basis: "22 readings in 47 min",
						}},
						{Name: "7d", Used: share(0.999), ResetsAt: at(99 * time.Hour)},
						{Name: "7d", Used: share(1.02), Scope: "sonnet"},
						{Name: "7d", Used: share(0.31), Scope: "opus", ResetsAt: at(99 * time.Hour), Forecast: &control.Forecast{
							UsedAtReset: share(0.619), Basis: "20 readings in 1 d 3 h",
						}},
						{Name: "7d", Used: share(0.2), Scope: "haiku", Forecast: &control.Forecast{Basis: "9 readings in 22 h"}},
					},
				},
				{
					ID: "id-home", Provider: "acme", Label: "Home", Email: "me@home.example", Order: 2, State: control.StateCooling,
					Reason: "429 five_hour", Cooldowns: []control.Cooldown{{Until: *at(38 * time.Minute), Evidence: "429 five_hour"}},
				},
				{ID: "id-old", Provider: "zeta", Label: "old", Email: "me@home.example", Order: 1, State: control.StateLoginNeeded, Reason: "the login was revoked"},
				{
					ID: "id-evil", Provider: "zeta", Label: "a\x1b]52;c;Zm9v\x07b\u202ec\u200bd\r\ne", Email: strings.Repeat("x", 500), Org: "日本語\u2066",
					Order: 2, State: control.StateReady, TokenExpiresAt: at(-time.Hour),
				},
			},
		},
		Now:       now,
		Providers: []control.Provider{{ID: "acme", Name: "Acme"}, {ID: "zeta", Name: "Zeta"}},
		Key:       control.Key{State: "ok", Message: "the vault is unlocked"},
		Warnings:  []string{"requests go out through the proxy proxy.example:3128"},
	}
}

func TestTables(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = local })
	for _, name := range []string{"list", "usage", "status"} {
		status, out, errs := run(t, &fakeEngine{state: someState()}, name)
		if status != 0 || errs != "" {
			t.Errorf("%s: status %d, %s", name, status, errs)
		}
		golden(t, name+".golden", out)
		for _, r := range out {
			if r != '\n' && (r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || strings.ContainsRune("\u202e\u200b\u2066", r)) {
				t.Errorf("%s prints %U", name, r)
			}
		}
	}
}

// golden compares with a file of testdata and, with -update, rewrites it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s changed; if it should, run the test with -update. Got:\n%s", name, got)
	}
}

func TestEveryCommandExplainsItselfWithAnExample(t *testing.T) {
	p := &program{Env: Env{Stdin: strings.NewReader(""), Version: "v0-test"}}
	root := p.root()
	for _, c := range append(root.Commands(), root) {
		if c.Example == "" || c.Short == "" || c.Args == nil {
			t.Errorf("%s: example %q, short %q, args %v", c.Name(), c.Example, c.Short, c.Args != nil)
		}
		args := []string{c.Name(), "--help"}
		if c == root {
			args = args[1:]
		}
		status, out, errs := run(t, &fakeEngine{}, args...)
		if status != 0 || errs != "" {
			t.Errorf("%v: status %d, %s", args, status, errs)
		}
		golden(t, filepath.Join("help", c.Name()+".golden"), out)
	}
}

func TestTheCommandsAreThoseOfTheContract(t *testing.T) {
	want := strings.Fields("browser completion demo doctor env help list login logout move pause refresh rename resume run serve status switch token usage version")
	p := &program{Env: Env{Stdin: strings.NewReader("")}}
	root := p.root()
	root.InitDefaultHelpCmd()
	var got []string
	for _, c := range root.Commands() {
		if !c.Hidden {
			got = append(got, c.Name())
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestDocumentsOmitNothing: no field is ever omitted; unknown times and numbers
// are null, absent strings "", no list is null (DESIGN 4).
func TestDocumentsOmitNothing(t *testing.T) {
	empty := control.State{Status: control.Status{Accounts: []control.Account{{ID: "a", Cooldowns: nil, Windows: []control.Window{{Name: "5h"}}}}}}
	account := `{"id":"a","provider":"","label":"","email":"","org":"","plan":"","order":0,"preferred":false,"paused":false,` +
		`"state":"","reason":"","cooldowns":[],"token_expires_at":null,"logged_in_at":null,"login_expires_at":null,"browser":"",` +
		`"windows":[{"name":"5h","used":null,"resets_at":null,"scope":"","forecast":null}],"usage_at":null,"usage_source":"","requests":0,"failovers":0,"in_flight":0,"last_status":null}`
	for name, want := range map[string]string{
		"list":   `{"schema":1,"accounts":[` + account + "]}\n",
		"usage":  `{"schema":1,"accounts":[` + account + "]}\n",
		"status": `{"schema":1,"engine":{"running":false,"listen":"","pid":0,"version":"","key":""},"sessions":[],"accounts":[` + account + "]}\n",
	} {
		if _, out, _ := run(t, &fakeEngine{state: empty}, name, "--json"); out != want {
			t.Errorf("%s:\ngot  %swant %s", name, out, want)
		}
		if _, out, _ := run(t, &fakeEngine{}, name, "--json"); !strings.Contains(out, `"accounts":[]`) {
			t.Errorf("%s without accounts: %s", name, out)
		}
	}
}

// A forecast is null, or has its three fields, of which each but the last may be null.
func TestDocumentsTellTheForecast(t *testing.T) {
	_, out, _ := run(t, &fakeEngine{state: someState()}, "usage", "--json")
	for _, want := range []string{
		`"resets_at":"2026-03-01T13:12:00Z","scope":"","forecast":{"full_at":"2026-03-01T12:39:00Z","used_at_reset":1,"basis":"22 readings in 47 min"}`,
		`"used":0.999,"resets_at":"2026-03-05T15:00:00Z","scope":"","forecast":null`,
		`"scope":"opus","forecast":{"full_at":null,"used_at_reset":0.619,"basis":"20 readings in 1 d 3 h"}`,
		`"scope":"haiku","forecast":{"full_at":null,"used_at_reset":null,"basis":"9 readings in 22 h"}`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("usage --json does not say %s: %s", want, out)
		}
	}
}

func TestTimesOfDocumentsAreUTC(t *testing.T) {
	zone := time.FixedZone("somewhere", 5*3600)
	s := someState()
	for i := range s.Accounts {
		for _, at := range []*time.Time{s.Accounts[i].TokenExpiresAt, s.Accounts[i].LoggedInAt, s.Accounts[i].UsageAt} {
			if at != nil {
				*at = at.In(zone)
			}
		}
		for j := range s.Accounts[i].Cooldowns {
			s.Accounts[i].Cooldowns[j].Until = s.Accounts[i].Cooldowns[j].Until.In(zone)
		}
		for j := range s.Accounts[i].Windows {
			if at := s.Accounts[i].Windows[j].ResetsAt; at != nil {
				*at = at.In(zone)
			}
			if f := s.Accounts[i].Windows[j].Forecast; f != nil && f.FullAt != nil {
				*f.FullAt = f.FullAt.In(zone)
			}
		}
	}
	s.Sessions[0].Since = s.Sessions[0].Since.In(zone)
	_, out, _ := run(t, &fakeEngine{state: s}, "status", "--json")
	if strings.Contains(out, "+05:00") || !strings.Contains(out, `"since":"2026-03-01T11:57:00Z"`) {
		t.Errorf("got %s", out)
	}
	var anything map[string]any
	if err := json.Unmarshal([]byte(out), &anything); err != nil {
		t.Error(err)
	}
}

func TestFind(t *testing.T) {
	all := someState().Accounts
	all = append(all, control.Account{ID: "id-odd", Label: "zed@acme.example"}, control.Account{ID: "id-zed", Email: "Zed@acme.example"})
	for _, tt := range []struct{ name, want, code string }{
		{"id-work", "id-work", ""},
		{"work", "id-work", ""},
		{" WORK ", "id-work", ""},
		{"me@ACME.example", "id-work", ""},
		{"me@home.example", "", control.CodeAmbiguous},
		{"zed@acme.example", "", control.CodeAmbiguous},
		{"nobody", "", control.CodeNotFound},
		{"", "", control.CodeNotFound},
	} {
		a, err := find(all, tt.name)
		e, _ := errors.AsType[*control.Error](err)
		if a.ID != tt.want || (e == nil) != (tt.code == "") || (e != nil && (e.Code != tt.code || e.Hint == "")) {
			t.Errorf("find(%q): %q, %+v", tt.name, a.ID, e)
		}
	}
}

func TestErrorsHaveTheirStatus(t *testing.T) {
	fails := func(code string) *fakeEngine {
		return &fakeEngine{state: someState(), do: func(control.Request) (control.Reply, error) {
			return control.Reply{}, &control.Error{Code: code, Message: "no", Hint: "try"}
		}}
	}
	for _, tt := range []struct {
		code string
		args []string
		want int
	}{
		{control.CodeLoginNeeded, []string{"token"}, 3},
		{control.CodeNoAccount, []string{"token"}, 4},
		{control.CodeUnavailable, []string{"token"}, 1},
		{"key_locked", []string{"token", "work"}, 1},
		{control.CodeLoginNeeded, []string{"refresh", "work"}, 1},
		{control.CodeNoAccount, []string{"env"}, 1},
		{control.CodeTooSoon, []string{"usage", "--refresh"}, 1},
		{control.CodeBusy, []string{"logout", "work", "--yes"}, 1},
	} {
		status, out, errs := run(t, fails(tt.code), tt.args...)
		if status != tt.want || out != "" || errs != "oauthmux: no\nhint: try\n" {
			t.Errorf("%s of %v: status %d, %q, %q", tt.code, tt.args, status, out, errs)
		}
	}
}

func TestErrorsCannotActOnTheTerminal(t *testing.T) {
	e := &fakeEngine{do: func(control.Request) (control.Reply, error) {
		return control.Reply{}, &control.Error{Code: control.CodeInternal, Message: "a\x1b[2Jb\u202e\nc", Hint: "\x07d"}
	}}
	if _, _, errs := run(t, e, "token"); errs != "oauthmux: a[2Jb\nc\nhint: d\n" {
		t.Errorf("got %q", errs)
	}
}

func TestRequestsSayWhatWasMeant(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want control.Request
	}{
		{[]string{"switch", "work"}, control.Request{Action: control.ActionSwitch, Account: "id-work"}},
		{[]string{"pause", "home"}, control.Request{Action: control.ActionPause, Account: "id-home"}},
		{[]string{"resume", "home"}, control.Request{Action: control.ActionResume, Account: "id-home"}},
		{[]string{"refresh", "home"}, control.Request{Action: control.ActionRenew, Account: "id-home"}},
		{[]string{"rename", "home", "x y"}, control.Request{Action: control.ActionRename, Account: "id-home", Label: "x y"}},
		{[]string{"move", "home", "up"}, control.Request{Action: control.ActionMove, Account: "id-home", Position: 1}},
		{[]string{"move", "work", "up"}, control.Request{Action: control.ActionMove, Account: "id-work", Position: 1}},
		{[]string{"move", "work", "down"}, control.Request{Action: control.ActionMove, Account: "id-work", Position: 2}},
		{[]string{"move", "work", "7"}, control.Request{Action: control.ActionMove, Account: "id-work", Position: 7}},
		{[]string{"logout", "work", "--yes", "--revoke"}, control.Request{Action: control.ActionRemove, Account: "id-work", Revoke: true}},
		{[]string{"token", "work", "--fresh"}, control.Request{Action: control.ActionToken, Account: "id-work", Fresh: true}},
		{[]string{"token"}, control.Request{Action: control.ActionToken}},
		{[]string{"usage", "--refresh"}, control.Request{Action: control.ActionUsage}},
	} {
		e := &fakeEngine{state: someState()}
		if status, _, errs := run(t, e, tt.args...); status != 0 {
			t.Errorf("%v: status %d, %s", tt.args, status, errs)
		}
		if len(e.asked) != 1 || e.asked[0] != tt.want {
			t.Errorf("%v: asked %+v, want %+v", tt.args, e.asked, tt.want)
		}
	}
}

func TestUsable(t *testing.T) {
	in := func(states ...string) []control.Account {
		all := make([]control.Account, len(states))
		for i, s := range states {
			all[i] = control.Account{Browser: control.BrowserNone, Label: "a" + number(i), State: s, Reason: "words", Preferred: i == 1}
		}
		return all
	}
	for _, tt := range []struct {
		all        []control.Account
		code, want string
	}{
		{nil, control.CodeNoAccount, "there is no account to use"},
		{in(control.StateReady), "", ""},
		{in(control.StateCooling), "", ""},
		{in(control.StateLoginNeeded, control.StateCooling), "", ""},
		{in(control.StateUnsaved), "", ""},
		{in(control.StateLoginNeeded), control.CodeLoginNeeded, "a0: sign in again: words"},
		{in(control.StateNeedsYou), control.CodeNeedsYou, "a0: words"},
		{in(control.StateUnreadable), control.CodeLoginNeeded, "a0: words"},
		{in(control.StateLoginNeeded, control.StateLoginNeeded, control.StateLoginNeeded), control.CodeLoginNeeded, "a1: sign in again: words"},
		{in(control.StatePaused, control.StateLoginNeeded), control.CodeNoAccount, "every account that could serve is paused"},
	} {
		var got control.Error
		if err := usable(tt.all, nil); err != nil {
			got = *forPerson(err)
		}
		if got.Code != tt.code || got.Message != tt.want || (got.Hint == "") != (got.Code == "") {
			t.Errorf("%+v: %+v, want %q", tt.all, got, tt.want)
		}
	}
}

func TestWhoNeedsAPersonMayServeAllTheSame(t *testing.T) {
	calls := control.Account{ID: "a", Label: "work", State: control.StateNeedsYou, Reason: "words"}
	if err := usable([]control.Account{calls}, []string{"a"}); err != nil {
		t.Errorf("its login still serves: %v", err)
	}
	if err := usable([]control.Account{calls}, []string{"b"}); err == nil {
		t.Error("its login is over")
	}
	over := control.Account{ID: "a", Label: "work", State: control.StateLoginNeeded, Browser: control.BrowserReady}
	if err := usable([]control.Account{over}, nil); err != nil {
		t.Errorf("its browser session signs it in again: %v", err)
	}
}

func TestT27AClientsEnvironment(t *testing.T) {
	environ := []string{"A=1", "OAUTHMUX_PASSPHRASE=secret", "BASE=old", "OAUTHMUX_HOME=/x", "HTTPS_PROXY=http://p:1"}
	got := childEnv(environ, [][2]string{{"BASE", "http://127.0.0.1:1/acme"}, {"KEY", "omx_1"}})
	want := []string{"A=1", "OAUTHMUX_HOME=/x", "HTTPS_PROXY=http://p:1", "BASE=http://127.0.0.1:1/acme", "KEY=omx_1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	got = childEnv([]string{"all_proxy=socks5://p:1", "NO_PROXY=a.example"}, nil)
	want = []string{"all_proxy=socks5://p:1", "NO_PROXY=a.example,127.0.0.1,localhost", "no_proxy=127.0.0.1,localhost"}
	if !slices.Equal(got, want) {
		t.Errorf("with a proxy: %q", got)
	}
}

func TestNoFlagOfOursIsASecret(t *testing.T) {
	p := &program{Env: Env{Stdin: strings.NewReader("")}}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		for _, word := range []string{"token", "code", "passphrase", "password", "secret", "key"} {
			if c.Flags().Lookup(word) != nil || c.PersistentFlags().Lookup(word) != nil {
				t.Errorf("%s --%s would be seen in the list of processes", c.Name(), word)
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(p.root())
}
