package chromium

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/cdp"
	"github.com/go-rod/rod/lib/proto"
	"github.com/go-rod/rod/lib/utils"

	"github.com/oauthmux/oauthmux/relogin"
)

const (
	startLimit = 45 * time.Second // from the start of the program to its first answer
	endLimit   = 10 * time.Second // from the request to end to the end
	waitDelay  = 2 * time.Second  // for output that comes after the program's end
	restDelay  = 3 * time.Second  // for helper processes, which write too, to end after the program
	cutDelay   = time.Second      // for the program's end after that of the link
)

// errOver stands for the end of a visit's context until Open says why it ended.
var errOver = errors.New("the visit is over")

// link carries messages between a browser and a cdp.Client.
type link interface {
	cdp.WebSocketable
	Close() error
}

// wiring is the way to a link with a browser.
type wiring interface {
	// prepare makes the browser that cmd will start ready for the link.
	prepare(cmd *exec.Cmd) error
	// join makes the link with the started browser.
	join(ctx context.Context) (link, error)
	// drop frees what is not needed once the browser has started, or has not.
	drop()
}

// browser is one that was started.
type browser struct {
	cmd  *exec.Cmd
	all  group // the program, and what it started
	link link
	rod  *rod.Browser
	stop context.CancelFunc // ends what rod started
	said *tail

	gone chan struct{} // closed when the program has ended
	err  error         // how; to be read when gone is closed
}

// start starts the browser of a visit and returns when it answers. Where it
// returns an error, no process is left.
func start(ctx context.Context, v relogin.Visit, w wiring) (*browser, error) {
	path, err := Find(v.Browser, v.Environ)
	if err != nil {
		return nil, err
	}
	e := environment(v.Environ)
	if v.Visible && !hasDisplay(runtime.GOOS, e) {
		return nil, &relogin.DisplayError{}
	}
	if err := checkProfile(v.Profile, v.TakeOver); err != nil {
		return nil, err
	}

	b := &browser{said: new(tail), gone: make(chan struct{})}
	// The end of ctx is no reason to kill the browser: what it knows would be lost.
	b.cmd = exec.CommandContext(context.WithoutCancel(ctx), path, flags(v)...) //nolint:gosec // the browser that the person chose
	b.cmd.Env = e.without(passphraseVariable)
	b.cmd.Dir = v.Profile
	b.cmd.Stdout, b.cmd.Stderr = b.said, b.said
	b.cmd.WaitDelay = waitDelay
	if err := w.prepare(b.cmd); err != nil {
		return nil, &relogin.BrowserError{Problem: "could not be started", Err: err}
	}
	confine(b.cmd)
	if err := b.run(); err != nil {
		w.drop()
		if missing(err) {
			return nil, missingError(path)
		}
		return nil, &relogin.BrowserError{Problem: "could not be started", Err: err}
	}
	if v.Started != nil {
		v.Started()
	}
	b.all = newGroup(b.cmd)

	err = b.connect(ctx, w)
	w.drop()
	if err != nil {
		early := b.endedSoon(ctx)
		b.kill()
		b.free()
		return nil, b.explain(ctx, v, early, err)
	}
	return b, nil
}

// run starts the program, in a goroutine that ends with it.
func (b *browser) run() error {
	started := make(chan error)
	go func() {
		// Where the program is to end with us, it ends with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := b.cmd.Start()
		started <- err
		if err == nil {
			b.err = b.cmd.Wait()
			close(b.gone)
		}
	}()
	return <-started
}

// connect makes the link, and waits for the first answer.
func (b *browser) connect(ctx context.Context, w wiring) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	go func() { // who waits for an answer need not wait for one that cannot come
		select {
		case <-b.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	var err error
	if b.link, err = w.join(ctx); err != nil {
		return err
	}
	// What rod does by its environment variable (a log of all messages, a port for
	// onlookers) is not for here.
	client := cdp.New().Logger(utils.LoggerQuiet).Start(b.link)
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = stop
	if _, err := client.Call(ctx, "", proto.BrowserGetVersion{}.ProtoReq(), nil); err != nil {
		go drain(client.Event())
		return err
	}
	b.rod = rod.New().Context(life).Client(client).ControlURL("").Monitor("").Trace(false).SlowMotion(0).
		Logger(utils.LoggerQuiet).NoDefaultDevice()
	keep := context.AfterFunc(ctx, stop)
	err = b.rod.Connect()
	keep()
	return err
}

// drain reads events nobody waits for, so that the client comes to its end.
func drain(events <-chan *cdp.Event) {
	for range events {
	}
}

// ended reports whether the program has ended.
func (b *browser) ended() bool {
	select {
	case <-b.gone:
		return true
	default:
		return false
	}
}

// endedSoon is ended for a browser that cut the link: its end may be a moment away.
func (b *browser) endedSoon(ctx context.Context) bool {
	select {
	case <-b.gone:
	case <-ctx.Done():
	case <-time.After(cutDelay):
	}
	return b.ended()
}

// end asks the browser to end, so that it writes what it knows to its profile,
// and returns when it has, or was killed: then it was not graceful.
func (b *browser) end(ctx context.Context) (graceful bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		_ = proto.BrowserClose{}.Call(b.rod.Context(ctx)) // gone, when that fails
	}()
	select {
	case <-b.gone:
		graceful = true
	case <-ctx.Done():
	}
	b.kill()
	cancel()
	<-asked
	b.free()
	return graceful
}

// kill ends the processes that are left, after a moment for those that end by
// themselves because the program has, and waits for them.
func (b *browser) kill() {
	if b.ended() {
		for until := time.Now().Add(restDelay); !b.all.empty() && time.Now().Before(until); {
			time.Sleep(20 * time.Millisecond)
		}
	}
	b.all.kill()
	<-b.gone
	b.all.free()
}

// free ends the goroutines of the link.
func (b *browser) free() {
	if b.link != nil {
		_ = b.link.Close()
	}
	if b.stop != nil {
		b.stop()
	}
}

// explain says why a browser that was started did not answer. early: it ended by
// itself.
func (b *browser) explain(ctx context.Context, v relogin.Visit, early bool, err error) error {
	if !early {
		if ctx.Err() != nil {
			return errOver
		}
		return &relogin.BrowserError{Problem: "did not answer after its start", Err: err}
	}
	said := b.said.String()
	switch {
	case containsAny(said, "Missing X server", "Unable to open X display", "cannot open display", "Failed to connect to Wayland display"):
		return &relogin.DisplayError{}
	case containsAny(said, "ProcessSingleton", "existing browser session", "profile appears to be in use"):
		_, pid, _ := readLock(v.Profile)
		return &relogin.InUseError{PID: pid}
	case containsAny(said, "No usable sandbox"):
		return &relogin.BrowserError{Problem: "found no usable sandbox: this system does not let it make user namespaces", Err: b.err}
	}
	if err := probe(v.Profile); err != nil {
		return profileError(v.Profile, err)
	}
	if containsAny(said, "No space left on device") {
		return &relogin.BrowserError{Problem: "ended at its start: no space left on a disk", Err: b.err}
	}
	problem := "ended at its start"
	if exit, ok := errors.AsType[*exec.ExitError](b.err); ok {
		problem += ": " + exit.String()
	} else if b.err == nil {
		problem += ", without an error: it may not be a browser"
	}
	return &relogin.BrowserError{Problem: problem, Err: b.err}
}

func containsAny(text string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// tail keeps the end of what a program writes. It is looked at, and never shown
// or logged: addresses may be in it.
type tail struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

const tailLimit = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - tailLimit; over > 0 {
		t.text = bytes.Clone(t.text[over:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
