package control

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestListenReplacesOnlyWhatIsStale(t *testing.T) {
	dir := socketDir(t)
	path := filepath.Join(dir, "control.sock")
	stale(t, path)
	l, err := Listen(path)
	if err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "listens on") {
		t.Errorf("a live socket: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a closed socket stays: %v", err)
	}

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "is not a socket") {
		t.Errorf("a file: %v", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "precious" {
		t.Errorf("the file is now %q, %v", data, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}

	target := filepath.Join(dir, "elsewhere")
	stale(t, target)
	if err := os.Symlink(target, path); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if _, err := Listen(path); err == nil {
		t.Error("a symbolic link was followed")
	}
	if _, err := os.Lstat(target); err != nil {
		t.Errorf("what the link names is gone: %v", err)
	}
}

func TestT03TheSocketIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no mode bits on Windows")
	}
	dir := socketDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "control.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, l)
	for name, want := range map[string]os.FileMode{dir: 0o700, path: 0o600} {
		info, err := os.Lstat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s is %v, %v", filepath.Base(name), info.Mode(), err)
		}
	}
}

func TestSocketPathIsShortEnough(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an error on Windows")
	}
	short, err := SocketPath("/home/me/.local/state/oauthmux")
	if err != nil || short != "/home/me/.local/state/oauthmux/control.sock" {
		t.Errorf("got %s, %v", short, err)
	}
	deep := "/" + strings.Repeat("deep/", 40)
	a, err := SocketPath(deep + "a")
	if err != nil || len(a) > maxSocketPath {
		t.Errorf("%d bytes, %v", len(a), err)
	}
	again, _ := SocketPath(deep + "a")
	b, _ := SocketPath(deep + "b")
	if a != again || a == b {
		t.Errorf("%s, %s and %s", a, again, b)
	}
	l, err := Listen(a)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	_ = os.Remove(filepath.Dir(a)) // unless somebody's engine is there
}

func TestOneEngineAtATime(t *testing.T) {
	path := filepath.Join(socketDir(t), "engine.lock")
	if held, err := Running(path); held || err != nil {
		t.Errorf("without a file: %v, %v", held, err)
	}
	release, err := LockEngine(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if held, err := Running(path); !held || err != nil {
		t.Errorf("while it is held: %v, %v", held, err)
	}
	if _, err := LockEngine(t.Context(), path); !errors.Is(err, ErrEngineRuns) {
		t.Errorf("a second engine: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := LockEngine(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	release()
	if held, err := Running(path); held || err != nil {
		t.Errorf("afterwards: %v, %v", held, err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the lock file was unlinked: %v", err)
	}
	// A probe holds the lock for a moment; that must not keep an engine out.
	stop := make(chan struct{})
	var probes sync.WaitGroup
	for range 4 {
		probes.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					_, _ = Running(path)
				}
			}
		})
	}
	for range 20 {
		release, err := LockEngine(t.Context(), path)
		if err != nil {
			t.Errorf("beside probes: %v", err)
			break
		}
		release()
	}
	close(stop)
	probes.Wait()
}
