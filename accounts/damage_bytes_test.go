package accounts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/vault"
	"github.com/oauthmux/oauthmux/usage"
)

// spoilt is a home whose accounts.json is damaged over and over: four accounts in
// a file of 4 KiB, each of them sealed in a real vault.
type spoilt struct {
	dir   string
	whole []byte
	vault *vault.Vault
	all   []Account
}

// newSpoilt keeps its home in memory where there is such a place: nothing here is
// about what a disk does, and there are thousands of homes to be mended.
func newSpoilt(t *testing.T) *spoilt {
	t.Helper()
	s := &spoilt{dir: t.TempDir()}
	if memory, err := os.MkdirTemp("/dev/shm", "omx-"); err == nil { //nolint:usetesting // t.TempDir is on the disk
		s.dir = memory
		t.Cleanup(func() { _ = os.RemoveAll(memory) })
	}
	var err error
	if s.vault, err = vault.Open(vault.Options{Dir: filepath.Join(s.dir, "vault"), Memory: true, Rescue: []string{}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.vault.Close)
	if err := s.vault.Unlock(t.Context(), "", false); err != nil {
		t.Fatal(err)
	}
	r := openRegistry(t, s.dir, nil)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for n, name := range []string{"work", "home", "lab", "Büro"} {
		a := add(t, r, Account{
			Provider: "anthropic", Identity: fmt.Sprintf("3f%d0aa/77e%d", n, n), Label: name, Email: name + "@acme.example", Org: "Acme", Plan: "max",
			LoggedInAt: at, TokenExpiresAt: at.Add(time.Hour), LastStatus: 200, Counts: Counts{Day: "2026-01-02", Requests: 214, Failovers: 3},
			Cooldowns: []Cooldown{{Until: at.Add(time.Hour), Scope: "opus", Evidence: "429 five_hour", Kind: CoolQuota}},
			Usage:     usage.Snapshot{At: at, Source: usage.SourceHeaders, Windows: []usage.Window{{Name: "5h", Used: 0.78, ResetsAt: at.Add(time.Hour), Length: 5 * time.Hour}}},
		})
		h, err := s.vault.Lock(t.Context(), string(a.ID))
		if err != nil {
			t.Fatal(err)
		}
		raw := []byte(`{"access_token":"a","refresh_token":"r","expires_in":3600}`)
		if err := h.Store(vault.Record{Provider: "anthropic", Identity: a.Identity, Label: name, Email: a.Email, Org: a.Org, Plan: a.Plan, Order: n + 1, LoggedInAt: at, ReceivedAt: at, RefreshToken: "r" + name, Raw: raw}); err != nil {
			t.Fatal(err)
		}
		h.Release()
	}
	if s.whole, err = os.ReadFile(s.path()); err != nil {
		t.Fatal(err)
	}
	// What a newer version wrote besides makes it as large as it is meant to be.
	more := fmt.Sprintf(`,"newer":{"x":[%q]}}`, strings.Repeat("y", max(0, 4096-len(s.whole)-len(`,"newer":{"x":[""]}}`)+2)))
	s.whole = append(s.whole[:len(s.whole)-2], more...)
	if s.write(t, s.whole); len(s.whole) != 4096 || openRegistry(t, s.dir, nil).Damage() != "" {
		t.Fatalf("the file of %d bytes is damaged from the start", len(s.whole))
	}
	s.all = openRegistry(t, s.dir, nil).All()
	return s
}

func (s *spoilt) path() string { return filepath.Join(s.dir, "accounts.json") }

func (s *spoilt) write(t *testing.T, raw []byte) {
	t.Helper()
	if err := os.WriteFile(s.path(), raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// sealed reads the vault, as the program does before it rebuilds.
func (s *spoilt) sealed(t *testing.T) map[ID]vault.Record {
	t.Helper()
	ids, err := s.vault.IDs()
	if err != nil {
		t.Fatal(err)
	}
	records := make(map[ID]vault.Record, len(ids))
	for _, id := range ids {
		if records[ID(id)], err = s.vault.Read(id); err != nil {
			t.Fatal(err)
		}
	}
	return records
}

// survives plants a file and starts the program with it. Either the file is good,
// and stays what it is; or it is kept aside as it was, nothing takes its place,
// and the accounts come back from the vault. It reports whether it was good.
func (s *spoilt) survives(t *testing.T, what string, raw []byte) (good bool) {
	t.Helper()
	s.write(t, raw)
	r := openRegistry(t, s.dir, nil)
	bad := badFiles(t, s.dir)
	if good = r.Damage() == ""; good {
		if now, err := os.ReadFile(s.path()); err != nil || string(now) != string(raw) || len(bad) != 0 {
			t.Fatalf("%s: taken as good, the file is another: %v, kept %q", what, err, bad)
		}
	} else {
		if len(bad) != 1 {
			t.Fatalf("%s: kept aside: %q", what, bad)
		}
		if kept, err := os.ReadFile(bad[0]); err != nil || string(kept) != string(raw) {
			t.Fatalf("%s: what is kept is not what was there: %v", what, err)
		}
		if _, err := os.Lstat(s.path()); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s: something was written in its place: %v", what, err)
		}
	}
	if err := r.Rebuild(s.sealed(t)); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	for _, want := range s.all {
		got, err := r.Get(want.ID)
		if err != nil {
			t.Errorf("%s: %s is gone: %v", what, want.Label, err)
		}
		if !good && (got.Identity != want.Identity || got.Label != want.Label || got.Email != want.Email || got.Order != want.Order || !got.TokenExpiresAt.Equal(want.TokenExpiresAt)) {
			t.Errorf("%s: %s came back as %+v", what, want.Label, got)
		}
	}
	if written, err := os.ReadFile(s.path()); err != nil || !json.Valid(written) {
		t.Errorf("%s: what was rebuilt is no document: %v", what, err)
	}
	for _, name := range bad {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	return good
}

// To go from a file to its accounts takes a hundred times as long as to parse it,
// and with the race detector everything takes ten times as long, and finds nothing
// more: there only some of it is done.
func sparse(n int) bool { return raced && n%16 != n/16%16 }

func TestC15_CutAtEveryByteTheAccountsComeBack(t *testing.T) {
	s := newSpoilt(t)
	for n := range s.whole {
		if !sparse(n) && s.survives(t, fmt.Sprintf("cut at byte %d", n), s.whole[:n]) {
			t.Errorf("cut at byte %d it is taken as whole", n)
		}
	}
}

// The parser sees every bit; the way from a file to its accounts one of each byte,
// and each of the eight in turn.
func TestC15_ABitFlippedAnywhereLosesNoAccount(t *testing.T) {
	s := newSpoilt(t)
	harmless, damaged := 0, 0
	for i := range len(s.whole) * 8 {
		if sparse(i) {
			continue
		}
		raw := slices.Clone(s.whole)
		raw[i/8] ^= 1 << (i % 8)
		d, err := parseDocument(raw)
		switch {
		case err == nil && len(d.accounts) != len(s.all):
			t.Errorf("bit %d of byte %d: %d accounts are left", i%8, i/8, len(d.accounts))
		case err != nil && !isDamage(err):
			t.Errorf("bit %d of byte %d: %v", i%8, i/8, err)
		case i%8 != i/8%8:
		case s.survives(t, fmt.Sprintf("bit %d of byte %d", i%8, i/8), raw):
			harmless++
		default:
			damaged++
		}
	}
	if harmless == 0 || damaged < harmless/10 {
		t.Errorf("%d files were harmless, and %d damaged", harmless, damaged)
	}
}
