package rotation

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// crowd is a pool of n accounts, and what takes one of them and gives it back.
func crowd(tb testing.TB, n int) (p *Pool, ids []accounts.ID, take func()) {
	tb.Helper()
	ids = make([]accounts.ID, n)
	for i := range ids {
		ids[i] = accounts.ID(fmt.Sprintf("account-%04d", i))
	}
	p, _ = poolOf(tb, newBook(ids...))
	turn := 0
	return p, ids, func() {
		turn++
		lease, err := p.Acquire(Ask{Provider: house, Session: sessionNames[turn%len(sessionNames)]})
		if err != nil {
			tb.Fatal(err)
		}
		lease.Release()
	}
}

var sessionNames = func() (names [64]string) {
	for i := range names {
		names[i] = fmt.Sprintf("session-%d", i)
	}
	return names
}()

func BenchmarkAcquire(b *testing.B) {
	for _, n := range []int{2, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			_, _, take := crowd(b, n)
			b.ReportAllocs()
			for b.Loop() {
				take()
			}
		})
	}
}

// BenchmarkAcquireRatio is how much longer it takes to choose among 1,000
// accounts than among 2, taken in turns, because only the ratio means something
// on a busy machine. It must not be above 1.1 (DESIGN 8).
func BenchmarkAcquireRatio(b *testing.B) {
	const each = 200
	var took [2][]time.Duration
	_, _, few := crowd(b, 2)
	many, ids, of := crowd(b, 1000)
	cool(many, ids[0], time.Hour, "")
	for b.Loop() {
		for i, take := range []func(){few, of} {
			began := time.Now()
			for range each {
				take()
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	var median [2]float64
	for i := range took {
		slices.Sort(took[i])
		median[i] = float64(took[i][len(took[i])/2]) / each
	}
	b.ReportMetric(median[0], "ns-of-2")
	b.ReportMetric(median[1], "ns-of-1000")
	b.ReportMetric(median[1]/median[0], "ratio")
}

// BenchmarkAcquireAfterACooldown is what the first request pays after an account
// left or came back.
func BenchmarkAcquireAfterACooldown(b *testing.B) {
	p, ids, take := crowd(b, 1000)
	for i := 0; b.Loop(); i++ {
		cool(p, ids[i%500], time.Hour+time.Duration(i)*time.Second, "")
		take()
	}
}
