//go:build unix

package e2e

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// curling is a client written in shell: it prints the account that served it.
const curling = `exec curl -sS --fail-with-body -D - -o /dev/null -H "Authorization: Bearer $ANTHROPIC_AUTH_TOKEN" \
	-H 'Content-Type: application/json' -H 'Anthropic-Version: 2023-06-01' -d '` + question + `' \
	"$ANTHROPIC_BASE_URL/v1/messages?beta=true"`

// servedBy is the account in what curling printed.
func servedBy(t *testing.T, printed string) string {
	t.Helper()
	for line := range strings.Lines(printed) {
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Oauthmux-Account") {
			return strings.TrimSpace(value)
		}
	}
	t.Errorf("nobody served: %s", printed)
	return ""
}

func TestWhatEnvPrintsReachesTheProxy(t *testing.T) {
	t.Parallel()
	need(t, "curl", "curl")
	e, p := serving(t, simulator.Options{})
	h := e.h
	// The whole way that the documentation names, in one shell.
	script := fmt.Sprintf(`eval "$(%s env)"; %s`, plain, curling)
	out := h.shell(script)
	if got := servedBy(t, out); got != h.account("work").ID {
		t.Errorf("%s served", got)
	}
	lines := strings.Split(strings.TrimSpace(h.ok("env")), "\n")
	want := []string{"export ANTHROPIC_BASE_URL=" + e.client.base, "export ANTHROPIC_AUTH_TOKEN=" + e.client.key}
	if !slices.Equal(lines, want) {
		t.Errorf("env printed %d lines of another form", len(lines))
	}
	for shell, form := range map[string]string{
		"fish": "set -gx ANTHROPIC_BASE_URL " + e.client.base + "\nset -gx ANTHROPIC_AUTH_TOKEN " + e.client.key + "\n",
		"pwsh": "$env:ANTHROPIC_BASE_URL = '" + e.client.base + "'\n$env:ANTHROPIC_AUTH_TOKEN = '" + e.client.key + "'\n",
	} {
		if got := h.ok("env", "--shell", shell); got != form {
			t.Errorf("env --shell %s printed %d bytes of another form", shell, len(got))
		}
	}
	h.fails(2, "cmd", "env", "--shell", "cmd")
	h.fails(1, "nobody", "env", "--provider", "nobody")
	p.noViolations(t)
}

// shell runs a script in the home's environment.
func (h *home) shell(script string) string {
	h.t.Helper()
	r := h.run("run", "--", "sh", "-c", script)
	if r.status != 0 {
		h.t.Errorf("%v", r)
	}
	return r.stdout
}

func TestEnvNamesNoPortThatNobodyHolds(t *testing.T) {
	t.Parallel()
	h := signedIn(t)
	r := h.fails(1, "no engine runs", "env")
	if !strings.Contains(r.stderr, "\nhint: ") || !strings.Contains(r.stderr, "oauthmux serve") {
		t.Errorf("env: %v", r)
	}
}

// Whoever listens on our port and is not our engine is told no key, and gets no
// client (SAFETY T04).
func TestT04ASquatterOnThePortGetsNothing(t *testing.T) {
	t.Parallel()
	need(t, "curl", "curl")
	h := signedIn(t)
	squatter, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var visits atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := squatter.Accept()
			if err != nil {
				return
			}
			visits.Add(1)
			_ = c.Close()
		}
	}()
	defer func() {
		_ = squatter.Close()
		<-done
	}()
	address := squatter.Addr().String()
	h.config("[proxy]", fmt.Sprintf("listen = %q", address))
	for _, args := range [][]string{{"env"}, {"env", "--json"}} {
		if r := h.run(args...); r.status != 1 || strings.Contains(r.stdout, "omx_") || !strings.Contains(r.stdout+r.stderr, address) {
			t.Errorf("oauthmux %q: status %d, stderr %s", args, r.status, r.stderr)
		}
	}
	h.fails(1, "cannot listen on "+address, "serve")
	// run takes a port of its own; one that is configured is for the engine alone.
	out := h.ok("run", "--", "sh", "-c", `echo "$ANTHROPIC_BASE_URL"; `+curling)
	if strings.Contains(out, address) {
		t.Errorf("the client was sent to the squatter")
	}
	servedBy(t, out)
	if n := visits.Load(); n != 0 {
		t.Errorf("the squatter was visited %d times", n)
	}
}

func TestRunReturnsWhatItsCommandReturns(t *testing.T) {
	t.Parallel()
	h := twoAccounts(t)
	text := h.path("user/text")
	if err := os.WriteFile(text, []byte("not a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(h *home) {
		h.t.Helper()
		for _, c := range []struct {
			status int
			args   []string
		}{
			{0, []string{"--", "true"}},
			{1, []string{"--", "false"}},
			{3, []string{"--", "sh", "-c", "exit 3"}},
			{77, []string{"sh", "-c", "exit 77"}},
			{128 + 9, []string{"--", "sh", "-c", "kill -9 $$"}},
			{128 + 15, []string{"--", "sh", "-c", "kill -15 $$"}},
			{127, []string{"--", "no-such-command"}},
			{127, []string{"--", "/no/such/command"}},
			{125, []string{"--", text}},
			{125, []string{"--account", "nobody", "--", "true"}},
			{125, []string{"--provider", "nobody", "--", "true"}},
			{2, nil},
			{2, []string{"--nonsense", "--", "true"}},
		} {
			if r := h.run(append([]string{"run"}, c.args...)...); r.status != c.status {
				h.t.Errorf("run %q, want status %d: %v", c.args, c.status, r)
			}
		}
	}
	check(h) // with an engine inside
	e := h.serve()
	check(h)
	// The child's streams are its own, and nothing is added to them.
	r := h.runWith(strings.NewReader("in\x00put"), "run", "--", "sh", "-c", "cat; echo err >&2; exit 5")
	if r.status != 5 || r.stdout != "in\x00put" || r.stderr != "err\n" {
		t.Errorf("the child's streams: %v", r)
	}
	if !e.running() {
		t.Error("the engine has ended")
	}
	h.unharmed()
}

func TestRunIsServedByTheAccountItNames(t *testing.T) {
	t.Parallel()
	need(t, "curl", "curl")
	h := twoAccounts(t)
	check := func() {
		t.Helper()
		for name, flags := range map[string][]string{"work": nil, "home": {"--account", "home"}} {
			out := h.ok(append(append([]string{"run"}, flags...), "--", "sh", "-c", curling)...)
			if got := servedBy(t, out); got != h.account(name).ID {
				t.Errorf("run %q was served by %s, want %s", flags, got, name)
			}
		}
	}
	check()
	e := h.serve()
	check()
	out := h.ok("run", "--", "sh", "-c", "echo $ANTHROPIC_BASE_URL; echo $ANTHROPIC_AUTH_TOKEN")
	if base, key, _ := strings.Cut(strings.TrimSpace(out), "\n"); base != e.client.base || !strings.HasPrefix(key, "omx_") || strings.Contains(key, e.client.key) {
		t.Errorf("beside an engine the client was sent to %s", base)
	}
	if s := h.status(); len(s.Sessions) == 0 {
		t.Errorf("the sessions are %+v", s.Sessions)
	}
	h.provider.noViolations(t)
}

// 3 is a login that has ended, 4 nobody at all: for token and run only.
func TestTokenAndRunSayWhetherALoginHelps(t *testing.T) {
	t.Parallel()
	p := newProvider(t, simulator.Options{}, people("work", "home")...)
	h := newHome(t, p)
	for _, args := range [][]string{{"token"}, {"token", "--fresh"}, {"run", "--", "true"}} {
		h.fails(4, "no account", args...)
	}
	h.login("work", "home")
	h.ok("switch", "work")
	p.Revoke("work")
	r := h.fails(3, "work: sign in again", "token", "work", "--fresh")
	if r.stdout != "" || !strings.Contains(r.stderr, "\nhint: oauthmux login") {
		t.Errorf("token: %v", r)
	}
	check := func() {
		t.Helper()
		for _, args := range [][]string{{"token", "work"}, {"token", "work", "--fresh"}, {"run", "--account", "work", "--", "true"}} {
			h.fails(3, "work: sign in again", args...)
		}
		h.fails(1, "sign in again", "refresh", "work")
		if user, _ := p.Owner(h.token()); user != "home" {
			t.Errorf("token is that of %q", user)
		}
		h.ok("run", "--", "true")
	}
	check()
	h.serve()
	check()
	h.ok("pause", "home")
	h.ok("pause", "work")
	h.fails(4, "paused", "run", "--account", "home", "--", "true")
	h.ok("logout", "home", "--yes")
	h.ok("logout", "work", "--yes")
	h.fails(4, "no account", "token")
	h.fails(4, "no account", "run", "--", "true")
	p.noViolations(t)
}

func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	h := newHome(t, nil)
	help := h.ok("--help")
	for _, name := range commandNames {
		if !strings.Contains(help, "\n  "+name+" ") {
			t.Errorf("--help does not list %s", name)
		}
		for _, args := range [][]string{{name, "--help"}, {"help", name}} {
			if out := h.ok(args...); !strings.Contains(out, "Examples:\n  ") || !strings.Contains(out, "oauthmux "+name) {
				t.Errorf("oauthmux %q has no example: %s", args, out)
			}
		}
	}
	if out := h.ok("help", "config"); !strings.Contains(out, "OAUTHMUX_PROXY_LISTEN") || !strings.Contains(out, "127.0.0.1:4747") {
		t.Errorf("help config: %s", out)
	}
	if out := h.ok("version"); !strings.HasPrefix(out, "oauthmux "+version+" ") {
		t.Errorf("version: %s", out)
	}
	for _, absent := range []string{"import"} {
		if strings.Contains(help, "\n  "+absent+" ") {
			continue // it has come: it must explain itself like the others, above
		}
		h.fails(2, "unknown command", absent)
	}
}

var commandNames = []string{
	"serve", "login", "logout", "list", "usage", "status", "switch", "rename", "pause", "resume", "move",
	"refresh", "token", "env", "run", "demo", "completion", "version", "help",
}

// The keys of the documents (DESIGN 4). No field is ever omitted.
var (
	listKeys    = []string{"schema", "accounts"}
	statusKeys  = []string{"schema", "accounts", "engine", "sessions"}
	accountKeys = []string{
		"id", "provider", "label", "email", "org", "plan", "order", "preferred", "paused", "state", "reason", "cooldowns",
		"token_expires_at", "logged_in_at", "login_expires_at", "browser", "windows", "usage_at", "usage_source",
		"requests", "failovers", "in_flight", "last_status",
	}
	cooldownKeys = []string{"until", "scope", "evidence"}
	windowKeys   = []string{"name", "used", "resets_at", "scope", "forecast"}
	engineKeys   = []string{"running", "listen", "pid", "version", "key"} // key: DESIGN 4, "names the keyring's state"
	sessionKeys  = []string{"session", "account", "since", "requests"}
	errorKeys    = []string{"code", "message", "hint"}
)

func TestEveryDocumentHasItsFields(t *testing.T) {
	t.Parallel()
	p := newProvider(t, simulator.Options{}, append(people("work", "home"), simulator.User{
		Name: "lab", Plan: simulator.Max20x, Scoped: &simulator.ScopedLimit{Limit: simulator.Limit{Requests: 100, Used: 0.2}, Family: "opus", Everywhere: true},
	})...)
	h := newHome(t, p)
	h.documents() // without an account
	h.login("work", "home", "lab")
	h.documents()
	e := h.serve()
	p.Inject(simulator.Fault{Kind: simulator.QuotaFiveHour, User: "work", ResetsIn: time.Hour})
	e.client.served()
	p.Inject(simulator.Fault{Kind: simulator.QuotaFiveHour, User: "home", ResetsIn: time.Hour})
	r := e.client.request(t.Context(), question)
	r.Header.Set("X-Claude-Code-Session-Id", "conversation")
	if a, err := e.client.send(r); err != nil || a.status != http.StatusOK {
		t.Fatalf("%v, error %v", a, err)
	}
	h.ok("usage", "--refresh")
	h.ok("pause", "work")
	h.documents()

	// What is known is there, and right.
	work, lab := h.account("work"), h.account("lab")
	if work.State != "paused" || !work.Paused || work.LastStatus == nil || *work.LastStatus != http.StatusTooManyRequests || work.Failovers == 0 {
		t.Errorf("work is %+v", work)
	}
	if lab.State != "ready" || lab.Requests == 0 || lab.LastStatus == nil || *lab.LastStatus != http.StatusOK || lab.UsageAt == nil || lab.UsageSource == "" || len(lab.Windows) < 3 || lab.Windows[0].Used == nil {
		t.Errorf("lab is %+v", lab)
	}
	e.stop()
	h.documents()
	h.ok("resume", "work")
}

// documents looks at everything that a command prints as JSON.
func (h *home) documents() {
	h.t.Helper()
	for _, command := range []string{"list", "usage"} {
		h.checkAccounts(command, h.object(listKeys, command)["accounts"])
	}
	status := h.object(statusKeys, "status")
	h.checkAccounts("status", status["accounts"])
	h.checkKeys("engine", status["engine"], engineKeys)
	for _, s := range h.array("sessions", status["sessions"]) {
		h.checkKeys("session", s, sessionKeys)
	}
	h.object([]string{"schema", "version", "go", "os", "arch"}, "version")
	if accounts := h.array("accounts", status["accounts"]); len(accounts) > 0 {
		for _, args := range [][]string{{"rename", "work", "office"}, {"rename", "office", "work"}, {"move", "work", "up"}, {"refresh", "work"}, {"switch", "work"}} {
			changed := h.object([]string{"schema", "message", "account"}, args...)
			h.checkAccounts(args[0], []any{changed["account"]})
		}
	}
	for _, args := range [][]string{{"rename", "nobody", "x"}, {"pause", "nobody"}, {"logout", "nobody"}} {
		r := h.run(append(args, "--json")...)
		var document map[string]any
		decode(h.t, r.stdout, &document)
		h.checkKeys(args[0], document, []string{"schema", "error"})
		h.checkKeys(args[0], document["error"], errorKeys)
		if r.status != 1 || r.stderr != "" {
			h.t.Errorf("oauthmux %q: %v", args, r)
		}
	}
}

// object is the document of a command, with just these keys.
func (h *home) object(keys []string, args ...string) map[string]any {
	h.t.Helper()
	var document map[string]any
	decode(h.t, h.ok(append(args, "--json")...), &document)
	h.checkKeys(args[0], document, keys)
	if document["schema"] != 1.0 {
		h.t.Errorf("%q has schema %v", args, document["schema"])
	}
	return document
}

func (h *home) checkKeys(what string, value any, keys []string) {
	h.t.Helper()
	object, ok := value.(map[string]any)
	got := slices.Sorted(maps.Keys(object))
	want := slices.Sorted(slices.Values(keys))
	if !ok || !slices.Equal(got, want) {
		h.t.Errorf("%s has the fields %q, want %q", what, got, want)
	}
}

// array is a list, which is never null.
func (h *home) array(what string, value any) []any {
	h.t.Helper()
	list, ok := value.([]any)
	if !ok {
		h.t.Errorf("%s is %v, want a list", what, value)
	}
	return list
}

func (h *home) checkAccounts(what string, value any) {
	h.t.Helper()
	for _, account := range h.array(what, value) {
		h.checkKeys(what+"'s account", account, accountKeys)
		a, _ := account.(map[string]any)
		for _, c := range h.array("cooldowns", a["cooldowns"]) {
			h.checkKeys("cooldown", c, cooldownKeys)
			h.checkTime("until", c.(map[string]any)["until"])
		}
		windows := h.array("windows", a["windows"])
		for _, w := range windows {
			h.checkKeys("window", w, windowKeys)
			h.checkTime("resets_at", w.(map[string]any)["resets_at"])
		}
		if len(windows) < 2 {
			h.t.Errorf("%s: %d windows", what, len(windows))
		}
		for _, name := range []string{"token_expires_at", "logged_in_at", "login_expires_at", "usage_at"} {
			h.checkTime(name, a[name])
		}
		if a["browser"] != "none" {
			h.t.Errorf("browser is %v", a["browser"])
		}
	}
}

// checkTime takes null and RFC 3339 in UTC.
func (h *home) checkTime(name string, value any) {
	h.t.Helper()
	if value == nil {
		return
	}
	text, _ := value.(string)
	if _, err := time.Parse(time.RFC3339Nano, text); err != nil || !strings.HasSuffix(text, "Z") {
		h.t.Errorf("%s is %v, want a time in UTC", name, value)
	}
}

// A command that would ask says what to write instead, where nobody is there to
// be asked.
func TestWithoutATerminalNothingIsAsked(t *testing.T) {
	t.Parallel()
	h := twoAccounts(t)
	for _, args := range [][]string{{}, {"switch"}, {"logout", "work"}, {"demo"}} {
		r := h.fails(2, "terminal", args...)
		if !strings.Contains(r.stderr, "\nhint: ") || r.stdout != "" {
			t.Errorf("oauthmux %q: %v", args, r)
		}
	}
	fresh := newHome(t, h.provider)
	if r := fresh.fails(2, "notice", "login", simulator.Plays, "--paste", "--no-open"); r.stdout != "" || !strings.Contains(r.stderr, "--accept-terms") {
		t.Errorf("login: %v", r)
	}
	if names, err := filepath.Glob(filepath.Join(fresh.dir, "vault", "*", "cred")); err != nil || len(names) != 0 {
		t.Errorf("in the vault: %q, %v", names, err)
	}
	h.unharmed()
}

// Commands that change something work the same beside an engine and without one,
// and each sees at once what the other did.
func TestCommandsAndEngineSeeTheSame(t *testing.T) {
	t.Parallel()
	h := twoAccounts(t)
	e := h.serve()
	work, home := h.account("work").ID, h.account("home").ID
	if got := e.client.served().account; got != work {
		t.Errorf("%s served, want the preferred account", got)
	}
	h.ok("switch", "home")
	if got := e.client.served().account; got != home {
		t.Errorf("after switch %s served", got)
	}
	h.ok("pause", "home@example.org")
	if got := e.client.served().account; got != work {
		t.Errorf("after pause %s served", got)
	}
	if a := h.account("home"); a.State != "paused" || !a.Preferred {
		t.Errorf("home is %+v", a)
	}
	h.ok("resume", home)
	h.ok("rename", "home", "garden")
	h.ok("move", "garden", "down")
	if got := h.labels(); !slices.Equal(got, []string{"work", "garden"}) {
		t.Errorf("the accounts are %q", got)
	}
	h.ok("logout", "garden", "--yes")
	if got := h.labels(); !slices.Equal(got, []string{"work"}) {
		t.Errorf("after logout the accounts are %q", got)
	}
	if a := e.client.served(); a.account != work {
		t.Errorf("after logout %s served", a.account)
	}
	if _, err := os.Lstat(filepath.Join(h.dir, "vault", home)); err == nil {
		t.Error("the folder of the account is still there")
	}
	e.stop()
	if got := h.labels(); !slices.Equal(got, []string{"work"}) {
		t.Errorf("without the engine the accounts are %q", got)
	}
	h.provider.noViolations(t)
}

// One person in two organisations is two accounts, and the address alone names
// neither.
func TestAnAddressThatTwoAccountsHaveIsAmbiguous(t *testing.T) {
	t.Parallel()
	h := newHome(t, newProvider(t, simulator.Options{},
		simulator.User{Name: "work", Email: "me@example.org", Org: "Acme"}, simulator.User{Name: "home", Email: "me@example.org", Org: "Me"}))
	h.login("work", "home")
	for _, args := range [][]string{{"token", "me@example.org"}, {"pause", "me@example.org"}} {
		r := h.fails(1, "means several accounts", args...)
		for _, label := range []string{"work", "home"} {
			if a := h.account(label); !strings.Contains(r.stderr, label) || !strings.Contains(r.stderr, a.ID) || a.Paused {
				t.Errorf("oauthmux %q: %v", args, r)
			}
		}
	}
	if e := h.problem("pause", "me@example.org"); e.Code != "ambiguous" || e.Hint == "" {
		t.Errorf("the error document is %+v", e)
	}
	for _, name := range []string{"work", "home"} {
		if user, _ := h.provider.Owner(h.token(h.account(name).ID)); user != name {
			t.Errorf("the token of %s is that of %q", name, user)
		}
	}
}

// Without OAUTHMUX_HOME the files lie where the system wants them; and whatever
// the umask, they are their owner's alone.
func TestFilesAreTheirOwnersAlone(t *testing.T) {
	t.Parallel()
	for _, umask := range []string{"000", "022", "077"} {
		t.Run(umask, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, newProvider(t, simulator.Options{}, people("work")...))
			text := h.read("config.toml")
			folders := map[string]string{}
			xdg := []string{"OAUTHMUX_HOME"}
			for _, kind := range []string{"CONFIG", "DATA", "STATE"} {
				folder := h.path(strings.ToLower(kind))
				if err := os.Mkdir(folder, 0o700); err != nil {
					t.Fatal(err)
				}
				folders[kind] = filepath.Join(folder, "oauthmux")
				xdg = append(xdg, "XDG_"+kind+"_HOME="+folder)
			}
			if err := os.Mkdir(folders["CONFIG"], 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folders["CONFIG"], "config.toml"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			h = h.with(xdg...)
			h.umask = umask
			h.login("work")
			e := h.serve()
			e.client.served()
			h.token("--fresh")
			for kind, names := range map[string][]string{
				"DATA":  {"accounts.json", "vault/store.json", "vault/local.key", "vault/" + h.account("work").ID + "/cred"},
				"STATE": {"oauthmux.log", "engine.lock", "state.lock", "control.sock"},
			} {
				for _, name := range names {
					if _, err := os.Lstat(filepath.Join(folders[kind], name)); err != nil {
						t.Error(err)
					}
				}
				h.alone(folders[kind])
			}
			e.stop()
			if left, err := os.ReadDir(h.dir); err != nil || len(left) != 1 { // the config.toml of every test
				t.Errorf("in a home that was not named: %v, %v", left, err)
			}
		})
	}
}

// alone fails the test unless a folder and all in it are for their owner only.
func (h *home) alone(folder string) {
	h.t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if want := map[bool]os.FileMode{true: 0o700, false: 0o600}[info.IsDir()]; info.Mode().Perm() != want {
			h.t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		h.t.Error(err)
	}
}
