package control

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
)

// SocketPath is where the control socket of a state folder lies.
func SocketPath(stateDir string) (string, error) {
	path := filepath.Join(stateDir, "control.sock")
	if len(path) > maxSocketPath {
		return "", &Error{
			Code:    CodeConfig,
			Message: "the path of the control socket is longer than a socket's may be: " + path,
			Hint:    "set OAUTHMUX_HOME to a shorter path",
		}
	}
	return path, nil
}

// ours trusts the folder: on Windows its access list keeps others out.
func ours(fs.FileInfo) bool { return true }

// isSocket accepts what Windows calls an AF_UNIX socket: a reparse point.
func isSocket(info fs.FileInfo) bool {
	return info.Mode().Type()&(fs.ModeSocket|fs.ModeIrregular) != 0
}

// wsaeConnRefused is Winsock's word for "nobody listens".
const wsaeConnRefused = syscall.Errno(10061)

func refusedHere(err error) bool { return errors.Is(err, wsaeConnRefused) }
