//go:build unix

package vault

import (
	"context"
	"syscall"
	"testing"
	"time"
)

func TestI9TheLockOfADeadHolderIsFree(t *testing.T) {
	for name, arg := range map[string]string{"alone": "", "and its child lives on": "child"} {
		t.Run(name, func(t *testing.T) {
			took := time.Hour
			for try := 0; try < 3 && took > time.Second; try++ { // the machine may have been busy: the best counts
				took = freed(t, arg)
			}
			if took > time.Second {
				t.Errorf("it took %v, at best", took)
			}
		})
	}
}

// freed kills the holder of a lock, and returns how long the lock was not to be had
// then.
func freed(t *testing.T, arg string) time.Duration {
	t.Helper()
	v := onFiles(t)
	home := v.options.Dir[:len(v.options.Dir)-len("/vault")]
	holder := child(t, "hold", home, arg)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if n := pid(t, out); arg != "" {
		t.Cleanup(func() { _ = syscall.Kill(n, syscall.SIGKILL) })
	}
	// While it lives, and also while it is stopped, nobody gets it.
	for _, s := range []syscall.Signal{syscall.SIGCONT, syscall.SIGSTOP} {
		if err := holder.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		if _, err := v.Lock(ctx, account); err == nil {
			t.Fatalf("the lock was stolen after %v", s)
		}
		cancel()
	}
	start := time.Now()
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	hold(t, v).Release()
	took := time.Since(start)
	_ = holder.Wait()
	return took
}
