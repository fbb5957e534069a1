package vault

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRemove(t *testing.T) {
	v := onFiles(t)
	s := &server{}
	if err := errors.Join(login(t.Context(), v, s), renew(t.Context(), v, s)); err != nil {
		t.Fatal(err)
	}
	h := hold(t, v)
	if _, err := h.Begin(token(2)); err != nil { // leaves a note and a reservation
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := v.Remove(ctx, account); !errors.Is(err, ErrBusy) {
		t.Errorf("an account was removed while somebody held its lock: %v", err)
	}
	h.Release()
	if err := v.Remove(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(v.options.Dir, account)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
	// Who comes late gets the lock of a folder made anew, and finds nothing.
	late := hold(t, at(t, v.options.Dir, v.seals))
	if _, err := late.Read(); !errors.Is(err, ErrNotFound) {
		t.Errorf("a removed account reads: %v", err)
	}
	late.Release()
	if _, err := v.Read(account); !errors.Is(err, ErrNotFound) {
		t.Errorf("a removed account reads: %v", err)
	}
	if ids, err := v.IDs(); err != nil || len(ids) != 0 {
		t.Errorf("got %v, %v", ids, err)
	}
	for range 2 { // what is not there can be removed
		if err := v.Remove(t.Context(), account); err != nil {
			t.Error(err)
		}
	}
}

func TestRemoveKilledAtEveryStep(t *testing.T) {
	seals := testSeals(t)
	for n := 0; ; n++ {
		d, s := newMemDisk(), &server{}
		v := onDisk(t, d, seals)
		if err := login(t.Context(), v, s); err != nil {
			t.Fatal(err)
		}
		put(t, d, tmpName, sealed(t, seals, generationOf(2, "x", origin{"x", 1})))
		killAt(d, n)
		dead, err := run(func() error { return v.Remove(t.Context(), account) })
		if err != nil {
			t.Fatal(err)
		}
		for _, image := range []*memDisk{d.afterKill(), d.afterPowerLoss(nil)} {
			v := onDisk(t, image, seals)
			// It is there as it was, or not at all.
			if r, err := v.Read(account); err == nil && r.Generation != 1 || err != nil && !errors.Is(err, ErrNotFound) {
				t.Fatalf("killed at step %d: %v, %v", n, r, err)
			}
			if err := v.Remove(t.Context(), account); err != nil {
				t.Fatalf("killed at step %d: %v", n, err)
			}
			if ids, err := v.IDs(); err != nil || len(ids) > 0 {
				t.Fatalf("killed at step %d: %v, %v", n, ids, err)
			}
		}
		if !dead {
			break
		}
	}
}

func TestIDs(t *testing.T) {
	v := onFiles(t)
	for _, id := range []string{"b", "a", "c-1"} {
		h, err := v.Lock(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if id != "b" { // that one was never stored
			if err := h.Store(Record{RefreshToken: "r"}); err != nil {
				t.Fatal(err)
			}
		}
		h.Release()
	}
	if err := os.Rename(filepath.Join(v.options.Dir, "a", credName), filepath.Join(v.options.Dir, "a", tmpName)); err != nil {
		t.Fatal(err) // as a first login leaves it that is killed before the rename
	}
	for _, other := range []string{"keyring", "UPPER", "x.y"} {
		if err := os.Mkdir(filepath.Join(v.options.Dir, other), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(v.options.Dir, other, credName), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	locked := at(t, v.options.Dir, nil)
	if ids, err := locked.IDs(); err != nil || !slices.Equal(ids, []string{"a", "c-1"}) {
		t.Errorf("got %v, %v", ids, err)
	}
}

func TestT33IDsAreNoPaths(t *testing.T) {
	v := onFiles(t)
	for _, id := range []string{
		"", ".", "..", "../x", "a/b", `a\b`, "a\x00b", "A", "é", "-a", "_a", "a b", "a.", "keyring", "con", "nul", "com1", "lpt9",
		strings.Repeat("a", 65), strings.Repeat("a", 4096), "a\n", "cred~1",
	} {
		if _, err := v.Lock(t.Context(), id); err == nil {
			t.Errorf("%q is an id", id)
		}
		if _, err := v.Read(id); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("%q is looked for: %v", id, err)
		}
	}
	for _, id := range []string{"a", "0", "a-b_c", "com", "com10", "lock", strings.Repeat("a", 64)} {
		h, err := v.Lock(t.Context(), id)
		if err != nil {
			t.Errorf("%q is no id: %v", id, err)
			continue
		}
		h.Release()
	}
}

// TestKeeps leaves each of the files that may hold a record, and some that hold none.
func TestKeeps(t *testing.T) {
	record := sealed(t, testSeals(t), generationOf(1, "f", origin{}))
	for _, c := range []struct {
		name string
		data []byte
		want bool
	}{
		{credName, nil, true},
		{tmpName, record, true},
		{newName, record, true},
		{homeName, record, true},
		{prevName, record, true},
		{badName + "1", []byte("x"), true},
		{tmpName, make([]byte, 4096), false},
		{lockName, nil, false},
		{intentName, []byte("{}"), false},
	} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, account), 0o700); err != nil {
			t.Fatal(err)
		}
		if got := Keeps(dir, account); got {
			t.Error("an empty folder keeps something")
		}
		if err := os.WriteFile(filepath.Join(dir, account, c.name), c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := Keeps(dir, account); got != c.want {
			t.Errorf("with %d bytes in %s: %v", len(c.data), c.name, got)
		}
	}
	if Keeps(filepath.Join(t.TempDir(), "none"), account) || Keeps(t.TempDir(), "../x") {
		t.Error("what is not there keeps something")
	}
}
