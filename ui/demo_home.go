package ui

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

const (
	demoPrefix = "oauthmux-demo-"
	demoLock   = "demo.lock" // in the home of a demo, and held while it runs
	// demoAge is how old a home must be to be thrown away by another demo: one that
	// is being made is not held yet.
	demoAge = time.Minute
)

// demoHome makes a home for a demo below a folder for temporary files, and throws
// away those that are left of demos that were killed. What cannot be is left.
func demoHome(temp string) (home string, held *flock.Flock, err error) {
	for _, old := range leftHomes(temp, time.Now()) {
		_ = os.RemoveAll(old)
	}
	if home, err = os.MkdirTemp(temp, demoPrefix); err != nil {
		return "", nil, fmt.Errorf("make a home for the demo: %w", err)
	}
	held = flock.New(filepath.Join(home, demoLock), flock.SetPermissions(0o600))
	if _, err := held.TryLock(); err != nil {
		return home, held, fmt.Errorf("hold the home of the demo: %w", err)
	}
	return home, held, nil
}

// leftHomes finds the homes of demos that are gone, those that nobody else can enter.
func leftHomes(temp string, now time.Time) []string {
	files, err := os.ReadDir(temp)
	if err != nil {
		return nil
	}
	var left []string
	for _, f := range files {
		home := filepath.Join(temp, f.Name())
		info, err := f.Info() // of the entry itself: a link is none
		if err != nil || !strings.HasPrefix(f.Name(), demoPrefix) || !info.IsDir() || !private(info) || now.Sub(info.ModTime()) < demoAge {
			continue
		}
		lock := flock.New(filepath.Join(home, demoLock), flock.SetFlag(os.O_RDWR)) // not made where there is none
		if free, err := lock.TryLock(); err == nil && free {
			left = append(left, home)
			_ = lock.Close()
		}
	}
	return left
}

// private reports whether a folder is its owner's alone. Windows tells nothing of
// that in a mode.
func private(info os.FileInfo) bool {
	return runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0
}
