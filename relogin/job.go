package relogin

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/oauthmux/oauthmux/accounts"
)

// kind is what is done with a profile.
type kind int

const (
	unattended kind = iota // a sign-in without a person
	window                 // a person signs in
	pasting                // a person brings the code
	removal
)

// job is one thing that is done with a profile, in a goroutine of its own.
type job struct {
	kind   kind
	forced bool // a person asked for a sign-in without one
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when it has ended, its browser too
	err    error         // what came of it, once done is closed
	told   bool          // the journal says that it has begun; its own goroutine's

	// The manager's mutex guards these.
	ahead   bool        // its login is good still, and nobody has asked for it
	account accounts.ID // whose profile it is for; "": not known yet
	flow    string      // its login; "": none yet
	step    string      // what happens now, in words for a person
	heir    *job        // what the account's profile was taken for instead; nil: nothing
}

var (
	// errGivenWay says that what a person asked for came in between.
	errGivenWay = errors.New("a person takes over")
	// errBusy says that another process works on the profile.
	errBusy     = errors.New("another oauthmux process signs in")
	errInternal = errors.New("internal error")
)

// begin has work done in a goroutine of its own. What else is done with the
// account's profile is ended first: a person asked for this.
func (m *Manager) begin(ctx context.Context, j *job, work func(context.Context) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.beginLocked(ctx, j, work)
}

func (m *Manager) beginLocked(ctx context.Context, j *job, work func(context.Context) error) error {
	if m.closed {
		return ErrClosed
	}
	// The work outlives the call that began it: others may wait for it, and a
	// browser that is ended in the middle of its work loses what it knows.
	ctx, j.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	j.done = make(chan struct{})
	m.jobs[j] = struct{}{}
	before := m.takeLocked(j)
	m.running.Go(func() {
		defer m.end(j)
		defer func() {
			if p := recover(); p != nil { // what it says may quote an address
				m.log.Error("a sign-in through a browser panicked", "account", j.account, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
				j.err = errInternal
				m.fail(ctx, m.flowOf(j), j.err)
			}
		}()
		giveWay(before)
		if j.err = work(ctx); errors.Is(j.err, context.Canceled) && ctx.Err() != nil {
			j.err = context.Cause(ctx) // says who wanted it
		}
	})
	return nil
}

// takeLocked makes the account's profile j's, and returns the job that it was for.
func (m *Manager) takeLocked(j *job) (before *job) {
	if j.account == "" {
		return nil
	}
	before = m.work[j.account]
	if before != nil {
		before.heir = j
	}
	m.work[j.account] = j
	return before
}

// giveWay returns when j has ended. A removal is not cut short.
func giveWay(j *job) {
	if j == nil {
		return
	}
	if j.kind != removal {
		j.cancel(errGivenWay)
	}
	<-j.done
}

func (m *Manager) end(j *job) {
	m.mu.Lock()
	delete(m.jobs, j)
	account := j.account
	if m.work[account] == j {
		delete(m.work, account)
	}
	m.mu.Unlock()
	j.cancel(nil)
	close(j.done)
	m.tell(account)
}

// progress notes what happens now.
func (m *Manager) progress(j *job, step string) {
	m.mu.Lock()
	news, account := j.step != step, j.account
	j.step = step
	m.mu.Unlock()
	if news {
		m.tell(account)
	}
}

func (m *Manager) isAhead(j *job) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return j.ahead
}

func (m *Manager) flowOf(j *job) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return j.flow
}

// fail ends a login for want of a redirect, and returns how it has ended then: a
// code that came another way is not given up.
func (m *Manager) fail(ctx context.Context, flow string, err error) accounts.LoginFlow {
	what, hint, failure := describe(err)
	m.o.Logins.Fail(flow, what, hint, failure)
	ended, gone := m.o.Logins.Wait(context.WithoutCancel(ctx), flow)
	if gone != nil {
		return accounts.LoginFlow{State: accounts.FlowFailed}
	}
	return ended
}

// heirOf returns what j gave way to.
func (m *Manager) heirOf(j *job) *job {
	m.mu.Lock()
	defer m.mu.Unlock()
	return j.heir
}

// current returns what is done with the account's profile now; nil: nothing.
func (m *Manager) current(id accounts.ID) *job {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.work[id]
}
