package rotation

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
	"unique"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

// Times of a recorder, before its speed.
const (
	recordSpan  = 10 * time.Minute // of the requests that are counted together: 30 of them are 5 hours
	recordLook  = 30 * time.Second // between two looks at a pool that changes
	recordWrite = time.Minute      // from news until it is written
)

// maxTrails bounds the windows of one account that are followed: an upstream names them.
const maxTrails = 8

// History keeps what a recorder noted, over a restart.
type History interface {
	Load() (map[accounts.ID]usage.Past, error)
	// Save adds readings to what is kept, replaces tallies, and removes who is gone.
	Save(news map[accounts.ID]usage.Past, gone []accounts.ID) error
}

// RecorderOptions are what a recorder is made of.
type RecorderOptions struct {
	Pool interface {
		Members(p accounts.ProviderID) []Member
	}
	Bus     *accounts.Bus
	History History // nil: nothing survives a restart
	Speed   float64 // how much faster than ours the upstream's time runs: a simulation's; 0: as fast
	Log     *slog.Logger
}

// Recorder notes how each window fills and how many requests each account takes. It
// answers from memory; Run makes durable what is to survive a restart, in its own
// time, and does nothing while nothing happens.
type Recorder struct {
	o RecorderOptions

	mu      sync.RWMutex // guards what follows; never held over I/O
	known   map[accounts.ID]*record
	started bool // the pool was looked at: what it counts from now on is new
	news    bool // something of known is to be written
	gone    []accounts.ID

	turn     sync.Mutex // held over the history's I/O: guards what follows
	recalled bool       // what was kept is in known
	troubled bool       // the last read or write failed, and was logged
}

// record is what is known of an account that has shown anything yet.
type record struct {
	trails  []trail
	waiting map[int][]usage.Reading // by the place of their trail: unsaved, and no longer the last; mostly nil
	tally   *tally                  // nil: no request yet
	counted int                     // of the day's requests
}

// tally is how many requests an account took.
type tally struct {
	usage.Tally
	news bool // it is to be written
}

// trail is what is known of one window of one account: there may be thousands.
type trail struct {
	kind  unique.Handle[kind]
	trend usage.Trend
	news  bool // the trend's last reading is to be written
}

// kind is what a window is in every account that has it.
type kind struct {
	name, scope string
	length      time.Duration
}

// maxUnsaved bounds what waits for a disk that takes nothing.
const maxUnsaved = 64

// NewRecorder makes a recorder. It starts nothing.
func NewRecorder(o RecorderOptions) *Recorder {
	if o.Speed <= 0 {
		o.Speed = 1
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Recorder{o: o, known: make(map[accounts.ID]*record)}
}

// Run notes what happens until ctx ends, and writes what is not written yet then.
func (r *Recorder) Run(ctx context.Context) error {
	box := r.o.Bus.Subscribe(1, accounts.PoolChanged)
	defer box.Close()
	r.observe(time.Now())
	r.Recall()
	lookEvery, writeEvery := max(r.fast(recordLook), announceEvery), max(r.fast(recordWrite), lazyWrite)
	looked, stale := time.Now(), false // stale: something changed since
	var news time.Time                 // when there was some to write; zero: there is none
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var due time.Time
		if stale {
			due = looked.Add(lookEvery)
		}
		if next := news.Add(writeEvery); !news.IsZero() && (due.IsZero() || next.Before(due)) {
			due = next
		}
		var alarm <-chan time.Time // never, while there is nothing to do
		if !due.IsZero() {
			timer.Reset(time.Until(due))
			alarm = timer.C
		}
		select {
		case <-box.Ready():
			box.Drain()
			stale = true
		case <-alarm:
		case <-ctx.Done():
			r.observe(time.Now())
			r.write()
			return ctx.Err()
		}
		now := time.Now()
		if stale && now.Sub(looked) >= lookEvery {
			looked, stale = now, false
			if r.observe(now) && news.IsZero() {
				news = now
			}
		}
		if !news.IsZero() && now.Sub(news) >= writeEvery {
			news = time.Time{}
			if !r.write() {
				news = now // once more, later
			}
		}
	}
}

// fast is a time of ours in the upstream's.
func (r *Recorder) fast(d time.Duration) time.Duration {
	return time.Duration(float64(d) / r.o.Speed)
}

// Forecast says what becomes of a window whose newest reading is from the moment at.
// It reports false where it would be a guess.
func (r *Recorder) Forecast(id accounts.ID, w usage.Window, at, now time.Time) (usage.Forecast, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	rec := r.known[id]
	if rec == nil {
		return usage.Forecast{}, false
	}
	i := rec.place(w.Name, w.Scope)
	if i < 0 {
		return usage.Forecast{}, false
	}
	t := &rec.trails[i]
	return t.trend.Forecast(usage.Reading{At: at, Used: w.Used, ResetsAt: w.ResetsAt}, t.kind.Value().length, now)
}

// Traffic returns how many requests an account took in each span up to that of the
// moment now, oldest first, and when that one ends. Those of today that came since the
// last look are among them. It reports false when there were none.
func (r *Recorder) Traffic(id accounts.ID, today int, now time.Time) (requests []int, ends time.Time, span time.Duration, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var counts usage.Tally
	rec := r.known[id]
	if rec != nil && rec.tally != nil {
		counts = rec.tally.Tally
	}
	if n := r.uncounted(rec, today); n > 0 {
		counts.Add(now, r.span(), n)
	}
	requests, ends, ok = counts.At(now)
	return requests, ends, counts.Span, ok
}

// span is how much time is counted together.
func (r *Recorder) span() time.Duration { return max(r.fast(recordSpan), time.Second/2) }

// uncounted returns how many of an account's requests of today were not counted yet:
// none of those of the last run. Fewer than were counted are an older count's than
// the last look's, or another day's. rec may be nil. r.mu is held.
func (r *Recorder) uncounted(rec *record, today int) int {
	switch {
	case !r.started:
		return 0
	case rec == nil:
		return today // the account is new
	}
	return max(0, today-rec.counted)
}

// place returns where the trail of a window is; -1: there is none.
func (rec *record) place(name, scope string) int {
	for i := range rec.trails {
		if k := rec.trails[i].kind.Value(); k.name == name && k.scope == scope {
			return i
		}
	}
	return -1
}

// observe looks at every account. It reports whether there is something to write.
func (r *Recorder) observe(now time.Time) bool {
	members := r.o.Pool.Members("")
	r.mu.Lock()
	defer r.mu.Unlock()
	here := 0 // of those that are known
	for i := range members {
		if r.note(&members[i], now) {
			here++
		}
	}
	r.started = true
	if here < len(r.known) {
		r.forgetOthers(members)
	}
	return r.news
}

// forgetOthers drops what is known of accounts that are gone. r.mu is held.
func (r *Recorder) forgetOthers(members []Member) {
	here := make(map[accounts.ID]bool, len(members))
	for i := range members {
		here[members[i].Account.ID] = true
	}
	for id := range r.known {
		if !here[id] {
			delete(r.known, id)
			r.gone, r.news = append(r.gone, id), true
		}
	}
}

// note takes in what an account shows. It reports whether the account is known, then.
// r.mu is held.
func (r *Recorder) note(m *Member, now time.Time) bool {
	rec, known := r.known[m.Account.ID]
	if !known {
		rec = &record{trails: make([]trail, 0, min(len(m.Usage.Windows), maxTrails))}
	}
	for _, w := range m.Usage.Windows {
		if rec.follow(w, m.Usage.At, r.fast(w.Length), now) {
			r.news = true
		}
	}
	today := m.Counts.Requests
	if today < rec.counted {
		rec.counted = 0 // another day began
	}
	if took := r.uncounted(rec, today); took > 0 {
		if rec.tally == nil {
			rec.tally = new(tally)
		}
		rec.tally.Add(now, r.span(), took)
		rec.tally.news, r.news = true, true
	}
	rec.counted = today
	if !known && (rec.counted > 0 || rec.tally != nil || len(rec.trails) > 0) {
		r.known[m.Account.ID] = rec
		known = true
	}
	return known
}

// follow takes in what was read of a window. It reports whether that is worth to be
// written.
func (rec *record) follow(w usage.Window, at time.Time, length time.Duration, now time.Time) bool {
	switch {
	case length <= 0, !(w.Used >= 0 && w.Used <= 10), at.Sub(now) > time.Minute:
		return false // it says nothing, or is another clock's
	case w.ResetsAt.IsZero() && w.Used == 0, !w.ResetsAt.IsZero() && !now.Before(w.ResetsAt):
		return false // it does not run
	}
	is := kind{w.Name, w.Scope, length}
	i := rec.place(w.Name, w.Scope)
	if i < 0 {
		if i = rec.begin(is, now); i < 0 {
			return false
		}
	}
	t := &rec.trails[i]
	if t.kind.Value().length != length {
		t.kind = unique.Make(is)
	}
	reading := usage.Reading{At: at.Round(0), Used: w.Used, ResetsAt: w.ResetsAt}
	if !t.trend.Wants(reading, length) {
		return false
	}
	if t.news {
		rec.wait(i, t.trend.Last())
	}
	t.trend.Add(reading, length)
	t.news = true
	return true
}

// wait keeps a reading of the i-th trail for the disk, of many the newest.
func (rec *record) wait(i int, r usage.Reading) {
	if rec.waiting == nil {
		rec.waiting = make(map[int][]usage.Reading)
	}
	rec.waiting[i] = append(rec.waiting[i], r)
	if all := rec.waiting[i]; len(all) == maxUnsaved { // the last one is unsaved, too
		rec.waiting[i] = all[1:]
	}
}

// unsaved returns what is to be written of the i-th trail, oldest first.
func (rec *record) unsaved(i int) []usage.Reading {
	all := rec.waiting[i]
	if t := &rec.trails[i]; t.news {
		all = append(slices.Clip(all), t.trend.Last())
	}
	return all
}

// open begins another trail, for which there is room, and returns where.
func (rec *record) open(k kind) int {
	rec.trails = append(rec.trails, trail{kind: unique.Make(k)})
	return len(rec.trails) - 1
}

// begin makes room for another window, in the place of one that is out of date if
// there are many, and returns where. -1: there is none.
func (rec *record) begin(k kind, now time.Time) int {
	if len(rec.trails) < maxTrails {
		return rec.open(k)
	}
	oldest, at := 0, rec.trails[0].trend.Last().At
	for i := range rec.trails {
		if last := rec.trails[i].trend.Last().At; last.Before(at) {
			oldest, at = i, last
		}
	}
	if now.Sub(at) <= rec.trails[oldest].kind.Value().length {
		return -1
	}
	rec.trails[oldest] = trail{kind: unique.Make(k)}
	delete(rec.waiting, oldest)
	return oldest
}
