//go:build unix

package e2e

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// plain is the program under test. watched is the same with the race detector, if
// the tests have it: for what runs for a while, and for nothing that is measured
// or does little more than start and open the vault, which takes it ten times as
// long.
var plain, watched string

// program is the one to run a command with.
func program(args []string) string {
	if len(args) > 0 && (args[0] == "serve" || args[0] == "run") {
		return watched
	}
	return plain
}

func TestMain(m *testing.M) {
	flag.Parse()
	atOnceUnlessSaid(4)
	if testing.Short() {
		fmt.Println("e2e: builds and runs the program, not in short mode")
		os.Exit(0)
	}
	os.Exit(runAll(m))
}

// atOnceUnlessSaid runs more tests at once than there are processors, unless
// -parallel says how many: most of the time they wait.
func atOnceUnlessSaid(n int) {
	const parallel = "test.parallel"
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == parallel })
	if f := flag.Lookup(parallel); !said && n > runtime.GOMAXPROCS(0) {
		_ = f.Value.Set(strconv.Itoa(n)) // it is a number
	}
}

func runAll(m *testing.M) int {
	dir, err := os.MkdirTemp("", "omx-e2e-bin-")
	if err == nil {
		defer os.RemoveAll(dir)    //nolint:errcheck // the system clears its temporary folder too
		err = os.Chmod(dir, 0o755) // another user runs it as well
	}
	if err == nil {
		err = buildAll(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	files := openFiles()
	status := m.Run()
	if status != 0 {
		return status
	}
	if err := errors.Join(goleak.Find(), sameFiles(files)); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return 0
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

func buildAll(dir string) (err error) {
	if plain, err = build(filepath.Join(dir, "oauthmux")); err != nil {
		return err
	}
	watched = plain
	if raced {
		watched, err = build(filepath.Join(dir, "oauthmux-race"), "-race")
	}
	return err
}

const version = "v0-e2e"

func build(path string, flags ...string) (string, error) {
	args := append([]string{"build", "-o", path, "-ldflags", "-X main.version=" + version}, flags...)
	out, err := exec.Command("go", append(args, "github.com/oauthmux/oauthmux")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// missing skips the test for want of a part of the machine, and says how to get
// it. Where everything must be there, it fails the test.
func missing(tb testing.TB, what, how string) {
	tb.Helper()
	if os.Getenv("OAUTHMUX_REQUIRE_ALL") != "" {
		tb.Fatalf("%s is missing: %s", what, how)
	}
	tb.Skipf("%s is missing: %s", what, how)
}

// need skips the test unless a program is in PATH.
func need(t *testing.T, program, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, program, "apt-get install "+pkg)
	}
	return path
}
