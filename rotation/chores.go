package rotation

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

const (
	// choreLook is how long the background sleeps at most: timers stand still while
	// a machine sleeps, so what is due is found by looking at the clock. With
	// choreSpan, all that a long sleep left is begun within a minute of its end.
	choreLook = 30 * time.Second
	// choreSpread lies between the starts of two chores, choreSpan is within what
	// all that are due have started. After a long sleep everything is due at once.
	choreSpread = time.Second
	choreSpan   = 30 * time.Second
	// faultCooldown is what a panic in an account's chore costs it.
	faultCooldown = 30 * time.Second
)

// chore is a piece of background work for one account.
type chore struct {
	account accounts.ID
	do      func(context.Context)
}

// chores does what is due in the background: one piece at a time per account,
// and not all accounts at once. A panic costs its account a short cooldown, and
// nobody else anything.
type chores struct {
	due  func(now time.Time, busy func(accounts.ID) bool) (all []chore, next time.Time)
	cool func(accounts.ID, Cooldown)
	log  *slog.Logger
}

// run works until ctx ends, and returns when all it started has ended. wake tells
// it to look soon, when what woke it has settled; nil: nobody does.
func (c *chores) run(ctx context.Context, wake <-chan struct{}) error {
	var (
		working sync.WaitGroup
		done    = make(chan accounts.ID)
		busy    = make(map[accounts.ID]bool)
		waiting []chore
		spread  time.Duration
		roused  bool
	)
	defer working.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case id := <-done:
			delete(busy, id)
			continue
		case <-wake:
			if !roused && len(waiting) == 0 {
				roused = true
				timer.Reset(choreSpread)
			}
			continue
		case <-timer.C:
			roused = false
		}
		wait := spread
		if len(waiting) == 0 {
			now := time.Now().Round(0) // wall clock
			var next time.Time
			waiting, next = c.due(now, func(id accounts.ID) bool { return busy[id] })
			spread = min(choreSpread, choreSpan/time.Duration(max(len(waiting), 1)))
			wait = min(max(next.Sub(now), spread), choreLook)
		}
		if len(waiting) > 0 {
			job := waiting[0]
			waiting = waiting[1:]
			busy[job.account] = true
			working.Go(func() {
				c.guarded(ctx, job)
				select {
				case done <- job.account:
				case <-ctx.Done():
				}
			})
			wait = spread
		}
		timer.Reset(wait)
	}
}

func (c *chores) guarded(ctx context.Context, job chore) {
	defer func() {
		if r := recover(); r != nil {
			c.log.Error("background work panicked", "account", job.account, "panic", accounts.FaultWords(r), "stack", string(debug.Stack()))
			c.cool(job.account, Cooldown{
				Until:    time.Now().Add(faultCooldown),
				Evidence: "internal error in the background",
				Kind:     accounts.CoolFault,
			})
		}
	}()
	job.do(ctx)
}
