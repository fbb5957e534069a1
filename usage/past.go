package usage

import (
	"math"
	"time"
)

// Past is what is kept of one account over a restart.
type Past struct {
	Series []Series
	Tally  Tally
}

// Series are the readings of one window, oldest first.
type Series struct {
	Name, Scope string
	Length      time.Duration
	Readings    []Reading
}

// TallySpans is how many spans a tally has.
const TallySpans = 30

// Tally counts requests in spans of equal length, the newest of them. The zero value
// has counted nothing, and learns the span with the first request.
type Tally struct {
	Span     time.Duration
	Newest   int64              // the newest span, counted from 1970; 0: nothing was counted yet
	Requests [TallySpans]uint32 // by Newest modulo TallySpans and down from there
}

// Add counts n requests at the moment now. Those of a moment that lies before all
// spans are another clock's, and begin anew.
func (t *Tally) Add(now time.Time, span time.Duration, n int) {
	at := now.UnixMilli() / span.Milliseconds()
	if t.Span != span || at <= t.Newest-TallySpans {
		*t = Tally{Span: span, Newest: at}
	}
	for t.Newest < at {
		if at-t.Newest >= TallySpans {
			*t = Tally{Span: span, Newest: at}
			break
		}
		t.Newest++
		*t.count(t.Newest) = 0
	}
	c := t.count(at)
	*c = uint32(min(int64(*c)+int64(n), math.MaxUint32)) //nolint:gosec // G115: it fits now
}

// Merge counts what another tally has counted besides.
func (t *Tally) Merge(o Tally) {
	if t.Newest == 0 || o.Newest > t.Newest {
		*t, o = o, *t
	}
	if o.Span != t.Span || o.Newest == 0 {
		return
	}
	for at := o.Newest; at > t.Newest-TallySpans; at-- {
		c := t.count(at)
		*c = uint32(min(int64(*c)+int64(*o.count(at)), math.MaxUint32)) //nolint:gosec // G115: it fits now
	}
}

// At returns the counts of the spans up to the one of the moment now, oldest first,
// and when that one ends. It reports false when there is nothing in them.
func (t *Tally) At(now time.Time) (counts []int, ends time.Time, ok bool) {
	if t.Newest == 0 {
		return nil, time.Time{}, false
	}
	newest := now.UnixMilli() / t.Span.Milliseconds()
	if t.Newest-newest < TallySpans {
		newest = max(newest, t.Newest) // the clock is a little behind
	}
	counts = make([]int, TallySpans)
	for i := range counts {
		if at := newest - TallySpans + 1 + int64(i); at <= t.Newest && at > t.Newest-TallySpans {
			counts[i] = int(*t.count(at))
			ok = ok || counts[i] > 0
		}
	}
	return counts, time.UnixMilli((newest + 1) * t.Span.Milliseconds()).UTC(), ok
}

func (t *Tally) count(at int64) *uint32 {
	return &t.Requests[(at%TallySpans+TallySpans)%TallySpans]
}
