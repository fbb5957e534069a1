package rotation

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// loginWait is how long a request waits for logins when nobody else can serve it.
const loginWait = time.Minute

// logins are those that renewals made necessary and that have not ended.
type logins struct {
	queue   []accounts.ID // not begun
	running map[accounts.ID]bool
	ended   chan struct{} // closed, and made anew, when one has ended
}

// signIn has the account signed in again in the background, once at a time.
func (r *Refresher) signIn(id accounts.ID) {
	if r.relogin == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.logins.running[id] {
		return
	}
	r.logins.running[id] = true
	r.logins.queue = append(r.logins.queue, id)
	select {
	case r.wake <- struct{}{}:
	default: // Run takes all there is
	}
}

// revive has those of the accounts signed in again whose login ended, where there
// is a browser session for it and nobody is called for, and reports whether there
// is such a one. That the last sign-in did not work is no reason to wait for a
// person: it may have been for want of network. Whether one may be tried by now is
// Relogin's to know, and it says no at once.
func (r *Refresher) revive(ids []accounts.ID) (begun bool) {
	for _, id := range ids {
		a, err := r.accounts.Get(id)
		if err == nil && a.NeedsLogin != "" && a.NeedsYou == "" && a.Browser != "" && !a.Paused {
			r.signIn(id)
			begun = true
		}
	}
	return begun && r.relogin != nil
}

// awaitLogin waits until one of these accounts' logins has ended. It reports
// false at once when none is under way, and when deadline or ctx end first.
func (r *Refresher) awaitLogin(ctx context.Context, deadline time.Time, among []accounts.ID) bool {
	r.mu.Lock()
	ended := r.logins.ended
	waitFor := slices.ContainsFunc(among, func(id accounts.ID) bool { return r.logins.running[id] })
	r.mu.Unlock()
	if !waitFor {
		return false
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-ended:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// Run carries out logins that renewals made necessary, until ctx ends. Nothing
// is to be done without a Relogin, but waiting.
func (r *Refresher) Run(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	for {
		select {
		case <-r.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
		r.mu.Lock()
		queue := r.logins.queue
		r.logins.queue = nil
		r.mu.Unlock()
		for _, id := range queue {
			work.Go(func() { r.carryOut(ctx, id) })
		}
	}
}

func (r *Refresher) carryOut(ctx context.Context, id accounts.ID) {
	defer func() {
		if fault := recover(); fault != nil {
			r.log.Error("panic after a sign-in", "account", id, "panic", accounts.FaultWords(fault), "stack", string(debug.Stack()))
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.logins.running, id)
		close(r.logins.ended)
		r.logins.ended = make(chan struct{})
	}()
	err := r.login(ctx, id)
	if err != nil {
		r.log.Debug("account not signed in again", "account", id, "error", err) // whoever tried has told the person
	}
	r.pool.adopt(id)
}

// login calls Relogin. Its panic costs this login, not the process.
func (r *Refresher) login(ctx context.Context, id accounts.ID) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %s", accounts.FaultWords(fault))
		}
	}()
	return r.relogin.Login(ctx, id)
}
