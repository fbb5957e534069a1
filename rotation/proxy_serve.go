package rotation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	headerTimeout  = 5 * time.Second
	maxHeaderBytes = 64 << 10
	idleTimeout    = 2 * time.Minute
)

// EndGrace is how long answers may go on after the end was asked for.
const EndGrace = 5 * time.Second

// Serve answers clients on l until ctx ends, gives the answers under way a moment
// to come to their ends (see Cut), or until Finish is called, and returns when
// every request has ended. It closes l. The error is nil when one of these was
// the reason.
func (p *Proxy) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:                      p,
		ReadHeaderTimeout:            headerTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		DisableGeneralOptionsHandler: true, // "OPTIONS *" is checked like the rest
		ErrorLog:                     p.quietLog,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
		// Requests outlive ctx by the grace; closing their connections ends them.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(&listener{l, &p.guests}) }()

	var err error
	select {
	case err = <-ended:
		err = fmt.Errorf("proxy on %s: %w", l.Addr(), err)
	case <-ctx.Done():
		p.guests.dismissStrangers() // Shutdown would wait for them
	case <-p.finish:
	}
	if err == nil {
		p.drain(ctx, srv)
		p.log.Debug("proxy no longer accepts", "reason", <-ended)
	}
	_ = srv.Close() // whatever is still open
	p.underway.wait()
	return err
}

// drain waits for the answers under way: until they are cut, and no longer than
// the grace once ctx has ended.
func (p *Proxy) drain(ctx context.Context, srv *http.Server) {
	begun := time.Now()
	grace, end := context.WithCancel(context.WithoutCancel(ctx))
	var watch sync.WaitGroup
	watch.Go(func() {
		defer end()
		select {
		case <-ctx.Done():
		case <-p.cut:
			return
		case <-grace.Done():
			return
		}
		limit := time.NewTimer(p.endGrace)
		defer limit.Stop()
		select {
		case <-limit.C:
		case <-p.cut:
		case <-grace.Done():
		}
	})
	if err := srv.Shutdown(grace); errors.Is(err, context.Canceled) {
		p.log.Info("answers under way were cut off at the end", "after", time.Since(begun).Round(time.Millisecond))
	}
	end()
	watch.Wait()
}

// Cut takes the answers under way the moment that Serve gives them at its end.
// It may be called before that, and more than once.
func (p *Proxy) Cut() { p.cutOnce.Do(func() { close(p.cut) }) }

// Finish has Serve take no new connection and return when the answers under way
// have come to their ends, however long they take, or are cut. It may be called
// before Serve, and more than once.
func (p *Proxy) Finish() { p.finishOnce.Do(func() { close(p.finish) }) }

// underway counts the requests under way.
type underway struct {
	mu   sync.Mutex // guards n
	n    int
	none *sync.Cond
}

func (r *underway) enter() {
	r.mu.Lock()
	r.n++
	r.mu.Unlock()
}

func (r *underway) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n--; r.n == 0 && r.none != nil {
		r.none.Broadcast()
	}
}

func (r *underway) wait() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.none == nil {
		r.none = sync.NewCond(&r.mu)
	}
	for r.n > 0 {
		r.none.Wait()
	}
}
