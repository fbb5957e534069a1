package dashboard

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"github.com/oauthmux/oauthmux/ui/control"
)

// lineWith is the first line of the screen that has all the parts; "": none has.
func (s *screen) lineWith(parts ...string) string {
	for l := range strings.SplitSeq(s.text(), "\n") {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(l, p) }) {
			return l
		}
	}
	return ""
}

func TestAForecastInWords(t *testing.T) {
	const resets = 72 * time.Minute
	for _, tt := range []struct {
		name   string
		used   float64
		resets time.Duration // 0: nobody knows
		f      *control.Forecast
		want   string // "": nothing
		style  string // ok, warn, bad, dim
	}{
		{"full within the hour", 0.78, resets, full(49 * time.Minute), "▲ at this pace full 14:51, 23 min early", "bad"},
		{"full later", 0.58, 49 * hour, full(26 * hour), "▲ at this pace full Thu 16:02, 23 h early", "warn"},
		{"hours early", 0.5, 5 * hour, full(110 * time.Minute), "▲ at this pace full 15:52, 3h10m early", "warn"},
		{"days early", 0.5, 5 * day, full(30 * hour), "▲ at this pace full Thu 20:02, 3d18h early", "warn"},
		{"just before", 0.5, resets, full(resets - 30*time.Second), "▲ at this pace full 15:13, <1 min early", "warn"},
		{"full, and nobody knows when it resets", 0.5, 0, full(90 * time.Minute), "▲ at this pace full 15:32", "warn"},
		{"it lasts", 0.35, 91 * hour, lasts(0.61), "  at this pace 61% by then", "dim"},
		{"it hardly lasts", 0.35, 91 * hour, lasts(0.93), "  at this pace 93% by then", "warn"},
		{"by when is not known", 0.35, 0, lasts(0.93), "", ""},
		{"full only after it resets", 0.5, resets, full(resets), "", ""},
		{"it should be full by now", 0.99, resets, full(0), "", ""},
		{"it is full", 1, resets, full(time.Minute), "", ""},
		{"too little is known", 0.5, resets, nil, "", ""},
		{"nothing in it", 0.5, resets, &control.Forecast{}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			th := newTheme(termenv.TrueColor, true, false)
			w := control.Window{Name: "5h", Used: &tt.used, Forecast: tt.f}
			if tt.resets > 0 {
				w.ResetsAt = in(tt.resets)
			}
			onScreenWith(t, 160, 45, &fakeEngine{state: forecasting()}, th, func(s *screen) {
				got := s.m.drawForecast(&th.ink, &w, false, 0)
				if tt.want == "" && got != "" || ansi.Strip(got) != ansi.Strip(" "+tt.want) && tt.want != "" {
					t.Fatalf("it says %q, want %q", ansi.Strip(got), tt.want)
				}
				for name, style := range map[string]string{
					"bad": th.bad.Render(" " + tt.want), "warn": th.warn.Render(" " + tt.want), "dim": th.dim.Render(" " + tt.want),
				} {
					if (got == style) != (name == tt.style) && tt.want != "" {
						t.Errorf("it is drawn as %q, want it %s", got, tt.style)
					}
				}
				if stale := s.m.drawForecast(&th.ink, &w, true, 0); stale != "" {
					t.Errorf("of an old reading it says %q", stale)
				}
			})
		})
	}
}

// A forecast is true until its time comes; the colour changes an hour before.
func TestAForecastIsNotRepeatedWhenItsTimeHasCome(t *testing.T) {
	st := forecasting()
	st.Accounts[0].Windows[0].ResetsAt, st.Accounts[0].Windows[0].Forecast = in(3*hour), full(90*time.Minute)
	st.Poll = 2 * hour // the reading is not what gets old here
	st.Accounts[2].State, st.Accounts[2].Cooldowns = control.StateReady, nil
	th := newTheme(termenv.TrueColor, true, false)
	onScreenWith(t, 160, 45, &fakeEngine{state: st}, th, func(s *screen) {
		yellow, red := th.picked.warn.Render(th.g.early), th.picked.bad.Render(th.g.early)
		if v := s.m.View(); !strings.Contains(v, yellow) || strings.Contains(v, red) {
			t.Error("90 minutes before, the sign is not yellow")
		}
		drawn := s.drawn
		s.wait(time.Minute)
		if n := s.drawn - drawn; n < 1 || n > 5 {
			t.Errorf("%d frames in a minute", n)
		}
		s.wait(29*time.Minute + time.Second)
		if v := s.m.View(); strings.Contains(v, yellow) || !strings.Contains(v, red) {
			t.Error("within the hour the sign is not red")
		}
		s.wants("▲78%", "▲ at this pace full 15:32")
		s.wait(hour)
		s.lacks("▲78%", "full 15:32")
		s.wants(" 78%")
	})
}

func TestTheTableMarksWhatIsFullTooEarly(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(*control.State)
		want  string
	}{
		{"as it is", func(*control.State) {}, "▲78%"},
		{"one digit", func(s *control.State) { s.Accounts[0].Windows[0].Used = new(0.05) }, " ▲5%"},
		{"an old reading", func(s *control.State) { s.Accounts[0].UsageAt = in(-hour) }, " 78%"},
		{"it lasts", func(s *control.State) { s.Accounts[0].Windows[0].Forecast = lasts(0.99) }, " 78%"},
		{"it has reset", func(s *control.State) { s.Accounts[0].Windows[0].ResetsAt = in(-time.Second) }, " 78%"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := forecasting()
			tt.spoil(&st)
			onScreen(t, 80, 24, st, func(s *screen) {
				if l := s.selectedLine(); !strings.Contains(l, tt.want) || strings.Count(l, "▲") != strings.Count(tt.want, "▲") {
					t.Errorf("the row is %q, want %q in it", l, tt.want)
				}
			})
		})
	}
}

// What a place has no room for goes by a rule: first the word, then how early.
func TestAForecastHasFewerWordsWhereThereIsLessRoom(t *testing.T) {
	long := forecasting()
	long.Accounts[2].Windows = append(long.Accounts[2].Windows, win("7d", "sonnet-longer", 0.1, day))
	for _, tt := range []struct {
		state         control.State
		width, height int
		want, lacks   string
	}{
		{forecasting(), 160, 45, "resets 15:14 (1h12m)      ▲ at this pace full 14:51, 23 min early", ""},
		{forecasting(), 110, 30, "resets 15:14 (1h12m)      ▲ at this pace full 14:51, 23 min early", ""},
		{forecasting(), 100, 30, "resets 15:14 (1h12m)      ▲ at this pace full 14:51, 23 min early", ""},
		{forecasting(), 80, 24, "resets in 1h12m  ▲ full 14:51, 23 min early", "pace"},
		{long, 80, 24, "resets in 1h12m  ▲ full 14:51", "early"},
		{forecasting(), 60, 24, "resets 15:14 (1h12m)", "full 14:51"},
		{forecasting(), 60, 15, "▲78%", "full 14:51"},
	} {
		onScreen(t, tt.width, tt.height, tt.state, func(s *screen) {
			checkFrame(t, s.m.View(), tt.width, tt.height)
			s.wants(tt.want)
			if tt.lacks != "" {
				s.lacks(tt.lacks)
			}
		})
	}
}

// Whatever is selected, panes, bars and words stay where they are.
func TestTheDetailStaysWhereItIsAsOneMoves(t *testing.T) {
	for _, size := range sizes {
		onScreen(t, size.width, size.height, forecasting(), func(s *screen) {
			at := func() (rules []int) {
				for i, l := range strings.Split(s.text(), "\n") {
					if strings.HasPrefix(l, " ── ") {
						rules = append(rules, i)
					}
				}
				return rules
			}
			panes, columns := at(), s.m.lay.windows
			for range s.m.items {
				s.press("j")
				checkFrame(t, s.m.View(), size.width, size.height)
				if now := at(); !slices.Equal(now, panes) || s.m.lay.windows != columns {
					t.Errorf("%dx%d: with %s selected the panes are at %v and the columns %v, before at %v and %v",
						size.width, size.height, s.m.selected, now, s.m.lay.windows, panes, columns)
				}
			}
		})
	}
}

func TestALineOfNumbers(t *testing.T) {
	uni, asc := &plainTheme().ink, &newTheme(termenv.Ascii, true, true).ink
	for _, tt := range []struct {
		k       *ink
		numbers []int
		width   int
		want    string
	}{
		{uni, []int{0, 1, 2, 3, 4, 5, 6, 7}, 8, "▁▂▃▄▅▆▇█"},
		{uni, []int{0, 1, 1000, 0}, 4, "▁▂█▁"}, // anything is more than nothing
		{uni, []int{0, 0, 0}, 8, "▁▁▁▁▁▁▁▁"},
		{uni, []int{5}, 3, "███"},
		{uni, []int{1, 1, 0, 0, 7, 7}, 3, "▂▁█"}, // two in a cell
		{uni, []int{3, 0, 6}, 2, "▅█"},           // one and a half: 3 and half of 0, half of 0 and 6
		{uni, []int{0, 7}, 6, "▁▁▁███"},
		{asc, []int{0, 1, 2, 3, 4, 5, 6, 7}, 8, "_.:-=+*#"},
		{uni, []int{0, 1, 5, 8, 15, 9}, 6, "   ▁█▂\n▁▂▆███"},
		{uni, []int{0, 1, 1000, 500}, 4, "  █ \n  █▅\n▁▂██"},
		{uni, []int{0, 0}, 2, "  \n▁▁"},
		{asc, []int{0, 15, 7}, 3, " # \n_##"},
	} {
		height := 1 + strings.Count(tt.want, "\n")
		if got := strings.Join(tt.k.spark(tt.numbers, tt.width, height), "\n"); got != tt.want {
			t.Errorf("%v in %d cells is %q, want %q", tt.numbers, tt.width, got, tt.want)
		}
	}
}

func TestHowLongTheLineOfTrafficIs(t *testing.T) {
	for _, tt := range []struct {
		span time.Duration
		n    int
		want string
	}{
		{15 * time.Minute, 20, "last 5 h"},
		{7500 * time.Millisecond, 20, "last 2m30s"},
		{time.Minute, 20, "last 20 min"},
		{2 * time.Second, 20, "last 40 s"},
		{10 * time.Minute, 9, "last 1h30m"},
		{day, 7, "last 7 days"},
	} {
		if got := trafficLabel(control.Traffic{Span: tt.span, Requests: make([]int, tt.n)}); got != tt.want {
			t.Errorf("%d times %v is %q, want %q", tt.n, tt.span, got, tt.want)
		}
	}
}

func TestTheTrafficOfAnAccount(t *testing.T) {
	onScreen(t, 160, 39, forecasting(), func(s *screen) {
		if l := s.lineWith("last 5 h", "279 requests", "reading just now, from response headers"); !strings.Contains(l, "   ▁▁▁▂▂▂▃▃▄▅▇██▇▆▆▄▃▃▂▂▁▁▁▂▃▄▇█▆▄▃   ") {
			t.Errorf("the line is %q", l)
		}
		s.press("j") // has had no request
		if l := s.lineWith("last 5 h", "no request", "reading 3 min old, asked for"); !strings.Contains(l, strings.Repeat("▁", 20)) {
			t.Errorf("the line of an idle account is %q", l)
		}
	})
	none := forecasting()
	none.Traffic = nil
	broken := forecasting()
	broken.Traffic = []control.Traffic{{Account: "a1", Span: time.Minute}, {Account: "a2", Requests: []int{1}}, {Account: "a3", Span: -time.Hour, Requests: []int{1}}}
	for _, st := range []control.State{none, broken} {
		onScreen(t, 160, 39, st, func(s *screen) {
			for range s.m.rows {
				s.lacks("last ")
				s.press("j")
			}
			s.press("g")
			s.wants("\n   reading just now, from response headers")
		})
	}
}

// Time goes on though an engine says nothing: the line moves to the left, and is
// drawn no more once it is flat.
func TestTheTrafficMovesOn(t *testing.T) {
	st := forecasting()
	st.Accounts[2].State, st.Accounts[2].Cooldowns = control.StateReady, nil
	st.Traffic = []control.Traffic{{Account: "a1", Ends: fixedNow.Add(10 * time.Second), Span: 20 * time.Second, Requests: []int{-3, 7, 0, 1}}}
	onScreen(t, 160, 39, st, func(s *screen) {
		for _, want := range []string{"▁█▁▂", "█▁▂▁", "▁█▁▁", "█▁▁▁", "▁▁▁▁"} {
			l := s.lineWith("last 1m20s")
			var wide strings.Builder
			for _, r := range want { // four spans below a bar of 32 cells
				wide.WriteString(strings.Repeat(string(r), 8))
			}
			if !strings.Contains(l, "   "+wide.String()+"   ") {
				t.Errorf("the line is %q, want %s in it", l, wide.String())
			}
			s.wait(20 * time.Second)
		}
		s.wants("no request")
		drawn := s.drawn
		s.wait(time.Minute)
		if n := s.drawn - drawn; n > 5 {
			t.Errorf("%d frames in a minute of a flat line", n)
		}
	})
}

func TestTheConversationsOfAnAccount(t *testing.T) {
	onScreen(t, 160, 45, forecasting(), func(s *screen) {
		s.wants("10 conversations", "5f2c8a10 since 14:01, 1 request ", "b        since 13:48, 41 requests", "and 2 others")
		s.lacks("on it", "5f2c8a10-", "1f00dd1e")
		s.press("j")
		s.wants("1 conversation ", "feedface since Tue 08:02, 12 requests")
		s.lacks("others")
		s.press("j")
		s.lacks("conversation")
	})
	onScreen(t, 80, 24, forecasting(), func(s *screen) {
		s.wants("serving 2 requests · 10 conversations on it")
		s.lacks("since 14:01")
	})
	crowded := crowd(100) // the table wants every line
	crowded.Sessions = []control.Session{{Session: "s1", Account: "id-0000", Since: fixedNow, Requests: 1}}
	onScreen(t, 110, 30, crowded, func(s *screen) {
		s.wants("1 conversation on it")
		s.lacks("since 14:02")
	})
}

// What is drawn of a forecast says by itself how long it is true.
func TestAForecastHoldsUntilItsColourOrItsWordsChange(t *testing.T) {
	w := win("5h", "", 0.5, 3*hour)
	w.Forecast = full(90 * time.Minute)
	onScreen(t, 160, 45, busy(), func(s *screen) {
		s.m.holds = forever
		at := s.m.fullEarly(&w, false)
		if at == nil || s.m.holds != 90*time.Minute {
			t.Fatalf("full at %v, which holds for %v", at, s.m.holds)
		}
		s.m.holds = forever
		s.m.urgency(&s.m.th.ink, *at)
		if s.m.holds != 30*time.Minute {
			t.Errorf("the colour holds for %v", s.m.holds)
		}
	})
}
