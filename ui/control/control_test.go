package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(actAs) != "" {
		os.Exit(act())
	}
	goleak.VerifyTestMain(m)
}

// fakeEngine says what it is told to.
type fakeEngine struct {
	do      func(ctx context.Context, r Request) (Reply, error)
	state   func() (State, error)
	changes chan State // nil: Watch fails
}

func (f *fakeEngine) State(context.Context) (State, error) {
	if f.state != nil {
		return f.state()
	}
	return State{Status: Status{Schema: Schema, Engine: Info{Running: true, PID: 42}}}, nil
}

func (f *fakeEngine) Watch(ctx context.Context) (<-chan State, error) {
	if f.changes == nil {
		return nil, &Error{Code: CodeInternal, Message: "nothing to watch"}
	}
	out := make(chan State)
	go func() {
		defer close(out)
		for {
			select {
			case s, ok := <-f.changes:
				if !ok {
					return
				}
				select {
				case out <- s:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func (f *fakeEngine) Do(ctx context.Context, r Request) (Reply, error) { return f.do(ctx, r) }

// socketDir is short enough for a socket, whatever the test is called.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "omx") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// serve runs a server for the length of the test and returns its socket; stop
// ends it sooner and waits for its end.
func serve(t *testing.T, e Engine) (path string, stop func()) {
	t.Helper()
	path = filepath.Join(socketDir(t), "control.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- (&Server{Engine: e}).Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Serve returned %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Serve did not return")
		}
	})
	t.Cleanup(stop)
	return path, stop
}

func dial(t *testing.T, path string) *Client {
	t.Helper()
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestStateAndDoTravel(t *testing.T) {
	used := 0.78
	path, _ := serve(t, &fakeEngine{
		state: func() (State, error) {
			return State{Status: Status{Schema: 1, Accounts: []Account{{Label: "work\u2028\n", Windows: []Window{{Name: "5h", Used: &used}}}}}}, nil
		},
		do: func(_ context.Context, r Request) (Reply, error) {
			if r.Action == ActionSwitch {
				return Reply{Message: r.Account}, nil
			}
			return Reply{}, &Error{Code: CodeNotFound, Message: "no account is called " + r.Account, Hint: "look"}
		},
	})
	c := dial(t, path)
	s, err := c.State(t.Context())
	if err != nil || len(s.Accounts) != 1 || s.Accounts[0].Label != "work\u2028\n" || *s.Accounts[0].Windows[0].Used != used {
		t.Errorf("state: %+v, %v", s, err)
	}
	r, err := c.Do(t.Context(), Request{Action: ActionSwitch, Account: "work"})
	if err != nil || r.Message != "work" {
		t.Errorf("reply: %+v, %v", r, err)
	}
	_, err = c.Do(t.Context(), Request{Action: ActionPause, Account: "x"})
	if e, ok := errors.AsType[*Error](err); !ok || *e != (Error{Code: CodeNotFound, Message: "no account is called x", Hint: "look"}) {
		t.Errorf("error: %#v", err)
	}
}

func TestACallThatIsGivenUpEndsInTheEngine(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	path, _ := serve(t, &fakeEngine{do: func(ctx context.Context, _ Request) (Reply, error) {
		close(begun)
		<-ctx.Done()
		close(ended)
		return Reply{}, ctx.Err()
	}})
	c := dial(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-begun
		cancel()
	}()
	if _, err := c.Do(ctx, Request{Action: ActionLoginWait}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	within(t, ended, "the engine's call to end")
}

func TestWatchShowsTheNewestStateAndClosesWithTheEngine(t *testing.T) {
	changes := make(chan State)
	path, stop := serve(t, &fakeEngine{changes: changes})
	go func() {
		for i := range 500 {
			select {
			case changes <- State{Status: Status{Engine: Info{PID: i + 1}}}:
			case <-t.Context().Done():
				return
			}
		}
	}()
	states, err := dial(t, path).Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for last < 500 {
		s, open := <-states
		if !open {
			t.Fatalf("closed after %d", last)
		}
		if s.Engine.PID <= last {
			t.Fatalf("%d came after %d", s.Engine.PID, last)
		}
		last = s.Engine.PID
	}
	stop()
	select {
	case _, open := <-states:
		if open {
			t.Error("a state came after the engine's end")
		}
	case <-time.After(20 * time.Second):
		t.Error("the channel stayed open after the engine's end")
	}
}

// A dashboard that is stopped with ctrl+z must neither hold up the engine nor
// see, when it goes on, more of the past than what was on its way.
func TestAWatcherThatDoesNotReadHoldsUpNobody(t *testing.T) {
	changes := make(chan State)
	path, stop := serve(t, &fakeEngine{
		changes: changes,
		do:      func(context.Context, Request) (Reply, error) { return Reply{}, nil },
	})
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, conn)
	if _, err := conn.Write([]byte(`{"protocol":1,"method":"watch"}` + "\n")); err != nil {
		t.Fatal(err)
	}
	big := State{Warnings: []string{strings.Repeat("x", 1<<20)}}
	changes <- big
	changes <- big // the first fills the socket: nobody takes a third
	if _, err := dial(t, path).Do(t.Context(), Request{Action: ActionPause}); err != nil {
		t.Errorf("another client: %v", err)
	}
	stop() // and the end of the engine waits a second for it, not for ever
}

func TestAWatchThatIsGivenUpEndsInTheEngine(t *testing.T) {
	changes := make(chan State, 1)
	changes <- State{}
	gone := make(chan struct{})
	path, _ := serve(t, watchFunc(func(ctx context.Context) (<-chan State, error) {
		context.AfterFunc(ctx, func() { close(gone) })
		return changes, nil
	}))
	defer close(changes)
	ctx, cancel := context.WithCancel(t.Context())
	states, err := dial(t, path).Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	<-states
	cancel()
	within(t, gone, "the engine's watch to end")
	for range states {
		continue // until it ends
	}
}

// watchFunc is an Engine that can only be watched.
type watchFunc func(ctx context.Context) (<-chan State, error)

func (watchFunc) State(context.Context) (State, error)              { return State{}, nil }
func (watchFunc) Do(context.Context, Request) (Reply, error)        { return Reply{}, nil }
func (f watchFunc) Watch(ctx context.Context) (<-chan State, error) { return f(ctx) }

func TestWatchPassesOnWhyItCannot(t *testing.T) {
	path, _ := serve(t, &fakeEngine{})
	_, err := dial(t, path).Watch(t.Context())
	if e, ok := errors.AsType[*Error](err); !ok || e.Message != "nothing to watch" {
		t.Errorf("got %v", err)
	}
}

func TestAPanicCostsOneAnswer(t *testing.T) {
	path, _ := serve(t, &fakeEngine{do: func(context.Context, Request) (Reply, error) { panic("secret-in-a-panic") }})
	c := dial(t, path)
	_, err := c.Do(t.Context(), Request{Action: ActionToken})
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeInternal || strings.Contains(e.Message, "secret") {
		t.Errorf("got %v", err)
	}
	if _, err := c.State(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestOtherVersionsAreToldSo(t *testing.T) {
	path, _ := serve(t, &fakeEngine{})
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, conn)
	if _, err := conn.Write([]byte(`{"protocol":2,"method":"dance","request":[]}` + "\n")); err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.NewDecoder(conn).Decode(&a); err != nil || a.Error == nil || a.Error.Code != CodeVersion {
		t.Errorf("a newer client got %+v, %v", a.Error, err)
	}

	// And an engine of another version, as this program sees it.
	dir := socketDir(t)
	l, err := Listen(filepath.Join(dir, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, l)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		closeLater(t, conn)
		_, _ = bufio.NewReader(conn).ReadString('\n')
		_, _ = conn.Write([]byte(`{"protocol":7,"anything":true}` + "\n"))
	}()
	_, err = Dial(t.Context(), filepath.Join(dir, "control.sock"))
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != CodeVersion || !strings.Contains(e.Message, "control protocol 7, this one has 1") || e.Hint == "" {
		t.Errorf("an engine of another version: %v", err)
	}
}

func TestDialWithoutAnEngine(t *testing.T) {
	dir := socketDir(t)
	path := filepath.Join(dir, "control.sock")
	if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNoEngine) {
		t.Errorf("no socket: %v", err)
	}
	stale(t, path)
	if _, err := Dial(t.Context(), path); !errors.Is(err, ErrNoEngine) {
		t.Errorf("a stale socket: %v", err)
	}
}

func TestAnEngineThatSaysNothingIsNamed(t *testing.T) {
	path := filepath.Join(socketDir(t), "control.sock")
	l, err := Listen(path) // the kernel accepts, nobody answers: a stopped process
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, l)
	begin := time.Now()
	_, err = Dial(t.Context(), path)
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeEngineSilent || e.Hint == "" {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begin); took > 2*helloTimeout {
		t.Errorf("it took %v", took)
	}
}

func TestHoldLastsAsLongAsTheEngine(t *testing.T) {
	path, stop := serve(t, &fakeEngine{})
	c := dial(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Hold(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while the engine runs: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Hold(t.Context()) }()
	if _, err := c.State(t.Context()); err != nil { // and is in nobody's way
		t.Error(err)
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("after the engine's end: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("Hold did not notice the engine's end")
	}
	if err := c.Hold(t.Context()); err != nil {
		t.Errorf("without an engine: %v", err)
	}
}

// stale leaves behind what a killed engine leaves behind.
func TestAnyNumberMayWaitForTheEndOfTheEngine(t *testing.T) {
	path, stop := serve(t, &fakeEngine{})
	var holding sync.WaitGroup
	for range 2 * maxClients {
		c := dial(t, path)
		holding.Go(func() { _ = c.Hold(t.Context()) })
	}
	for range 10 {
		if _, err := dial(t, path).State(t.Context()); err != nil {
			t.Fatalf("nobody else is heard: %v", err)
		}
	}
	stop()
	holding.Wait()
}

func stale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func closeLater(t *testing.T, c io.Closer) {
	t.Helper()
	t.Cleanup(func() { _ = c.Close() })
}

func within(t *testing.T, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Errorf("waited in vain for %s", what)
	}
}
