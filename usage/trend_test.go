package usage

import (
	"math"
	"testing"
	"time"
)

const fiveHours = 5 * time.Hour

// climb feeds a trend a reading every so often, from a moment on, each with more used.
func climb(t *Trend, from time.Time, n int, every time.Duration, used, more float64, resets time.Time) Reading {
	var r Reading
	for i := range n {
		r = Reading{At: from.Add(time.Duration(i) * every), Used: used + float64(i)*more, ResetsAt: resets}
		t.Add(r, fiveHours)
	}
	return r
}

func near(got, want, slack float64) bool { return math.Abs(got-want) <= slack }

func TestForecastOfASteadyWindow(t *testing.T) {
	var trend Trend
	resets := noon.Add(4 * time.Hour)
	last := climb(&trend, noon, 13, 5*time.Minute, 0.1, 0.02, resets) // 24 % an hour, 34 % after one
	f, ok := trend.Forecast(last, fiveHours, last.At)
	if !ok {
		t.Fatal("no forecast after an hour of readings")
	}
	if !near(f.UsedAtReset, 0.34+3*0.24, 0.001) && f.UsedAtReset != 1 {
		t.Errorf("used at the reset %v", f.UsedAtReset)
	}
	if want := last.At.Add(165 * time.Minute); !near(f.FullAt.Sub(want).Minutes(), 0, 1) {
		t.Errorf("full at %v, want %v", f.FullAt, want)
	}
	if f.Readings < 8 || f.Readings > 13 || f.Over < 40*time.Minute || f.Over > time.Hour {
		t.Errorf("it rests on %d readings in %v", f.Readings, f.Over)
	}

	soon := last
	soon.ResetsAt = last.At.Add(2 * time.Hour)
	f, _ = trend.Forecast(soon, fiveHours, last.At)
	if !f.FullAt.IsZero() || !near(f.UsedAtReset, 0.82, 0.001) {
		t.Errorf("before a reset in 2 hours: full at %v, used %v", f.FullAt, f.UsedAtReset)
	}
	unknown := last
	unknown.ResetsAt = time.Time{}
	f, ok = trend.Forecast(unknown, fiveHours, last.At)
	if !ok || f.FullAt.IsZero() || f.UsedAtReset != 0 {
		t.Errorf("without a reset: %+v, %v", f, ok)
	}
}

// A screen that draws late does not say that a window was full a while ago.
func TestAFullMomentIsNeverInThePast(t *testing.T) {
	var trend Trend
	last := climb(&trend, noon, 13, 5*time.Minute, 0.39, 0.05, noon.Add(4*time.Hour))
	now := last.At.Add(10 * time.Minute)
	if f, ok := trend.Forecast(last, fiveHours, now); !ok || f.FullAt.Before(now) {
		t.Errorf("full at %v, %v; it is %v", f.FullAt, ok, now)
	}
}

func TestThinSamplesShowNothing(t *testing.T) {
	resets := noon.Add(4 * time.Hour)
	for _, c := range []struct {
		name  string
		n     int
		every time.Duration
		want  bool
	}{
		{"none", 0, time.Minute, false},
		{"one", 1, time.Minute, false},
		{"two, far apart", 2, 50 * time.Minute, false},
		{"many, in a moment", 100, time.Second, false},
		{"many, in 14 minutes", 15, time.Minute, false},
		{"many, in 20 minutes", 21, time.Minute, true},
		{"a few, in 20 minutes", 5, 5 * time.Minute, true},
	} {
		var trend Trend
		last := climb(&trend, noon, c.n, c.every, 0.1, 0.001, resets)
		now := last.At
		if c.n == 0 {
			last, now = Reading{At: noon, Used: 0.1, ResetsAt: resets}, noon
		}
		if f, ok := trend.Forecast(last, fiveHours, now); ok != c.want {
			t.Errorf("%s: shown %v (%+v), want %v", c.name, ok, f, c.want)
		}
	}
}

func TestNothingIsSaidOfWhatIsOver(t *testing.T) {
	var trend Trend
	resets := noon.Add(3 * time.Hour)
	last := climb(&trend, noon, 13, 5*time.Minute, 0.1, 0.02, resets)
	full := last
	full.Used = 1
	for _, c := range []struct {
		name string
		r    Reading
		now  time.Time
		want bool
	}{
		{"at once", last, last.At, true},
		{"half an hour later", last, last.At.Add(30 * time.Minute), true},
		{"an hour and a half later", last, last.At.Add(90 * time.Minute), false},
		{"after the reset", Reading{At: last.At, Used: 0.3, ResetsAt: last.At.Add(time.Minute)}, last.At.Add(2 * time.Minute), false},
		{"full", full, last.At, false},
		{"of the next window, which has not begun", Reading{At: last.At}, last.At, false},
		{"of one that has, and says no end", Reading{At: last.At, Used: 0.01}, last.At, true},
		{"by a clock that was set back", last, last.At.Add(-time.Hour), false},
	} {
		if _, ok := trend.Forecast(c.r, fiveHours, c.now); ok != c.want {
			t.Errorf("%s: shown %v, want %v", c.name, ok, c.want)
		}
	}
}

// pace is what the trend makes of the readings, in windows an hour.
func pace(t *testing.T, trend *Trend, last Reading) float64 {
	t.Helper()
	last.Used, last.ResetsAt = 0, last.At.Add(time.Hour)
	f, ok := trend.Forecast(last, fiveHours, last.At)
	if !ok {
		t.Fatal("no forecast")
	}
	return f.UsedAtReset
}

func TestAResetCountsAsItsUse(t *testing.T) {
	// 12 % an hour, a reset in the middle, and 12 % an hour.
	first, second := noon.Add(time.Hour), noon.Add(6*time.Hour)
	for name, gap := range map[string]time.Duration{"at once": 5 * time.Minute, "after a pause": 30 * time.Minute} {
		var trend Trend
		climb(&trend, noon, 12, 5*time.Minute, 0.5, 0.01, first)
		last := climb(&trend, first.Add(gap), 12, 5*time.Minute, 0.12*gap.Hours(), 0.01, second)
		if got := pace(t, &trend, last); !near(got, 0.12, 0.002) {
			t.Errorf("%s: %v an hour after a reset, want 0.12", name, got)
		}
	}

	// Full for two hours: nothing could be used, and that shows no slower pace.
	var trend Trend
	climb(&trend, noon, 13, 5*time.Minute, 0.4, 0.05, first.Add(2*time.Hour))
	climb(&trend, noon.Add(65*time.Minute), 23, 5*time.Minute, 1, 0, first.Add(2*time.Hour))
	last := climb(&trend, noon.Add(3*time.Hour+5*time.Minute), 3, 5*time.Minute, 0.05, 0.05, first.Add(7*time.Hour))
	if got := pace(t, &trend, last); !near(got, 0.6, 0.01) {
		t.Errorf("%v an hour after a window that was full, want 0.6", got)
	}

	// Whole windows passed unseen: only the one that runs is known.
	trend = Trend{}
	climb(&trend, noon, 12, 5*time.Minute, 0.5, 0.01, first)
	later := noon.Add(100 * time.Hour)
	last = climb(&trend, later, 12, 5*time.Minute, 0.12, 0.01, later.Add(4*time.Hour))
	if got := pace(t, &trend, last); !near(got, 0.12, 0.002) {
		t.Errorf("%v an hour after windows that nobody saw, want 0.12", got)
	}

	// A share that falls of itself begins anew, without a negative use.
	trend = Trend{}
	climb(&trend, noon, 12, 5*time.Minute, 0.5, 0.01, second)
	last = climb(&trend, noon.Add(time.Hour), 12, 5*time.Minute, 0.01, 0.01, second)
	if got := pace(t, &trend, last); !near(got, 0.12, 0.01) {
		t.Errorf("%v an hour after the share fell, want 0.12", got)
	}
}

// Shares come rounded, and one reading overtakes another: neither adds up.
func TestUnsteadyReadingsCancelOut(t *testing.T) {
	var trend Trend
	var last Reading
	for i := range 40 {
		last = Reading{At: noon.Add(time.Duration(i) * 2 * time.Minute), Used: 0.4 + 0.01*float64(i%2), ResetsAt: noon.Add(4 * time.Hour)}
		trend.Add(last, fiveHours)
		trend.Add(Reading{At: last.At.Add(-time.Minute), Used: 0.1, ResetsAt: last.ResetsAt}, fiveHours)
	}
	if got := pace(t, &trend, last); !near(got, 0, 0.02) {
		t.Errorf("an idle window seems to fill by %v an hour", got)
	}
}

func TestClocksThatJump(t *testing.T) {
	resets := noon.Add(4 * time.Hour)
	var trend Trend
	climb(&trend, noon, 13, 5*time.Minute, 0.1, 0.02, resets)
	// Set back by a day: what was read before is of no use, and is not in the way.
	back := noon.Add(-24 * time.Hour)
	last := climb(&trend, back, 13, 5*time.Minute, 0.1, 0.01, back.Add(4*time.Hour))
	if got := pace(t, &trend, last); !near(got, 0.12, 0.001) {
		t.Errorf("%v an hour after the clock was set back, want 0.12", got)
	}
	// Ahead by years and back again, and readings that are no numbers of this world.
	trend.Add(Reading{At: noon.AddDate(40, 0, 0), Used: 0.3}, fiveHours)
	trend.Add(Reading{At: noon, Used: 0.3}, fiveHours)
	trend.Add(Reading{At: noon.Add(time.Hour), Used: 0.3}, 0)
	last = climb(&trend, noon.Add(time.Minute), 13, 5*time.Minute, 0.3, 0.01, resets)
	if got := pace(t, &trend, last); !near(got, 0.12, 0.01) {
		t.Errorf("%v an hour after the clock came back, want 0.12", got)
	}
}

func TestWants(t *testing.T) {
	var trend Trend
	first := Reading{At: noon, Used: 0.5, ResetsAt: noon.Add(time.Hour)}
	if !trend.Wants(first, fiveHours) {
		t.Error("the first reading is not wanted")
	}
	trend.Add(first, fiveHours)
	for _, c := range []struct {
		name   string
		after  time.Duration
		used   float64
		resets time.Duration
		want   bool
	}{
		{"the same once more", 0, 0.5, time.Hour, false},
		{"soon", time.Minute, 0.51, time.Hour, false},
		{"later", 2 * time.Minute, 0.5, time.Hour, true},
		{"full", time.Second, 1, time.Hour, true},
		{"another window", time.Minute, 0.01, 6 * time.Hour, true},
		{"an older one", -time.Minute, 0.4, time.Hour, false},
		{"another clock's", -time.Hour, 0.4, time.Hour, true},
	} {
		if got := trend.Wants(Reading{At: noon.Add(c.after), Used: c.used, ResetsAt: noon.Add(c.resets)}, fiveHours); got != c.want {
			t.Errorf("%s: wanted %v, want %v", c.name, got, c.want)
		}
	}
}
