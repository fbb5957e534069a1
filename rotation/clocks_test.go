package rotation

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// jumps are what clocks do (SAFETY C25). A suspend stops the timers, and the clock is
// that much later afterwards.
var jumps = map[string]time.Duration{
	"suspended for 8 hours": 8 * time.Hour,
	"set back 8 hours":      -8 * time.Hour,
	"a year later":          365 * 24 * time.Hour,
	"a year back":           -365 * 24 * time.Hour,
	"summer begins":         time.Hour, // to a clock that keeps local time
	"summer ends":           -time.Hour,
	"1970":                  -30 * 365 * 24 * time.Hour, // a bubble begins in 2000
	"50 years later":        50 * 365 * 24 * time.Hour,
}

// lookedAt is a crew that counts how often it is looked at.
type lookedAt struct {
	*crew
	looks atomic.Int32
}

func (l *lookedAt) Members(p accounts.ProviderID) []Member {
	l.looks.Add(1)
	return l.crew.Members(p)
}

// jump is what the clock's jump by d comes to for all that was written down before:
// it lies so much further back. What no clock told stays as it is.
func (c *crew) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	back := func(at *time.Time) {
		if !at.IsZero() {
			*at = at.Add(-d)
		}
	}
	for i := range c.members {
		m := &c.members[i]
		m.Account = new(m.Account.Clone())
		back(&m.Account.TokenExpiresAt)
		back(&m.Account.LoggedInAt)
		back(&m.Account.Reads.NotBefore)
		back(&m.LastUsed)
		back(&m.Usage.At)
		for j := range m.Account.Reads.At {
			back(&m.Account.Reads.At[j])
		}
		for j := range m.Usage.Windows {
			back(&m.Usage.Windows[j].ResetsAt)
		}
	}
}

func (k *Keepalive) jump(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.looked = k.looked.Add(-d)
	for _, st := range k.states {
		if st.last != 0 {
			st.last -= int64(d)
		}
		st.next -= int64(d)
		st.renewAt -= int64(d)
	}
}

// during runs background work and what happens to it.
func during(t *testing.T, run func(context.Context) error, happens func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	happens()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
}

// counted returns how many moments lie after from, and whether two of them are less
// than apart from each other.
func counted(at []time.Duration, from, apart time.Duration) (n int, close bool) {
	for i, moment := range at {
		if moment < from {
			continue
		}
		n++
		close = close || i > 0 && at[i-1] >= from && moment-at[i-1] < apart
	}
	return n, close
}

func TestC25_KeepaliveWhenTheClockJumps(t *testing.T) {
	for name, d := range jumps {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKeepaliveRun(t, "a")
				pool := &lookedAt{crew: k.pool}
				k.o.Pool = pool
				during(t, k.Run, func() {
					time.Sleep(50*time.Minute + 10*time.Second)
					synctest.Wait()
					k.pool.jump(d)
					k.jump(d)
					woke, before := time.Since(k.started), pool.looks.Load()
					if d < 8*time.Hour { // what is renewed then has another reason: a refusal, say
						time.Sleep(time.Second)
						k.pool.change("a", func(m *Member) { m.Account.TokenExpiresAt = time.Now().Add(5 * time.Minute) })
					}
					time.Sleep(time.Hour)
					synctest.Wait()
					if n, _ := counted(k.renewals, woke, 0); n != 1 || k.renewals[len(k.renewals)-1]-woke > time.Minute {
						t.Errorf("renewals at %v, want one within a minute of %v", k.renewals, woke)
					}
					if n, close := counted(k.pings, woke, time.Minute); n < 1 || n > 3 || close {
						t.Errorf("pings at %v, want one or two in the hour after %v", k.pings, woke)
					}
					if looks := pool.looks.Load() - before; looks > 4*60 {
						t.Errorf("it looked %d times in an hour", looks)
					}
				})
			})
		})
	}
}

func TestC25_EverybodyIsRenewedWithinAMinuteOfWaking(t *testing.T) {
	ids := make([]accounts.ID, 50)
	for i := range ids {
		ids[i] = accounts.ID("a" + string(rune('A'+i)))
	}
	for after := time.Duration(0); after < time.Minute; after += 5 * time.Second { // the last look at the clock
		synctest.Test(t, func(t *testing.T) {
			k := newKeepaliveRun(t, ids...)
			k.settings.Ping = false
			during(t, k.Run, func() {
				time.Sleep(50*time.Minute + after)
				synctest.Wait()
				k.pool.jump(9 * time.Hour)
				k.jump(9 * time.Hour)
				woke := time.Since(k.started)
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				if len(k.renewals) != len(ids) || k.renewals[len(ids)-1]-woke > time.Minute {
					t.Errorf("%d renewals at %v after waking; want %d within a minute of %v", len(k.renewals), k.renewals, len(ids), woke)
				}
			})
		})
	}
}

func TestC25_PollerWhenTheClockJumps(t *testing.T) {
	for name, d := range jumps {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPollerRun(t, 5*time.Minute, "", "a")
				pool := &lookedAt{crew: p.pool}
				p.o.Pool = pool
				during(t, p.Run, func() {
					time.Sleep(50*time.Minute + 10*time.Second)
					synctest.Wait()
					p.pool.jump(d)
					woke, before := time.Since(p.started), pool.looks.Load()
					time.Sleep(time.Hour)
					synctest.Wait()
					if n, close := counted(p.readings, woke, time.Minute); n < 9 || n > 20 || close {
						t.Errorf("readings at %v, want them to go on at their pace after %v", p.readings, woke)
					}
					if looks := pool.looks.Load() - before; looks > 4*60 {
						t.Errorf("it looked %d times in an hour", looks)
					}
					if at := p.pool.Members("")[0].Usage.At; time.Since(at) < 0 || time.Since(at) > 10*time.Minute {
						t.Errorf("what is shown was read at %v", at)
					}
				})
			})
		})
	}
}

// A sum of nanoseconds must not wrap around.
func TestAMomentCenturiesAwayIsTheLastThereIs(t *testing.T) {
	now := time.Now()
	for after, want := range map[time.Duration]int64{0: now.UnixNano(), time.Hour: now.Add(time.Hour).UnixNano(), 2_500_000 * time.Hour: math.MaxInt64} {
		if got := nanos(now.Add(after)); got != want {
			t.Errorf("%v from now is %d, want %d", after, got, want)
		}
	}
}
