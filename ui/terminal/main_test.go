//go:build unix

// Package terminal tests the program as a person meets it: the built binary, in
// a real terminal, by its keys and by what then stands on the screen. There is
// nothing here but tests. The terminal is tmux, a server of its own for each
// test; the provider is the simulated one, in the test's process.
//
// Nothing waits for a time: every step waits for a condition of the screen, or
// fails at a deadline and says what the screen showed.
package terminal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// requireAll makes a test fail where a part that it needs is missing.
const requireAll = "OAUTHMUX_REQUIRE_ALL"

// program is the built binary; "": tmux is missing, and nothing was built.
var program string

func TestMain(m *testing.M) {
	if os.Getenv(crashVariable) != "" {
		showBreaking()
	}
	dir, err := os.MkdirTemp("", "oauthmux-terminal-")
	if err == nil && hasTmux() {
		program = filepath.Join(dir, "oauthmux")
		err = build(program)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, errors.Join(err, os.RemoveAll(dir)))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = max(status, 1)
		}
		os.Exit(status)
	}))
}

func hasTmux() bool {
	_, err := exec.LookPath("tmux")
	return err == nil
}

// readSources reads the folders of the program's source. The go command sees what
// the tests open, though not before they run, and does not see what the program
// under test is built from: without this it would repeat the cached result of a
// program that has changed since.
var readSources = sync.OnceValue(func() error {
	return filepath.WalkDir("../..", func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() != ".." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir // .git for one
		}
		return err
	})
})

func build(path string) error {
	out, err := exec.Command("go", "build", "-o", path, "github.com/oauthmux/oauthmux").CombinedOutput()
	if err != nil {
		return errors.Join(fmt.Errorf("build the program: %w", err), errors.New(string(out)))
	}
	return nil
}

// needsTmux skips the test where there is no tmux.
func needsTmux(t *testing.T) {
	t.Helper()
	if program != "" {
		if err := readSources(); err != nil {
			t.Fatal(err)
		}
		return
	}
	const missing = "tmux is missing: apt-get install tmux, or brew install tmux"
	if os.Getenv(requireAll) == "1" {
		t.Fatal(missing)
	}
	t.Skip(missing)
}
