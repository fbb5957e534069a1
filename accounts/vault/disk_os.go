package vault

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// osDisk is the real file system. Everything is relative to a held folder, and
// every check is made on what has been opened, not on its name.
type osDisk struct{}

type osFolder struct {
	root *os.Root
	dir  *os.File // the same folder, to sync and to fix
}

type osFile struct{ f *os.File }

// errNotOurs says that something at a path of ours is not what we put there.
var errNotOurs = errors.New("not a plain file or folder of this user's")

func (osDisk) open(path string, create bool) (folder, error) {
	if create {
		if err := makeFolder(path); err != nil {
			return nil, err
		}
	}
	named, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !named.IsDir() { // a FIFO would hang us
		return nil, &fs.PathError{Op: "open", Path: path, Err: errNotOurs}
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return checkedFolder(root, named)
}

// makeFolder makes a private folder, and its parents when they are missing.
func makeFolder(path string) error {
	parent := filepath.Dir(path)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	if err := checkParent(parent); err != nil {
		return err
	}
	switch err := os.Mkdir(path, 0o700); {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	// The umask may have taken bits away.
	if err := os.Chmod(path, 0o700); err != nil { //nolint:gosec // a folder needs its x
		return err
	}
	dir, err := os.Open(parent)
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // opened for reading only
	return syncDir(dir)
}

// checkedFolder takes over root when it is the folder that was named, is ours,
// and is private or can be made so.
func checkedFolder(root *os.Root, named fs.FileInfo) (_ folder, err error) {
	f := &osFolder{root: root}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if f.dir, err = root.Open("."); err != nil {
		return nil, err
	}
	opened, err := f.dir.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(named, opened) {
		return nil, &fs.PathError{Op: "open", Path: root.Name(), Err: errNotOurs}
	}
	if err := checkPrivate(f.dir, opened, 0o700); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *osFolder) path(name string) string { return filepath.Join(f.root.Name(), name) }

func (f *osFolder) close() {
	if f.dir != nil {
		_ = f.dir.Close()
	}
	_ = f.root.Close()
}

func (f *osFolder) read(name string) ([]byte, error) {
	named, err := f.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !named.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: f.path(name), Err: errNotOurs}
	}
	opened, err := f.root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	defer opened.Close() //nolint:errcheck // opened for reading only
	if err := f.check(name, opened); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(opened, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: larger than any file of ours", f.path(name))
	}
	return data, nil
}

// check makes sure that an open file is the one of that name, plain, ours and
// private. A wider mode is narrowed.
func (f *osFolder) check(name string, opened *os.File) error {
	is, err := opened.Stat()
	if err != nil {
		return err
	}
	named, err := f.root.Lstat(name)
	if err != nil {
		return err
	}
	// Not SameFile: a renewal may have replaced it since it was opened. A link
	// inside the folder is all that os.Root could have followed.
	if !named.Mode().IsRegular() || !is.Mode().IsRegular() {
		return &fs.PathError{Op: "open", Path: f.path(name), Err: errNotOurs}
	}
	// cred and cred.prev are one file between two steps of a commit, and the
	// count is two before the second name can be seen. So cred may have two
	// names, but is then taken as it is: narrowing it would reach the other.
	if links := linkCount(is); links > 2 || links == 2 && (name != credName || !isPrivate(is)) {
		return &fs.PathError{Op: "open", Path: f.path(name), Err: errNotOurs}
	}
	return checkPrivate(opened, is, 0o600)
}

func (f *osFolder) create(name string) (file, error) {
	created, err := f.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := created.Chmod(0o600); err != nil { // the umask may have taken bits away
		_ = created.Close()
		return nil, err
	}
	return &osFile{f: created}, nil
}

func (f *osFolder) rename(from, to string) error {
	return retrySharing(func() error { return f.root.Rename(from, to) })
}

func (f *osFolder) link(from, to string) error { return f.root.Link(from, to) }

func (f *osFolder) remove(name string) error {
	return retrySharing(func() error { return f.root.Remove(name) })
}

func (f *osFolder) names() ([]string, error) {
	dir, err := f.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close() //nolint:errcheck // opened for reading only
	return dir.Readdirnames(-1)
}

func (f *osFolder) sync() error { return syncDir(f.dir) }

func (f *osFolder) sub(name string, create bool) (folder, error) {
	if create {
		switch err := f.root.Mkdir(name, 0o700); {
		case errors.Is(err, fs.ErrExist):
		case err != nil:
			return nil, err
		default:
			if err := f.root.Chmod(name, 0o700); err != nil { // the umask may have taken bits away
				return nil, err
			}
			if err := f.sync(); err != nil {
				return nil, err
			}
		}
	}
	named, err := f.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !named.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: f.path(name), Err: errNotOurs}
	}
	root, err := f.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return checkedFolder(root, named)
}

// tryLock uses one flock.Flock an attempt: it opens with O_CLOEXEC, so that no
// child keeps the lock of a parent that died.
func (f *osFolder) tryLock(name string) (release func(), ok bool, err error) {
	switch made, err := f.create(name); {
	case err == nil:
		made.close()
	case errors.Is(err, fs.ErrNotExist):
		return nil, false, nil // the folder was removed since: try again
	case !errors.Is(err, fs.ErrExist):
		return nil, false, err
	}
	lock := flock.New(f.path(name), flock.SetFlag(os.O_RDONLY|openFlags|noFollow), flock.SetPermissions(0o600))
	ok, err = lock.TryLock()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil // the same
	}
	if err != nil || !ok {
		return nil, false, err
	}
	release = func() { _ = lock.Close() }
	locked, err := lock.Stat()
	if err != nil {
		release()
		return nil, false, err
	}
	named, err := f.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		release()
		return nil, false, nil
	}
	if err != nil {
		release()
		return nil, false, err
	}
	if !named.Mode().IsRegular() || linkCount(locked) > 1 || !ownedByUs(locked) {
		release()
		return nil, false, &fs.PathError{Op: "lock", Path: f.path(name), Err: errNotOurs}
	}
	if !os.SameFile(named, locked) {
		release() // a lock that was removed with its folder, and made anew
		return nil, false, nil
	}
	return release, true, nil
}

func (f *osFile) write(p []byte) error {
	_, err := f.f.WriteAt(p, 0)
	return err
}

func (f *osFile) reserve(n int64) error  { return reserve(f.f, n) }
func (f *osFile) truncate(n int64) error { return f.f.Truncate(n) }
func (f *osFile) sync() error            { return f.f.Sync() }
func (f *osFile) close()                 { _ = f.f.Close() }

// fill writes zeros where the file system cannot set space aside by itself.
func fill(f *os.File, n int64) error {
	zeros := make([]byte, 64<<10)
	for at := int64(0); at < n; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), n-at)], at); err != nil {
			return err
		}
	}
	return nil
}
