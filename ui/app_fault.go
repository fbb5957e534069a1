package ui

import (
	"context"
	"fmt"
	"time"

	"github.com/oauthmux/oauthmux/ui/control"
	"github.com/oauthmux/oauthmux/ui/crash"
)

// afterFault is how long a part of the engine rests that has panicked.
const afterFault = time.Minute

// fault notes a panic in a part of the engine, in the log and, the first time, in
// a report of its own.
func (a *App) fault(part string, value any) *crash.PanicError {
	r := crash.Of(part, value)
	if _, again := a.faults.LoadOrStore(part, true); !again {
		if err := r.Write(a.paths.State, a.version, time.Now()); err != nil {
			a.log.Warn("no crash report", "error", err)
		}
	}
	a.log.Error("a part of the engine panicked", "part", part, "panic", r.Value, "report", r.Path, "stack", r.Stack)
	return r
}

// vital makes a panic of run the end of the engine, in order: without that part
// there is none.
func (a *App) vital(part string, run func() error) func() error {
	return func() (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = a.fault(part, v)
			}
		}()
		return ended(run())
	}
}

// spare is vital for what works in the background: it begins again after a rest,
// and requests are served meanwhile.
func (a *App) spare(ctx context.Context, part string, run func(context.Context) error) func() error {
	return func() error {
		for {
			panicked := false
			err := func() (err error) {
				defer func() {
					if v := recover(); v != nil {
						_ = a.fault(part, v)
						panicked = true
					}
				}()
				return ended(run(ctx))
			}()
			if !panicked || !wait(ctx, afterFault) {
				return err
			}
		}
	}
}

// caught, deferred, makes a panic at an action that failed, and no more.
func (a *App) caught(action string, err *error) {
	if v := recover(); v != nil {
		_ = a.fault("the action "+action, v)
		*err = &control.Error{
			Code: control.CodeInternal, Message: fmt.Sprintf("the engine failed at this (%s)", action), Hint: "its log may say more",
		}
	}
}
