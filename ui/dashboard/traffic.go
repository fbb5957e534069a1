package dashboard

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

// maxSpans is how many spans of traffic are looked at, however many came.
const maxSpans = 1000

// traffic finds what went through an account lately. One that had nothing is as
// idle as the others are not: it has the same spans, and nothing in them.
func (m *model) traffic(account string) (control.Traffic, bool) {
	all := m.state.Traffic
	i := slices.IndexFunc(all, func(t control.Traffic) bool { return t.Account == account })
	switch {
	case i >= 0 && sound(all[i]):
		return all[i], true
	case i < 0 && len(all) > 0 && sound(all[0]):
		idle := all[0]
		idle.Requests = make([]int, len(idle.Requests))
		return idle, true
	}
	return control.Traffic{}, false
}

// sound reports whether t can be drawn.
func sound(t control.Traffic) bool {
	return t.Span > 0 && len(t.Requests) > 0 && len(t.Requests) <= maxSpans
}

// upToNow returns the requests of t's spans with the newest one under way now:
// time goes on though nothing is said of it. It holds until the next one begins.
func (m *model) upToNow(t control.Traffic) []int {
	requests, late := slices.Clone(t.Requests), m.now.Sub(t.Ends)
	for i, n := range requests {
		requests[i] = min(max(n, 0), 1<<30) // whatever an engine says, it can be added up
	}
	gone := 0
	if late >= 0 {
		gone = int(min(late/t.Span+1, time.Duration(len(requests))))
		requests = append(requests[gone:], make([]int, gone)...)
	}
	if slices.Max(requests) > 0 { // what is flat stays so
		m.hold(max(t.Ends.Add(time.Duration(gone)*t.Span).Sub(m.now), time.Second))
	}
	return requests
}

// spark draws numbers as columns of so many lines, spread over so many cells. Nothing
// is the lowest step, and anything is above it, so that it reads without colours too.
func (k *ink) spark(numbers []int, width, height int) []string {
	sums := spread(numbers, width)
	whole := len(k.g.spark)
	top, steps := max(slices.Max(sums), 1), whole*height-1
	lines := make([]string, height)
	for i := range lines {
		below := whole * (height - 1 - i) // steps of the lines under this one
		var b, run strings.Builder
		flat := false
		flush := func() {
			style := k.okFill
			if flat {
				style = k.track
			}
			if run.Len() > 0 {
				b.WriteString(style.Render(run.String()))
			}
			run.Reset()
		}
		for _, n := range sums {
			if (n == 0) != flat {
				flush()
				flat = n == 0
			}
			if step := 1 + (n*steps+top-1)/top - below; step > 0 {
				run.WriteString(k.g.spark[min(step, whole)-1])
			} else {
				run.WriteString(" ")
			}
		}
		flush()
		lines[i] = b.String()
	}
	return lines
}

// spread spreads numbers over so many cells, in proportion: a cell has the mean of
// what it covers, each number by its part in it. All are as many times too large.
func spread(numbers []int, cells int) []int {
	out := make([]int, cells)
	for j := range out {
		from, to := j*len(numbers), (j+1)*len(numbers) // a number covers as much as there are cells
		for i := from / cells; i*cells < to; i++ {
			out[j] += numbers[i] * (min(to, (i+1)*cells) - max(from, i*cells))
		}
	}
	return out
}

// trafficLabel names the time that the spans of t cover: last 5 h, last 90 s.
func trafficLabel(t control.Traffic) string {
	return "last " + duration(t.Span*time.Duration(len(t.Requests)))
}

// duration words how long something is, in the two largest units.
func duration(d time.Duration) string {
	d = d.Round(time.Second)
	h, m, s := int(d/time.Hour), int(d/time.Minute)%60, int(d/time.Second)%60
	switch {
	case h >= 48:
		return plural(h/24, "day")
	case h > 0 && m > 0:
		return fmt.Sprintf("%dh%02dm", h, m)
	case h > 0:
		return fmt.Sprintf("%d h", h)
	case m > 0 && s > 0:
		return fmt.Sprintf("%dm%02ds", m, s)
	case m > 0:
		return fmt.Sprintf("%d min", m)
	}
	return fmt.Sprintf("%d s", s)
}

// widestTraffic is the width of the longest name of a time in which requests
// were counted.
func (m *model) widestTraffic() int {
	n := 0
	for i := range m.state.Traffic {
		if sound(m.state.Traffic[i]) {
			n = max(n, ansi.StringWidth(trafficLabel(m.state.Traffic[i])))
		}
	}
	return n
}

// drawReading draws what went through the account lately, and says how old the
// reading is and where it came from. The lines above the last one are columns alone.
func (m *model) drawReading(r *row) []string {
	k, c := m.rowInk(false), &m.lay.windows
	reading, from := m.readingWords(r)
	t, known := m.traffic(r.ID)
	if !known {
		return []string{k.dim.Render(ansi.Truncate("   "+reading+from, m.width-1, "…"))}
	}
	requests := m.upToNow(t)
	sum := 0
	for _, n := range requests {
		sum += n
	}
	words := "  no request"
	if sum > 0 {
		words = "  " + counted(sum, "request")
	}
	lines := k.spark(requests, c.bar, 1+m.lay.tower)
	last := len(lines) - 1
	for i := range lines[:last] {
		lines[i] = strings.Repeat(" ", c.start) + lines[i]
	}
	line := k.text.Render("   "+fit(trafficLabel(t), c.start-3)) + lines[last]
	line += strings.Repeat(" ", c.start+c.bar+5-ansi.StringWidth(line))
	options := []string{words}
	if reading != "" && c.forecast >= forecastLong {
		words = fit(words, c.reset) + "   "
		options = []string{words + reading + from, words + reading}
	} else if reading != "" {
		words += " · "
		options = []string{words + reading + from, words + reading}
	}
	lines[last] = line + k.dim.Render(longest(m.width-1-c.start-c.bar-5, options...))
	return lines
}

// readingWords say how old the reading is, and then where it came from; "": there
// is none.
func (m *model) readingWords(r *row) (reading, from string) {
	if r.UsageAt == nil || r.UsageAt.IsZero() {
		return "", ""
	}
	text, holds := age(m.now.Sub(*r.UsageAt))
	m.hold(holds)
	switch r.UsageSource {
	case "":
	case "headers":
		from = ", from response headers"
	case "poll":
		from = ", asked for"
	default:
		from = ", from " + m.text(r.UsageSource, 20)
	}
	if m.stale(r) {
		if text == justNow {
			text = "under a minute old"
		}
		from += "; older than two polls, so take it with care"
	}
	return "reading " + text, from
}
