package ui

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/oauthmux/oauthmux/ui/config"
	"github.com/oauthmux/oauthmux/ui/control"
)

// setup is where the files are and what the person has set.
type setup struct {
	config config.Config
	paths  config.Paths
}

func (p *program) setup(ctx context.Context) (setup, error) {
	paths, err := config.FindPaths(p.Getenv)
	if err != nil {
		return setup{}, err
	}
	cfg, err := config.Load(ctx, config.Sources{File: paths.ConfigFile, Getenv: p.Getenv, Flags: p.configFlags})
	if err != nil {
		return setup{}, err
	}
	return setup{config: cfg, paths: paths}, nil
}

// reach returns the engine that runs for this home or, when none does, the
// object graph in this process, which then takes state.lock for each change.
func (p *program) reach(ctx context.Context) (control.Engine, func(), error) {
	s, err := p.setup(ctx)
	if err != nil {
		return nil, nil, err
	}
	client, err := attach(ctx, s.paths)
	if err == nil {
		return client, func() {}, nil
	}
	if !errors.Is(err, control.ErrNoEngine) {
		return nil, nil, err
	}
	app, closeApp, err := p.openApp(s, nil) //nolint:contextcheck // what it saves at its end outlives ctx
	if err != nil {
		return nil, nil, err
	}
	if err := app.repair(ctx); err != nil { // what needs the accounts says so itself
		app.log.Warn("accounts not rebuilt", "error", err)
	}
	return app, closeApp, nil
}

// openApp makes the object graph of this home. What is logged goes to the log
// file and, if it is not nil, to also.
func (p *program) openApp(s setup, also slog.Handler) (*App, func(), error) {
	return p.openAppAt(s, also, nil)
}

// openAppAt is openApp for an engine that listens on a socket that is there
// already, unless that is nil.
func (p *program) openAppAt(s setup, also slog.Handler, door net.Listener) (*App, func(), error) {
	if err := s.paths.Create(); err != nil {
		return nil, nil, err
	}
	log, closeLog := openLog(s.paths.Log, also)
	app, err := openApp(appOptions{
		Config: s.config, Paths: s.paths, Version: p.Version, Log: log, Passphrase: p.Passphrase, Getenv: p.Getenv, Environ: p.Environ,
		Door: door,
	})
	if err != nil {
		closeLog()
		return nil, nil, err
	}
	return app, func() {
		// A command that was given up must not cut a renewal short: its answer is
		// the only copy of the next refresh token.
		if err := app.settle(); err != nil {
			log.Error("not everything was saved", "error", err)
		}
		app.Close()
		closeLog()
	}, nil
}

// An engine opens its socket a moment after it took the lock.
const (
	startPatience = 3 * time.Second
	startPoll     = 20 * time.Millisecond
)

// attach finds the engine of this home. control.ErrNoEngine: there is none.
func attach(ctx context.Context, paths config.Paths) (*control.Client, error) {
	path, err := control.SocketPath(paths.State)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(startPatience)
	for {
		client, err := control.Dial(ctx, path)
		if !errors.Is(err, control.ErrNoEngine) {
			return client, err
		}
		running, err := control.Running(paths.EngineLock)
		switch {
		case err != nil:
			return nil, err
		case !running:
			return nil, control.ErrNoEngine
		case time.Now().After(deadline):
			return nil, &control.Error{
				Code:    control.CodeEngineSilent,
				Message: "another process holds engine.lock and does not answer on " + path,
				Hint:    "it may be ending or suspended; look for its process",
			}
		}
		if !wait(ctx, startPoll) {
			return nil, ctx.Err()
		}
	}
}
