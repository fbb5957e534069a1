package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// home makes a vault with a key in an encrypted file and a record of each
// account, and returns its folder.
func home(t *testing.T, accounts ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "vault")
	v, err := Open(Options{Dir: dir, Backend: backendFile, Passphrase: "passphrase", Rescue: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := v.Unlock(t.Context(), "", false); err != nil {
		t.Fatal(err)
	}
	for _, id := range accounts {
		h, err := v.Lock(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Store(Record{Provider: "p", Label: id, RefreshToken: "r-" + id, Raw: []byte(`{}`)}); err != nil {
			t.Fatal(err)
		}
		h.Release()
	}
	return dir
}

func look(t *testing.T, dir, passphrase string) *View {
	t.Helper()
	w, err := Look(Options{Dir: dir, Passphrase: passphrase, Rescue: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// tree is everything of a folder that a change would show in.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %v %d %v\n", path, info.Mode(), info.Size(), info.ModTime())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestALookChangesNothing(t *testing.T) {
	dir := home(t, "a", "b")
	for _, path := range []string{dir, filepath.Join(dir, "a")} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"store.json", "a/cred", "b/cred"} {
		if err := os.Chmod(filepath.Join(dir, path), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	before := tree(t, dir)
	w := look(t, dir, "passphrase")
	if err := w.Ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		if r, err := w.Read(id); err != nil || r.RefreshToken != "r-"+id {
			t.Errorf("%s: %v, %v", id, r, err)
		}
	}
	traces, err := w.Accounts()
	if err != nil || len(traces) != 2 {
		t.Fatalf("traces %+v, %v", traces, err)
	}
	for _, trace := range traces {
		if !trace.Record || trace.Problem != nil || trace.Busy || trace.CutShort || time.Since(trace.Written) > time.Minute {
			t.Errorf("%+v", trace)
		}
	}
	if after := tree(t, dir); after != before {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
}

func TestALookMakesNoKey(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "vault")
	if _, err := Look(Options{Dir: dir}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a vault: %v", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	before := tree(t, parent)
	r := newRing()
	w, err := Look(Options{Dir: dir, Backend: backendFile, Passphrase: "passphrase", OpenKeyring: r.open})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ke, ok := errors.AsType[*KeyError](w.Ask(t.Context()))
	if !w.FirstUse() || !ok || !ke.FirstUse || w.Backend() != "" {
		t.Errorf("first use %v, backend %q, %v", w.FirstUse(), w.Backend(), ke)
	}
	// Nor when whoever asks does not look first.
	if err := w.vault.Unlock(t.Context(), "passphrase", true); stateIn(err) != KeyUnwritable {
		t.Errorf("unlock: %v", err)
	}
	if calls := r.called(); len(calls) > 0 {
		t.Errorf("the keyring was asked: %v", calls)
	}
	if after := tree(t, parent); after != before {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
}

func TestALookNamesTheStateOfTheKey(t *testing.T) {
	for name, c := range map[string]struct {
		passphrase string
		damage     func(t *testing.T, dir string)
		want       KeyState
	}{
		"no passphrase":       {"", func(*testing.T, string) {}, KeyPassphraseNeeded},
		"the wrong one":       {"another", func(*testing.T, string) {}, KeyWrongPassphrase},
		"no item":             {"passphrase", func(t *testing.T, dir string) { t.Helper(); remove(t, dir, "keyring") }, KeyMissing},
		"no store.json":       {"passphrase", func(t *testing.T, dir string) { t.Helper(); remove(t, dir, "store.json") }, KeyDamaged},
		"half a store.json":   {"passphrase", func(t *testing.T, dir string) { t.Helper(); cut(t, dir, "store.json") }, KeyDamaged},
		"store.json a folder": {"passphrase", func(t *testing.T, dir string) { t.Helper(); remove(t, dir, "store.json"); mkdir(t, dir, "store.json") }, KeyDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			dir := home(t, "a")
			c.damage(t, dir)
			before := tree(t, dir)
			w := look(t, dir, c.passphrase)
			if err := w.Ask(t.Context()); stateIn(err) != c.want || w.FirstUse() {
				t.Errorf("got %v, first use %v, want %s", err, w.FirstUse(), c.want)
			}
			if after := tree(t, dir); after != before {
				t.Errorf("before:\n%safter:\n%s", before, after)
			}
		})
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func cut(t *testing.T, dir, name string) {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, name))
	if err == nil {
		err = os.Truncate(filepath.Join(dir, name), info.Size()-10)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestTracesWithoutAKey(t *testing.T) {
	note := func(started time.Time) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			data, err := json.Marshal(intent{Version: intentVersion, Token: "hmac", Count: 1, StartedAt: started, PID: 4711, Sender: "s"})
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, "a", intentName), data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	started := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		change func(t *testing.T, dir string)
		want   func(Trace) bool
	}{
		"whole":     {func(*testing.T, string) {}, func(g Trace) bool { return g.Record && g.Problem == nil && !g.Busy && !g.CutShort }},
		"cut short": {func(t *testing.T, dir string) { t.Helper(); cut(t, dir, "a/cred") }, problem("cut short")},
		"no seal":   {func(t *testing.T, dir string) { t.Helper(); write(t, dir, "a/cred", bytes.Repeat([]byte("x"), 500)) }, problem("no sealed record")},
		"empty":     {func(t *testing.T, dir string) { t.Helper(); write(t, dir, "a/cred", nil) }, problem("no sealed record")},
		"another's": {func(t *testing.T, dir string) {
			t.Helper()
			copyTo(t, filepath.Join(home(t, "a"), "a/cred"), filepath.Join(dir, "a/cred"))
		}, problem("another vault")},
		"a folder":     {func(t *testing.T, dir string) { t.Helper(); remove(t, dir, "a/cred"); mkdir(t, dir, "a/cred") }, problem("not a plain file")},
		"gone":         {func(t *testing.T, dir string) { t.Helper(); remove(t, dir, "a/cred") }, func(g Trace) bool { return !g.Record && g.Problem == nil }},
		"only aside":   {func(t *testing.T, dir string) { t.Helper(); rename(t, dir, "a/cred", "a/cred.tmp") }, func(g Trace) bool { return g.Record && g.Problem == nil && g.Written.IsZero() }},
		"kept":         {func(t *testing.T, dir string) { t.Helper(); write(t, dir, "a/cred.bad-1", []byte("x")) }, func(g Trace) bool { return g.Record && len(g.Kept) == 1 && g.Kept[0] == "cred.bad-1" }},
		"a note":       {note(started), func(g Trace) bool { return g.CutShort && !g.Busy && g.PID == 4711 && g.Since.Equal(started) }},
		"broken note":  {func(t *testing.T, dir string) { t.Helper(); write(t, dir, "a/intent", []byte("{")) }, func(g Trace) bool { return g.CutShort && g.PID == 0 }},
		"lock no file": {func(t *testing.T, dir string) { t.Helper(); remove(t, dir, "a/lock"); mkdir(t, dir, "a/lock") }, func(g Trace) bool { return g.Record && !g.Busy }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := home(t, "a")
			c.change(t, dir)
			traces, err := look(t, dir, "").Accounts()
			if err != nil || len(traces) != 1 || traces[0].ID != "a" || !c.want(traces[0]) {
				t.Errorf("got %+v, %v", traces, err)
			}
		})
	}
}

func problem(words string) func(Trace) bool {
	return func(g Trace) bool { return g.Record && g.Problem != nil && strings.Contains(g.Problem.Error(), words) }
}

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, dir, from, to string) {
	t.Helper()
	if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
		t.Fatal(err)
	}
}

func copyTo(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A renewal under way is one, and not one that was cut short; a look keeps
// nobody from it.
func TestALookAtARenewalUnderWay(t *testing.T) {
	dir := home(t, "a")
	v, err := Open(Options{Dir: dir, Passphrase: "passphrase", Rescue: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := v.Unlock(t.Context(), "", false); err != nil {
		t.Fatal(err)
	}
	h, err := v.Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Begin("r-a"); err != nil {
		t.Fatal(err)
	}
	w := look(t, dir, "passphrase")
	traces, err := w.Accounts()
	if err != nil || len(traces) != 1 || !traces[0].Busy || traces[0].CutShort || traces[0].PID != os.Getpid() || traces[0].Lock != filepath.Join(dir, "a", "lock") {
		t.Errorf("during: %+v, %v", traces, err)
	}
	if err := h.Store(Record{Provider: "p", RefreshToken: "r-2", Raw: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	h.Release()
	traces, err = w.Accounts()
	if err != nil || traces[0].Busy || traces[0].CutShort || traces[0].Problem != nil {
		t.Errorf("after: %+v, %v", traces, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	again, err := v.Lock(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	again.Release()
}
