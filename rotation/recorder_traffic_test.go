package rotation

import (
	"testing"
	"testing/synctest"
	"time"
)

// A request is seen at once, and counted once, though the pool is looked at now and
// then.
func TestTrafficHasTheNewestRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecording(t, newBook("a"), nil, RecorderOptions{})
		defer r.stop()
		for n := range 5 {
			lease, err := r.pool.Acquire(Ask{Provider: house})
			if err != nil {
				t.Fatal(err)
			}
			lease.answered(seen{status: 200}, time.Now())
			lease.Release()
			for range 2 {
				if got := r.requests("a"); got != n+1 {
					t.Errorf("%d requests, want %d", got, n+1)
				}
				time.Sleep(recordLook)
				synctest.Wait()
			}
		}
	})
}

// A state is made of a count that a look may have overtaken: it is no new day.
func TestAnOlderCountThanTheLastLooksIsNoNewDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecording(t, newBook("a"), nil, RecorderOptions{})
		defer r.stop()
		for range 50 {
			lease, err := r.pool.Acquire(Ask{Provider: house})
			if err != nil {
				t.Fatal(err)
			}
			lease.answered(seen{status: 200}, time.Now())
			lease.Release()
		}
		time.Sleep(recordLook)
		synctest.Wait()
		counts, _, _, _ := r.Traffic("a", 49, time.Now())
		if sum := counts[len(counts)-1] + counts[len(counts)-2]; sum != 50 {
			t.Errorf("%d requests, want 50: %v", sum, counts)
		}
	})
}

func TestADayThatBeginsCountsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecording(t, newBook("a"), nil, RecorderOptions{})
		defer r.stop()
		now := time.Now()
		midnight := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, time.Local)
		time.Sleep(midnight.Sub(now) - 20*time.Minute)
		r.work("a", 40, 0.1, 0.001, time.Now().Add(4*time.Hour))
		if got := r.requests("a"); got != 40 {
			t.Errorf("%d requests around midnight, want 40", got)
		}
	})
}
