package ui

import (
	"context"
	"log/slog"
	"sync"

	"github.com/gofrs/flock"

	"github.com/oauthmux/oauthmux/accounts"
)

// desktop shows notices on the desktop of this machine, for one screen of this
// home at a time: several of them see the same things happen.
type desktop struct {
	getenv func(string) string
	log    func() *slog.Logger // nil, or gives nil: the log is another process's
	once   sync.Once           // why none can be shown is said once

	mu   sync.Mutex // guards lock
	lock *flock.Flock
}

// newDesktop returns nil where the person does not sit at this machine's desktop,
// as far as can be seen from here, unless it was asked for by name. Close it.
func newDesktop(choice, lock string, getenv func(string) string, log func() *slog.Logger) *desktop {
	switch choice {
	case "auto":
		// It would appear on the wrong machine.
		for _, name := range []string{"SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"} {
			if getenv(name) != "" {
				return nil
			}
		}
	case "desktop":
	default:
		return nil
	}
	return &desktop{getenv: getenv, log: log, lock: flock.New(lock, flock.SetPermissions(0o600))}
}

// show shows a notice, and returns when ctx ends at the latest. Not every machine
// has a desktop: that there is none is no trouble.
func (d *desktop) show(ctx context.Context, title, text string) {
	if !d.speaks() {
		return
	}
	err := showNotice(ctx, d.getenv, title, text)
	if err == nil || d.log == nil {
		return
	}
	if log := d.log(); log != nil {
		d.once.Do(func() { log.Debug("notice not shown on the desktop", "error", err) })
	}
}

// speaks reports whether this screen is the one that shows notices. It is so
// until it ends; then the next one is that has one to show.
func (d *desktop) speaks() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if accounts.MakeLockFile(d.lock.Path()) != nil {
		return false
	}
	got, err := d.lock.TryLock()
	return got && err == nil
}

// close lets another screen show notices.
func (d *desktop) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.lock.Close()
}
