//go:build unix

package relogin

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestT23_ModesWhateverTheUmask(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o077, 0o777} {
		before := syscall.Umask(umask)
		t.Cleanup(func() { syscall.Umask(before) })
		dir := filepath.Join(t.TempDir(), "browsers")
		p := profile{filepath.Join(dir, "p", "aaa")}
		held, err := p.acquire(t.Context(), 0, nil)
		if err == nil {
			err = errors.Join(p.prepare(), p.store(memory{}))
			held.release()
		}
		syscall.Umask(before)
		if err != nil {
			t.Fatalf("umask %o: %v", umask, err)
		}
		err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			want := fs.FileMode(0o600)
			if d.IsDir() {
				want = 0o700
			}
			if err == nil && info.Mode().Perm() != want {
				t.Errorf("umask %o: %s is %v", umask, path, info.Mode())
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestT23_AProfileIsTheUsersAlone(t *testing.T) {
	dir := t.TempDir()
	p := profile{filepath.Join(dir, "p", "aaa")}
	if err := p.prepare(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := p.prepare(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(p.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("it is %v, %v", info.Mode(), err)
	}

	link := profile{filepath.Join(dir, "p", "bbb")}
	if err := os.Symlink(t.TempDir(), link.dir); err != nil {
		t.Fatal(err)
	}
	if _, ok := errors.AsType[*ProfileError](link.prepare()); !ok || link.exists() {
		t.Error("a link is taken for a profile")
	}
	for _, at := range []string{"p", "p/ccc", "p/ddd/" + dataName} { // T31: whose folder is at the other end is not ours
		target := t.TempDir()
		if err := os.Chmod(target, 0o755); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		path := filepath.Join(dir, at)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		p := profile{filepath.Join(dir, "p", "ccc")}
		if at == "p/ddd/"+dataName {
			p = profile{filepath.Join(dir, "p", "ddd")}
		}
		held, err := p.acquire(t.Context(), 0, nil)
		if err == nil {
			err = p.prepare()
			held.release()
		}
		if problem, ok := errors.AsType[*ProfileError](err); !ok || problem.Problem != "is not a folder" {
			t.Errorf("a link at %s: %v", at, err)
		}
		info, err := os.Stat(target)
		left, readErr := os.ReadDir(target)
		if err != nil || readErr != nil || info.Mode().Perm() != 0o755 || len(left) > 0 {
			t.Errorf("a link at %s: its target is %v and holds %v", at, info.Mode(), left)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("giving a folder to another user needs root")
	}
	if err := os.Chown(p.dir, 4321, 4321); err != nil {
		t.Fatal(err)
	}
	if got, ok := errors.AsType[*ProfileError](p.prepare()); !ok || got.Problem != "belongs to another user" {
		t.Errorf("another user's: %v", got)
	}
}
