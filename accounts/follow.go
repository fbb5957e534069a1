package accounts

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	followSlow    = time.Minute             // the look that nothing can miss
	followBlind   = 2 * time.Second         // the look when the system sends no notices
	followSettle  = 20 * time.Millisecond   // a write is several notices
	followSuspect = 1500 * time.Millisecond // an editor that writes in place is done by then
)

// Run follows what other processes write until ctx ends: it shows what they
// wrote and announces it. A file that stays damaged, or gone, is moved aside and
// written again from memory.
func (r *Registry) Run(ctx context.Context) error {
	notices, stop, err := r.notices()
	if err != nil {
		r.log.Warn("no notices of changed files; looking from time to time instead", "error", err)
	}
	defer stop()
	slow := followSlow
	if err != nil {
		slow = followBlind
	}
	for {
		wait := slow
		if healthy := r.look(); !healthy {
			wait = followSuspect
			if r.sleep(ctx, notices, wait) {
				continue // it changed meanwhile
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.heal()
			wait = slow
		}
		if r.sleep(ctx, notices, wait) {
			r.sleep(ctx, nil, followSettle)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// sleep waits for a notice, for the time to pass or for ctx; it reports the first.
func (r *Registry) sleep(ctx context.Context, notices <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-notices:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// notices tells, at most one at a time, that something happened to the file.
func (r *Registry) notices() (notices <-chan struct{}, stop func(), err error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, func() {}, err
	}
	if err := watcher.Add(filepath.Dir(r.path)); err != nil { // the folder: the file is replaced, not written
		_ = watcher.Close()
		return nil, func() {}, err
	}
	out := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case event, open := <-watcher.Events:
				if !open {
					return
				}
				if filepath.Base(event.Name) != filepath.Base(r.path) {
					continue
				}
			case _, open := <-watcher.Errors: // notices were lost: look
				if !open {
					return
				}
			}
			select {
			case out <- struct{}{}:
			default:
			}
		}
	}()
	return out, func() { _ = watcher.Close(); <-done }, nil
}

// look shows what another process wrote: when it returns, nothing older is shown
// than what the file held when it was called. It reports false when the file
// cannot be used although this process has a good copy.
func (r *Registry) look() (healthy bool) {
	for {
		r.mu.RLock()
		known := r.state
		r.mu.RUnlock()
		if info, err := os.Lstat(r.path); err == nil && same(info, known.info) {
			return true
		}
		doc, info, err := r.read()
		if err != nil {
			return known.info == nil || !errors.Is(err, fs.ErrNotExist) && !isDamage(err)
		}
		if r.showNewer(known, state{doc: doc, info: info}) {
			if doc != known.doc {
				r.publish("")
			}
			return true
		}
	}
}

// showNewer shows what was read, unless something else has been shown since known
// was. That may be newer, or what somebody read before: only another look tells.
func (r *Registry) showNewer(known, read state) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.doc != known.doc || r.state.info != known.info {
		return false
	}
	r.state = read
	return true
}

// heal writes the last good copy again, if the file is still not to be used.
func (r *Registry) heal() {
	if err := r.change("", func(*document) error { return nil }); err != nil {
		r.log.Warn("accounts.json cannot be mended", "error", err)
	}
}

func same(a, b os.FileInfo) bool {
	return b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
