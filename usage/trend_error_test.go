package usage

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// traffic says what share of a window is used in the minute that begins at a moment.
type traffic func(random *rand.Rand, minute time.Time) float64

// steady is so many windows' worth for each length of a window.
func steady(windows float64, length time.Duration) traffic {
	return func(*rand.Rand, time.Time) float64 { return windows * float64(time.Minute) / float64(length) }
}

// bursty is the same in the mean, worked off in spans of on minutes in the mean with
// pauses of off minutes in the mean, and within them now more, now less.
func bursty(windows float64, length time.Duration, on, off float64) traffic {
	var working bool
	mean := steady(windows*(on+off)/on, length)
	return func(random *rand.Rand, minute time.Time) float64 {
		lasts := off
		if working {
			lasts = on
		}
		if random.Float64() < 1/lasts {
			working = !working
		}
		if !working {
			return 0
		}
		return mean(random, minute) * random.ExpFloat64()
	}
}

// office is traffic on weekdays from 9 to 17.
func office(t traffic) traffic {
	return func(random *rand.Rand, minute time.Time) float64 {
		used := t(random, minute)
		if d := minute.Weekday(); d == time.Saturday || d == time.Sunday || minute.Hour() < 9 || minute.Hour() >= 17 {
			return 0
		}
		return used
	}
}

// stops is traffic that ends for good.
func stops(t traffic, after time.Duration) traffic {
	var began time.Time
	return func(random *rand.Rand, minute time.Time) float64 {
		if began.IsZero() {
			began = minute
		}
		if minute.Sub(began) >= after {
			return 0
		}
		return t(random, minute)
	}
}

// outcome is how far forecasts were from what came.
type outcome struct {
	shown, asked int
	used         []float64 // by how much the share at the reset was missed
	full         []float64 // by what part of the window's length the moment was missed
	missed       int       // it became full, and no moment was said
	alarms       int       // a moment was said, and it did not become full
}

// play runs one window after another, as an engine sees them: an answer's header,
// rounded down to a hundredth, in each minute with traffic, and a reading every 5
// minutes without. It asks for a forecast 60 times a window, once from has passed.
func play(t traffic, length time.Duration, windows int, from time.Duration, seed uint64) outcome {
	random := rand.New(rand.NewPCG(seed, 1))
	var trend Trend
	var out outcome
	begin := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC) // a Monday
	seen := func(used float64) float64 { return math.Floor(used*100) / 100 }
	first := begin.Add(from)
	for range windows {
		var said []Forecast
		var full time.Time
		used, read := 0.0, begin
		end := begin.Add(length)
		for minute := begin; minute.Before(end); minute = minute.Add(time.Minute) {
			took := t(random, minute)
			if used < 1 {
				used = math.Min(used+took, 1)
				if used >= 1-1e-9 {
					used, full = 1, minute
				}
			}
			if r := (Reading{At: minute, Used: seen(used), ResetsAt: end}); took > 0 || minute.Sub(read) >= 5*time.Minute {
				read = minute
				if trend.Wants(r, length) {
					trend.Add(r, length)
				}
			}
			if since := minute.Sub(begin); since%(length/60) != 0 || minute.Before(first) || used >= 1 {
				continue
			}
			out.asked++
			if f, ok := trend.Forecast(Reading{At: read, Used: seen(used), ResetsAt: end}, length, minute); ok {
				out.shown++
				said = append(said, f)
			}
		}
		for _, f := range said {
			out.used = append(out.used, math.Abs(f.UsedAtReset-used))
			switch {
			case !full.IsZero() && !f.FullAt.IsZero():
				out.full = append(out.full, math.Abs(f.FullAt.Sub(full).Minutes())/length.Minutes())
			case !full.IsZero():
				out.missed++
			case !f.FullAt.IsZero():
				out.alarms++
			}
		}
		begin = end
	}
	return out
}

func mean(all []float64) float64 {
	sum := 0.0
	for _, x := range all {
		sum += x
	}
	return sum / float64(max(len(all), 1))
}

func percentile(all []float64, p int) float64 {
	if len(all) == 0 {
		return 0
	}
	all = slices.Sorted(slices.Values(all))
	return all[min(len(all)*p/100, len(all)-1)]
}

// The bounds are a little above what is measured, and the traffic is the same each
// time: a change that makes forecasts worse is seen.
func TestForecastError(t *testing.T) {
	const five, seven = 5 * time.Hour, 7 * 24 * time.Hour
	type bound struct {
		used, full     float64
		missed, alarms float64 // of the forecasts shown
	}
	rows := []struct {
		name    string
		traffic func() traffic
		length  time.Duration
		windows int
		from    time.Duration
		most    bound
	}{
		{"5h steady, 60 %", func() traffic { return steady(0.6, five) }, five, 40, five, bound{0.006, 0, 0, 0}},
		{"5h steady, 140 %", func() traffic { return steady(1.4, five) }, five, 40, five, bound{0.006, 0.008, 0, 0}},
		{"5h steady, from nothing, 60 %", func() traffic { return steady(0.6, five) }, five, 1, 0, bound{0.01, 0, 0, 0}},
		{"5h bursts of 8 in 23 min, 60 %", func() traffic { return bursty(0.6, five, 8, 15) }, five, 200, five, bound{0.13, 0, 0, 0.03}},
		{"5h bursts of 8 in 23 min, 140 %", func() traffic { return bursty(1.4, five, 8, 15) }, five, 200, five, bound{0.07, 0.15, 0.21, 0.06}},
		{"5h bursts of 30 in 75 min, 60 %", func() traffic { return bursty(0.6, five, 30, 45) }, five, 200, five, bound{0.18, 0.1, 0.04, 0.09}},
		{"5h idle", func() traffic { return steady(0, five) }, five, 10, five, bound{0, 0, 0, 0}},
		{"5h idle after 2 h of work at 80 %", func() traffic { return stops(steady(0.8, five), 2*time.Hour) }, five, 1, 2 * time.Hour, bound{0.16, 0, 0, 0}},
		{"5h idle for an hour after that", func() traffic { return stops(steady(0.8, five), 2*time.Hour) }, five, 1, 3 * time.Hour, bound{0.06, 0, 0, 0}},
		{"7d steady, 80 %", func() traffic { return steady(0.8, seven) }, seven, 6, seven, bound{0.02, 0, 0, 0}},
		{"7d office hours, 60 %", func() traffic { return office(bursty(0.6*168/40, seven, 8, 15)) }, seven, 20, seven, bound{0.17, 0, 0, 0.01}},
		{"7d office hours, 140 %", func() traffic { return office(bursty(1.4*168/40, seven, 8, 15)) }, seven, 20, seven, bound{0.01, 0.12, 0.04, 0.01}},
		{"7d idle", func() traffic { return steady(0, seven) }, seven, 3, seven, bound{0, 0, 0, 0}},
	}
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-34s %7s %18s %18s %16s\n", "traffic", "shown", "used at reset ±", "full at ±", "missed / alarms")
	fmt.Fprintf(&table, "%-34s %7s %18s %18s %16s\n", "", "", "mean  (90 %)", "mean  (90 %)", "")
	for _, r := range rows {
		o := play(r.traffic(), r.length, r.windows, r.from, 7)
		used, full := mean(o.used), mean(o.full)
		fmt.Fprintf(&table, "%-34s %5.0f %% %7.1f %% (%4.1f %%) %7.1f %% (%4.0f %%) %5.0f %% / %3.0f %%\n", r.name,
			100*float64(o.shown)/float64(max(o.asked, 1)), 100*used, 100*percentile(o.used, 90),
			100*full, 100*percentile(o.full, 90),
			100*float64(o.missed)/float64(max(o.shown, 1)), 100*float64(o.alarms)/float64(max(o.shown, 1)))
		if o.shown < o.asked*9/10 {
			t.Errorf("%s: only %d of %d forecasts are shown", r.name, o.shown, o.asked)
		}
		missed, alarms := float64(o.missed)/float64(max(o.shown, 1)), float64(o.alarms)/float64(max(o.shown, 1))
		if missed > r.most.missed || alarms > r.most.alarms {
			t.Errorf("%s: %.3f of the forecasts missed that it was full, %.3f said so in vain; want at most %.3f, %.3f", r.name, missed, alarms, r.most.missed, r.most.alarms)
		}
		if (len(o.full) > 0) != (r.most.full > 0) || o.shown == 0 {
			t.Errorf("%s: there are %d forecasts, and %d of when it is full: too few to tell, or more than are bounded", r.name, o.shown, len(o.full))
		}
		if used > r.most.used || full > r.most.full {
			t.Errorf("%s: used at reset is missed by %.3f in the mean, full at by %.3f of its length; want at most %.3f, %.3f", r.name, used, full, r.most.used, r.most.full)
		}
	}
	t.Log(table.String())
}
