package chromium

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/windows"
)

// checkOwner trusts the folder's place: the profiles are in the user's own folder,
// which nobody else can write to.
func checkOwner(string, fs.FileInfo) error { return nil }

// checkLock leaves it to the browser: its lock is a file that it holds open.
func checkLock(string, bool) error { return nil }

func readLock(string) (host string, pid int, ok bool) { return "", 0, false }

func full(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

func readOnly(err error) bool { return errors.Is(err, windows.ERROR_WRITE_PROTECT) }
