package ui

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/ui/control"
)

// homeless is a program with a home of its own that nobody uses yet, whose proxy
// listens there.
func homeless(t *testing.T, listen string, env Env) (*program, setup) {
	t.Helper()
	home := map[string]string{"OAUTHMUX_HOME": t.TempDir()}
	env.Getenv, env.Version = func(name string) string { return home[name] }, "test"
	p := &program{Env: env}
	s, err := p.setup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.config.Proxy.Listen, s.config.Network.Proxy, s.config.Keyring.Backend = listen, "none", "file"
	return p, s
}

// An engine that cannot be had takes the screen away, and the reason stands in the
// shell.
func TestAScreenEndsWithAnEngineThatCannotBegin(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() //nolint:errcheck // nothing was said on it
	in, keyboard := io.Pipe()
	defer keyboard.Close() //nolint:errcheck // a pipe
	var out lockedBuffer
	p, s := homeless(t, taken.Addr().String(), Env{Stdin: in, Stdout: &out})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = p.show(ctx, cancel, p.beginEngine(ctx, s), screenLook{})
	if e, ok := errors.AsType[*control.Error](err); !ok || e.Code != control.CodePortTaken {
		t.Errorf("the screen ended with %v", err)
	}
	if strings.Count(out.String(), "\x1b[?1049h") != strings.Count(out.String(), "\x1b[?1049l") {
		t.Errorf("the terminal was left with %q", out.String())
	}
}

// Whoever asks an engine that is not there yet waits for it, and for no longer than
// there is somebody who waits.
func TestWhoeverAsksWaitsUntilTheEngineIsKnown(t *testing.T) {
	b := &begun{known: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan error, 3)
	ask := func() {
		_, err := b.State(ctx)
		asked <- err
		_, err = b.Watch(ctx)
		asked <- err
		_, err = b.Do(ctx, control.Request{Action: control.ActionLog})
		asked <- err
	}
	b.cut() // of nothing
	cancel()
	ask()
	for range cap(asked) {
		if err := <-asked; !errors.Is(err, context.Canceled) {
			t.Errorf("asked without an engine: %v", err)
		}
	}

	ctx = t.Context()
	go ask()
	select {
	case err := <-asked:
		t.Fatalf("it answered before there was an engine: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	d := stage(t, 1)
	b.engine = engine{Engine: d.app}
	close(b.known)
	for range cap(asked) {
		if err := <-asked; err != nil {
			t.Errorf("asked of an engine: %v", err)
		}
	}
}

// Who leaves before the engine has begun gets the shell back without a word.
func TestAScreenIsLeftBeforeItsEngineIsThere(t *testing.T) {
	p, s := homeless(t, "127.0.0.1:0", Env{})
	for _, wait := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond} { // wherever it is
		ctx, cancel := context.WithCancel(t.Context())
		e := p.beginEngine(ctx, s)
		time.Sleep(wait)
		cancel()
		if err := e.wait(); err != nil {
			t.Errorf("left after %v: %v", wait, err)
		}
	}
}
