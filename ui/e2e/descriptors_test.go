//go:build unix

package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// openFiles are the file descriptors of this process, and what each of them is;
// nil where the system does not list them (SAFETY C19).
func openFiles() map[string]string {
	const list = "/proc/self/fd"
	names, err := os.ReadDir(list)
	if err != nil {
		return nil
	}
	files := make(map[string]string)
	for _, name := range names {
		// The one that reads the list is gone by now.
		if what, err := os.Readlink(filepath.Join(list, name.Name())); err == nil {
			files[name.Name()] = what
		}
	}
	return files
}

// sameFiles compares the open files with those of before. What has just ended may
// take a moment to close what it had.
func sameFiles(before map[string]string) error {
	var more []string
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		now := openFiles()
		if len(now) == len(before) {
			return nil
		}
		if time.Now().After(end) {
			for _, fd := range slices.Sorted(maps.Keys(now)) {
				if before[fd] != now[fd] {
					more = append(more, fd+" "+now[fd])
				}
			}
			return fmt.Errorf("%d files are open, %d were before; new: %s", len(now), len(before), strings.Join(more, ", "))
		}
	}
}
