package usage

import (
	"math"
	"slices"
	"time"
)

// What an upstream's usage endpoint bears, and what it asks for when it has had
// enough (PROTOCOL 2.4).
const (
	pollFloor     = 3 * time.Minute  // between two readings, if it is to go on for hours
	pollGap       = time.Minute      // between two readings that somebody asks for
	pollPerHour   = 20               // in any hour, asked for or not
	refusedFirst  = 6 * time.Minute  // after the first refusal
	refusedMost   = 30 * time.Minute // after several in a row
	refusedGrowth = 1.5
	refusedMargin = 15 * time.Minute // on top of what a refusal asks for: exactly that is often refused again
	refusedLimit  = 75 * time.Minute // however much it asks for

	pollJitter = 0.15            // share of the interval, either way
	resetGrace = 5 * time.Second // after a window's end, until its reading is worth another look
)

// Pace says how often an account's usage may be asked for.
type Pace struct {
	Interval time.Duration // between two readings that nobody asked for
	Floor    time.Duration // the least that jitter makes of it
	Gap      time.Duration // between any two
	PerHour  int           // in any hour

	refusedFirst, refusedMargin time.Duration
}

// PaceFor returns the pace at which to poll, as near to the interval that is
// wanted as the upstream bears. One on this machine bears anything that was asked
// for: it is a simulation.
func PaceFor(interval time.Duration, loopback bool) Pace {
	if !loopback {
		return Pace{
			Interval: max(interval, pollFloor), Floor: pollFloor, Gap: pollGap, PerHour: pollPerHour,
			refusedFirst: refusedFirst, refusedMargin: refusedMargin,
		}
	}
	interval = max(interval, time.Second)
	return Pace{
		Interval: interval,
		PerHour:  max(pollPerHour, int(5*time.Hour/(3*interval))), // as much to spare as at the usual pace
		// A simulation's own clock may run fast, and then its refusals end fast.
		refusedFirst: min(interval, refusedFirst),
	}
}

// Reads is what an account's record keeps of its readings, so that a restart does
// not forget what was used of the budget. It is a value: its methods return
// another one.
type Reads struct {
	At        []time.Time `json:"at"`         // those of the last hour, oldest first
	NotBefore time.Time   `json:"not_before"` // what the last refusal leaves us; zero: nothing
	Failures  int         `json:"failures"`   // in a row, refusals included
}

// Taken notes a reading that is about to be asked for.
func (r Reads) Taken(now time.Time) Reads {
	r.At = append(r.recent(now), now.Round(0).UTC())
	return r
}

// Answered notes that the last reading was good.
func (r Reads) Answered() Reads {
	r.NotBefore, r.Failures = time.Time{}, 0
	return r
}

// Failed notes that the last reading came to nothing, for a reason that says
// nothing of how often one may ask.
func (r Reads) Failed() Reads {
	r.Failures++
	return r
}

// Refused notes that the upstream had enough (429). retryAfter is what it asked
// for; 0: nothing that means anything.
func (p Pace) Refused(r Reads, now time.Time, retryAfter time.Duration) Reads {
	wait := time.Duration(math.Min(float64(p.refusedFirst)*math.Pow(refusedGrowth, float64(r.Failures)), float64(refusedMost)))
	if retryAfter > 0 {
		wait = max(wait, min(retryAfter+p.refusedMargin, refusedLimit))
	}
	r.Failures++
	r.NotBefore = now.Add(wait).Round(0).UTC()
	return r
}

// Allowed returns from when on usage may be asked for; not after now: at once.
func (p Pace) Allowed(r Reads, now time.Time) time.Time {
	at := now
	if left := r.NotBefore.Sub(now); left > 0 && left <= refusedLimit { // more is another clock's
		at = r.NotBefore
	}
	reads := r.recent(now)
	n := len(reads)
	if n > 0 {
		at = later(at, reads[n-1].Add(p.Gap))
	}
	if n >= p.PerHour {
		at = later(at, reads[n-p.PerHour].Add(time.Hour))
	}
	return at
}

// Due returns when usage is worth asking for again, given the last reading from
// whatever source: not while that is fresh, soon after a window has ended, seldom
// while there is nothing but waiting, and ever more seldom when it keeps failing.
// jitter, from -1 to 1, keeps accounts from falling into step.
func (p Pace) Due(r Reads, last Snapshot, now time.Time, jitter float64) time.Time {
	known := last.At
	if known.After(now) {
		known = time.Time{} // read by another clock, which says nothing of when
	}
	if reads := r.recent(now); len(reads) > 0 {
		known = later(known, reads[len(reads)-1])
	}
	if known.IsZero() {
		return p.Allowed(r, now)
	}
	wait := p.Interval << min(r.Failures, 8)
	if r.Failures == 0 && slices.ContainsFunc(last.Windows, func(w Window) bool { return w.Scope == "" && w.Exhausted(now) }) {
		wait *= 2
	}
	wait = min(wait, max(p.Interval, refusedMost))
	due := known.Add(max(time.Duration(float64(wait)*(1+pollJitter*jitter)), p.Floor))
	if r.Failures == 0 {
		due = p.afterReset(last, known, due)
	}
	return later(due, p.Allowed(r, now))
}

// afterReset brings due forward to the end of a window that the last reading saw
// in use.
func (p Pace) afterReset(last Snapshot, known, due time.Time) time.Time {
	for _, w := range last.Windows {
		if w.Used <= 0 || !w.ResetsAt.After(last.At) {
			continue
		}
		if at := later(w.ResetsAt.Add(resetGrace), known.Add(p.Floor)); at.Before(due) {
			due = at
		}
	}
	return due
}

// recent returns a copy of the readings of the last hour. Those that lie in the
// future are another clock's.
func (r Reads) recent(now time.Time) []time.Time {
	var at []time.Time
	for _, t := range r.At {
		if !t.After(now) && now.Sub(t) < time.Hour {
			at = append(at, t)
		}
	}
	return at
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
