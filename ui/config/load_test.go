package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// load reads a document the way a command does.
func load(t *testing.T, document string, env map[string]string, flags map[string]string) (Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(t.Context(), Sources{
		File:   file,
		Getenv: func(name string) string { return env[name] },
		Flags:  flags,
		Lookup: func(_ context.Context, host string) ([]string, error) {
			switch host {
			case "here.example":
				return []string{"::1", "127.0.0.1"}, nil
			case "lan.example":
				return []string{"192.168.1.7"}, nil
			case "both.example":
				return []string{"127.0.0.1", "192.168.1.7"}, nil
			}
			return nil, errors.New("no such host")
		},
	})
}

func TestNoFileIsTheDefaults(t *testing.T) {
	c, err := Load(t.Context(), Sources{File: filepath.Join(t.TempDir(), "none"), Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Proxy:    Proxy{Listen: "127.0.0.1:4747", ReplayLimit: 32 << 20},
		Rotation: Rotation{Strategy: "sticky"},
		Tuning: Tuning{
			Retry:    Retry{Network: 1},
			Cooldown: Cooldown{RateLimit: Duration(30 * time.Second), AuthFailure: Duration(5 * time.Minute)},
			Keepalive: Keepalive{
				Enabled: true, Interval: Duration(30 * time.Minute), FirstAfter: Duration(time.Minute),
				RefreshBefore: Duration(10 * time.Minute), Ping: true,
			},
			Relogin: Relogin{DailyBudget: 4, LoginAge: Duration(30 * 24 * time.Hour)},
		},
		Usage:     Usage{Poll: Duration(5 * time.Minute)},
		Network:   Network{Proxy: "env"},
		UI:        UI{Toast: Duration(8 * time.Second), Theme: "auto", Mouse: true, Title: true, Bell: true, Notify: "auto", NotifyOut: true, NotifyBack: true, NotifySignIn: true},
		Providers: map[accounts.ProviderID]Provider{},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	document := "[cooldown]\nrate_limit = \"1m\"\n"
	env := map[string]string{"OAUTHMUX_COOLDOWN_RATE_LIMIT": "2m"}
	flags := map[string]string{"cooldown-rate-limit": "3m"}
	for _, tt := range []struct {
		name     string
		document string
		env      map[string]string
		flags    map[string]string
		want     time.Duration
	}{
		{"default", "", nil, nil, 30 * time.Second},
		{"file", document, nil, nil, time.Minute},
		{"environment", document, env, nil, 2 * time.Minute},
		{"flag", document, env, flags, 3 * time.Minute},
	} {
		c, err := load(t, tt.document, tt.env, tt.flags)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := c.Cooldown.RateLimit.Std(); got != tt.want {
			t.Errorf("%s: rate_limit is %v, want %v", tt.name, got, tt.want)
		}
	}
}

// mistakes are configurations that are none, with what is said of each.
var mistakes = []struct {
	name, document, want, hint string
}{
	{"unknown key", "[proxy]\n  lisen = \"127.0.0.1:1\"\n", ":2:3: proxy.lisen: unknown key", "did you mean listen?"},
	{"unknown key far from all", "[ui]\nwallpaper = 1\n", ":2:1: ui.wallpaper: unknown key", "oauthmux help config lists every key"},
	{"unknown table", "\n[cool_down]\n", ":2:2: cool_down: unknown key", "did you mean cooldown?"},
	{"unknown key at the top", "listen = \"x\"\n", ":1:1: listen: unknown key", "oauthmux help config lists every key"},
	{"other case", "[Proxy]\n", ":1:2: Proxy: unknown key", "did you mean proxy?"},
	{"first mistake first", "[ui]\nzzz = 1\n[proxy]\naaa = 1\n", ":2:1: ui.zzz: unknown key", ""},
	{"dotted key", "retry.networks = 1\n", ":1:7: retry.networks: unknown key", "did you mean network?"},
	{"string for a number", "[retry]\nnetwork = \"1\"\n", ":2:1: retry.network: must be a whole number, not a string", ""},
	{"number for a duration", "[cooldown]\nrate_limit = 30\n", ":2:1: cooldown.rate_limit: must be a string such as \"30s\", not a whole number", ""},
	{"duration without unit", "[cooldown]\nrate_limit = \"30\"\n", ":2:1: cooldown.rate_limit: \"30\" is not a duration", ""},
	{"negative duration", "[cooldown]\nrate_limit = \"-30s\"\n", ":2:1: cooldown.rate_limit: \"-30s\" is not a duration", ""},
	{"no duration at all", "[cooldown]\nrate_limit = \"0s\"\n", ":2:1: cooldown.rate_limit: must be at least 1s", ""},
	{"endless duration", "[usage]\npoll = \"99999d\"\n", ":2:1: usage.poll: is not", ""},
	{"size without unit", "[proxy]\nreplay_limit = \"32\"\n", ":2:1: proxy.replay_limit: \"32\" is not a size", ""},
	{"size as a number", "[proxy]\nreplay_limit = 32\n", ":2:1: proxy.replay_limit: must be a string", ""},
	{"fraction", "[retry]\nnetwork = 1.5\n", ":2:1: retry.network: must be a whole number, not a number with a fraction", ""},
	{"negative number", "[retry]\nnetwork = -1\n", ":2:1: retry.network: must be at least 0", ""},
	{"too many tries", "[retry]\nnetwork = 11\n", ":2:1: retry.network: must be at most 10", ""},
	{"huge number", "[retry]\nnetwork = 5000000000\n", ":2:1: retry.network: 5000000000 is out of range", ""},
	{"number for true", "[keepalive]\nping = 1\n", ":2:1: keepalive.ping: must be true or false, not a whole number", ""},
	{"date", "[ui]\ntheme = 2020-01-01\n", ":2:1: ui.theme: must be a string, not a date or time", ""},
	{"table for a value", "[proxy.listen]\nx = 1\n", ":1:8: proxy.listen: must be a string, not a table", ""},
	{"value for a table", "proxy = 5\n", ":1:1: proxy: must be a table, not a whole number", ""},
	{"list of tables", "[[proxy]]\n", ":1:3: proxy: must be a table, not a list", ""},
	{"word", "[ui]\ntheme = \"pink\"\n", ":2:1: ui.theme: must be one of auto, dark, light, not \"pink\"", ""},
	{"backend", "[keyring]\nbackend = \"mine\"\n", ":2:1: keyring.backend: must be one of keychain,", ""},
	{"not TOML", "[proxy\n", ":1:7: expected ']'", ""},
	{"key twice", "[ui]\ntoast = \"1s\"\ntoast = \"2s\"\n", ":3:1: toast: key toast is already defined", ""},
	{"binary", "\xff\xfe=1", ":1:1: ", ""},
	{"no strategy", "[rotation]\nstrategy = \"best\"\n", ":2:1: rotation.strategy: must be one of sticky, round-robin, least-used, soonest-reset, not \"best\"", ""},
	{"proxy with a password", "[network]\nproxy = \"ftp://me:hunter2@x\"\n", ":2:1: network.proxy: is neither env, none nor", ""},
	{"providers is a value", "providers = 1\n", ":1:1: providers: must be a table", ""},
	{"provider is a value", "[providers]\nx = 1\n", ":2:1: providers.x: must be a table", ""},
	{"provider's unknown key", "[providers.x]\nup_stream = \"https://a\"\n", ":2:1: providers.x.up_stream: unknown key", "did you mean upstream?"},
	{"built-in provider misspelt", "[providers.anthropc]\nupstream = \"https://a\"\n", ":1:12: providers.anthropc.authorize_url: is needed", "did you mean anthropic?"},
	{"provider's unknown tuning", "[providers.x.cooldown]\nrate = \"1m\"\n", ":2:1: providers.x.cooldown.rate: unknown key", ""},
	{"provider's wrong type", "[providers.x]\nscopes = [\"a\", 1]\n", ":2:1: providers.x.scopes: must be a list of strings, and item 2 is a whole number", ""},
	{"inline table", "[providers.x]\nenv = { base_url = \"A\", tokn = \"B\" }\n", ":2:25: providers.x.env.tokn: unknown key", "did you mean token?"},
	{"name with odd characters", "[providers.\"a\\u001bb\"]\nq = 1\n", ":2:1: providers.\"a\\x1bb\".q: unknown key", ""},
	{"http off loopback", ownProvider("http://login.mycorp.example/authorize"), ":2:1: providers.mycorp.authorize_url: must be https", ""},
}

func TestMistakesNameTheirPlace(t *testing.T) {
	for _, tt := range mistakes {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(t, tt.document, nil, nil)
			ce, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("got %v, want an *Error", err)
			}
			if ce.Line == 0 || ce.Column == 0 {
				t.Errorf("no line and column in %+v", ce)
			}
			if !strings.Contains(ce.Error(), "config.toml"+tt.want) && tt.name != "endless duration" {
				t.Errorf("got  %s\nwant ...%s...", ce, tt.want)
			}
			if !strings.Contains(ce.Hint, tt.hint) {
				t.Errorf("hint %q, want %q", ce.Hint, tt.hint)
			}
			if strings.Contains(ce.Error(), "hunter2") {
				t.Error("the password of the proxy is in the error")
			}
		})
	}
}

func ownProvider(authorize string) string {
	return "[providers.mycorp]\nauthorize_url = \"" + authorize + `"
name = "My Corp"
token_url = "https://login.mycorp.example/token"
token_encoding = "form"
client_id = "oauthmux"
scopes = ["openid", "offline_access"]
redirect = "loopback"
upstream = "https://api.mycorp.example"
paths = ["/v1/"]
env = { base_url = "MYCORP_BASE_URL", token = "MYCORP_TOKEN" }
`
}

// TestT05ListenIsLoopbackOnly is SAFETY T05.
func TestT05ListenIsLoopbackOnly(t *testing.T) {
	for _, tt := range []struct{ listen, want string }{
		{"127.0.0.1:4747", "127.0.0.1:4747"},
		{"127.8.8.8:1", "127.8.8.8:1"},
		{":0", "127.0.0.1:0"},
		{":4747", "127.0.0.1:4747"},
		{"localhost:4747", "127.0.0.1:4747"},
		{"[::1]:4747", "[::1]:4747"},
		{"[::ffff:127.0.0.1]:4747", "127.0.0.1:4747"},
		{"here.example:4747", "127.0.0.1:4747"},
		{"0.0.0.0:4747", ""},
		{"[::]:4747", ""},
		{"192.168.1.7:4747", ""},
		{"[::ffff:192.168.1.7]:4747", ""},
		{"lan.example:4747", ""},
		{"both.example:4747", ""},
		{"nowhere.example:4747", ""},
		{"2130706433:4747", ""},
		{"127.0.0.1", ""},
		{"127.0.0.1:65536", ""},
		{"127.0.0.1:http", ""},
		{"127.0.0.1:-1", ""},
	} {
		c, err := load(t, "", map[string]string{"OAUTHMUX_PROXY_LISTEN": tt.listen}, nil)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%s: accepted as %s", tt.listen, c.Proxy.Listen)
			} else if !strings.HasPrefix(err.Error(), "OAUTHMUX_PROXY_LISTEN: ") {
				t.Errorf("%s: %v does not name its source", tt.listen, err)
			}
			continue
		}
		if err != nil || c.Proxy.Listen != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.listen, c.Proxy.Listen, err, tt.want)
		}
	}
}

func TestAProvidersTableWinsOverTheTablesOfAll(t *testing.T) {
	c, err := load(t, ownProvider("https://login.mycorp.example/authorize")+`
[providers.mycorp.cooldown]
rate_limit = "1m"
[cooldown]
auth_failure = "7m"
`, map[string]string{"OAUTHMUX_RETRY_NETWORK": "3"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := c.For("mycorp")
	if got.Cooldown.RateLimit.Std() != time.Minute || got.Cooldown.AuthFailure.Std() != 7*time.Minute || got.Retry.Network != 3 {
		t.Errorf("tuning of mycorp: %+v", got)
	}
	if other := c.For("other"); other.Cooldown.RateLimit.Std() != 30*time.Second || other.Cooldown.AuthFailure.Std() != 7*time.Minute {
		t.Errorf("tuning of another: %+v", other)
	}
	s := c.Settings()["mycorp"]
	if s.Name != "My Corp" || len(s.Scopes) != 2 || s.Env.Token != "MYCORP_TOKEN" {
		t.Errorf("settings of mycorp: %+v", s)
	}
}

func TestWrongEnvironmentAndFlagsNameThemselves(t *testing.T) {
	_, err := load(t, "", map[string]string{"OAUTHMUX_UI_THEME": "pink"}, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "OAUTHMUX_UI_THEME: must be one of") {
		t.Errorf("got %v", err)
	}
	_, err = load(t, "", nil, map[string]string{"retry-network": "many"})
	if err == nil || !strings.HasPrefix(err.Error(), "--retry-network: must be a whole number") {
		t.Errorf("got %v", err)
	}
	_, err = load(t, "", nil, map[string]string{"keepalive-ping": "1"})
	if err == nil || !strings.HasPrefix(err.Error(), "--keepalive-ping: must be true or false") {
		t.Errorf("got %v", err)
	}
}

func TestTheBrowserIsNamedByItsOwnVariable(t *testing.T) {
	c, err := load(t, "[relogin]\nwait = true\nlogin_age = \"20d\"\n", map[string]string{"OAUTHMUX_BROWSER": "/usr/bin/true"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Relogin.Wait || c.Relogin.Browser != "/usr/bin/true" || c.Relogin.LoginAge.Std() != 20*24*time.Hour {
		t.Errorf("got %+v", c.Relogin)
	}
}

func TestTheWholeContractIsAccepted(t *testing.T) {
	document, err := os.ReadFile("testdata/whole.toml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := load(t, string(document), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Providers) != 2 {
		t.Errorf("got %d providers", len(c.Providers))
	}
}

func TestFilesThatAreNoFiles(t *testing.T) {
	dir := t.TempDir()
	none := func(string) string { return "" }
	if _, err := Load(t.Context(), Sources{File: dir, Getenv: none}); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("a folder: %v", err)
	}
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(t.Context(), Sources{File: big, Getenv: none}); err == nil || !strings.Contains(err.Error(), "longer than a megabyte") {
		t.Errorf("a huge file: %v", err)
	}
	if _, err := Load(t.Context(), Sources{File: filepath.Join(big, "config.toml"), Getenv: none}); runtime.GOOS != "windows" { // there it is a file that does not exist
		if e, ok := errors.AsType[*Error](err); !ok || !strings.Contains(e.Problem, "is a file") || e.Hint == "" {
			t.Errorf("a file in place of the home: %v", err)
		}
	}
	bom := filepath.Join(dir, "bom")
	if err := os.WriteFile(bom, []byte("\xef\xbb\xbf[ui]\r\ntheme = \"dark\"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(t.Context(), Sources{File: bom, Getenv: none}); err != nil || c.UI.Theme != "dark" {
		t.Errorf("a file with a byte order mark: %v", err)
	}
}

func TestDurationsAndSizes(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "1h30m": 90 * time.Minute, "30d": 30 * 24 * time.Hour,
		"1d12h": 36 * time.Hour, "0d": 0, "250ms": 250 * time.Millisecond,
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.Std() != want {
			t.Errorf("%s: got %v, %v", text, d.Std(), err)
		}
	}
	for _, text := range []string{"", "d", "30", "-1d", "1d-1h", "1d+1h", "+1h", "1.5d", "1 d", "70000d", "4000d", "1h1d", "NaNs", "1e9h"} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: accepted as %v", text, d.Std())
		}
	}
	for text, want := range map[string]Size{"32MiB": 32 << 20, "1 KiB": 1024, "0B": 0, "2MB": 2e6} {
		var z Size
		if err := z.UnmarshalText([]byte(text)); err != nil || z != want {
			t.Errorf("%s: got %d, %v", text, z, err)
		}
	}
	for _, text := range []string{"", "32", "-1MiB", "1e3MiB", "MiB", "32 parsecs", "99999999999999EiB", "1.5"} {
		var z Size
		if err := z.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: accepted as %d", text, z)
		}
	}
}

// TestC15_CutOrFlippedAnywhereItIsAMistakeWithItsPlace damages a configuration
// that uses everything, at every byte and every bit.
func TestC15_CutOrFlippedAnywhereItIsAMistakeWithItsPlace(t *testing.T) {
	whole, err := os.ReadFile("testdata/whole.toml")
	if err != nil {
		t.Fatal(err)
	}
	// The comments are most of it, and what is damaged in them is nobody's concern.
	whole = regexp.MustCompile(`(?m)\s*#.*$`).ReplaceAll(whole, nil)
	dir := t.TempDir()
	if !judge(t, dir, whole) {
		t.Fatal("it is wrong from the start")
	}
	outcomes := map[bool]int{}
	for n := range whole {
		outcomes[judge(t, dir, whole[:n])]++
	}
	for i := range len(whole) * 8 {
		if raced && i%8 != i/8%8 { // it takes ten times as long, and finds nothing more
			continue
		}
		damaged := slices.Clone(whole)
		damaged[i/8] ^= 1 << (i % 8)
		outcomes[judge(t, dir, damaged)]++
		if t.Failed() {
			t.Fatalf("bit %d of byte %d", i%8, i/8)
		}
	}
	if outcomes[true] < 100 || outcomes[false] < 1000 {
		t.Errorf("%d were good, and %d mistakes", outcomes[true], outcomes[false])
	}
}

func TestAConfigurationOfAnotherKindIsAMistake(t *testing.T) {
	whole, err := os.ReadFile("testdata/whole.toml")
	if err != nil {
		t.Fatal(err)
	}
	var wide strings.Builder
	for _, r := range string(whole) {
		wide.WriteString(string(r) + "\x00")
	}
	for name, document := range map[string]string{
		"UTF-16": "\xff\xfe" + wide.String(), "JSON": `{"proxy":{"listen":"127.0.0.1:1"}}`, "zeros": strings.Repeat("\x00", 4096),
		"lists without end": "a = " + strings.Repeat("[", 1_000_000), "tables without end": "a = " + strings.Repeat("{a=", 300_000), "a name without end": "[" + strings.Repeat("a.", 500_000) + "a]",
		"two of one table": "[ui]\n[ui]\n", "bytes after the end": "[ui]\ntheme = \"dark\"\n\x00", "an array of its own": "[[providers]]\n",
	} {
		if judge(t, t.TempDir(), []byte(document)) {
			t.Errorf("%s is a configuration", name)
		}
	}
}
