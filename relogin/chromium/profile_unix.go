//go:build unix

package chromium

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/oauthmux/oauthmux/relogin"
)

func checkOwner(dir string, info fs.FileInfo) error {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return &relogin.ProfileError{
			Dir: dir, Problem: "belongs to another user",
			Hint: "give the folder, and all in it, to the user that oauthmux runs as",
		}
	}
	if info.Mode().Perm() == 0o700 {
		return nil
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a folder is entered with its x bit
		return profileError(dir, err)
	}
	return nil
}

// checkLock reports that another browser works on the profile. The lock of one
// that ended without removing it is left to the browser, which knows it for what
// it is.
func checkLock(dir string, takeOver bool) error {
	host, pid, ok := readLock(dir)
	if !ok {
		return nil
	}
	if here, err := os.Hostname(); err == nil && host != here {
		if !takeOver {
			return &relogin.InUseError{Host: host}
		}
		return removeLock(dir)
	}
	if listening(filepath.Join(dir, "SingletonSocket")) && alive(pid) {
		return &relogin.InUseError{PID: pid}
	}
	return nil
}

// readLock returns the computer and the process of a profile's browser.
func readLock(dir string) (host string, pid int, ok bool) {
	link, err := os.Readlink(lockPath(dir))
	if err != nil {
		return "", 0, false
	}
	at := strings.LastIndexByte(link, '-')
	if at < 0 {
		return "", 0, false
	}
	pid, err = strconv.Atoi(link[at+1:])
	return link[:at], pid, err == nil
}

func removeLock(dir string) error {
	for _, name := range []string{lockName, "SingletonSocket", "SingletonCookie"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return profileError(dir, err)
		}
	}
	return nil
}

// listening reports whether a browser listens on its profile's socket: a process
// id alone may long be somebody else's.
func listening(socket string) bool {
	path, err := os.Readlink(socket) // the link is often too long for an address, its target is not
	if err != nil {
		return false
	}
	conn, err := net.DialTimeout("unix", path, time.Second) //nolint:noctx // bounded by itself
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return pid > 0 && (err == nil || errors.Is(err, syscall.EPERM))
}

func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

func readOnly(err error) bool { return errors.Is(err, syscall.EROFS) }
