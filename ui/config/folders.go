package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// FolderError says why a folder cannot hold the program's files.
type FolderError struct {
	Folder, Problem, Hint string
}

func (e *FolderError) Error() string { return e.Folder + " " + e.Problem }

// Create makes the data and the state folder, 0700 whatever the umask, and
// refuses ones in which somebody else could put files (SAFETY T30).
func (p Paths) Create() error {
	for _, folder := range []string{p.Data, p.State} {
		if err := create(folder); err != nil {
			return err
		}
	}
	return nil
}

func create(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return cannot(folder, err)
	}
	info, err := os.Stat(folder)
	if err != nil {
		return cannot(folder, err)
	}
	if !info.IsDir() {
		return &FolderError{folder, "is not a folder", "move it away, or set OAUTHMUX_HOME"}
	}
	if !ownedByUs(info) {
		return &FolderError{folder, "belongs to another user", "set OAUTHMUX_HOME to a folder of your own"}
	}
	if wider(info) {
		if err := os.Chmod(folder, 0o700); err != nil { //nolint:gosec // a folder needs its x
			return cannot(folder, err)
		}
	}
	above, err := os.Stat(filepath.Dir(folder))
	if err != nil {
		return cannot(folder, err)
	}
	if replaceable(above) {
		return &FolderError{folder, "lies in a folder in which others may replace it", "take the right to write away from others, or set OAUTHMUX_HOME"}
	}
	return nil
}

// cannot puts an error of the file system into words for a person.
func cannot(folder string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return &FolderError{folder, "may not be used by this user", "set OAUTHMUX_HOME to a folder of your own"}
	case errors.Is(err, fs.ErrExist):
		return &FolderError{folder, "is not a folder", "move it away, or set OAUTHMUX_HOME"}
	}
	return fmt.Errorf("make %s: %w", folder, plainPathError(err))
}
