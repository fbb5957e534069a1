package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// A probe of Running may hold the lock for a moment, so one failure says nothing.
const (
	lockPatience = 500 * time.Millisecond
	lockPoll     = 20 * time.Millisecond
)

var errIrregular = errors.New("is not a regular file")

// ErrEngineRuns says that another process is the engine of this home.
var ErrEngineRuns = &Error{
	Code:    CodeEngineRuns,
	Message: "oauthmux runs already for this home",
	Hint:    "see it with: oauthmux status",
}

// LockEngine makes this process the engine of its home until release is called
// or the process ends, however it ends. The file is never unlinked: a lock on a
// file without a name would exclude nobody. ErrEngineRuns: somebody else is.
func LockEngine(ctx context.Context, path string) (release func(), err error) {
	if err := private(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() { // opening a pipe would wait for ever
		return nil, &fs.PathError{Op: "lock", Path: path, Err: errIrregular}
	}
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	f := flock.New(path, flock.SetPermissions(0o600))
	got, err := f.TryLockContext(ctx, lockPoll)
	switch {
	case got:
		return func() { _ = f.Close() }, nil
	case errors.Is(err, context.DeadlineExceeded):
		return nil, ErrEngineRuns
	}
	return nil, fmt.Errorf("take the engine lock: %w", err)
}

// Running reports whether some process holds the engine lock at path.
func Running(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, nil //nolint:nilerr // no lock file: nobody ever ran here
	}
	if !info.Mode().IsRegular() {
		return false, &fs.PathError{Op: "lock", Path: path, Err: errIrregular}
	}
	f := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := f.TryRLock()
	if err != nil {
		return false, fmt.Errorf("probe the engine lock: %w", err)
	}
	_ = f.Close()
	return !free, nil
}
