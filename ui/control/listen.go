package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// maxSocketPath is what the smallest of the systems takes (macOS: 104 bytes
// with the final NUL).
const maxSocketPath = 103

// Listen opens the control socket at path, 0600, in a folder of this user alone.
// The caller holds the engine lock, so a socket file that is there is a stale
// one; still it is replaced only when nobody answers on it and it is ours.
func Listen(path string) (net.Listener, error) {
	if err := private(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path) //nolint:noctx // it does not wait for anything
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("protect control socket: %w", err)
	}
	return l, nil
}

// private makes sure of a folder that only this user can open.
func private(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make state folder: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at state folder: %w", err)
	}
	if !info.IsDir() {
		return &Error{Code: CodeInternal, Message: dir + " is not a folder"}
	}
	if !ours(info) {
		return &Error{Code: CodeInternal, Message: dir + " belongs to another user", Hint: "set OAUTHMUX_HOME to a folder of your own"}
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a folder needs its x
			return fmt.Errorf("protect state folder: %w", err)
		}
	}
	return nil
}

// removeStale takes away a socket that a killed engine left behind.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at control socket: %w", err)
	case !isSocket(info):
		return &Error{Code: CodeInternal, Message: path + " is in the way and is not a socket", Hint: "move it away"}
	case !ours(info):
		return &Error{Code: CodeInternal, Message: path + " belongs to another user", Hint: "set OAUTHMUX_HOME to a folder of your own"}
	}
	conn, err := net.DialTimeout("unix", path, time.Second) //nolint:noctx // a second at most, and mostly at once
	if err == nil {
		_ = conn.Close()
		return &Error{Code: CodeEngineRuns, Message: "something listens on " + path + " already"}
	}
	if !nobodyListens(err) {
		return fmt.Errorf("try the control socket that is there: %w", err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove stale control socket: %w", err)
	}
	return nil
}
