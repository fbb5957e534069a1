//go:build unix

package chromium

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/oauthmux/oauthmux/relogin"
)

// symlink makes a symbolic link in a folder.
func symlink(t *testing.T, to, dir, name string) {
	t.Helper()
	if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func TestAProfileThatCannotBeUsedIsNamed(t *testing.T) {
	cases := []struct {
		name, problem string
		spoil         func(t *testing.T, dir string) string
	}{
		{"missing", "is missing", func(_ *testing.T, dir string) string { return dir + "-not" }},
		{"a link", "is a symbolic link", func(t *testing.T, dir string) string {
			t.Helper()
			symlink(t, dir, filepath.Dir(dir), "link")
			return filepath.Join(filepath.Dir(dir), "link")
		}},
		{"a file", "is not a folder", func(t *testing.T, dir string) string {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(dir, "file")
		}},
		{"somebody else's", "belongs to another user", func(t *testing.T, dir string) string {
			t.Helper()
			if err := os.Chown(dir, 12345, 12345); err != nil {
				t.Skipf("only root gives folders away: %v", err)
			}
			return dir
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := checkProfile(c.spoil(t, newProfile(t)), false)
			problem, ok := errors.AsType[*relogin.ProfileError](err)
			if !ok || problem.Problem != c.problem || problem.Hint == "" {
				t.Errorf("got %v, want %q and a hint", err, c.problem)
			}
		})
	}
}

func TestAnUnreadableProfileIsNamed(t *testing.T) {
	dir := newProfile(t)
	if err := os.Chmod(filepath.Dir(dir), 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(filepath.Dir(dir), 0o700) }()
	var err error
	asNobody(t, func() { err = checkProfile(dir, false) })
	if problem, ok := errors.AsType[*relogin.ProfileError](err); !ok || problem.Problem != "cannot be read and written" {
		t.Errorf("got %v", err)
	}
}

func TestAProfileIsForItsOwnerOnly(t *testing.T) {
	dir := newProfile(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := checkProfile(dir, false); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the profile's mode is %v, want 0700: %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the check left %v: %v", left, err)
	}
}

func TestTheLockOfAProfileIsRead(t *testing.T) {
	here, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	self := strconv.Itoa(os.Getpid())

	t.Run("of another computer", func(t *testing.T) {
		dir := newProfile(t)
		symlink(t, "some-where-77", dir, lockName)
		used, ok := errors.AsType[*relogin.InUseError](checkProfile(dir, false))
		if !ok || used.Host != "some-where" {
			t.Errorf("got %v, want a profile in use on some-where", used)
		}
		if err := checkProfile(dir, true); err != nil {
			t.Errorf("it was not taken over: %v", err)
		}
		if _, err := os.Lstat(lockPath(dir)); !os.IsNotExist(err) {
			t.Errorf("its lock is still there: %v", err)
		}
	})
	t.Run("of a browser that runs", func(t *testing.T) {
		dir := newProfile(t)
		socket := filepath.Join(t.TempDir(), "s")
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		symlink(t, here+"-"+self, dir, lockName)
		symlink(t, socket, dir, "SingletonSocket")
		for _, takeOver := range []bool{false, true} {
			used, ok := errors.AsType[*relogin.InUseError](checkProfile(dir, takeOver))
			if !ok || used.Host != "" || used.PID != os.Getpid() {
				t.Errorf("got %v, want a profile in use by %s", used, self)
			}
		}
	})
	t.Run("of one that was killed", func(t *testing.T) {
		dir := newProfile(t)
		symlink(t, here+"-"+self, dir, lockName) // the number is another process's by now
		symlink(t, filepath.Join(t.TempDir(), "gone"), dir, "SingletonSocket")
		if err := checkProfile(dir, false); err != nil {
			t.Errorf("got %v, want none", err)
		}
	})
}
