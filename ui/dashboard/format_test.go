package dashboard

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"
	"pgregory.net/rapid"
)

func TestCountdowns(t *testing.T) {
	for _, tt := range []struct {
		left      time.Duration
		countdown string
		stopwatch string
	}{
		{-time.Hour, "now", "0:00"},
		{0, "now", "0:00"},
		{400 * time.Millisecond, "1s", "0:01"},
		{22 * time.Second, "22s", "0:22"},
		{59 * time.Second, "59s", "0:59"},
		{59*time.Second + 1, "1m", "1:00"},
		{time.Minute, "1m", "1:00"},
		{61 * time.Second, "2m", "1:01"},
		{37*time.Minute + 41*time.Second, "38m", "37:41"},
		{59*time.Minute + 30*time.Second, "1h00m", "59:30"},
		{time.Hour, "1h00m", "60:00"},
		{71*time.Minute + 49*time.Second, "1h12m", "1h12m"},
		{3*time.Hour + 40*time.Minute, "3h40m", "3h40m"},
		{day - time.Minute, "23h59m", "23h59m"},
		{day, "1d0h", "1d0h"},
		{4*day + 3*time.Hour, "4d3h", "4d3h"},
		{6*day + 22*time.Hour + time.Minute, "6d23h", "6d23h"},
		{500 * day, "99d+", "99d+"},
	} {
		if got, _ := countdown(tt.left); got != tt.countdown {
			t.Errorf("countdown(%s) = %s, want %s", tt.left, got, tt.countdown)
		}
		if got, _ := stopwatch(tt.left); got != tt.stopwatch {
			t.Errorf("stopwatch(%s) = %s, want %s", tt.left, got, tt.stopwatch)
		}
	}
}

// What a text says about how long it holds is true: just before, it is the same,
// and it never holds longer than it does.
func TestTextsHoldAsLongAsTheySay(t *testing.T) {
	words := map[string]func(time.Duration) (string, time.Duration){
		"countdown": countdown,
		"stopwatch": stopwatch,
		"age":       func(d time.Duration) (string, time.Duration) { return age(-d) },
	}
	check := func(t fataler, left time.Duration) {
		t.Helper()
		for name, f := range words {
			text, holds := f(left)
			if holds <= 0 {
				t.Fatalf("%s(%s) holds for %s", name, left, holds)
			}
			holds = min(holds, 5*day) // "now" holds for ever
			if later, _ := f(left - holds + 1); later != text {
				t.Fatalf("%s(%s) is %s for %s, but before its end it is %s", name, left, text, holds, later)
			}
		}
	}
	for _, border := range []time.Duration{0, time.Second, 59 * time.Second, time.Minute, time.Hour, day - time.Minute, day, 99 * day} {
		for _, beside := range []time.Duration{-time.Millisecond, -1, 0, 1, time.Millisecond} {
			check(t, border+beside)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, time.Duration(rapid.Int64Range(int64(-10*day), int64(120*day)).Draw(t, "left")))
	})
}

func TestMoments(t *testing.T) {
	for _, tt := range []struct {
		at   time.Duration
		want string
	}{
		{72 * time.Minute, "15:14"},
		{12 * time.Hour, "Thu 02:02"},
		{4 * day, "Sun 14:02"},
		{9 * day, "13 Mar 14:02"},
	} {
		if got := moment(fixedNow.Add(tt.at), fixedNow, time.UTC); got != tt.want {
			t.Errorf("moment(+%s) = %s, want %s", tt.at, got, tt.want)
		}
	}
}

func TestPercent(t *testing.T) {
	for used, want := range map[float64]string{
		0: "0%", 0.004: "0%", 0.29: "29%", 0.57: "57%", 0.999: "99%", 1: "100%", 1.04: "104%", 50: "999%",
		-1: "0%", math.Inf(1): "999%",
	} {
		if got := percent(used); got != want {
			t.Errorf("percent(%v) = %s, want %s", used, got, want)
		}
	}
	if got := percent(math.NaN()); got != "0%" {
		t.Errorf("percent(NaN) = %s", got)
	}
}

func TestBars(t *testing.T) {
	unicode, plainer := plainTheme(), newTheme(termenv.Ascii, true, true)
	for _, tt := range []struct {
		used  float64
		want  string
		ascii string
	}{
		{0, "░░░░░░░░░░", ".........."},
		{0.35, "███▌░░░░░░", "###-......"},
		{0.78, "███████▊░░", "#######-.."},
		{0.999, "█████████▉", "#########-"},
		{1, "██████████", "##########"},
		{1.04, "██████████", "##########"},
		{math.NaN(), "░░░░░░░░░░", ".........."},
		{-3, "░░░░░░░░░░", ".........."},
	} {
		if got := unicode.bar(tt.used, 10, false); got != tt.want {
			t.Errorf("bar(%v) = %s, want %s", tt.used, got, tt.want)
		}
		if got := plainer.bar(tt.used, 10, false); got != tt.ascii {
			t.Errorf("bar(%v) in ASCII = %s, want %s", tt.used, got, tt.ascii)
		}
	}
}

func TestBarsChangeColourWithTheirShare(t *testing.T) {
	th := newTheme(termenv.TrueColor, true, false)
	same := func(a, b float64) bool {
		return th.fill(a, false).GetForeground() == th.fill(b, false).GetForeground()
	}
	if !same(0.1, 0.749) || same(0.749, 0.75) || !same(0.75, 0.899) || same(0.899, 0.90) || !same(0.90, 1.2) {
		t.Error("the colours do not change at 75 and 90 %")
	}
	if th.fill(0.95, true).GetForeground() != th.fill(0.1, true).GetForeground() {
		t.Error("a stale reading has a colour")
	}
}

func TestBarsAreAsWideAsAsked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		used, width := rapid.Float64().Draw(t, "used"), rapid.IntRange(1, 60).Draw(t, "width")
		for _, th := range themes {
			if w := ansi.StringWidth(th.bar(used, width, false)); w != width {
				t.Errorf("bar(%v, %d) is %d wide", used, width, w)
			}
		}
	})
}

func TestALongTextKeepsItsEnd(t *testing.T) {
	const text = "429 five_hour rejected: cooling until 10:34; the request went on with home (+1 ms)"
	m := &model{th: plainTheme()}
	for width := 1; width <= 90; width++ {
		for most := 1; most <= 2; most++ {
			lines := m.fold(text, width, most)
			if len(lines) < 1 || len(lines) > most {
				t.Fatalf("%d lines of %d, at most %d: %q", len(lines), width, most, lines)
			}
			for _, l := range lines {
				if ansi.StringWidth(l) > width {
					t.Errorf("wider than %d: %q", width, l)
				}
			}
			if width >= 20 && slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "ms") }) {
				t.Errorf("a number without its unit: %q", lines)
			}
			if end := lines[len(lines)-1]; width >= 40 && !strings.HasSuffix(end, "ms)") {
				t.Errorf("%d lines of %d lost the end: %q", most, width, lines)
			}
		}
	}
	if got := m.fold(text, 60, 1)[0]; got != "429 five_hour … 10:34; the request went on with home (+1 ms)" {
		t.Error(got)
	}
}

func TestANumberKeepsItsUnit(t *testing.T) {
	const text = "429 five_hour: cooling until 14:40; the request went on with work (+0.4 ms); 90 % used, back in 2 h 12 min"
	unit := regexp.MustCompile(`^(ms|%|h|min)`)
	for width := 12; width <= 110; width++ {
		lines := breakLines(text, width)
		for _, l := range lines {
			if unit.MatchString(l) || ansi.StringWidth(l) > width {
				t.Errorf("broken to %d: %q", width, lines)
			}
		}
		if got := strings.Join(lines, " "); got != text {
			t.Errorf("broken to %d it says %q", width, got)
		}
	}
}

func TestACommandIsNotBrokenAtItsHyphens(t *testing.T) {
	const text = "sign in by hand: oauthmux browser setup --paste, or oauthmux run -- CMD, or no-open"
	for width := 12; width <= 100; width++ {
		lines := breakLines(text, width)
		for _, l := range lines {
			if strings.HasSuffix(l, "-") || ansi.StringWidth(l) > width {
				t.Errorf("broken to %d: %q", width, lines)
			}
		}
		if got := strings.Join(lines, " "); got != text {
			t.Errorf("broken to %d it says %q", width, got)
		}
	}
}
