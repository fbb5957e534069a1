package dashboard

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

// fullSoon is how long before a window is full the screen is red about it and
// not only yellow.
const fullSoon = time.Hour

// Widths of what the detail says behind a bar, with the gap in front.
const (
	resetLong     = 27 // "  resets Sun 09:02 (12h05m)"
	resetShort    = 18 // "  resets in 12h05m"
	forecastLong  = 43 // " ▲ at this pace full Sun 09:02, 9h05m early"
	forecastShort = 30 // " ▲ full Sun 09:02, 9h05m early"
	forecastLeast = 17 // " ▲ full Sun 09:02"
)

// detailColumns are where the windows of the detail are drawn.
type detailColumns struct {
	start    int // the first cell of the bars
	bar      int
	reset    int // room for the time of the reset
	forecast int // room for what becomes of the window; 0: it is not said
}

// fitDetail gives the detail its columns. Where there is room the bars stand
// below those of the table. As room goes they move to the left and shrink, then
// the words get fewer, and the forecast goes last. Whether there is one at all is
// asked of every account, so that nothing moves as one goes through them.
func (m *model) fitDetail(c *columns) detailColumns {
	aligned := 4 + c.label + 2
	if c.plan > 0 {
		aligned += c.plan + 2
	}
	least := 3 + m.lay.window + 1
	ideal := c.bar
	if ideal < barIdeal/2 {
		ideal = barIdeal // here is more room than in the table
	}
	tries := []struct{ start, bar, reset, forecast int }{
		{aligned, ideal, resetLong, forecastLong},
		{least, ideal, resetLong, forecastLong},
		{least, barFair, resetLong, forecastLong},
		{least, barFair, resetLong, forecastShort},
		{least, barFair, resetShort, forecastShort},
		{least, barMin, resetShort, forecastLeast},
	}
	if !m.forecasts() {
		tries = tries[:0]
		tries = append(tries, struct{ start, bar, reset, forecast int }{aligned, ideal, resetLong, 0})
	}
	tries = append(tries, struct{ start, bar, reset, forecast int }{least, barFair, resetLong, 0})
	for _, try := range tries {
		spare := m.width - 1 - try.start - try.bar - 5 - try.reset - try.forecast
		if spare >= 0 && try.start >= least {
			return detailColumns{try.start, min(ideal, try.bar+spare), try.reset, try.forecast}
		}
	}
	return detailColumns{start: least, bar: barMin, reset: resetShort}
}

// forecasts reports whether there is a forecast of any window.
func (m *model) forecasts() bool {
	for i := range m.rows {
		for j := range m.rows[i].Windows {
			if m.rows[i].Windows[j].Forecast != nil {
				return true
			}
		}
	}
	return false
}

// fullEarly returns when w will be full, if that is before it resets and the
// reading it follows from is still true; else nil. It holds until then.
func (m *model) fullEarly(w *control.Window, stale bool) *time.Time {
	f := w.Forecast
	if stale || f == nil || f.FullAt == nil || w.Used == nil || *w.Used >= 1 || !f.FullAt.After(m.now) {
		return nil
	}
	if w.ResetsAt != nil && !f.FullAt.Before(*w.ResetsAt) {
		return nil
	}
	m.hold(f.FullAt.Sub(m.now))
	return f.FullAt
}

// urgency is the colour of what is full at that time.
func (m *model) urgency(k *ink, full time.Time) lipgloss.Style {
	left := full.Sub(m.now)
	if left <= fullSoon {
		return k.bad
	}
	m.hold(left - fullSoon)
	return k.warn
}

// drawForecast words what becomes of w at this pace, in as many words as the
// layout has room for, after a gap of so many cells.
func (m *model) drawForecast(k *ink, w *control.Window, stale bool, gap int) string {
	room := m.lay.windows.forecast - 3
	if room <= 0 || w.Forecast == nil {
		return ""
	}
	pace, space := "", strings.Repeat(" ", gap+1)
	if m.lay.windows.forecast >= forecastLong {
		pace = "at this pace "
	}
	if full := m.fullEarly(w, stale); full != nil {
		at := pace + "full " + moment(*full, m.now, m.zone)
		return m.urgency(k, *full).Render(space + k.g.early + " " + longest(room, at+earlyBy(*full, w.ResetsAt), at))
	}
	if f := w.Forecast; !stale && f.UsedAtReset != nil && w.ResetsAt != nil && f.FullAt == nil {
		return k.atReset(*f.UsedAtReset).Render(space + "  " + longest(room, pace+percent(*f.UsedAtReset)+" by then"))
	}
	return ""
}

// atReset is the colour of the share that will be used when a window resets. It
// will last, so nothing is red about it.
func (k *ink) atReset(used float64) lipgloss.Style {
	if used >= badFrom {
		return k.warn
	}
	return k.dim
}

// earlyBy words how long before its reset a window will be full.
func earlyBy(full time.Time, resets *time.Time) string {
	if resets == nil {
		return ""
	}
	switch d := resets.Sub(full); {
	case d < time.Minute:
		return ", <1 min early"
	case d < time.Hour:
		return fmt.Sprintf(", %d min early", d/time.Minute)
	case d < 10*time.Hour:
		text, _ := countdown(d.Truncate(time.Minute))
		return ", " + text + " early"
	case d < 2*day:
		return fmt.Sprintf(", %d h early", d/time.Hour)
	default:
		text, _ := countdown(d.Truncate(time.Hour))
		return ", " + text + " early"
	}
}

// longest returns the first of several texts, each shorter than the one before,
// that fits into room; where none does, what of the last one fits.
func longest(room int, texts ...string) string {
	for _, s := range texts {
		if ansi.StringWidth(s) <= room {
			return s
		}
	}
	return ansi.Truncate(texts[len(texts)-1], room, "…")
}
