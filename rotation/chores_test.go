package rotation

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

// crew is the pool as background work sees it.
type crew struct {
	mu       sync.Mutex
	members  []Member
	cooled   []Cooldown
	observed []usage.Snapshot
}

func newCrew(ids ...accounts.ID) *crew {
	c := &crew{}
	for _, id := range ids {
		c.members = append(c.members, Member{Account: &accounts.Account{ID: id, Provider: "anthropic", TokenExpiresAt: time.Now().Add(8 * time.Hour)}})
	}
	return c
}

func (c *crew) Members(accounts.ProviderID) []Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Member(nil), c.members...)
}

func (c *crew) Cool(_ accounts.ID, cd Cooldown) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cooled = append(c.cooled, cd)
}

func (c *crew) Observe(id accounts.ID, s usage.Snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.observed = append(c.observed, s)
	for i := range c.members {
		if c.members[i].Account.ID == id {
			c.members[i].Usage = c.members[i].Usage.Merge(s)
		}
	}
}

func (c *crew) change(id accounts.ID, f func(*Member)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.members {
		if m := &c.members[i]; m.Account.ID == id {
			m.Account = new(*m.Account) // who has it already keeps it as it was
			f(m)
		}
	}
}

// Get, Shared, AllShared, Preferred and Edit make a crew the Accounts of a test as well.
func (c *crew) Get(id accounts.ID) (accounts.Account, error) {
	return c.Edit(id, func(*accounts.Account) error { return nil })
}

func (c *crew) Shared(id accounts.ID) (*accounts.Account, error) {
	a, err := c.Get(id)
	return &a, err
}

func (c *crew) AllShared() []*accounts.Account            { return nil }
func (c *crew) Preferred(accounts.ProviderID) accounts.ID { return "" }

func (c *crew) Edit(id accounts.ID, f func(*accounts.Account) error) (accounts.Account, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.members {
		if c.members[i].Account.ID == id {
			a := *c.members[i].Account
			if err := f(&a); err != nil {
				return accounts.Account{}, err
			}
			c.members[i].Account = &a
			return a, nil
		}
	}
	return accounts.Account{}, accounts.ErrNotFound
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// quietServer is for servers whose clients are meant to misbehave.
func quietServer() *log.Logger { return slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug) }

// runFor runs background work for a while of a bubble's time.
func runFor(t *testing.T, run func(context.Context) error, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run: %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestChoresThatAreAllDueStartOneAfterTheOther(t *testing.T) {
	for _, n := range []int{1, 10, 1000} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			var mu sync.Mutex
			var starts []time.Duration
			given := false
			c := chores{cool: newCrew().Cool, log: quiet(), due: func(now time.Time, _ func(accounts.ID) bool) (all []chore, next time.Time) {
				if given {
					return nil, now.Add(time.Hour)
				}
				given = true
				for i := range n {
					all = append(all, chore{accounts.ID(strconv.Itoa(i)), func(context.Context) {
						mu.Lock()
						defer mu.Unlock()
						starts = append(starts, time.Since(begin))
					}})
				}
				return all, now.Add(time.Hour)
			}}
			runFor(t, func(ctx context.Context) error { return c.run(ctx, nil) }, 5*time.Minute)
			if len(starts) != n {
				t.Fatalf("%d of %d were done", len(starts), n)
			}
			for i := 1; i < n; i++ {
				if apart := starts[i] - starts[i-1]; apart < min(choreSpread, choreSpan/time.Duration(n)) {
					t.Fatalf("%d accounts: two started %v apart", n, apart)
				}
			}
			if last := starts[n-1]; last > choreSpan+time.Second {
				t.Errorf("%d accounts: the last one started after %v, want within %v", n, last, choreSpan)
			}
		})
	}
}

func TestChoresLookAtTheClockTwiceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		c := chores{cool: newCrew().Cool, log: quiet(), due: func(now time.Time, _ func(accounts.ID) bool) ([]chore, time.Time) {
			looks++
			return nil, now.Add(24 * time.Hour)
		}}
		runFor(t, func(ctx context.Context) error { return c.run(ctx, nil) }, 10*time.Minute+time.Second)
		if looks != 21 {
			t.Errorf("looked %d times in 10 minutes, want 21", looks)
		}
	})
}

func TestT40_APanicCostsItsAccountAShortCooldownAndNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := newCrew("good", "bad")
		done := make(map[accounts.ID]int)
		var mu sync.Mutex
		c := chores{cool: pool.Cool, log: quiet(), due: func(now time.Time, _ func(accounts.ID) bool) (all []chore, next time.Time) {
			for _, id := range []accounts.ID{"bad", "good"} {
				all = append(all, chore{id, func(context.Context) {
					mu.Lock()
					done[id]++
					mu.Unlock()
					if id == "bad" {
						panic("injected")
					}
				}})
			}
			return all, now.Add(time.Minute)
		}}
		runFor(t, func(ctx context.Context) error { return c.run(ctx, nil) }, 3*time.Minute+30*time.Second)
		if done["good"] < 3 || done["bad"] < 3 {
			t.Errorf("done %v, want both to go on", done)
		}
		if len(pool.cooled) != done["bad"] {
			t.Fatalf("%d cooldowns for %d panics", len(pool.cooled), done["bad"])
		}
		if cd := pool.cooled[0]; cd.Kind != accounts.CoolFault || cd.Scope != "" || time.Until(cd.Until) > faultCooldown {
			t.Errorf("cooldown %+v", cd)
		}
	})
}

func TestAChoreThatHangsHoldsNobodyUpButRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		quick := 0
		c := chores{cool: newCrew().Cool, log: quiet(), due: func(now time.Time, busy func(accounts.ID) bool) (all []chore, next time.Time) {
			if !busy("slow") {
				all = append(all, chore{"slow", func(ctx context.Context) {
					<-ctx.Done()
					time.Sleep(time.Minute) // what must be finished is finished
					ended = true
				}})
			}
			if !busy("quick") {
				all = append(all, chore{"quick", func(context.Context) { quick++ }})
			}
			return all, now.Add(time.Minute)
		}}
		runFor(t, func(ctx context.Context) error { return c.run(ctx, nil) }, 10*time.Minute)
		if quick < 9 {
			t.Errorf("the other account had %d turns in 10 minutes", quick)
		}
		if !ended {
			t.Error("Run returned before what it started had ended")
		}
	})
}
