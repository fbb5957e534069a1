// Package crash makes a report of a panic that somebody may send away: where it
// happened, and nothing of what the program worked with. It starts nothing.
package crash

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// kept is how many reports stay in a folder: the newest.
const kept = 5

const (
	prefix = "crash-"
	suffix = ".txt"
	stamp  = "20060102T150405.000000000Z"
)

// PanicError is one panic, and the report of it.
type PanicError struct {
	Part  string // what panicked: "the screen"
	Value string // what it panicked with, see Of
	Stack string // functions and lines
	Path  string // of the file that it is in; "": it is in none
}

// Of makes a report of the value that the caller, a deferred function, recovered.
// A runtime error is told in its words. Any other value may hold a token or the
// text of an account: only its type is told. So it is with the arguments in a
// stack, which are left out.
func Of(part string, value any) *PanicError {
	r := &PanicError{Part: part, Value: accounts.FaultWords(value)}
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	var b strings.Builder
	for {
		f, more := frames.Next()
		fmt.Fprintf(&b, "%s\n\t%s:%d\n", f.Function, f.File, f.Line)
		if !more {
			break
		}
	}
	r.Stack = b.String()
	return r
}

// Error implements error, in one line for a person.
func (r *PanicError) Error() string {
	words := r.Part + " failed (" + r.Value + ")"
	if r.Path == "" {
		return words
	}
	return words + ": a report without secrets is in " + r.Path
}

// Write writes the report to a file of its own in dir, and removes old ones.
func (r *PanicError) Write(dir, version string, now time.Time) error {
	text := fmt.Sprintf("oauthmux %s (%s, %s/%s)\n%s\n%s panicked: %s\n\n%s\nNo token, key or text of an account is in this report.\n",
		version, runtime.Version(), runtime.GOOS, runtime.GOARCH, now.UTC().Format(time.RFC3339), r.Part, r.Value, r.Stack)
	path, f, err := create(dir, now.UTC())
	if err != nil {
		return fmt.Errorf("write a crash report: %w", err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write a crash report: %w", err)
	}
	r.Path = path
	return tidy(dir)
}

// create makes a file whose name is the moment, or one soon after it: two reports
// may come at once.
func create(dir string, now time.Time) (path string, f *os.File, err error) {
	for range 100 {
		path = filepath.Join(dir, prefix+now.Format(stamp)+suffix)
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		now = now.Add(time.Nanosecond)
	}
	return path, f, err
}

// tidy removes all reports in dir but the newest.
func tidy(dir string) error {
	files, err := os.ReadDir(dir) // by name, which is their time
	if err != nil {
		return fmt.Errorf("look for crash reports: %w", err)
	}
	files = slices.DeleteFunc(files, func(f fs.DirEntry) bool { // somebody else's
		_, err := time.Parse(prefix+stamp+suffix, f.Name())
		return err != nil
	})
	for _, f := range files[:max(0, len(files)-kept)] {
		if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
			return fmt.Errorf("remove an old crash report: %w", err)
		}
	}
	return nil
}
