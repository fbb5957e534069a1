//go:build unix

package e2e

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/ui/control"
)

// engine is a running `oauthmux serve`.
type engine struct {
	h      *home
	cmd    *exec.Cmd
	stderr *output
	stdout *output
	ended  chan struct{} // closed when the process has been waited for

	listen string // host:port
	client client // with the local key
}

// serve starts an engine and returns when it answers and, unless it is said
// otherwise, its vault is open.
func (h *home) serve(flags ...string) *engine {
	h.t.Helper()
	e := h.launch(flags...)
	e.ready()
	return e
}

// launch starts an engine and does not wait for it.
func (h *home) launch(flags ...string) *engine {
	h.t.Helper()
	e := &engine{h: h, ended: make(chan struct{})}
	// Not the test's context: it ends before the clean-up below.
	e.cmd, e.stdout, e.stderr = h.command(context.WithoutCancel(h.t.Context()), append([]string{"serve"}, flags...)...)
	if err := e.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		defer close(e.ended)
		_ = e.cmd.Wait() // the status says it
	}()
	h.t.Cleanup(func() {
		if e.running() {
			if status := e.stop(); status != 0 {
				h.t.Errorf("serve ended with %d: %s", status, e.stderr)
			}
		}
		h.sane(e.cmd.Args, result{stderr: e.stderr.String()})
		if out := e.stdout.String(); out != "" {
			h.t.Errorf("serve wrote to stdout: %.500s", out)
		}
	})
	return e
}

// ready waits until the engine answers requests.
func (e *engine) ready() {
	e.h.t.Helper()
	eventually(e.h.t, "the engine answers", 20*time.Second, func() bool {
		if !e.running() {
			e.h.t.Fatalf("serve has ended: %s", e.stderr)
		}
		info := e.info()
		e.listen = info.Listen
		return info.Running && info.Listen != "" && info.Key != "unasked"
	})
	e.client = e.h.client()
}

// info is the engine in `status --json`.
func (e *engine) info() control.Info { return e.h.status().Engine }

func (e *engine) running() bool {
	select {
	case <-e.ended:
		return false
	default:
		return true
	}
}

// stop ends the engine as the system does, and returns its status.
func (e *engine) stop() int { return e.signal(syscall.SIGTERM) }

// kill ends it as a power cut does, and returns when it is gone.
func (e *engine) kill() { e.signal(syscall.SIGKILL) }

func (e *engine) signal(s os.Signal) int {
	e.h.t.Helper()
	_ = e.cmd.Process.Signal(s) // it may have ended by itself: then the status says so
	return e.wait(30 * time.Second)
}

// wait returns the status of an engine that was told to end.
func (e *engine) wait(limit time.Duration) int {
	e.h.t.Helper()
	select {
	case <-e.ended:
	case <-time.After(limit):
		e.h.t.Errorf("serve did not end in %v: %s", limit, e.stderr)
		_ = e.cmd.Process.Signal(syscall.SIGQUIT) // its stacks go to stderr
		<-e.ended
	}
	return e.cmd.ProcessState.ExitCode()
}

// atOnce starts n calls together and returns when all have ended.
func atOnce(t *testing.T, n int, f func(i int)) {
	t.Helper()
	start, done := make(chan struct{}), make(chan struct{})
	for i := range n {
		go func() {
			defer func() { done <- struct{}{} }()
			<-start
			f(i)
		}()
	}
	close(start)
	for range n {
		<-done
	}
}
