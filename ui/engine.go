package ui

import (
	"context"
	"errors"
	"log/slog"

	"github.com/oauthmux/oauthmux/ui/control"
)

// engine is the running engine of this home: another process's, or one inside
// this process for as long as the context lasts that it was begun with.
type engine struct {
	control.Engine
	own     bool
	log     func() *slog.Logger // of an own one, nil while it is not known whose it is; nil: it is another's
	cut     func()              // of an own one: has it end without time for the requests under way
	stopped func() bool         // of an own one: somebody else had it end
	gone    <-chan error        // gets its one error, nil for an ordinary end, after everything of it has ended

	estate func() *estate // of an own one that another process may follow; nil: it ends with this one
}

// wait returns when everything of the engine has ended.
func (e engine) wait() error { return <-e.gone }

// startAttempts is how often somebody else may become the engine, and end,
// between our look for it and our own attempt.
const startAttempts = 5

// startEngine finds the engine of this home, or becomes it. It returns when the
// engine answers requests.
func (p *program) startEngine(ctx context.Context, s setup) (engine, error) {
	for attempt := 1; ; attempt++ {
		client, err := attach(ctx, s.paths)
		if err == nil {
			gone := make(chan error, 1)
			go func() { gone <- ended(client.Hold(ctx)) }()
			return engine{Engine: client, gone: gone}, nil
		}
		if !errors.Is(err, control.ErrNoEngine) {
			return engine{}, err
		}
		e, err := p.becomeEngine(ctx, s)
		if err == nil || attempt == startAttempts || !errors.Is(err, control.ErrEngineRuns) {
			return e, err
		}
	}
}

// becomeEngine runs the object graph of this home in this process.
// control.ErrEngineRuns: somebody else does already.
func (p *program) becomeEngine(ctx context.Context, s setup) (engine, error) {
	app, closeApp, err := p.openApp(s, nil) //nolint:contextcheck // what it saves at its end outlives ctx
	if err != nil {
		return engine{}, err
	}
	gone := make(chan error, 1)
	go func() {
		err := app.Run(ctx)
		if err != nil && !errors.Is(err, control.ErrEngineRuns) {
			app.log.Error("engine failed", "error", err)
		}
		closeApp()
		gone <- err
	}()
	select {
	case <-app.ready:
		return engine{Engine: app, own: true, log: app.logger, cut: app.proxy.Cut, stopped: app.stopped.Load, gone: gone, estate: app.estate}, nil
	case err := <-gone:
		if err == nil {
			err = ctx.Err()
		}
		return engine{}, err
	}
}
