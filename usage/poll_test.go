package usage

import (
	"slices"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

func TestPaceFor(t *testing.T) {
	for _, c := range []struct {
		name     string
		interval time.Duration
		loopback bool
		want     time.Duration
		perHour  int
	}{
		{"the default", 5 * time.Minute, false, 5 * time.Minute, 20},
		{"faster than the floor", time.Minute, false, 3 * time.Minute, 20},
		{"not set", 0, false, 3 * time.Minute, 20},
		{"slow", time.Hour, false, time.Hour, 20},
		{"a simulation at the default", 5 * time.Minute, true, 5 * time.Minute, 20},
		{"a fast simulation", 2 * time.Second, true, 2 * time.Second, 3000},
		{"a simulation without interval", 0, true, time.Second, 6000},
	} {
		p := PaceFor(c.interval, c.loopback)
		if p.Interval != c.want || p.PerHour != c.perHour {
			t.Errorf("%s: every %v, %d an hour; want %v, %d", c.name, p.Interval, p.PerHour, c.want, c.perHour)
		}
	}
}

// What PROTOCOL 2.4 measured: about 28 readings in any 60 minutes are borne, so
// 20 must never be exceeded however impatient somebody is.
func TestTheBudgetHoldsHoweverOftenSomebodyAsks(t *testing.T) {
	p := PaceFor(5*time.Minute, false)
	var r Reads
	var taken []time.Time
	for now := noon; now.Before(noon.Add(5 * time.Hour)); now = now.Add(7 * time.Second) {
		if p.Allowed(r, now).After(now) {
			continue
		}
		r = r.Taken(now)
		taken = append(taken, now)
	}
	for i, at := range taken {
		if i > 0 && at.Sub(taken[i-1]) < pollGap {
			t.Errorf("readings %v and %v are closer than %v", taken[i-1], at, pollGap)
		}
		if i >= pollPerHour && at.Sub(taken[i-pollPerHour]) < time.Hour {
			t.Errorf("more than %d readings in the hour before %v", pollPerHour, at)
		}
	}
	if n := len(taken); n < 4*pollPerHour {
		t.Errorf("only %d readings in 5 hours: the budget is not there to be wasted", n)
	}
	if len(r.At) > pollPerHour {
		t.Errorf("%d readings are kept, want those of the last hour", len(r.At))
	}
}

func TestDue(t *testing.T) {
	p := PaceFor(5*time.Minute, false)
	read := func(ago time.Duration, windows ...Window) Snapshot {
		return Snapshot{At: noon.Add(-ago), Source: SourceHeaders, Windows: windows}
	}
	for _, c := range []struct {
		name   string
		reads  Reads
		last   Snapshot
		jitter float64
		want   time.Duration // from now
	}{
		{"never read", Reads{}, Snapshot{}, 0, 0},
		{"fresh from headers", Reads{}, read(time.Minute), 0, 4 * time.Minute},
		{"stale", Reads{}, read(time.Hour), 0, -55 * time.Minute},
		{"jitter late", Reads{}, read(0), 1, 345 * time.Second},
		{"jitter early", Reads{}, read(0), -1, 255 * time.Second},
		{"asked, but the answer did not come", Reads{At: []time.Time{noon.Add(-time.Minute)}}, read(time.Hour), 0, 4 * time.Minute},
		{"failed once", Reads{At: []time.Time{noon}, Failures: 1}, read(time.Hour), 0, 10 * time.Minute},
		{"failed often", Reads{At: []time.Time{noon}, Failures: 60}, read(time.Hour), 0, 30 * time.Minute},
		{"refused", Reads{NotBefore: noon.Add(20 * time.Minute)}, read(time.Hour), 0, 20 * time.Minute},
		{"refused by another clock", Reads{NotBefore: noon.Add(24 * time.Hour)}, read(time.Hour), 0, -55 * time.Minute},
		{"read by another clock", Reads{}, read(-24 * time.Hour), 0, 0},
		{"exhausted", Reads{}, read(0, Window{Name: FiveHour, Used: 1, ResetsAt: noon.Add(time.Hour)}), 0, 10 * time.Minute},
		{"one family exhausted", Reads{}, read(0, Window{Name: SevenDay, Scope: "opus", Used: 1, ResetsAt: noon.Add(time.Hour)}), 0, 5 * time.Minute},
		{"back soon", Reads{}, read(0, Window{Name: FiveHour, Used: 1, ResetsAt: noon.Add(4 * time.Minute)}), 0, 4*time.Minute + resetGrace},
		{"back at once", Reads{}, read(0, Window{Name: FiveHour, Used: 0.5, ResetsAt: noon.Add(time.Second)}), 0, 3 * time.Minute},
		{"not started", Reads{}, read(0, Window{Name: FiveHour}), 0, 5 * time.Minute},
	} {
		if got := p.Due(c.reads, c.last, noon, c.jitter).Sub(noon); got != c.want && (c.want > 0 || got > 0) {
			t.Errorf("%s: due in %v, want %v", c.name, got, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	upstream, simulation := PaceFor(5*time.Minute, false), PaceFor(2*time.Second, true)
	for _, c := range []struct {
		name     string
		pace     Pace
		failures int
		after    time.Duration
		want     time.Duration
	}{
		{"no word", upstream, 0, 0, 6 * time.Minute},
		{"again", upstream, 1, 0, 9 * time.Minute},
		{"and again and again", upstream, 40, 0, 30 * time.Minute},
		{"a word, with the margin it needs", upstream, 0, 10 * time.Minute, 25 * time.Minute},
		{"a long word", upstream, 0, 2 * time.Hour, 75 * time.Minute},
		{"a simulation", simulation, 0, 3 * time.Second, 3 * time.Second},
		{"a simulation without a word", simulation, 0, 0, 2 * time.Second},
	} {
		r := c.pace.Refused(Reads{Failures: c.failures}, noon, c.after)
		if got := r.NotBefore.Sub(noon); got != c.want || r.Failures != c.failures+1 {
			t.Errorf("%s: %v and %d failures, want %v and %d", c.name, got, r.Failures, c.want, c.failures+1)
		}
		if allowed := c.pace.Allowed(r, noon); !allowed.Equal(r.NotBefore) {
			t.Errorf("%s: allowed at %v, want %v", c.name, allowed, r.NotBefore)
		}
		if got := r.Answered(); got.Failures != 0 || !got.NotBefore.IsZero() {
			t.Errorf("%s: an answer leaves %+v", c.name, got)
		}
	}
}

func TestReadsAreValues(t *testing.T) {
	r := Reads{At: []time.Time{noon.Add(-2 * time.Hour), noon.Add(-time.Minute), noon.Add(time.Hour)}}
	before := slices.Clone(r.At)
	if got := r.Taken(noon).At; !slices.Equal(got, []time.Time{noon.Add(-time.Minute), noon}) {
		t.Errorf("Taken keeps %v, want the last hour's", got)
	}
	if !slices.Equal(r.At, before) {
		t.Errorf("Taken changed %v to %v", before, r.At)
	}
}
