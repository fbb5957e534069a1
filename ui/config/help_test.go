package config

import (
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/oauthmux/oauthmux/accounts"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestHelp(t *testing.T) {
	got := Help("/home/me/.config/oauthmux/config.toml")
	const golden = "testdata/help.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("help config changed; if it should, run the test with -update. Got:\n%s", got)
	}
}

func TestEveryKeyHasHelpAndAGoodDefault(t *testing.T) {
	var c Config
	seen := map[string]string{}
	for _, f := range fields(reflect.ValueOf(&c).Elem(), "") {
		if f.Tag.Get("help") == "" {
			t.Errorf("%s has no help", f.key)
		}
		if err := f.setText(f.Tag.Get("default")); err != nil {
			t.Errorf("default of %s: %v", f.key, err)
		}
		for _, name := range []string{f.env(), "--" + f.flag()} {
			if other, taken := seen[name]; taken {
				t.Errorf("%s and %s are both %s", other, f.key, name)
			}
			seen[name] = f.key
		}
	}
	var s accounts.Settings
	known := map[string]bool{}
	for _, f := range fields(reflect.ValueOf(&s).Elem(), "") {
		known[f.key] = true
		if settingHelp[f.key] == "" {
			t.Errorf("providers.NAME.%s has no help", f.key)
		}
	}
	for key := range settingHelp {
		if !known[key] {
			t.Errorf("help speaks of providers.NAME.%s, which there is not", key)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"listen", "replay_limit", "rate_limit"}
	for name, want := range map[string]string{
		"lisen": "listen", "listen_on": "listen", "ratelimit": "rate_limit", "rate-limit": "rate_limit",
		"zzz": "", strings.Repeat("x", 1000): "",
	} {
		if got := nearest(name, known); got != want {
			t.Errorf("nearest(%.20q) is %q, want %q", name, got, want)
		}
	}
}
