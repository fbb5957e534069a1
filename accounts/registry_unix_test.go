//go:build unix

package accounts

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestT30_ModesWhateverTheUmask(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o077, 0o777} {
		parent := t.TempDir()
		dir := filepath.Join(parent, "a", "b")
		old := syscall.Umask(mask)
		r, err := OpenRegistry(RegistryOptions{Dir: dir, LockPath: filepath.Join(parent, "c", "d", "state.lock")})
		if err == nil {
			_, err = r.Add(Account{Provider: "p"})
		}
		syscall.Umask(old)
		if err != nil {
			t.Errorf("umask %o: %v", mask, err)
			continue
		}
		err = filepath.WalkDir(parent, func(path string, d fs.DirEntry, err error) error {
			if err != nil || path == parent {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			want := fs.FileMode(0o600)
			if d.IsDir() {
				want = 0o700
			}
			if info.Mode().Perm() != want {
				t.Errorf("umask %o: %s is %v, want %v", mask, path, info.Mode().Perm(), want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestT31_APipeHangsNobody(t *testing.T) {
	for _, name := range []string{"accounts.json", "state.lock", "accounts.json.tmp"} {
		dir := t.TempDir()
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Skip(err)
		}
		r, err := OpenRegistry(RegistryOptions{Dir: dir, LockPath: filepath.Join(dir, "state.lock")})
		if err == nil {
			_, err = r.Add(Account{Provider: "p"})
		}
		if refused := err != nil; refused != (name != "accounts.json.tmp") {
			t.Errorf("a pipe as %s: %v", name, err)
		}
	}
}

func TestALockThatIsHeldIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits ten seconds")
	}
	dir := t.TempDir()
	r := openRegistry(t, dir, nil)
	a := add(t, r, Account{Label: "work"})
	lock, err := lockState(filepath.Join(dir, "state.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Unlock() }()
	if err := r.Rename(a.ID, "play"); err != ErrStateBusy { //nolint:errorlint // the very error
		t.Errorf("got %v", err)
	}
	if got, err := r.Get(a.ID); err != nil || got.Label != "work" {
		t.Errorf("while a writer waits: %+v, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "state.lock")); err != nil {
		t.Errorf("the lock file: %v", err)
	}
}
