//go:build unix

package control

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A pipe in the place of the lock would be opened for ever.
func TestAPipeInPlaceOfTheLockHoldsUpNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "engine.lock")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := LockEngine(t.Context(), path); !errors.Is(err, errIrregular) {
			t.Errorf("LockEngine: %v", err)
		}
		if _, err := Running(path); !errors.Is(err, errIrregular) {
			t.Errorf("Running: %v", err)
		}
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it waits")
	}
}
