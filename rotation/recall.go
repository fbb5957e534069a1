package rotation

import (
	"slices"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

// Recall takes in what was kept, under what was noted since. Run does so by itself;
// a command without an engine asks for it.
func (r *Recorder) Recall() {
	r.turn.Lock()
	defer r.turn.Unlock()
	r.recall()
}

// recall is Recall; r.turn is held, as it is in all that follows.
func (r *Recorder) recall() {
	if r.recalled || r.o.History == nil {
		return
	}
	kept, err := r.o.History.Load()
	if err != nil {
		r.trouble(err)
		return
	}
	var members []Member
	if len(kept) > 0 {
		members = r.o.Pool.Members("")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recalled = true
	for i := range members {
		id := members[i].Account.ID
		past, there := kept[id]
		if !there {
			continue
		}
		rec := r.known[id]
		if rec == nil {
			rec = new(record)
			r.known[id] = rec
		}
		rec.recall(past, r.fast(recordSpan))
	}
}

// recall lays what was kept under what was noted since.
func (rec *record) recall(past usage.Past, span time.Duration) {
	for _, s := range past.Series {
		i := rec.place(s.Name, s.Scope)
		if i < 0 {
			if len(rec.trails) == maxTrails {
				continue
			}
			i = rec.open(kind{s.Name, s.Scope, s.Length})
		}
		noted, t := rec.unsaved(i), &rec.trails[i]
		t.trend = usage.Trend{}
		for _, reading := range slices.Concat(s.Readings, noted) {
			t.trend.Add(reading, t.kind.Value().length)
		}
	}
	if past.Tally.Span != span {
		return
	}
	if rec.tally == nil {
		rec.tally = new(tally)
	}
	rec.tally.Merge(past.Tally)
}

// write saves the news, and reports whether all of it is kept. What was kept before is
// read first, if it could not be yet: tallies are replaced.
func (r *Recorder) write() bool {
	r.turn.Lock()
	defer r.turn.Unlock()
	if r.o.History == nil {
		r.taken()
		return true
	}
	r.recall()
	r.mu.RLock()
	news, gone := r.collect()
	r.mu.RUnlock()
	if len(news) == 0 && len(gone) == 0 {
		return true
	}
	if err := r.o.History.Save(news, gone); err != nil {
		r.trouble(err)
		return false
	}
	if r.troubled {
		r.troubled = false
		r.o.Log.Info("the history is written again")
	}
	r.taken()
	return true
}

// collect returns what is to be written. r.mu is held, too.
func (r *Recorder) collect() (news map[accounts.ID]usage.Past, gone []accounts.ID) {
	news = make(map[accounts.ID]usage.Past)
	for id, rec := range r.known {
		var past usage.Past
		for i := range rec.trails {
			if unsaved := rec.unsaved(i); len(unsaved) > 0 {
				k := rec.trails[i].kind.Value()
				past.Series = append(past.Series, usage.Series{Name: k.name, Scope: k.scope, Length: k.length, Readings: unsaved})
			}
		}
		if rec.tally != nil && rec.tally.news && r.recalled {
			past.Tally = rec.tally.Tally
		}
		if len(past.Series) > 0 || past.Tally.Newest != 0 {
			news[id] = past
		}
	}
	return news, r.gone
}

// taken forgets the news. Only Run makes any, and it is Run that writes.
func (r *Recorder) taken() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.known {
		rec.waiting = nil
		for i := range rec.trails {
			rec.trails[i].news = false
		}
		if rec.tally != nil {
			rec.tally.news = rec.tally.news && !r.recalled && r.o.History != nil
		}
	}
	r.news, r.gone = false, nil
}

// trouble logs the first of several failures in a row.
func (r *Recorder) trouble(err error) {
	if !r.troubled {
		r.troubled = true
		r.o.Log.Warn("the history is not kept for now; nothing else depends on it", "error", err)
	}
}
