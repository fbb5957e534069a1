// Package usage is the leaf of the house: windows, snapshots and the
// arithmetic on them. It does no I/O, starts no goroutine and takes the moment
// as an argument, so everything here is testable with plain values.
package usage

import (
	"cmp"
	"slices"
	"time"
)

// The names of the windows that a screen and the JSON know (DESIGN 4).
const (
	FiveHour = "5h"
	SevenDay = "7d"
)

// Sources of a snapshot.
const (
	SourceHeaders = "headers" // read from the head of an ordinary answer: free
	SourcePoll    = "poll"    // asked for
)

// Window is one rate limit window of an account.
type Window struct {
	Name     string        `json:"name"`      // "5h" or "7d"
	Used     float64       `json:"used"`      // share that is used: 1 is exhausted, above 1 is possible
	ResetsAt time.Time     `json:"resets_at"` // zero: not started, or not known
	Length   time.Duration `json:"length"`
	Scope    string        `json:"scope"` // "": the whole account; else a model family in lower case
}

// Exhausted reports whether nothing is left of the window at the moment now.
func (w Window) Exhausted(now time.Time) bool {
	return w.Used >= 1 && (w.ResetsAt.IsZero() || now.Before(w.ResetsAt))
}

// Snapshot is what was known of an account's windows at one moment.
type Snapshot struct {
	At      time.Time `json:"at"` // zero: never read
	Source  string    `json:"source"`
	Windows []Window  `json:"windows"`
}

// outOfOrder is how far two readings may pass each other on their way: one may wait
// for its answer as long as a request of ours may take.
const outOfOrder = 5 * time.Minute

// Window returns the window of that name and scope.
func (s Snapshot) Window(name, scope string) (Window, bool) {
	i := slices.IndexFunc(s.Windows, func(w Window) bool { return w.Name == name && w.Scope == scope })
	if i < 0 {
		return Window{}, false
	}
	return s.Windows[i], true
}

// Merge returns s with what newer knows laid over it. An answer's headers name
// only some windows; the others keep their last reading until they have reset.
// A newer that is older than s changes nothing, unless it is so much older that the
// clock must have been set back: then it is all that is known.
func (s Snapshot) Merge(newer Snapshot) Snapshot {
	if len(newer.Windows) == 0 {
		return s
	}
	switch ahead := s.At.Sub(newer.At); {
	case ahead > outOfOrder:
		s = Snapshot{}
	case ahead > 0:
		return s
	}
	out := Snapshot{At: newer.At, Source: newer.Source, Windows: slices.Clone(newer.Windows)}
	for _, w := range s.Windows {
		if _, known := out.Window(w.Name, w.Scope); known {
			continue
		}
		if !w.ResetsAt.IsZero() && !newer.At.Before(w.ResetsAt) {
			continue // its window ended: the reading says nothing about the next one
		}
		out.Windows = append(out.Windows, w)
	}
	out.sort()
	return out
}

func (s *Snapshot) sort() {
	slices.SortStableFunc(s.Windows, func(a, b Window) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Scope, b.Scope))
	})
}
