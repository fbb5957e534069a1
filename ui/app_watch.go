package ui

import (
	"context"
	"time"

	"github.com/oauthmux/oauthmux/ui/control"
)

const (
	// watchGap is the least time between two states sent: under load something
	// changes with every request, and nobody reads that fast.
	watchGap = 100 * time.Millisecond
	// watchEvents is enough for a look; which events they were does not matter.
	watchEvents = 1
)

// Watch implements control.Engine.
func (a *App) Watch(ctx context.Context) (<-chan control.State, error) {
	box := a.bus.Subscribe(watchEvents)
	states := make(chan control.State, 1)
	go func() {
		defer close(states)
		defer box.Close()
		defer func() {
			if v := recover(); v != nil {
				_ = a.fault("the state", v) // whoever watches asks again
			}
		}()
		for {
			s, err := a.State(ctx)
			if err != nil {
				return
			}
			select { // newest wins: take back what nobody has read yet
			case <-states:
			default:
			}
			states <- s
			if !wait(ctx, watchGap) {
				return
			}
			select {
			case <-box.Ready():
				box.Drain()
			case <-ctx.Done():
				return
			}
		}
	}()
	return states, nil
}

// wait returns false when ctx ended before d had passed.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
