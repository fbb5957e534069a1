//go:build linux || darwin || freebsd

package ui

import "golang.org/x/sys/unix"

// freeSpace returns how much this user may still write where path lies.
func freeSpace(path string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, err
	}
	return uint64(max(s.Bavail, 0)) * uint64(s.Bsize), nil //nolint:gosec,unconvert // the types differ between systems; a negative number was just ruled out
}
