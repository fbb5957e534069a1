package dashboard

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	humanize "github.com/dustin/go-humanize"
)

const day = 24 * time.Hour

// forever is how long a text holds that does not change by itself.
const forever = 365 * day

// countdown words the time that is left, and says how long the words stay true:
// 4d3h, 1h12m, 38m, 22s.
func countdown(left time.Duration) (text string, holds time.Duration) {
	switch {
	case left <= 0:
		return "now", forever
	case left <= 59*time.Second:
		s, holds := ceil(left, time.Second)
		return fmt.Sprintf("%ds", s), holds
	case left <= day-time.Minute:
		m, holds := ceil(left, time.Minute)
		if m < 60 {
			return fmt.Sprintf("%dm", m), min(holds, left-59*time.Second) // then it is in seconds
		}
		return fmt.Sprintf("%dh%02dm", m/60, m%60), holds
	case left <= 99*day:
		h, holds := ceil(left, time.Hour)
		return fmt.Sprintf("%dd%dh", h/24, h%24), min(holds, left-(day-time.Minute)) // then it is in minutes
	default:
		return "99d+", left - 99*day
	}
}

// stopwatch words the time that is left to the second while it is under an
// hour: 37:41.
func stopwatch(left time.Duration) (text string, holds time.Duration) {
	if left <= 0 {
		return "0:00", forever
	}
	if left > time.Hour {
		return countdown(left)
	}
	s, holds := ceil(left, time.Second)
	if s == 3600 {
		return "60:00", holds
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60), holds
}

// ceil rounds left up to whole units, and says how long that count holds.
func ceil(left, unit time.Duration) (n int, holds time.Duration) {
	n = int((left + unit - 1) / unit)
	return n, left - time.Duration(n-1)*unit
}

// justNow is what was less than a minute ago.
const justNow = "just now"

// age words how long ago something was. It is silent on seconds: they would
// redraw the screen for nothing.
func age(d time.Duration) (text string, holds time.Duration) {
	switch {
	case d < time.Minute:
		return justNow, time.Minute - max(d, 0)
	case d < time.Hour:
		return fmt.Sprintf("%d min old", d/time.Minute), time.Minute - d%time.Minute
	case d < day:
		return fmt.Sprintf("%d h old", d/time.Hour), time.Hour - d%time.Hour
	default:
		return plural(int(d/day), "day") + " old", day - d%day
	}
}

// shortAge is age where there is little room.
func shortAge(d time.Duration) string {
	switch {
	case d < time.Hour:
		return fmt.Sprintf("%dm old", max(d, 0)/time.Minute)
	case d < day:
		return fmt.Sprintf("%dh old", d/time.Hour)
	default:
		return fmt.Sprintf("%dd old", d/day)
	}
}

// moment words a time as the person would say it today: 15:14, Thu 09:00, 3 Jan.
func moment(t, now time.Time, zone *time.Location) string {
	t, now = t.In(zone), now.In(zone)
	switch d := t.Sub(now); {
	case t.YearDay() == now.YearDay() && t.Year() == now.Year():
		return t.Format("15:04")
	case d > -6*day && d < 6*day:
		return t.Format("Mon 15:04")
	default:
		return t.Format("2 Jan 15:04")
	}
}

// percent words a share of a window. It never rounds up: 100 % is said when
// nothing is left, and not before.
func percent(used float64) string {
	return fmt.Sprintf("%d%%", share(used))
}

// share is a share in whole percent, whatever number came.
func share(used float64) int {
	if math.IsNaN(used) || used <= 0 {
		return 0
	}
	return int(min(used*100+1e-9, 999))
}

// measure finds a number before its unit.
var measure = regexp.MustCompile(`(\d) (ms\b|min\b|[smhd]\b|%)`)

// breakLines breaks a text into lines of that width at most, between words, and
// not between a number and its unit, nor where a command has a hyphen.
func breakLines(text string, width int) []string {
	text = ansi.Wrap(tie.Replace(measure.ReplaceAllString(text, "${1}"+tiedSpace+"${2}")), width, "")
	return strings.Split(untie.Replace(text), "\n")
}

// A space and a hyphen at which no line ends.
const tiedSpace, tiedHyphen = "\u00a0", "\u2011"

var (
	tie   = strings.NewReplacer("-- ", tiedHyphen+tiedHyphen+tiedSpace, "-", tiedHyphen)
	untie = strings.NewReplacer(tiedSpace, " ", tiedHyphen, "-")
)

// plural counts things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// counted is plural with the digits of large numbers in groups.
func counted(n int, thing string) string {
	return humanize.Comma(int64(n)) + strings.TrimPrefix(plural(n, thing), strconv.Itoa(n))
}
