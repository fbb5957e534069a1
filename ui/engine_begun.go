package ui

import (
	"context"
	"log/slog"

	"github.com/oauthmux/oauthmux/ui/control"
)

// begun is an engine that is found, or made, while the screen is there already:
// reading a thousand accounts takes longer than drawing a frame. Whoever asks it
// something waits until it is known.
type begun struct {
	known  chan struct{} // closed when what follows is
	engine engine
	err    error
}

// beginEngine begins what startEngine does. An engine that cannot be had is gone.
func (p *program) beginEngine(ctx context.Context, s setup) engine {
	b := &begun{known: make(chan struct{})}
	gone := make(chan error, 1)
	go func() {
		b.engine, b.err = p.startEngine(ctx, s)
		close(b.known)
		err := b.err
		if err == nil {
			err = b.engine.wait()
			if !b.engine.own {
				<-ctx.Done() // a screen outlives the engine of another process
			}
		}
		gone <- ended(err)
	}()
	return engine{Engine: b, own: true, log: b.log, cut: b.cut, stopped: b.stopped, gone: gone, estate: b.estate}
}

func (b *begun) get(ctx context.Context) (control.Engine, error) {
	select {
	case <-b.known:
		return b.engine.Engine, b.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// cut has an own engine end without time for the requests under way.
func (b *begun) cut() {
	select {
	case <-b.known:
		if b.engine.cut != nil {
			b.engine.cut()
		}
	default: // it has none
	}
}

// stopped reports whether somebody else had an own engine end.
func (b *begun) stopped() bool {
	select {
	case <-b.known:
		return b.engine.stopped != nil && b.engine.stopped()
	default:
		return false
	}
}

// log is that of an own engine; nil while it is not known whose it is.
func (b *begun) log() *slog.Logger {
	select {
	case <-b.known:
		if b.engine.log != nil {
			return b.engine.log()
		}
	default:
	}
	return nil
}

// estate is that of an own engine. Only who knows that it is one asks for it.
func (b *begun) estate() *estate {
	<-b.known
	return b.engine.estate()
}

// State implements control.Engine.
func (b *begun) State(ctx context.Context) (control.State, error) {
	e, err := b.get(ctx)
	if err != nil {
		return control.State{}, err
	}
	return e.State(ctx)
}

// Watch implements control.Engine.
func (b *begun) Watch(ctx context.Context) (<-chan control.State, error) {
	e, err := b.get(ctx)
	if err != nil {
		return nil, err
	}
	return e.Watch(ctx)
}

// Do implements control.Engine.
func (b *begun) Do(ctx context.Context, r control.Request) (control.Reply, error) {
	e, err := b.get(ctx)
	if err != nil {
		return control.Reply{}, err
	}
	return e.Do(ctx, r)
}
