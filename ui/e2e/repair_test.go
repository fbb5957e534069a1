//go:build unix

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// The metadata is not what a login is: whatever becomes of it, the vault knows
// the accounts and their order, and the file is kept for who wants to look. The
// engine rebuilds them, and without one the first command that needs them.
func TestADamagedAccountsFileIsKeptAndRebuilt(t *testing.T) {
	t.Parallel()
	h := twoAccounts(t)
	for _, name := range h.labels() {
		h.ok("refresh", name) // a renewal takes the order along into the vault
	}
	wasKept := 0
	for _, c := range []struct {
		name   string
		damage func(string) string // nil: the file is gone
		engine bool                // it is what rebuilds
		repair []string            // or this command
	}{
		{"missing", nil, true, nil},
		{"missing, no engine", nil, false, []string{"token", "work"}},
		{"empty", func(string) string { return "" }, false, []string{"token"}},
		{"truncated", func(s string) string { return s[:len(s)/2] }, true, nil},
		{"null", func(string) string { return "null" }, false, []string{"run", "--account", "home", "--", "true"}},
		{"a list", func(string) string { return "[]" }, false, []string{"refresh", "work"}},
		{"garbage", func(string) string { return "\x00\x01 not JSON \xff" }, false, []string{"rename", "work", "work"}},
		{"trailing bytes", func(s string) string { return s + "}" }, false, []string{"move", "home", "1"}},
		{"no accounts in it", func(string) string { return "{}" }, false, []string{"resume", "work"}},
		{"version 99", func(s string) string { return strings.Replace(s, `"version": 1`, `"version": 99`, 1) }, false, []string{"switch", "work"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := h.of(t)
			after := h.damage(c.damage)
			if c.damage != nil {
				wasKept++
			}
			// Without the key nothing can be rebuilt, and nothing is replaced.
			locked := h.with("OAUTHMUX_PASSPHRASE")
			locked.fails(1, "passphrase", "token")
			locked.fails(1, "passphrase", "pause", "work")
			if now, err := os.ReadFile(filepath.Join(h.dir, "accounts.json")); err == nil && string(now) != after {
				t.Errorf("accounts.json was replaced by %q", now)
			}
			if out := locked.ok("status"); !strings.Contains(out, "accounts.json") {
				t.Errorf("status says nothing of the damage: %s", out)
			}
			if c.engine {
				e := h.serve()
				h.unharmed()
				e.client.served()
				e.stop()
			} else {
				h.ok(c.repair...)
			}
			h.unharmed()
			kept, err := filepath.Glob(filepath.Join(h.dir, "accounts.json.bad-*"))
			if err != nil || len(kept) != wasKept {
				t.Fatalf("kept aside: %q, %v", kept, err)
			}
			if c.damage == nil {
				return
			}
			if text, err := os.ReadFile(slices.Max(kept)); err != nil || string(text) != after {
				t.Errorf("what was kept is not what was there: %v", err)
			}
		})
	}
	h.provider.noViolations(t)
}

// damage spoils accounts.json, or removes it, and returns what it is then.
func (h *home) damage(spoil func(string) string) string {
	h.t.Helper()
	before := h.read("accounts.json")
	if spoil == nil {
		if err := os.Remove(filepath.Join(h.dir, "accounts.json")); err != nil {
			h.t.Fatal(err)
		}
		return ""
	}
	after := spoil(before)
	if after == before {
		h.t.Fatal("nothing was damaged")
	}
	h.write("accounts.json", after)
	return after
}

// Before the first renewal the order is that of the logins.
func TestTheOrderOfLoginsOutlivesTheAccountsFile(t *testing.T) {
	t.Parallel()
	names := []string{"delta", "alpha", "charlie", "bravo"}
	h := newHome(t, newProvider(t, simulator.Options{}, people(names...)...))
	h.login(names...)
	h.damage(nil)
	e := h.serve()
	if got := h.labels(); !slices.Equal(got, names) {
		t.Errorf("the accounts are %q, want %q", got, names)
	}
	e.stop()
}
