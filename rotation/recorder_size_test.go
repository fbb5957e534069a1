package rotation

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

// filledRecorder has heard of n accounts with two windows and requests each.
func filledRecorder(n int) *Recorder {
	now := time.Now()
	crew := make([]Member, n)
	for i := range crew {
		crew[i].Account = &accounts.Account{ID: accounts.ID(fmt.Sprintf("account-%04d", i))}
		crew[i].Usage = usage.Snapshot{At: now, Windows: []usage.Window{
			{Name: usage.FiveHour, Used: 0.2, ResetsAt: now.Add(time.Hour), Length: 5 * time.Hour},
			{Name: usage.SevenDay, Used: 0.2, ResetsAt: now.Add(time.Hour), Length: 7 * 24 * time.Hour},
		}}
	}
	r := NewRecorder(RecorderOptions{Pool: members(crew)})
	r.observe(now)
	for i := range crew {
		crew[i].Counts.Requests = 5
	}
	r.observe(now)
	r.write()
	return r
}

type members []Member

func (m members) Members(accounts.ProviderID) []Member { return m }

func TestAThousandAccountsTakeLittle(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	crew := filledRecorder(1000).o.Pool // its own part is the pool's
	before := heap()
	r := filledRecorder(1000)
	r.o.Pool = crew
	took := heap() - before
	runtime.KeepAlive(r)
	t.Logf("1,000 accounts take %.2f MiB", float64(took)/(1<<20))
	if took > 480<<10 {
		t.Errorf("1,000 accounts take %d KiB of the 1.5 MiB that all of the program may", took>>10)
	}
	if len(r.known) != 1000 {
		t.Errorf("%d accounts are known", len(r.known))
	}
}

func BenchmarkObserve(b *testing.B) {
	r := filledRecorder(1000)
	b.ReportAllocs()
	for b.Loop() {
		r.observe(time.Now())
	}
}
