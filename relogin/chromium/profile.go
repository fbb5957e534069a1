package chromium

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/oauthmux/oauthmux/relogin"
)

// probeSize is how much a profile must have room for: what a browser writes at
// its start, before it has anything to keep, is more. It works on without room,
// but then forgets the person who is signed in.
const probeSize = 4 << 20

// checkProfile reports what keeps a browser from working on a profile. Wider
// permissions than 0700 are taken away, and a lock of another computer's browser
// when takeOver says that it is not there any more.
func checkProfile(dir string, takeOver bool) error {
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &relogin.ProfileError{Dir: dir, Problem: "is missing", Hint: "sign in in a window once more: that makes a new one", Err: err}
	case err != nil:
		return profileError(dir, err)
	case info.Mode()&fs.ModeSymlink != 0:
		return &relogin.ProfileError{Dir: dir, Problem: "is a symbolic link", Hint: "put the folder itself there"}
	case !info.IsDir():
		return &relogin.ProfileError{Dir: dir, Problem: "is not a folder", Hint: "remove the file that is in its place"}
	}
	if err := checkOwner(dir, info); err != nil {
		return err
	}
	if err := checkLock(dir, takeOver); err != nil {
		return err
	}
	if err := probe(dir); err != nil {
		return profileError(dir, err)
	}
	return nil
}

// probe reads the profile's folder and writes a file to it, which is gone again
// when it returns.
func probe(dir string) (err error) {
	if _, err := os.ReadDir(dir); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".oauthmux-probe-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(make([]byte, probeSize))
	return errors.Join(err, f.Close())
}

// profileError says in plain words what the system said about a profile.
func profileError(dir string, err error) error {
	e := &relogin.ProfileError{Dir: dir, Problem: "cannot be used", Hint: "look at the folder and its disk", Err: err}
	switch {
	case full(err):
		e.Problem, e.Hint = "no space left on its disk", "make room there, then try again"
	case readOnly(err):
		e.Problem, e.Hint = "its disk is read-only", "make it writable, or keep the profiles elsewhere"
	case errors.Is(err, fs.ErrPermission):
		e.Problem, e.Hint = "cannot be read and written", "give the folder, and all in it, to the user that oauthmux runs as"
	}
	return e
}

// lockName is what a browser marks a profile with that it works on: a link to
// "<computer>-<pid>".
const lockName = "SingletonLock"

// lockPath is where the mark of a profile's browser is.
func lockPath(dir string) string { return filepath.Join(dir, lockName) }
