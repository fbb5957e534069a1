//go:build unix

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/ui/control"
)

// twoAccounts is a home with the accounts "work" and "home", in the order "home",
// "work", of which "work" is preferred: not as they came.
func twoAccounts(t *testing.T) *home {
	t.Helper()
	h := newHome(t, newProvider(t, simulator.Options{}, people("work", "home", "other")...))
	h.login("work", "home")
	h.ok("move", "home", "1")
	h.ok("switch", "work")
	return h
}

// unharmed fails the test unless both accounts of twoAccounts are there, in their
// order, and usable.
func (h *home) unharmed() {
	h.t.Helper()
	if got := h.labels(); !slices.Equal(got, []string{"home", "work"}) {
		h.t.Errorf("the accounts are %q", got)
	}
	for _, name := range []string{"work", "home"} {
		if user, live := h.provider.Owner(h.token(name)); user != name || !live {
			h.t.Errorf("the token of %s is that of %q, and live is %v", name, user, live)
		}
	}
}

// problem is the error document of a command that fails.
func (h *home) problem(args ...string) control.Error {
	h.t.Helper()
	r := h.run(append(args, "--json")...)
	var document struct {
		Schema int            `json:"schema"`
		Error  *control.Error `json:"error"`
	}
	decode(h.t, r.stdout, &document)
	if r.status == 0 || document.Schema != control.Schema || document.Error == nil {
		h.t.Fatalf("oauthmux %q --json: %v", args, r)
	}
	return *document.Error
}

// Every mistake in the configuration is named with its place, by every command,
// and what is there stays.
func TestAMistakeInTheConfigurationIsNamed(t *testing.T) {
	t.Parallel()
	h := twoAccounts(t)
	good := h.read("config.toml")
	for name, c := range map[string]struct {
		lines, at, says string
	}{
		"unknown key":         {"[proxy]\nlisten = \"127.0.0.1:0\"\n  lisen = 1\n", ":3:3: ", "proxy.lisen"},
		"unknown table":       {"\n[proxies]\nlisten = \"127.0.0.1:0\"\n", ":2:2: ", "proxies"},
		"wrong type":          {"[retry]\nmax_attempts = \"many\"\n", ":2:1: ", "retry.max_attempts"},
		"not a duration":      {"[cooldown]\nrate_limit = \"soon\"\n", ":2:1: ", "cooldown.rate_limit"},
		"not TOML":            {"[proxy]\nlisten = \n", ":2:", ""},
		"no strategy":         {"[rotation]\nstrategy = \"fastest\"\n", ":2:1: ", "rotation.strategy"},
		"http off loopback":   {"[providers." + simulator.Plays + "]\nupstream = \"http://api.example.com\"\n", ":2:1: ", "https"},
		"http token endpoint": {"[providers." + simulator.Plays + "]\n\ntoken_url = \"http://127.0.0.1.example.com/t\"\n", ":3:1: ", "https"},
		"own provider, http":  {"[providers.mycorp]\nauthorize_url = \"https://a.example\"\ntoken_url = \"https://t.example\"\nclient_id = \"x\"\nredirect = \"loopback\"\npaths = [\"/\"]\nupstream = \"http://192.168.1.2\"\n", ":7:1: ", "https"},
	} {
		t.Run(name, func(t *testing.T) {
			h := h.of(t)
			h.write("config.toml", c.lines)
			for _, args := range [][]string{{"list"}, {"token"}, {"serve"}, {"status"}} {
				r := h.run(args...)
				where := filepath.Join(h.dir, "config.toml") + c.at
				if r.status != 1 || r.stdout != "" || !strings.HasPrefix(r.stderr, "oauthmux: "+where) || !strings.Contains(r.stderr, c.says) {
					t.Errorf("oauthmux %q, want %s and %s: %v", args, where, c.says, r)
				}
			}
			if e := h.problem("list"); e.Code != "config" {
				t.Errorf("the error document is %+v", e)
			}
		})
	}
	h.write("config.toml", good)
	h.unharmed()
}

func TestAFlagOrVariableThatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	h := twoAccounts(t)
	h.with("OAUTHMUX_RETRY_NETWORK=lots").fails(1, "OAUTHMUX_RETRY_NETWORK", "list")
	h.fails(1, "--retry-network", "list", "--retry-network", "-1")
	h.fails(2, "unknown flag", "list", "--nonsense")
	h.fails(2, "unknown command", "lst")
	h.with("OAUTHMUX_HOME=relative/path").fails(1, "OAUTHMUX_HOME", "list")
	h.with("OAUTHMUX_HOME="+h.dir+"\nx").fails(1, "OAUTHMUX_HOME", "list")
	h.with("OAUTHMUX_HOME", "HOME").fails(1, "HOME", "list")
	h.unharmed()
}

func TestT05TheProxyListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	h := twoAccounts(t)
	addresses := []string{"0.0.0.0:0", "[::]:0", "192.0.2.1:0", "*:0", "0:0", "[::ffff:192.0.2.1]:0", "127.0.0.1", "127.0.0.1:99999"}
	if lan := lanAddress(); lan != "" {
		addresses = append(addresses, net.JoinHostPort(lan, "0"))
	}
	for _, address := range addresses {
		h.fails(1, "proxy-listen", "serve", "--proxy-listen", address)
		h.with("OAUTHMUX_PROXY_LISTEN="+address).fails(1, "OAUTHMUX_PROXY_LISTEN", "serve")
		h.config("[proxy]", fmt.Sprintf("listen = %q", address))
		h.fails(1, "config.toml:2:1: proxy.listen", "serve")
	}
	h.config()
	h.unharmed()
}

// lanAddress is an address of this machine that is not loopback; "" if it has none.
func lanAddress() string {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}

func TestAWrongPassphraseSpoilsNothing(t *testing.T) {
	t.Parallel()
	h := twoAccounts(t)
	sealed := h.sealed()
	for name, c := range map[string]struct{ variable, code, says string }{
		"wrong": {"OAUTHMUX_PASSPHRASE=another one", "key_wrong_passphrase", "the passphrase is wrong"},
		"none":  {"OAUTHMUX_PASSPHRASE", "key_passphrase_needed", "the vault needs its passphrase"},
	} {
		t.Run(name, func(t *testing.T) {
			h := h.of(t).with(c.variable)
			for _, args := range [][]string{{"token"}, {"refresh", "work"}, {"login", simulator.Plays, "--paste", "--no-open"}} {
				r := h.fails(1, c.says, args...)
				if r.stdout != "" || !strings.Contains(r.stderr, "\nhint: ") {
					t.Errorf("oauthmux %q: %v", args, r)
				}
			}
			if e := h.problem("refresh", "work"); e.Code != c.code || e.Hint == "" {
				t.Errorf("the error document is %+v", e)
			}
			h.fails(125, c.says, "run", "--", "true")
			// What needs no key works, and nobody takes it for a login that has ended.
			for _, a := range h.status().Accounts {
				if a.State != control.StateReady {
					t.Errorf("%s is %s", a.Label, a.State)
				}
			}
			e := h.serve()
			a, err := e.client.ask()
			if err != nil || a.status != http.StatusServiceUnavailable || !strings.Contains(string(a.body), c.says) {
				t.Errorf("the proxy answered %v, error %v", a, err)
			}
			if key := e.info().Key; "key_"+key != c.code {
				t.Errorf("status says that the key is %q", key)
			}
			if !strings.Contains(e.stderr.String(), strings.TrimPrefix(c.code, "key_")) {
				t.Errorf("the log does not name the key's state: %s", e.stderr)
			}
			h.fails(1, c.says, "token")
			if n := h.provider.Counts().Total(simulator.PathMessages); n != 0 {
				t.Errorf("%d requests reached the provider", n)
			}
			e.stop()
		})
	}
	if h.sealed() != sealed {
		t.Error("the sealed files have changed")
	}
	h.unharmed()
}

// sealed is a fingerprint of everything in the vault but its local key.
func (h *home) sealed() string {
	h.t.Helper()
	names, err := filepath.Glob(filepath.Join(h.dir, "vault", "*", "*"))
	if err != nil {
		h.t.Fatal(err)
	}
	var all []byte
	for _, name := range append(names, filepath.Join(h.dir, "vault", "store.json")) {
		text, err := os.ReadFile(name)
		if err != nil {
			h.t.Fatal(err)
		}
		all = fmt.Appendf(all, "%s\x00%d\x00%s", name, len(text), text)
	}
	return sum(all)
}

// A keyring that is not there, or hangs, is named within five seconds; no key is
// made elsewhere.
func TestAKeyringThatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]string{"no bus": "key_absent", "a mute bus": "key_timeout"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, simulator.Options{}, people("work")...)
			h := newHome(t, p, "[keyring]", `backend = "secret-service"`)
			if name == "a mute bus" {
				muteBus(t, h.path("bus"))
				h = h.with("DBUS_SESSION_BUS_ADDRESS=unix:path=" + h.path("bus"))
			}
			args := []string{"login", simulator.Plays, "--paste", "--no-open", "--accept-terms"}
			r := h.run(args...)
			for try := 1; try < 3 && r.took > 5*time.Second; try++ { // the machine may have been busy: the best counts
				r = h.run(args...)
			}
			if r.took > 5*time.Second {
				t.Errorf("it took %v, at best", r.took)
			}
			message, _, _ := strings.Cut(strings.TrimPrefix(r.stderr, "oauthmux: "), "\n")
			if r.status != 1 || r.stdout != "" || !strings.Contains(message, "keyring") || !strings.Contains(r.stderr, "\nhint: ") {
				t.Errorf("login: %v", r)
			}
			if e := h.problem(args...); e.Code != code {
				t.Errorf("the error document is %+v", e)
			}
			for _, name := range []string{"vault/store.json", "vault/keyring"} {
				if _, err := os.Lstat(filepath.Join(h.dir, name)); err == nil {
					t.Errorf("%s was made", name)
				}
			}
			// Another keyring may be chosen as long as there is no key.
			h.config()
			h.login("work")
			// Afterwards the choice is settled: another word in the configuration does not
			// make another key, and does not lose the one there is.
			h.config("[keyring]", `backend = "secret-service"`)
			r = h.run("token")
			if user, live := p.Owner(strings.TrimSuffix(r.stdout, "\n")); r.status == 0 && (user != "work" || !live) || r.status != 0 && !strings.Contains(r.stderr, "key") {
				t.Errorf("token with another backend configured: status %d, stderr %s", r.status, r.stderr)
			}
			h.config()
			h.token()
		})
	}
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	t.Parallel()
	h := twoAccounts(t)
	squatter, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer squatter.Close() //nolint:errcheck // nothing was sent
	address := squatter.Addr().String()
	h.config("[proxy]", fmt.Sprintf("listen = %q", address))
	r := h.fails(1, "cannot listen on "+address, "serve")
	if !strings.Contains(r.stderr, "\nhint: ") {
		t.Errorf("serve: %v", r)
	}
	h.unharmed()
}

// A paste that is no code of this sign-in ends a script's login with status 1,
// stores nothing, and costs no other login.
func TestABadPasteStoresNothing(t *testing.T) {
	t.Parallel()
	h := twoAccounts(t)
	p := h.provider
	authorize := func(address string) string {
		redirect, err := p.Authorize(address, "other")
		if err != nil {
			t.Fatal(err)
		}
		return redirect
	}
	used := ""
	exchanges := p.Counts().Total(simulator.PathToken)
	for name, c := range map[string]struct {
		browser   func(address string) string
		says      string
		exchanged bool // the provider is asked
	}{
		"another state": {func(a string) string {
			c, _, _ := strings.Cut(code(t, authorize(a)), "#")
			return c + "#" + strings.Repeat("x", 43)
		}, "state", false},
		"the state of none": {func(a string) string { return code(t, authorize(a)) + "x" }, "state", false},
		"nothing":           {func(string) string { return "" }, "", false},
		"another page":      {func(string) string { return "https://evil.example/oauth/code/callback?code=abc&state=def" }, "not a code", false},
		"a refusal":         {func(a string) string { return simulator.HostedCallback + "?error=access_denied&state=" + stateOf(t, a) }, "access_denied", false},
		"a code cut short": {func(a string) string {
			c, s, _ := strings.Cut(code(t, authorize(a)), "#")
			return c[:len(c)/2] + "#" + s
		}, "refused", true},
		"a code of last week": {func(a string) string { return strings.Repeat("A", 52) + "#" + stateOf(t, a) }, "refused", true},
	} {
		r := h.paste(c.browser, "--label", "third")
		if r.status != 1 || !strings.Contains(r.stderr, c.says) || !strings.Contains(r.stderr, "oauthmux: ") {
			t.Errorf("%s: %v", name, r)
		}
		if asked := p.Counts().Total(simulator.PathToken) > exchanges; asked != c.exchanged {
			t.Errorf("%s: the token endpoint was asked: %v", name, asked)
		}
		exchanges = p.Counts().Total(simulator.PathToken)
	}
	h.unharmed()

	// A code is good once: the second sign-in with it is refused, and, as the
	// provider may revoke what it gave the first time, said plainly.
	r := h.paste(func(address string) string { used = code(t, authorize(address)); return used }, "--label", "third")
	if r.status != 0 {
		t.Fatalf("login: %v", r)
	}
	h.token("third")
	again := h.paste(func(address string) string {
		c, _, _ := strings.Cut(used, "#")
		return c + "#" + stateOf(t, address)
	}, "--label", "third")
	if again.status != 1 || !strings.Contains(again.stderr, "refused") || !strings.Contains(again.stderr, "used already") {
		t.Errorf("a code that was used: %v", again)
	}
	if got := h.labels(); !slices.Equal(got, []string{"home", "work", "third"}) {
		t.Errorf("the accounts are %q", got)
	}
	p.noViolations(t, simulator.UnknownCode, simulator.WrongVerifier)
}

// stateOf is the state in an authorization URL.
func stateOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("state")
}

func TestALabelBelongsToOneAccount(t *testing.T) {
	t.Parallel()
	h := twoAccounts(t)
	h.fails(1, `"work"`, "rename", "home", "work")
	h.fails(1, `"WORK" belongs to another account`, "rename", "home", "WORK")
	if e := h.problem("rename", "home", "work"); e.Code != "duplicate_label" || e.Hint == "" {
		t.Errorf("the error document is %+v", e)
	}
	for _, label := range []string{"", " ", "\n", strings.Repeat("x", 10<<10)} {
		if e := h.problem("rename", "home", label); e.Code != "bad_label" {
			t.Errorf("renaming to %.20q: %+v", label, e)
		}
	}
	// Somebody else signs in under the label of an account that is there.
	r := h.signIn("other", "--label", "work")
	if r.status != 1 || !strings.Contains(r.stderr, `"work"`) || !strings.Contains(r.stderr, "nothing was stored") {
		t.Errorf("login under another's label: %v", r)
	}
	h.unharmed()
	// The person whose account it is gets it renewed, and keeps the place.
	if r := h.signIn("work", "--label", "work"); r.status != 0 || !strings.Contains(r.stdout, "signed in again") {
		t.Errorf("login again: %v", r)
	}
	h.unharmed()
}
