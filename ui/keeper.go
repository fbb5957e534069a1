package ui

import (
	"context"
	"net/url"
	"sync"
	"time"
)

// keeper keeps an engine available to a client that was told its address. The
// engine may be that of another process, which may end before the client does:
// then this process becomes the engine, at the same address and with the same
// keys, so that the client notices at most a refused connection.
type keeper struct {
	p     *program
	setup setup
	usual string // proxy.listen: where an engine that is no client's listens
	done  chan struct{}

	mu      sync.Mutex // guards current and address
	current engine
	address string // host:port that the client was told
}

const (
	// takeoverPause is between two attempts to become the engine.
	takeoverPause = 200 * time.Millisecond
	// returnPatience is for an engine at the usual address to come back: whoever
	// restarts `oauthmux serve` must not find its place taken.
	returnPatience = 3 * time.Second
)

// keepEngine finds an engine, or becomes it, on a free port, and sees to it
// until ctx ends.
func (p *program) keepEngine(ctx context.Context, s setup) (*keeper, error) {
	usual := s.config.Proxy.Listen
	s.config.Proxy.Listen = "127.0.0.1:0"
	e, err := p.startEngine(ctx, s)
	if err != nil {
		return nil, err
	}
	k := &keeper{p: p, setup: s, usual: usual, current: e, done: make(chan struct{})}
	go func() {
		defer close(k.done)
		k.run(ctx)
	}()
	return k, nil
}

// engine is the one of this moment.
func (k *keeper) engine() engine {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current
}

// listen remembers the address in a base URL.
func (k *keeper) listen(baseURL string) {
	u, err := url.Parse(baseURL)
	if err != nil {
		return // nobody was told anything that could be kept
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.address = u.Host
}

// wait returns when everything of an engine in this process has ended. The
// context of keepEngine must end first.
func (k *keeper) wait() { <-k.done }

func (k *keeper) run(ctx context.Context) {
	for {
		// Also at the end of ctx: an engine of ours saves what it must. Why it ended
		// is in its log, and the client is what this process is about.
		_ = k.engine().wait()
		e, ok := k.again(ctx)
		if !ok {
			return
		}
		k.mu.Lock()
		k.current = e
		k.mu.Unlock()
	}
}

// again finds or becomes the engine once more; false: ctx has ended.
func (k *keeper) again(ctx context.Context) (engine, bool) {
	s := k.setup
	k.mu.Lock()
	if k.address != "" {
		s.config.Proxy.Listen = k.address
	}
	k.mu.Unlock()
	if s.config.Proxy.Listen == k.usual {
		k.awaitReturn(ctx)
	}
	for ctx.Err() == nil {
		if e, err := k.p.startEngine(ctx, s); err == nil {
			return e, true
		}
		_ = wait(ctx, takeoverPause) // the loop looks at ctx
	}
	return engine{}, false
}

// awaitReturn waits a moment for another process to become the engine.
func (k *keeper) awaitReturn(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, returnPatience)
	defer cancel()
	for {
		if _, err := attach(ctx, k.setup.paths); err == nil || !wait(ctx, takeoverPause) {
			return
		}
	}
}
