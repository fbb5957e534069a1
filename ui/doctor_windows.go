package ui

import (
	"io/fs"

	win "golang.org/x/sys/windows" // windows are limits here
)

// On Windows the access list that a folder inherits from the user's profile
// keeps others out; mode bits say nothing there.

func ownedBySelf(fs.FileInfo) bool        { return true }
func ownedBySystem(fs.FileInfo) bool      { return true }
func wide(fs.FileInfo, fs.FileMode) bool  { return false }
func short(fs.FileInfo, fs.FileMode) bool { return false }
func replaceable(fs.FileInfo) bool        { return false }

// freeSpace returns how much this user may still write where path lies.
func freeSpace(path string) (uint64, error) {
	name, err := win.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := win.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, err
	}
	return free, nil
}
