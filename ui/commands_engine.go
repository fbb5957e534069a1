package ui

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/ui/config"
	"github.com/oauthmux/oauthmux/ui/control"
	"github.com/oauthmux/oauthmux/ui/crash"
	"github.com/oauthmux/oauthmux/ui/dashboard"
)

// dashboard is the command without a name: the screen, with the engine that
// runs or with one of its own.
func (p *program) dashboard(ctx context.Context, _ []string) error {
	if err := p.needsScreen(); err != nil {
		return err
	}
	s, err := p.setup(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e := p.beginEngine(ctx, s)
	look := screenLook{config: s.config}
	if d := newDesktop(look.config.UI.Notify, s.paths.NoticeLock, p.Getenv, e.log); d != nil {
		defer d.close()
		look.desktop = d.show
	}
	return p.reported(p.show(ctx, cancel, e, look), s.paths.State)
}

// needsScreen says so when there is none.
func (p *program) needsScreen() error {
	_, in := terminal(p.Stdin)
	_, out := terminal(p.Stdout)
	name := p.Getenv("TERM")
	if in && out && name != "dumb" && (name != "" || runtime.GOOS == "windows") { // Windows names none
		return nil
	}
	return needsAnswer("the dashboard needs a terminal", "without one: oauthmux status, or oauthmux serve")
}

// screenLook is what a screen looks like, and what it does besides.
type screenLook struct {
	config  config.Config
	name    string                                        // in the header; "": the program's
	desktop func(ctx context.Context, title, text string) // shows notices; nil: there is none
}

// show runs the screen on an engine that was begun with ctx, then ends the
// engine with cancel, if it is this process's, and waits for it.
func (p *program) show(ctx context.Context, cancel context.CancelFunc, e engine, look screenLook) error {
	screen, hide := context.WithCancel(ctx)
	defer hide()
	gone := make(chan error, 1)
	go func() {
		err := e.wait()
		if e.own {
			hide() // nothing is left to show; the error says why
		}
		gone <- err
	}()
	left := false
	settings := look.config.UI
	theme, fixed := themeOf(look.config)
	o := dashboard.Options{
		Engine: e, In: p.Stdin, Out: p.Stdout, Env: p.Getenv, Title: look.name, Version: p.Version, Theme: theme, ThemeFixed: fixed, Mouse: settings.Mouse,
		Titles: settings.Title, Bell: settings.Bell, Notify: settings.Notify, Desktop: look.desktop,
		Quiet:   dashboard.Events{Out: !settings.NotifyOut, Back: !settings.NotifyBack, SignIn: !settings.NotifySignIn},
		OpenURL: func(url string) error { return p.openURL(ctx, url) }, Cut: e.cut,
	}
	if e.estate != nil { // the screen offers it once it knows whose engine it is
		o.Leave, o.LeaveGap = func() { left = true }, runtime.GOOS == "windows"
	}
	err := dashboard.Run(screen, o)
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	if left && err == nil {
		return p.leaveEngine(ctx, e, gone, interrupts)
	}
	cancel()
	err = errors.Join(p.awaitEnd(ctx, e, gone, interrupts), err)
	if e.stopped != nil && e.stopped() {
		p.say("oauthmux: somebody had the engine end: oauthmux serve --stop")
	}
	return err
}

func (p *program) openURL(ctx context.Context, url string) error {
	if p.OpenURL == nil {
		return errors.New("no browser can be opened from here")
	}
	return p.OpenURL(ctx, url)
}

func (p *program) serveCommand() *cobra.Command {
	handedOver, stop := false, false
	c := p.command("serve", "Run the engine without a screen", `  oauthmux serve
  oauthmux serve --proxy-listen 127.0.0.1:5000
  oauthmux serve --stop`, none, func(ctx context.Context, _ []string) error {
		if stop {
			return p.stopEngine(ctx)
		}
		return p.serve(ctx, handedOver)
	})
	c.Long = `Runs the proxy, renews tokens and reads usage until it is interrupted. What
happens is written to stderr and to the log file. --stop ends the engine of this
home, whoever started it, and its screen with it.`
	c.Flags().BoolVar(&stop, "stop", false, "end the engine that runs, in order, and wait for that")
	c.Flags().BoolVar(&handedOver, handoverFlag, false, "take the place of an engine that ends; what it leaves is read from stdin")
	_ = c.Flags().MarkHidden(handoverFlag) // it was just defined
	return c
}

// stopEngine has the engine of this home end, and returns when it has: another one
// can be started then.
func (p *program) stopEngine(ctx context.Context) error {
	s, err := p.setup(ctx)
	if err != nil {
		return err
	}
	client, err := attach(ctx, s.paths)
	if errors.Is(err, control.ErrNoEngine) {
		return p.print("no engine runs for this home\n")
	}
	if err != nil {
		return err
	}
	state, err := client.State(ctx)
	if err != nil {
		return err
	}
	if _, err := client.Do(ctx, control.Request{Action: control.ActionStop}); err != nil {
		return err
	}
	for {
		running, err := control.Running(s.paths.EngineLock)
		if err != nil {
			return err
		}
		if !running {
			return p.print("the engine has ended (pid " + number(state.Engine.PID) + ")\n")
		}
		select {
		case <-time.After(startPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// serve is the engine alone. One that takes the place of another has no terminal
// to write to: its log is in the file.
func (p *program) serve(ctx context.Context, handedOver bool) error {
	var door net.Listener
	var onStderr slog.Handler = slog.NewTextHandler(p.Stderr, nil)
	if handedOver {
		unheard()
		var err error
		if door, err = p.inherit(); err != nil {
			return err
		}
		onStderr = nil
	}
	s, err := p.setup(ctx)
	if err != nil {
		return err
	}
	client, err := attach(ctx, s.paths)
	if err == nil {
		return p.alreadyRuns(ctx, client)
	}
	if !errors.Is(err, control.ErrNoEngine) {
		return err
	}
	app, closeApp, err := p.openAppAt(s, onStderr, door) //nolint:contextcheck // what it saves at its end outlives ctx
	if err != nil {
		return err
	}
	defer closeApp()
	if handedOver {
		_ = os.Chdir(s.paths.State) // where a person happened to be must not stay in use
	}
	return app.Run(ctx)
}

// alreadyRuns says who the engine is.
func (p *program) alreadyRuns(ctx context.Context, e control.Engine) error {
	s, err := e.State(ctx)
	if err != nil {
		return control.ErrEngineRuns
	}
	return &control.Error{
		Code:    control.CodeEngineRuns,
		Message: "oauthmux runs already for this home: pid " + number(s.Engine.PID) + ", " + s.Engine.Listen,
		Hint:    control.ErrEngineRuns.Hint,
	}
}

func (p *program) demoCommand() *cobra.Command {
	var o demoOptions
	c := p.command("demo", "Look around with simulated accounts", `  oauthmux demo
  oauthmux demo --accounts 8 --speed 600`, none, func(ctx context.Context, _ []string) error { return p.demo(ctx, o) })
	c.Long = `The whole program against a simulated provider on this machine: a throw-away
home, a key in memory, a free port, and time that runs faster. It touches no
account, no setting and no file of yours.`
	c.Flags().IntVar(&o.Accounts, "accounts", 4, "how many accounts, from 1 to 1000")
	c.Flags().Float64Var(&o.Speed, "speed", simulator.DemoSpeed, "how much faster time runs, from 1 to 100000")
	return c
}

func (p *program) demo(ctx context.Context, o demoOptions) error {
	if o.Accounts < 1 || o.Accounts > 1000 {
		return wrongUsage("", "--accounts must be from 1 to 1000")
	}
	if !(o.Speed >= 1 && o.Speed <= 100000) {
		return wrongUsage("", "--speed must be from 1 to 100000")
	}
	if err := p.needsScreen(); err != nil {
		return err
	}
	o.Version = p.Version
	d, err := openDemo(ctx, o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	gone := make(chan error, 1)
	go func() { gone <- d.Run(ctx) }()
	look := screenLook{config: d.app.config, name: "oauthmux demo"}
	look.config.UI.Notify = "off" // nothing of it is true
	err = p.show(ctx, cancel, engine{Engine: d.app, own: true, cut: d.app.proxy.Cut, stopped: d.app.stopped.Load, gone: gone}, look)
	return p.reported(errors.Join(err, d.Close()), os.TempDir()) // its home is gone
}

// reported writes down a panic that is in an error and not in a file yet.
func (p *program) reported(err error, dir string) error {
	if r, ok := errors.AsType[*crash.PanicError](err); ok && r.Path == "" {
		if problem := r.Write(dir, p.Version, time.Now()); problem != nil {
			return errors.Join(err, problem)
		}
	}
	return err
}

func (p *program) versionCommand() *cobra.Command {
	c := p.command("version", "Print the version", `  oauthmux version
  oauthmux version --json`, none, func(context.Context, []string) error {
		if p.json {
			return p.document(struct {
				Schema  int    `json:"schema"`
				Version string `json:"version"`
				Go      string `json:"go"`
				OS      string `json:"os"`
				Arch    string `json:"arch"`
			}{control.Schema, p.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH})
		}
		return p.print("oauthmux " + p.Version + " (" + runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH + ")\n")
	})
	p.jsonFlag(c)
	return c
}
