package early

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// The order of initialisation rests on it: with one import more, another
// package may come between and keyring be ready first.
func TestNothingButOsAndSyscallIsImported(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 3 {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if p := i.Path.Value; p != `"os"` && p != `"syscall"` {
				t.Errorf("%s imports %s", name, p)
			}
		}
	}
}

func TestRestorePutsBackWhatWasThereAndWhatWasNot(t *testing.T) {
	t.Setenv("EARLY_SET", "before")
	t.Setenv("EARLY_UNSET", "") // restored by the test; unset just below
	set := remember("EARLY_SET")
	setenv("EARLY_SET", "changed")
	set.restore()
	unset := variable{name: "EARLY_UNSET"}
	unset.restore()
	if got := remember("EARLY_SET"); got.value != "before" {
		t.Errorf("a variable that was set is %q now", got.value)
	}
	if got := remember("EARLY_UNSET"); got.set {
		t.Errorf("a variable that was not set is %q now", got.value)
	}
}
