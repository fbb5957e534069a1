package vault

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// withPassphrase opens the home's vault over keyring's real encrypted file.
func withPassphrase(t *testing.T, home, backend string) *Vault {
	t.Helper()
	v, err := Open(Options{Dir: filepath.Join(home, "vault"), Backend: backend, Rescue: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// item returns the path of the encrypted file.
func item(t *testing.T, home string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(home, "vault", keyringFolder, "*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("got %v, %v", found, err)
	}
	return found[0]
}

func TestThePassphraseOfTheEncryptedFile(t *testing.T) {
	home := t.TempDir()
	v := withPassphrase(t, home, backendFile)
	if !v.FirstUse() {
		t.Error("before the first use it wants a passphrase that was chosen already")
	}
	if got := stateIn(v.Unlock(t.Context(), "", true)); got != KeyPassphraseNeeded || v.State() != got {
		t.Errorf("without one: %s", got)
	}
	if err := errors.Join(v.Unlock(t.Context(), passphrase, false), login(t.Context(), v, &server{})); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(item(t, home))
	if err != nil {
		t.Fatal(err)
	}

	v = withPassphrase(t, home, "")
	if v.FirstUse() {
		t.Error("the second time it wants a new passphrase")
	}
	for _, wrong := range []string{"hunter2", passphrase + " ", strings.ToUpper(passphrase)} {
		err := v.Unlock(t.Context(), wrong, false)
		if stateIn(err) != KeyWrongPassphrase || strings.Contains(err.Error(), wrong) {
			t.Errorf("with %q: %v", wrong, err)
		}
		if after, err := os.ReadFile(item(t, home)); err != nil || string(after) != string(before) {
			t.Fatal("a wrong passphrase changed the item")
		}
	}
	if got := stateIn(v.Unlock(t.Context(), "", false)); got != KeyPassphraseNeeded {
		t.Errorf("without one: %s", got)
	}
	if got := v.OpenedWith(); got != "" {
		t.Error("a passphrase opened what is closed")
	}
	if err := v.Unlock(t.Context(), passphrase, false); err != nil {
		t.Fatal(err)
	}
	if r, err := v.Read(account); err != nil || r.Generation != 1 {
		t.Errorf("got %v, %v", r, err)
	}
	if err := v.Unlock(t.Context(), "hunter2", false); err != nil || v.OpenedWith() != passphrase { // it is open by now
		t.Errorf("another passphrase counts as the one that opened it; %v", err)
	}
	v.Close()
	if got := v.OpenedWith(); got != "" {
		t.Error("a vault that is closed tells its passphrase")
	}
}

func TestADamagedEncryptedFile(t *testing.T) {
	home := t.TempDir()
	v := withPassphrase(t, home, backendFile)
	if err := v.Unlock(t.Context(), passphrase, false); err != nil {
		t.Fatal(err)
	}
	path := item(t, home)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte(nil), good...)
	flipped[len(flipped)/2] ^= 1
	for name, data := range map[string][]byte{"cut": good[:len(good)/2], "empty": {}, "garbage": []byte("x.y.z"), "flipped": flipped} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		v := withPassphrase(t, home, "")
		if got := stateIn(v.Unlock(t.Context(), passphrase, false)); got != KeyMismatch {
			t.Errorf("%s: %s", name, got)
		}
		if got := stateIn(v.Unlock(t.Context(), "wrong", false)); got != KeyWrongPassphrase {
			t.Errorf("%s, and a wrong passphrase: %s", name, got)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(data) {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	v = withPassphrase(t, home, "")
	if got := stateIn(v.Unlock(t.Context(), passphrase, false)); got != KeyMissing {
		t.Errorf("gone: %s", got)
	}
	if names, err := filepath.Glob(filepath.Join(home, "vault", keyringFolder, "*")); err != nil || len(names) != 0 {
		t.Errorf("another one was made: %v, %v", names, err)
	}
}

func TestProcessesThatStartAtOnceMakeOneKey(t *testing.T) {
	home := t.TempDir()
	ids := all(t, 4, "unlock", home, "")
	for _, id := range ids {
		if id != ids[0] || len(id) != 2*storeSize+1 {
			t.Errorf("stores %q", ids)
		}
	}
	item(t, home) // there is one
}

// The real encrypted file, and a real kill at some moment of its making. The
// file itself is written in place: half of one must never count.
func TestC12KilledWhileTheEncryptedFileIsMade(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	const runs = 6
	killed := 0
	for n := range runs {
		home := t.TempDir()
		cmd := child(t, "unlock", home, "")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rnd.IntN(250)) * time.Millisecond) // any moment will do
		_ = cmd.Process.Kill()
		if cmd.Wait() != nil {
			killed++
		}
		for range 2 {
			v, err := inFile(home)
			if err != nil {
				t.Fatalf("run %d: %v", n, err)
			}
			if _, err := v.Read(account); errors.Is(err, ErrNotFound) {
				err = login(t.Context(), v, &server{})
				if err != nil {
					t.Fatal(err)
				}
			} else if err != nil {
				t.Fatalf("run %d: %v", n, err)
			}
			v.Close()
		}
	}
	t.Logf("%d of %d were killed in time", killed, runs)
}

func TestLocalKey(t *testing.T) {
	home := t.TempDir()
	v := withPassphrase(t, home, "")
	keys := make(chan string)
	for range 8 {
		go func() {
			key, err := withPassphrase(t, home, "").LocalKey()
			if err != nil {
				t.Error(err)
			}
			keys <- key
		}()
	}
	first, err := v.LocalKey()
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if key := <-keys; key != first {
			t.Errorf("two keys: %q and %q", key, first)
		}
	}
	if !strings.HasPrefix(first, "omx_") || len(first) != 4+43 || strings.Contains(first, ".") {
		t.Errorf("the key is %q", first)
	}
	path := filepath.Join(home, "vault", localKeyName)
	for _, bad := range []string{"", "omx_", first[:20], "xxx_" + first[4:], first + "A", strings.Repeat("\x00", 48)} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if key, err := withPassphrase(t, home, "").LocalKey(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q is a key: %q, %v", bad, key, err)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != bad {
			t.Errorf("%q was replaced", bad)
		}
	}
}

func TestI10NoTokenOutsideTheSeal(t *testing.T) {
	home := t.TempDir()
	v := withPassphrase(t, home, backendFile)
	v.rescueDirs = []string{filepath.Join(home, "rescue")}
	if err := v.Unlock(t.Context(), passphrase, false); err != nil {
		t.Fatal(err)
	}
	const canary = "canary-0123456789"
	h := hold(t, v)
	store := func(n string) {
		t.Helper()
		if err := h.Store(Record{RefreshToken: canary + n, Raw: []byte(`{"access_token":"` + canary + `"}`)}); err != nil {
			t.Fatal(err)
		}
	}
	store("1")
	if _, err := h.Begin(canary + "1"); err != nil {
		t.Fatal(err)
	}
	store("2")
	if _, err := h.Begin(canary + "2"); err != nil {
		t.Fatal(err)
	}
	data, err := h.dir.read(credName)
	if err != nil {
		t.Fatal(err)
	}
	if v.rescue(v.seals, account, data) == "" {
		t.Fatal("no copy was made")
	}
	h.Release() // with a note and a reservation left
	seen := 0
	err = filepath.WalkDir(home, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		seen++
		data, err := os.ReadFile(path)
		for _, secret := range []string{canary, passphrase} {
			if strings.Contains(string(data), secret) {
				t.Errorf("%s holds %q", path, secret)
			}
		}
		return err
	})
	if err != nil || seen < 7 {
		t.Errorf("%d files, %v", seen, err)
	}
}
