package dashboard

import (
	"context"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/control"
	"github.com/oauthmux/oauthmux/ui/crash"
)

const (
	// actionTime is how long one action may take. Unlocking waits for a person
	// in front of the system's own prompt, for two minutes.
	actionTime = 3 * time.Minute
	// grace is how long an action that was begun may still take when the person
	// quits: a rename must not be cut because `q` came quickly after it.
	grace = time.Second
	// patience bounds the wait for commands that do not heed their context.
	patience = 2 * time.Second
	// pace is the shortest time between two states taken from the engine. The
	// terminal shows no more frames than that, and a busy engine has many more.
	pace = 33 * time.Millisecond
)

// jobs is where the screen's commands run. Bubble Tea passes no context to a
// command, so these are made with one.
type jobs struct {
	// wait makes a command that ends at once when the screen does.
	wait func(func(context.Context) tea.Msg) tea.Cmd
	// act makes a command that may finish what it began.
	act func(func(context.Context) tea.Msg) tea.Cmd

	done       <-chan struct{} // the program that runs the commands is to end
	endWaits   context.CancelFunc
	endActions context.CancelFunc

	mu      sync.Mutex // guards ended against a command that begins meanwhile
	ended   bool
	waiting sync.WaitGroup
	acting  sync.WaitGroup
}

func newJobs(ctx context.Context) *jobs {
	j := &jobs{done: ctx.Done()}
	// Neither ends with ctx: when that does, the model is told first, and what it
	// began is ended after it.
	waits, endWaits := context.WithCancel(context.WithoutCancel(ctx))
	actions, endActions := context.WithCancel(context.WithoutCancel(ctx))
	j.endWaits, j.endActions = endWaits, endActions
	j.wait = func(f func(context.Context) tea.Msg) tea.Cmd { return j.run(waits, &j.waiting, f) }
	j.act = func(f func(context.Context) tea.Msg) tea.Cmd { return j.run(actions, &j.acting, f) }
	return j
}

// end stops every command and returns when they have stopped.
func (j *jobs) end() {
	j.mu.Lock()
	j.ended = true
	j.mu.Unlock()
	j.endWaits()
	within(grace, j.acting.Wait)
	j.endActions()
	within(patience, func() { j.acting.Wait(); j.waiting.Wait() })
}

// within waits for f, but not longer than d.
func within(d time.Duration, f func()) {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(d):
	}
}

// run makes a command of f that end knows about. Its panic is a message.
func (j *jobs) run(ctx context.Context, group *sync.WaitGroup, f func(context.Context) tea.Msg) tea.Cmd {
	return func() (msg tea.Msg) {
		j.mu.Lock()
		if j.ended {
			j.mu.Unlock()
			return nil
		}
		group.Add(1)
		j.mu.Unlock()
		defer group.Done()
		defer func() {
			if v := recover(); v != nil {
				msg = crashMsg{crash.Of(part, v)}
			}
		}()
		return f(ctx)
	}
}

// atMost runs cmd for its effect, and does not wait for it longer than d.
func (*jobs) atMost(d time.Duration, cmd tea.Cmd) tea.Cmd {
	if cmd == nil {
		return nil
	}
	return func() tea.Msg {
		within(d, func() { cmd() })
		return nil
	}
}

// after sends msg when d has passed.
func (j *jobs) after(d time.Duration, msg tea.Msg) tea.Cmd {
	return j.wait(func(ctx context.Context) tea.Msg {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return msg
		case <-ctx.Done():
			return nil
		}
	})
}

// untilEnd tells the model that the program's context has ended.
func (j *jobs) untilEnd() tea.Cmd {
	return j.wait(func(ctx context.Context) tea.Msg {
		select {
		case <-j.done:
			return endMsg{}
		case <-ctx.Done():
			return nil
		}
	})
}

// watch asks the engine for its states.
func (j *jobs) watch(e control.Engine) tea.Cmd {
	return j.wait(func(ctx context.Context) tea.Msg {
		states, err := e.Watch(ctx)
		return watchMsg{states, err}
	})
}

// listen takes the next state, not before gap has passed.
func (j *jobs) listen(states <-chan control.State, gap time.Duration) tea.Cmd {
	return j.wait(func(ctx context.Context) tea.Msg {
		t := time.NewTimer(gap)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
		select {
		case s, ok := <-states:
			if !ok {
				return goneMsg{}
			}
			return stateMsg{s}
		case <-ctx.Done():
			return nil
		}
	})
}

// do carries out one action and brings the answer to whoever asked.
func (j *jobs) do(e control.Engine, to overlay, r control.Request) tea.Cmd {
	f := func(ctx context.Context) tea.Msg {
		limited, cancel := context.WithTimeout(ctx, actionTime)
		defer cancel()
		reply, err := e.Do(limited, r)
		if ctx.Err() != nil {
			return nil // the screen has gone, and nobody reads it any more
		}
		r.Code, r.Passphrase = "", "" // nobody needs them again
		return replyMsg{to: to, request: r, reply: reply, err: err}
	}
	return j.act(f)
}

// awaitLogin waits until a login has ended, however long the person takes.
func (j *jobs) awaitLogin(e control.Engine, to overlay, flow string) tea.Cmd {
	r := control.Request{Action: control.ActionLoginWait, Flow: flow}
	return j.wait(func(ctx context.Context) tea.Msg {
		reply, err := e.Do(ctx, r)
		if ctx.Err() != nil {
			return nil
		}
		return replyMsg{to: to, request: r, reply: reply, err: err}
	})
}
