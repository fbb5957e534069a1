package ui

import (
	"fmt"
	"time"
)

// How far the clock may be off before it is worth a word.
const (
	clockSlack   = 5 * time.Minute // two machines, one home; a file system with a clock of its own
	longestToken = 31 * 24 * time.Hour
	longUnused   = 90 * 24 * time.Hour
	longestBuild = 20 * 365 * 24 * time.Hour // nobody runs a program that long
)

// judgeClock compares the clock with moments that must have passed, and with
// the ends of tokens.
func (f *facts) judgeClock() finding {
	now := f.now
	wrong := func(format string, args ...any) finding {
		return finding{
			state: checkWrong, message: "the clock says " + stamp(now) + ", " + fmt.Sprintf(format, args...),
			hint: "set the clock; tokens are renewed at the wrong time until then",
		}
	}
	if !f.built.IsZero() && now.Before(f.built.Add(-clockSlack)) {
		return wrong("and this program was built at %s", stamp(f.built))
	}
	if !f.built.IsZero() && now.After(f.built.Add(longestBuild)) {
		return wrong("and this program was built as long ago as %s", stamp(f.built))
	}
	if at, what := f.newest(); now.Before(at.Add(-clockSlack)) {
		return wrong("and %s at %s", what, stamp(at))
	}
	var first, last time.Time // ends of tokens
	for i := range f.meta.Accounts {
		end := f.meta.Accounts[i].TokenExpiresAt
		if end.IsZero() {
			continue
		}
		if first.IsZero() || end.Before(first) {
			first = end
		}
		if end.After(last) {
			last = end
		}
	}
	switch {
	case last.After(now.Add(longestToken)):
		return wrong("and a token is valid until %s, longer than any token is", stamp(last))
	case !last.IsZero() && last.Before(now.Add(-longUnused)):
		return finding{
			state: checkWarn, message: "the clock says " + stamp(now) + ", and the last token ended at " + stamp(last),
			hint: "if oauthmux was used since, the clock is ahead: set it",
		}
	}
	return finding{state: checkOK, message: stamp(now)}
}

// newest returns the latest moment that is known to have passed, and what
// happened then.
func (f *facts) newest() (at time.Time, what string) {
	later := func(t time.Time, happened string) {
		if t.After(at) {
			at, what = t, happened
		}
	}
	for id, r := range f.records {
		later(r.ReceivedAt, "a token of "+f.label(id)+" was received")
	}
	for _, t := range f.traces {
		later(t.Written, "the record of "+f.label(t.ID)+" was written")
	}
	for i := range f.meta.Accounts {
		a := &f.meta.Accounts[i]
		later(a.LoggedInAt, a.Label+" signed in")
		later(a.Usage.At, "the usage of "+a.Label+" was read")
	}
	return at, what
}

// stamp is a moment that may be years away.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
