//go:build unix

package relogin

import (
	"os"
	"syscall"
)

// ownedByUs reports whether the folder belongs to the user that this runs as.
func ownedByUs(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	sys, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(sys.Uid) == os.Geteuid()
}
