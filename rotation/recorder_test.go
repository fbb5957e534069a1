package rotation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

// memoir is a History in memory.
type memoir struct {
	mu            sync.Mutex
	kept          map[accounts.ID]usage.Past
	loads, saves  int
	loadErr, fail error
	slow          chan struct{} // Load waits for it; nil: it does not
}

func (h *memoir) Load() (map[accounts.ID]usage.Past, error) {
	if h.slow != nil {
		<-h.slow
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.loads++
	return h.kept, h.loadErr
}

func (h *memoir) Save(news map[accounts.ID]usage.Past, gone []accounts.ID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail != nil {
		return h.fail
	}
	h.saves++
	if h.kept == nil {
		h.kept = make(map[accounts.ID]usage.Past)
	}
	for _, id := range gone {
		delete(h.kept, id)
	}
	for id, past := range news {
		all := h.kept[id]
		for _, s := range past.Series {
			i := slices.IndexFunc(all.Series, func(o usage.Series) bool { return o.Name == s.Name && o.Scope == s.Scope })
			if i < 0 {
				all.Series, i = append(all.Series, usage.Series{Name: s.Name, Scope: s.Scope, Length: s.Length}), len(all.Series)
			}
			all.Series[i].Readings = append(slices.Clone(all.Series[i].Readings), s.Readings...)
		}
		if past.Tally.Newest != 0 {
			all.Tally = past.Tally
		}
		h.kept[id] = all
	}
	return nil
}

func (h *memoir) counts() (loads, saves int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.loads, h.saves
}

// recording is a pool and a recorder that run until stop.
type recording struct {
	t    *testing.T
	book *book
	pool *Pool
	*Recorder
	stop func()
}

func newRecording(t *testing.T, b *book, h History, o RecorderOptions) *recording {
	t.Helper()
	pool, _ := poolOf(t, b)
	o.Pool, o.Bus, o.History = pool, &b.bus, h
	r := &recording{t: t, book: b, pool: pool, Recorder: NewRecorder(o)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopPool := runPool(t, pool)
	synctest.Wait()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		stopPool()
	})
	return r
}

// work has an account answer a request a minute, each of which takes some of its
// 5-hour window.
func (r *recording) work(id accounts.ID, minutes int, used, more float64, resets time.Time) float64 {
	r.t.Helper()
	for range minutes {
		lease, err := r.pool.Acquire(Ask{Provider: house, Pin: id})
		if err != nil {
			r.t.Fatal(err)
		}
		used += more
		lease.answered(seen{status: 200, windows: []usage.Window{{Name: usage.FiveHour, Used: used, ResetsAt: resets, Length: 5 * time.Hour}}}, time.Now())
		lease.Release()
		time.Sleep(time.Minute)
	}
	return used
}

func (r *recording) forecast(id accounts.ID) (usage.Forecast, bool) {
	for _, m := range r.pool.Members(house) {
		if w, ok := m.Usage.Window(usage.FiveHour, ""); ok && m.Account.ID == id {
			return r.Forecast(id, w, m.Usage.At, time.Now())
		}
	}
	return usage.Forecast{}, false
}

// today is what the account's own count shows.
func (r *recording) today(id accounts.ID) int {
	for _, m := range r.pool.Members(house) {
		if m.Account.ID == id {
			return m.Counts.Requests
		}
	}
	return 0
}

func (r *recording) requests(id accounts.ID) int {
	counts, _, _, _ := r.Traffic(id, r.today(id), time.Now())
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}

func TestARecorderForecastsWhatThePoolSees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecording(t, newBook("a", "b"), nil, RecorderOptions{})
		defer r.stop()
		resets := time.Now().Add(4 * time.Hour)
		used := r.work("a", 5, 0.1, 0.002, resets)
		if f, ok := r.forecast("a"); ok {
			t.Errorf("after five minutes: %+v", f)
		}
		used = r.work("a", 55, used, 0.002, resets) // 12 % an hour
		f, ok := r.forecast("a")
		if want := used + 0.12*3; !ok || math.Abs(f.UsedAtReset-want) > 0.02 || !f.FullAt.IsZero() || f.Readings < 10 {
			t.Errorf("forecast %+v, %v; want %.2f at the reset", f, ok, want)
		}
		if _, ok := r.forecast("b"); ok {
			t.Error("there is a forecast for an account without readings")
		}
		if got := r.requests("a"); got != 60 {
			t.Errorf("%d requests, want 60", got)
		}
		counts, ends, span, ok := r.Traffic("a", r.today("a"), time.Now())
		if !ok || span != 10*time.Minute || ends.Before(time.Now()) || counts[len(counts)-2] != 10 {
			t.Errorf("%v in spans of %v until %v, %v", counts, span, ends, ok)
		}
		if _, _, _, ok := r.Traffic("b", r.today("b"), time.Now()); ok {
			t.Error("b took requests")
		}
	})
}

func TestForecastsSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, b := new(memoir), newBook("a")
		resets := time.Now().Add(4 * time.Hour)
		r := newRecording(t, b, h, RecorderOptions{})
		used := r.work("a", 60, 0.1, 0.002, resets)
		before, _ := r.forecast("a")
		r.stop()

		time.Sleep(time.Minute)
		r = newRecording(t, b, h, RecorderOptions{})
		after, ok := r.forecast("a")
		if !ok || math.Abs(after.UsedAtReset-before.UsedAtReset) > 0.005 || after.Readings < before.Readings {
			t.Errorf("forecast %+v, %v; before the restart %+v", after, ok, before)
		}
		if got := r.requests("a"); got != 60 {
			t.Errorf("%d requests, want the 60 of before", got)
		}
		r.work("a", 3, used, 0.002, resets)
		if got := r.requests("a"); got != 63 {
			t.Errorf("%d requests, want 63", got)
		}
		r.stop()

		// A command without an engine.
		pool, _ := poolOf(t, b)
		r = &recording{t: t, pool: pool, Recorder: NewRecorder(RecorderOptions{Pool: pool, History: h})}
		r.Recall()
		if _, ok := r.forecast("a"); !ok {
			t.Error("a command knows no forecast")
		}
		if got := r.requests("a"); got != 63 {
			t.Errorf("a command knows %d requests, want 63", got)
		}
	})
}

func TestNothingIsWrittenWhenNothingHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(memoir)
		r := newRecording(t, newBook("a"), h, RecorderOptions{})
		time.Sleep(time.Hour)
		if loads, saves := h.counts(); loads != 1 || saves != 0 {
			t.Errorf("idle for an hour: %d loads, %d saves", loads, saves)
		}
		r.work("a", 30, 0.1, 0.001, time.Now().Add(4*time.Hour))
		if _, saves := h.counts(); saves < 10 || saves > 30 {
			t.Errorf("%d saves in half an hour of work, want about one a minute", saves)
		}
		time.Sleep(2 * time.Minute)
		_, before := h.counts()
		r.pool.touch() // something else of the pool changes
		time.Sleep(time.Hour)
		r.stop()
		if _, saves := h.counts(); saves != before {
			t.Errorf("%d saves after an idle hour, want the %d of before", saves, before)
		}
	})
}

func TestAFullDiskCostsTheHistoryOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := &memoir{fail: errors.New("no space left on device"), loadErr: errors.New("no space left on device")}
		r := newRecording(t, newBook("a"), h, RecorderOptions{Log: slog.New(slog.NewTextHandler(&log, nil))})
		r.work("a", 60, 0.1, 0.002, time.Now().Add(4*time.Hour))
		if _, ok := r.forecast("a"); !ok {
			t.Error("no forecast without a disk")
		}
		h.mu.Lock()
		h.fail, h.loadErr = nil, nil
		h.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if _, saves := h.counts(); saves == 0 {
			t.Error("nothing is written once there is room again")
		}
		r.stop()
		if n := strings.Count(log.String(), "level=WARN"); n != 1 {
			t.Errorf("it is logged %d times:\n%s", n, log.String())
		}
		past := h.kept["a"]
		if len(past.Series) != 1 || len(past.Series[0].Readings) < 25 {
			t.Fatalf("kept when there was room again: %+v", past)
		}
		if counts, _, _ := past.Tally.At(time.Now()); sumOf(counts) != 60 {
			t.Errorf("counts %v, want 60", counts)
		}
	})
}

func sumOf(all []int) (sum int) {
	for _, n := range all {
		sum += n
	}
	return sum
}

// What was kept may be read late: it lies under what was noted since.
func TestASlowHistoryHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, b := new(memoir), newBook("a")
		resets := time.Now().Add(4 * time.Hour)
		r := newRecording(t, b, h, RecorderOptions{})
		r.work("a", 60, 0.1, 0.002, resets)
		r.stop()
		h.slow = make(chan struct{})
		r = newRecording(t, b, h, RecorderOptions{})
		if f, ok := r.forecast("a"); ok {
			t.Errorf("before the history was read: %+v", f)
		}
		close(h.slow)
		synctest.Wait()
		if _, ok := r.forecast("a"); !ok {
			t.Error("no forecast after the history was read")
		}
		r.stop()
	})
}

func TestWhatWasKeptLiesUnderWhatWasNoted(t *testing.T) {
	now := time.Now()
	w := usage.Window{Name: usage.FiveHour, Used: 0.4, ResetsAt: now.Add(time.Hour)}
	var rec record
	rec.follow(w, now, 5*time.Hour, now)
	rec.recall(usage.Past{Series: []usage.Series{{Name: usage.FiveHour, Length: 5 * time.Hour, Readings: []usage.Reading{
		{At: now.Add(-time.Hour), Used: 0.2, ResetsAt: w.ResetsAt}, {At: now.Add(-time.Minute), Used: 0.39, ResetsAt: w.ResetsAt},
	}}}}, recordSpan)
	if len(rec.trails) != 1 || !rec.trails[0].trend.Last().At.Equal(now.Truncate(time.Millisecond)) || len(rec.unsaved(0)) != 1 {
		t.Errorf("trails %+v", rec.trails)
	}
}

func TestADamagedHistoryIsReadOnceItIsWholeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &memoir{loadErr: errors.New("damaged")}
		r := newRecording(t, newBook("a"), h, RecorderOptions{})
		resets := time.Now().Add(4 * time.Hour)
		used := r.work("a", 5, 0.1, 0.002, resets)
		h.mu.Lock()
		h.loadErr = nil // it was moved aside
		h.mu.Unlock()
		r.work("a", 55, used, 0.002, resets)
		f, ok := r.forecast("a")
		if !ok || math.Abs(f.UsedAtReset-0.58) > 0.02 {
			t.Errorf("%+v, %v", f, ok)
		}
		if got := r.requests("a"); got != 60 {
			t.Errorf("%d requests, want 60", got)
		}
		r.stop()
		if n := len(h.kept["a"].Series[0].Readings); n < 25 || n > 31 {
			t.Errorf("%d readings kept of an hour", n)
		}
	})
}

func TestWhoIsGoneLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, b := new(memoir), newBook("a", "b")
		r := newRecording(t, b, h, RecorderOptions{})
		for _, id := range []accounts.ID{"a", "b"} {
			r.work(id, 30, 0.1, 0.002, time.Now().Add(4*time.Hour))
		}
		b.mu.Lock()
		b.all = b.all[:1]
		b.mu.Unlock()
		b.bus.Publish(accounts.Event{Kind: accounts.AccountsChanged})
		time.Sleep(3 * time.Minute)
		if got := r.requests("b"); got != 0 {
			t.Errorf("%d requests of b", got)
		}
		h.mu.Lock()
		if _, there := h.kept["b"]; there || len(h.kept) != 1 {
			t.Errorf("kept: %+v", h.kept)
		}
		h.mu.Unlock()
		r.stop()
	})
}

// A simulation's windows are as much shorter as its time is faster.
func TestAFastUpstreamIsFollowedFaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const speed = 600
		r := newRecording(t, newBook("a"), nil, RecorderOptions{Speed: speed})
		defer r.stop()
		began, used := time.Now(), 0.1
		resets := began.Add(24 * time.Second)
		for range 60 {
			used += 0.002
			r.pool.Observe("a", usage.Snapshot{At: time.Now(), Windows: []usage.Window{{Name: usage.FiveHour, Used: used, ResetsAt: resets, Length: 5 * time.Hour}}})
			time.Sleep(time.Minute / speed)
		}
		time.Sleep(announceEvery)
		f, ok := r.forecast("a")
		if !ok || math.Abs(f.UsedAtReset-0.58) > 0.03 {
			t.Errorf("%+v, %v; want 0.58 at the reset", f, ok)
		}
	})
}

func TestWindowsThatAnUpstreamNamesAreBounded(t *testing.T) {
	var rec record
	now := time.Now()
	window := func(i int) usage.Window {
		return usage.Window{Name: usage.SevenDay, Scope: fmt.Sprint("family", i), Used: 0.1, ResetsAt: now.Add(time.Hour)}
	}
	for i := range 3 * maxTrails {
		rec.follow(window(i), now, time.Hour, now)
	}
	if len(rec.trails) != maxTrails {
		t.Fatalf("%d windows are followed", len(rec.trails))
	}
	rec.trails[3].trend = usage.Trend{}
	rec.trails[3].trend.Add(usage.Reading{At: now.Add(-2 * time.Hour)}, time.Hour)
	if !rec.follow(window(100), now, time.Hour, now) || rec.trails[3].kind.Value().scope != "family100" {
		t.Errorf("one that is out of date does not make room: %+v", rec.trails[3])
	}
	for name, w := range map[string]usage.Window{
		"not begun":   {Name: "x"},
		"over":        {Name: "x", Used: 0.5, ResetsAt: now.Add(-time.Second)},
		"no number":   {Name: "x", Used: math.NaN(), ResetsAt: now.Add(time.Hour)},
		"beyond that": {Name: "x", Used: 11, ResetsAt: now.Add(time.Hour)},
	} {
		var rec record
		if rec.follow(w, now, time.Hour, now) || len(rec.trails) > 0 {
			t.Errorf("a window that is %s is followed", name)
		}
	}
	for i := range 10 * maxUnsaved {
		rec.follow(window(100), now.Add(time.Duration(i+1)*time.Minute), time.Hour, now.AddDate(0, 0, 1))
		rec.follow(usage.Window{Name: usage.SevenDay, Scope: "family100", Used: 0.1}, now.Add(time.Duration(i+1)*time.Minute), time.Hour, now.AddDate(0, 0, 1))
	}
	unsaved := rec.unsaved(rec.place(usage.SevenDay, "family100"))
	if len(unsaved) != maxUnsaved {
		t.Errorf("%d readings wait for a disk, want %d", len(unsaved), maxUnsaved)
	}
	for i, r := range unsaved {
		if want := now.Add(time.Duration(10*maxUnsaved-len(unsaved)+i+1) * time.Minute).Truncate(time.Millisecond); !r.At.Equal(want) {
			t.Errorf("the reading at place %d is of %v, want %v", i, r.At, want)
		}
	}
}
