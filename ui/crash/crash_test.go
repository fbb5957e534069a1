package crash

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const secret = "sk-ant-oat01-very-secret"

// posing is an error of somebody else that says it is the runtime's.
type posing struct{ error }

func (posing) RuntimeError() {}

// breaks panics with what f panics with, a secret in its hands.
//
//go:noinline
func breaks(_ string, _ [32]byte, f func()) (r *PanicError) {
	defer func() { r = Of("the test", recover()) }()
	f()
	return nil
}

func TestAReportTellsWhereAndNothingElse(t *testing.T) {
	var none []int
	five := 5
	for name, tt := range map[string]struct {
		f    func()
		want string
	}{
		"a runtime error":    {func() { none[five] = 1 }, "runtime error: index out of range [5] with length 0"},
		"a string":           {func() { panic(secret) }, "string"},
		"an error":           {func() { panic(fmt.Errorf("token: %w", errors.New(secret))) }, "*fmt.wrapError"},
		"an error that lies": {func() { panic(posing{errors.New(secret)}) }, "crash.posing"},
	} {
		t.Run(name, func(t *testing.T) {
			r := breaks(secret, [32]byte{0x5e, 0xc1}, tt.f)
			if r.Value != tt.want {
				t.Errorf("it says %q, want %q", r.Value, tt.want)
			}
			dir := t.TempDir()
			if err := r.Write(dir, "1.2.3", time.Now()); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(r.Path)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"oauthmux 1.2.3", runtime.GOOS, "the test panicked: " + tt.want, "crash.TestAReportTells", "crash_test.go:"} {
				if !strings.Contains(string(text), want) {
					t.Errorf("the report lacks %q:\n%s", want, text)
				}
			}
			for _, no := range []string{secret, "very-secret", "0x5e", "5ec1"} {
				if strings.Contains(string(text)+r.Error(), no) {
					t.Errorf("the report holds %q:\n%s", no, text)
				}
			}
			if info, err := os.Stat(r.Path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
				t.Errorf("its mode is %v, %v", info.Mode(), err)
			}
		})
	}
}

func TestOnlyTheNewestReportsStay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a[b") // no pattern
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "oauthmux.log"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	var last *PanicError
	for i := range kept + 3 {
		last = &PanicError{Part: "the test"}
		if err := last.Write(dir, "", now.Add(time.Duration(i)*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := os.ReadDir(dir)
	if err != nil || len(all) != kept+1 {
		t.Errorf("there are %d files, %v: %q", len(all), err, all)
	}
	if _, err := os.Stat(last.Path); err != nil {
		t.Error(err)
	}
}

// A folder of reports may be everybody's: what only looks like one stays.
func TestFilesOfOthersStay(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "crash-1.txt")
	if err := os.WriteFile(other, []byte("of another program"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range kept + 2 {
		if err := Of("the screen", "x").Write(dir, "test", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
}
