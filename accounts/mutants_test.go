package accounts

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	mutantKills = 16
	mutantLimit = 2 * time.Minute // for one test of one mutant
)

// TestC06_EveryMutantIsCaught breaks the real code in one place after the
// other and wants the tests that guard that place to fail: a test that nothing
// fails guards nothing. The sources stay as they are: the go command is told to
// read others in their place.
func TestC06_EveryMutantIsCaught(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the tests once more, and runs them for each mutant")
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("the tests are the same everywhere; that they fail is shown once")
	}
	dir := t.TempDir()
	goTestBinary(t, dir, "-overlay", overlay(t, dir), ".", "./vault")
	m := mutantTests{dir: dir, places: make(map[string]string)}
	for _, folder := range []string{".", "vault"} {
		m.find(t, folder)
	}
	for _, mutation := range append(mutations, healthy()) {
		t.Run(mutation.name, func(t *testing.T) {
			t.Parallel()
			for _, test := range mutation.tests {
				out, err := m.run(t, mutation.name, test)
				failed := err != nil && strings.Contains(out, "--- FAIL: "+test) && (test != kills || mutation.named(out))
				switch {
				case mutation.breaks == "" && err != nil:
					t.Errorf("%s fails where nothing is broken: %v\n%s", test, err, out)
				case mutation.breaks != "" && !failed:
					t.Errorf("%s does not notice what breaks %s: %v\n%s", test, mutation.breaks, err, out)
				case mutation.breaks != "":
					t.Logf("%s, as %s says: %s", mutation.breaks, test, mutation.complaint(out))
				}
			}
		})
	}
}

// named reports whether what a test says names an invariant that is broken.
func (m mutation) named(out string) bool {
	return slices.ContainsFunc(strings.Split(m.breaks, ", "), func(id string) bool { return strings.Contains(out, id) })
}

// healthy is no mutant at all: the same binaries, and every test passes.
func healthy() mutation {
	var all []string
	for _, m := range mutations {
		all = append(all, m.tests...)
	}
	slices.Sort(all)
	return mutation{name: "nothing is broken", tests: slices.Compact(all)}
}

// overlay writes the mutated sources, and the file that has the go command read
// them.
func overlay(t *testing.T, dir string) string {
	t.Helper()
	sources := make(map[string]string)
	for _, m := range mutations {
		for _, e := range m.edits {
			if sources[e.file] == "" {
				raw, err := os.ReadFile(e.file)
				if err != nil {
					t.Fatal(err)
				}
				sources[e.file] = string(raw)
			}
			if n := strings.Count(sources[e.file], e.old); n != 1 {
				t.Fatalf("%s: %d times in %s, want once: %s", m.name, n, e.file, e.old)
			}
			sources[e.file] = strings.Replace(sources[e.file], e.old, e.new, 1)
		}
	}
	maps.Copy(sources, mutantSources)
	replace := make(map[string]string)
	for file, source := range sources {
		path, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		replace[path] = filepath.Join(dir, strings.ReplaceAll(file, "/", "-"))
		if err := os.WriteFile(replace[path], []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mutantTests are the binaries, and in which folder each test is.
type mutantTests struct {
	dir    string
	places map[string]string
}

func (m *mutantTests) find(t *testing.T, folder string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), m.binary(folder), "-test.list", ".")
	cmd.Dir = folder
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(out)) {
		m.places[name] = folder
	}
}

func (m *mutantTests) binary(folder string) string {
	if folder == "." {
		folder = "accounts"
	}
	return filepath.Join(m.dir, folder+".test")
}

// run runs one test in a process that is that mutant.
func (m *mutantTests) run(t *testing.T, name, test string) (out string, err error) {
	t.Helper()
	folder, ok := m.places[test]
	if !ok {
		t.Fatalf("there is no %s", test)
	}
	cmd := exec.CommandContext(t.Context(), m.binary(folder), "-test.run", "^"+test+"$", "-test.timeout", mutantLimit.String())
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "OAUTHMUX_MUTANT="+name, killsVariable+"="+strconv.Itoa(mutantKills))
	raw, err := cmd.CombinedOutput()
	return string(raw), err
}

// complaint is the first line that a test failed with, one that names an invariant
// if there is one.
func (m mutation) complaint(out string) string {
	first := ""
	for line := range strings.Lines(out) {
		if _, said, ok := strings.Cut(line, "_test.go:"); ok && (first == "" || !m.named(first) && m.named(said)) {
			first = strings.TrimSpace(said)
		}
	}
	return first
}
