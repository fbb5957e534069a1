package ui

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/ui/config"
	"github.com/oauthmux/oauthmux/ui/control"
)

// demo is the whole program against the simulated provider: its home is thrown
// away at the end, its key lies in memory only, and its port is a free one.
type demo struct {
	home   string
	held   *flock.Flock // while the demo runs: others throw its home away when it does not
	server *simulator.Server
	scene  simulator.Scene
	app    *App

	closeLog func() // nil: the log is not the demo's own
}

// demoOptions are the flags of the command.
type demoOptions struct {
	Accounts int
	Speed    float64
	Version  string
	Log      *slog.Logger // nil: a file in the demo's own home
}

// openDemo builds the stage and signs everybody in, through the same login that
// a person goes through. Close it.
func openDemo(ctx context.Context, o demoOptions) (_ *demo, err error) {
	d := &demo{scene: simulator.Demo(o.Accounts, o.Speed)}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if d.home, d.held, err = demoHome(os.TempDir()); err != nil {
		return nil, err
	}
	d.server = simulator.New(d.scene.Options)
	for i, u := range d.scene.Users {
		d.scene.Users[i] = d.server.AddUser(u)
	}
	if err = d.server.Start(); err != nil { //nolint:contextcheck // it lives until Close
		return nil, fmt.Errorf("start the simulated provider: %w", err)
	}
	cfg, paths, err := d.configure(ctx)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log, d.closeLog = openLog(paths.Log, nil)
	}
	d.app, err = openApp(appOptions{
		Config: cfg, Paths: paths, Version: o.Version, Log: o.Log,
		Getenv: func(string) string { return "" }, // nothing of the person's own reaches the demo
		Speed:  d.scene.Options.Speed,
		Demo: fmt.Sprintf("a simulated provider, %s times faster: 5 hours last %s; nothing leaves this machine",
			compact(d.scene.Options.Speed), span(time.Duration(float64(5*time.Hour)/d.scene.Options.Speed))),
	})
	if err != nil {
		return nil, err
	}
	return d, d.signIn(ctx)
}

// configure is a configuration that points at the simulator and is as much
// quicker as its time is.
func (d *demo) configure(ctx context.Context) (config.Config, config.Paths, error) {
	home := map[string]string{"OAUTHMUX_HOME": d.home}
	getenv := func(name string) string { return home[name] }
	paths, err := config.FindPaths(getenv)
	if err != nil {
		return config.Config{}, config.Paths{}, err
	}
	cfg, err := config.Load(ctx, config.Sources{File: filepath.Join(d.home, "config.toml"), Getenv: getenv})
	if err != nil {
		return config.Config{}, config.Paths{}, err
	}
	quicker := func(t *config.Duration, least time.Duration) {
		*t = config.Duration(max(time.Duration(float64(*t)/d.scene.Options.Speed), least))
	}
	cfg.Proxy.Listen = "127.0.0.1:0"
	cfg.Network.Proxy = "none"
	quicker(&cfg.Usage.Poll, 5*time.Second)
	tuning := cfg.Tuning
	quicker(&tuning.Cooldown.RateLimit, 3*time.Second)
	quicker(&tuning.Cooldown.AuthFailure, 3*time.Second)
	quicker(&tuning.Keepalive.Interval, 15*time.Second)
	quicker(&tuning.Keepalive.FirstAfter, 5*time.Second)
	quicker(&tuning.Keepalive.RefreshBefore, 5*time.Second)
	url := d.server.URL()
	cfg.Providers = map[accounts.ProviderID]config.Provider{simulator.Plays: {
		Settings: accounts.Settings{AuthorizeURL: url + simulator.PathAuthorize, TokenURL: url + simulator.PathToken, Upstream: url},
		Tuning:   tuning,
	}}
	return cfg, paths, nil
}

// signIn adds every account of the scene.
func (d *demo) signIn(ctx context.Context) error {
	steps := []control.Request{{Action: control.ActionUnlock}, {Action: control.ActionTerms, Provider: simulator.Plays}}
	for _, r := range steps {
		if _, err := d.app.Do(ctx, r); err != nil {
			return err
		}
	}
	for _, u := range d.scene.Users {
		started, err := d.app.Do(ctx, control.Request{
			Action: control.ActionLoginStart, Provider: simulator.Plays, How: control.HowPaste, Label: u.Name,
		})
		if err != nil {
			return err
		}
		redirect, err := d.server.Authorize(started.Flow.URL, u.Name)
		if err != nil {
			return fmt.Errorf("sign %s in: %w", u.Name, err)
		}
		for _, r := range []control.Request{
			{Action: control.ActionLoginCode, Flow: started.Flow.ID, Code: redirect},
			{Action: control.ActionLoginWait, Flow: started.Flow.ID},
		} {
			if _, err := d.app.Do(ctx, r); err != nil {
				return fmt.Errorf("sign %s in: %w", u.Name, err)
			}
		}
	}
	return nil
}

// Run is the engine, and the clients that keep it busy, until ctx ends.
func (d *demo) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.app.Run(ctx) })
	g.Go(func() error {
		select {
		case <-d.app.ready:
		case <-ctx.Done():
			return nil
		}
		reply, err := d.app.Do(ctx, control.Request{Action: control.ActionClient, Provider: simulator.Plays})
		if err != nil {
			return err
		}
		d.scene.Traffic.BaseURL, d.scene.Traffic.Key = reply.Client.BaseURL, reply.Client.Key
		return ended(d.scene.Traffic.Run(ctx))
	})
	return g.Wait()
}

// Close ends the simulated provider and throws the home away.
func (d *demo) Close() error {
	if d.app != nil {
		d.app.Close()
	}
	if d.server != nil {
		d.server.Close()
	}
	if d.closeLog != nil {
		d.closeLog()
	}
	if d.home == "" {
		return nil
	}
	_ = d.held.Close()
	if err := os.RemoveAll(d.home); err != nil {
		return fmt.Errorf("throw the demo's home away: %w", err)
	}
	return nil
}

// compact is a number without a tail of zeros.
func compact(f float64) string { return fmt.Sprintf("%g", f) }
