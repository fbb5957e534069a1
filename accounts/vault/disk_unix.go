//go:build unix

package vault

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

const (
	openFlags = syscall.O_NONBLOCK // a FIFO at a path of ours must not hang us
	noFollow  = syscall.O_NOFOLLOW // os.Root has its own way

	locksCanBeRemoved = true // while they are held
)

func syncDir(dir *os.File) error { return dir.Sync() }

func linkCount(info fs.FileInfo) uint64 {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(sys.Nlink) //nolint:unconvert // narrower on some systems
	}
	return 1
}

// checkPrivate refuses what belongs to somebody else and narrows what others
// could use.
func checkPrivate(f *os.File, info fs.FileInfo, mode fs.FileMode) error {
	if !ownedByUs(info) {
		return &fs.PathError{Op: "open", Path: f.Name(), Err: errNotOurs}
	}
	if info.Mode().Perm()&^mode != 0 {
		return f.Chmod(mode)
	}
	return nil
}

func ownedByUs(info fs.FileInfo) bool {
	sys, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(sys.Uid) == os.Geteuid()
}

func isPrivate(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 == 0 }

// checkParent refuses a folder in which others could replace ours.
func checkParent(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if sys, ok := info.Sys().(*syscall.Stat_t); !ownedByUs(info) && (!ok || sys.Uid != 0) {
		return fmt.Errorf("%s belongs to another user", path)
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("others can write to %s: chmod go-w it", path)
	}
	return nil
}

// retrySharing is for systems where a reader keeps a file from being replaced.
func retrySharing(op func() error) error { return op() }

// syncOpen makes what another program wrote durable.
func syncOpen(f *os.File) error { return f.Sync() }
