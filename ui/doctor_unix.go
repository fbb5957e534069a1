//go:build unix

package ui

import (
	"io/fs"
	"os"
	"syscall"
)

func ownedBySelf(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(s.Uid) == int64(os.Geteuid())
}

// ownedBySystem also takes root's files: root may configure this user's programs.
func ownedBySystem(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && s.Uid == 0 || ownedBySelf(info)
}

// wide reports whether somebody has one of the rights in mask.
func wide(info fs.FileInfo, mask fs.FileMode) bool { return info.Mode().Perm()&mask != 0 }

// short reports whether one of the rights in need is missing.
func short(info fs.FileInfo, need fs.FileMode) bool { return info.Mode().Perm()&need != need }

// replaceable reports whether others may rename what lies in the folder: they
// may write to it and it is not sticky, as /tmp is.
func replaceable(info fs.FileInfo) bool {
	return info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0
}
