package ui

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/ui/control"
)

// renewalGrace is how long a shutdown waits for a renewal in flight.
const renewalGrace = accounts.PresentationLimit + 5*time.Second

// saveGrace is how long it then waits for a disk that refuses a token.
const saveGrace = 30 * time.Second

// Run is the engine: it takes the engine lock, listens, and works until ctx ends
// or its proxy has finished. It returns nil then, after renewals in flight have
// been stored.
func (a *App) Run(ctx context.Context) error {
	release, err := control.LockEngine(ctx, a.paths.EngineLock)
	if err != nil {
		return err
	}
	defer release()
	listener, err := a.openProxy(ctx)
	if err != nil {
		return err
	}
	socket, err := a.openSocket()
	if err != nil {
		_ = listener.Close()
		return err
	}
	a.door.Store(listener)
	address := listener.Addr().String()
	a.listen.Store(&address)
	a.running.Store(true)
	defer a.running.Store(false)
	a.log.Info("engine started", "listen", address, "version", a.version)

	// What remembers outlives what works: the pool writes the last cooldown after
	// the last request has ended.
	memory, forget := context.WithCancel(context.WithoutCancel(ctx))
	defer forget()
	rear, memory := errgroup.WithContext(memory)
	rear.Go(a.vital("the registry", func() error { return a.registry.Run(memory) }))
	rear.Go(a.vital("the pool", func() error { return a.pool.Run(memory) }))
	rear.Go(a.spare(memory, "the recorder", a.recorder.Run))

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	a.end.Store(&stop)
	front, work := errgroup.WithContext(ctx)
	front.Go(a.vital("the proxy", func() error {
		defer stop() // also when the proxy was told to finish
		return a.proxy.Serve(work, listener)
	}))
	front.Go(a.vital("the control socket", func() error { return (&control.Server{Engine: a, Log: a.log}).Serve(work, socket) }))
	front.Go(a.spare(work, "the refresher", a.refresher.Run))
	front.Go(a.spare(work, "the keepalive", a.keepalive.Run))
	front.Go(a.spare(work, "the usage poller", a.poller.Run))
	front.Go(a.spare(work, "the browsers", a.browsers.Run))
	front.Go(a.spare(work, "the search for browsers", a.findBrowsers))
	front.Go(a.vital("the unlocking", func() error { a.firstUnlock(work); return nil }))
	front.Go(func() error { // a memory that failed ends the work
		select {
		case <-memory.Done():
			return context.Cause(memory)
		case <-work.Done():
			return nil
		}
	})
	a.readyOnce.Do(func() { close(a.ready) })

	err = front.Wait()
	a.listen.Store(nil)
	err = errors.Join(err, a.settle()) //nolint:contextcheck // ctx has ended; this is what must be done all the same
	forget()
	err = errors.Join(err, rear.Wait())
	a.log.Info("engine stopped")
	return err
}

// settle waits for what must not be cut short: logins and renewals in flight, of
// which no new one begins, and then tokens that are not on the disk yet.
func (a *App) settle() error {
	a.browsers.Close() // first: what a browser has brought goes on to its login
	a.logins.Close()   // then: a login that ends has a token to save, too
	ctx, cancel := context.WithTimeout(context.Background(), renewalGrace)
	defer cancel()
	patience := time.AfterFunc(time.Second, func() { a.log.Info("waiting for a renewal: its answer must be stored") })
	err := a.renewer.Drain(ctx)
	patience.Stop()
	if err != nil {
		err = fmt.Errorf("wait for a renewal: %w", err)
	}
	// Its own time: a long renewal must leave the disk some.
	ctx, cancelFlush := context.WithTimeout(context.Background(), saveGrace)
	defer cancelFlush()
	if flushed := a.vault.Flush(ctx); flushed != nil {
		err = errors.Join(err, fmt.Errorf("save tokens: %w", flushed))
	}
	return err
}

// firstUnlock asks for the key once, without a person, and tells the requests
// that wait for it. On the very first start there is no key and nothing to open:
// the first login makes it.
func (a *App) firstUnlock(ctx context.Context) {
	defer close(a.asked)
	if a.vault.FirstUse() && a.demo == "" {
		return
	}
	if err := a.unlock(ctx, "", false); err != nil && ctx.Err() == nil {
		a.log.Warn("vault is locked", "state", string(a.vault.State()), "error", err)
	}
}

func (a *App) openProxy(ctx context.Context) (net.Listener, error) {
	if a.inherited != nil {
		return a.inherited, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", a.config.Proxy.Listen)
	if err != nil {
		return nil, &control.Error{
			Code:    control.CodePortTaken,
			Message: fmt.Sprintf("cannot listen on %s: %v", a.config.Proxy.Listen, reason(err)),
			Hint:    "end the program that listens there, or set proxy.listen (OAUTHMUX_PROXY_LISTEN) to another port",
		}
	}
	return l, nil
}

func (a *App) openSocket() (net.Listener, error) {
	path, err := control.SocketPath(a.paths.State)
	if err != nil {
		return nil, err
	}
	return control.Listen(path)
}

// reason is the innermost error: what the system said, without our own words
// around it twice.
func reason(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// ended is nil for a run that ended because it was told to.
func ended(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
