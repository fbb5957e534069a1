package vault

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Windows has no modes: the profile's folder is open to its owner only.
const (
	openFlags = 0
	noFollow  = 0

	locksCanBeRemoved = false // while they are held

	errorSharingViolation = syscall.Errno(32)
)

func syncDir(*os.File) error { return nil } // NTFS journals names by itself

func linkCount(fs.FileInfo) uint64 { return 1 }

func ownedByUs(fs.FileInfo) bool { return true }

func isPrivate(fs.FileInfo) bool { return true }

func checkPrivate(*os.File, fs.FileInfo, fs.FileMode) error { return nil }

func checkParent(string) error { return nil }

// retrySharing outlasts a reader of the file, or a virus scanner: both keep
// a file from being replaced for a moment.
func retrySharing(op func() error) error {
	for wait := time.Millisecond; ; wait *= 2 {
		err := op()
		if wait > time.Second || !errors.Is(err, errorSharingViolation) && !errors.Is(err, syscall.ERROR_ACCESS_DENIED) {
			return err
		}
		time.Sleep(wait)
	}
}

// syncOpen does nothing: a file opened for reading cannot be flushed here.
func syncOpen(*os.File) error { return nil }
