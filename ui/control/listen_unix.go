//go:build unix

package control

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// SocketPath is where the control socket of a state folder lies: in it, or, when
// that path is longer than a socket's may be, under a short name in /tmp, in a
// folder of this user alone. Everybody who knows the state folder finds the same.
func SocketPath(stateDir string) (string, error) {
	path := filepath.Join(stateDir, "control.sock")
	if len(path) <= maxSocketPath {
		return path, nil
	}
	// Not os.TempDir and not XDG_RUNTIME_DIR: they differ between a desktop
	// session, ssh and cron, and all must meet.
	sum := sha256.Sum256([]byte(stateDir))
	return filepath.Join("/tmp", "oauthmux-"+strconv.Itoa(os.Geteuid()), hex.EncodeToString(sum[:10])+".sock"), nil
}

func ours(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(s.Uid) == int64(os.Geteuid())
}

func isSocket(info fs.FileInfo) bool { return info.Mode().Type() == fs.ModeSocket }

// refusedHere knows no other word for "nobody listens" than the portable ones.
func refusedHere(error) bool { return false }
