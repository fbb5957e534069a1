// Package chromium drives a browser of Chromium's family for relogin: it starts
// one on an account's profile, talks to it over a pipe, and goes from an
// authorization URL to its redirect. Nothing that the browser's arguments say is
// secret, and where pipes can be had (everywhere but on Windows) it listens on
// no port. What is started for a visit, browser and goroutines, ends with it.
package chromium

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/relogin"
)

// Driver is a relogin.Driver for browsers of Chromium's family. The zero value is
// ready, and good for any number of visits at once.
type Driver struct {
	Log *slog.Logger // nil: nothing is logged

	wire  func(profile string) wiring // nil: this system's
	hurry int                         // pages are waited for so many times shorter; 0: once
}

var (
	_ relogin.Driver  = (*Driver)(nil)
	_ relogin.Checker = (*Driver)(nil)
)

// Check implements relogin.Checker: a *BrowserMissingError or a *DisplayError.
func (d *Driver) Check(v relogin.Visit) error {
	if _, err := Find(v.Browser, v.Environ); err != nil {
		return err
	}
	if v.Visible && !hasDisplay(runtime.GOOS, environment(v.Environ)) {
		return &relogin.DisplayError{}
	}
	return nil
}

// Open implements relogin.Driver. On top of the errors of the page it stopped at,
// it returns a *BrowserMissingError, *DisplayError, *InUseError, *ProfileError or
// *BrowserError of package relogin for what the browser or its profile lacks, a
// *TroubleError when no page came, and ErrNotInTime when ctx was over before the
// visit.
func (d *Driver) Open(ctx context.Context, v relogin.Visit) (accounts.Secret, error) {
	log := d.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	v.Progress = inTurn(v.Progress)
	known, err := compile(v.Recipes)
	if err != nil {
		return "", err
	}
	wire := d.wire
	if wire == nil {
		wire = systemWiring
	}

	begun := time.Now()
	v.Progress("starting the browser")
	b, err := start(ctx, v, wire(v.Profile))
	if err != nil {
		return "", inTime(ctx, err)
	}
	log.Debug("browser started", "pid", b.cmd.Process.Pid, "visible", v.Visible, "after", time.Since(begun))

	address, err := b.walk(ctx, v, known, max(d.hurry, 1))

	v.Progress("closing the browser")
	if graceful := b.end(ctx); !graceful {
		log.Warn("the browser had to be killed", "pid", b.cmd.Process.Pid)
	}
	if lost := probe(v.Profile); lost != nil {
		log.Warn("what the browser knows may not be in its profile", "profile", v.Profile, "error", lost)
	}
	log.Debug("browser ended", "pid", b.cmd.Process.Pid, "after", time.Since(begun))
	return address, inTime(ctx, err)
}

// inTime says in relogin's words that ctx ended, where that is why err came.
func inTime(ctx context.Context, err error) error {
	if err == nil || !errors.Is(err, errOver) {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return relogin.ErrNotInTime
}

// inTurn makes one call of tell wait for the one before it.
func inTurn(tell func(string)) func(string) {
	if tell == nil {
		return func(string) {}
	}
	var mu sync.Mutex
	return func(step string) {
		mu.Lock()
		defer mu.Unlock()
		tell(step)
	}
}
