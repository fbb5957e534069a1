package ui

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// A demo that was killed leaves a vault and a log behind: the next one throws them
// away, and nothing that is in use or is not a demo's.
func TestADemoThrowsAwayWhatAKilledOneLeft(t *testing.T) {
	temp := t.TempDir()
	inUse, held, err := demoHome(temp)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close() //nolint:errcheck // the test is over
	mkdir := func(name string, lock bool, mode os.FileMode, age time.Duration) string {
		t.Helper()
		home := filepath.Join(temp, name)
		if err := os.Mkdir(home, 0o700); err != nil {
			t.Fatal(err)
		}
		if lock {
			if err := os.WriteFile(filepath.Join(home, demoLock), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(home, at, at); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(home, mode); err != nil {
			t.Fatal(err)
		}
		return home
	}
	killed := mkdir(demoPrefix+"killed", true, 0o700, time.Hour)
	mkdir(demoPrefix+"young", true, 0o700, 0)
	mkdir(demoPrefix+"nolock", false, 0o700, time.Hour)
	mkdir("somebody-elses", true, 0o700, time.Hour)
	if err := os.Symlink(killed, filepath.Join(temp, demoPrefix+"link")); err != nil {
		t.Skip("this system makes no links here: ", err)
	}
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(inUse, long, long); err != nil {
		t.Fatal(err)
	}
	if got := leftHomes(temp, time.Now()); !slices.Equal(got, []string{killed}) {
		t.Errorf("left of others are %q, want %q", got, killed)
	}
	home, mine, err := demoHome(temp)
	if err != nil {
		t.Fatal(err)
	}
	if err := mine.Close(); err != nil {
		t.Error(err)
	}
	var names []string
	files, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() != filepath.Base(home) {
			names = append(names, f.Name())
		}
	}
	want := []string{demoPrefix + "link", demoPrefix + "nolock", filepath.Base(inUse), demoPrefix + "young", "somebody-elses"}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("there are %q, want %q", names, want)
	}
}
