//go:build unix

package config

import (
	"io/fs"
	"os"
	"syscall"
)

func ownedByUs(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(s.Uid) == int64(os.Geteuid())
}

// wider reports whether others may open the folder.
func wider(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

// replaceable reports whether others may rename what lies in the folder: they
// may write to it and it is not sticky, as /tmp is.
func replaceable(info fs.FileInfo) bool {
	return info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0
}
