package dashboard

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/muesli/termenv"
)

// themes are the looks that tests go through.
var themes = []*theme{
	newTheme(termenv.Ascii, true, false), newTheme(termenv.TrueColor, true, false),
	newTheme(termenv.ANSI, false, false), newTheme(termenv.Ascii, true, true),
}

// deadContext is for models whose commands are not run.
func deadContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// thousand is a screen with a thousand accounts in full colour.
func thousand(tb testing.TB) *model {
	tb.Helper()
	jobs := newJobs(deadContext())
	tb.Cleanup(jobs.end)
	m := newModel(Options{Engine: &fakeEngine{}, Env: func(string) string { return "" }}, jobs, newTheme(termenv.TrueColor, true, false))
	m.clock = func() time.Time { return fixedNow }
	m.zone, m.pid = time.UTC, ourPID
	m.setSize(160, 45)
	m.Update(stateMsg{crowd(1000)})
	return m
}

// The time from a key to a frame with a thousand accounts: it is to stay under
// five milliseconds.
func BenchmarkKeyWithThousandAccounts(b *testing.B) {
	m := thousand(b)
	press := []string{"down", "pgdown", "j", "G", "k", "pgup", "g", "?", "esc"}
	var took []time.Duration
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		msg := keyMsgs[press[i%len(press)]]
		began := time.Now()
		m.Update(msg)
		_ = m.View()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// The time from a new state to a frame.
func BenchmarkStateWithThousandAccounts(b *testing.B) {
	m := thousand(b)
	msg := stateMsg{crowd(1000)}
	b.ReportAllocs()
	for b.Loop() {
		m.Update(msg)
		_ = m.View()
	}
}

// A second that passes: the rows that count down, and the frame around them.
func BenchmarkTickWithThousandAccounts(b *testing.B) {
	m := thousand(b)
	now := fixedNow
	m.clock = func() time.Time { return now }
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		m.Update(tickMsg{m.alarm})
		_ = m.View()
	}
}

var keyMsgs = func() map[string]any {
	all := map[string]any{}
	for _, k := range []string{"down", "pgdown", "j", "G", "k", "pgup", "g", "?", "esc"} {
		all[k] = keyMsg(k)
	}
	return all
}()

// What a key costs does not depend on how many accounts there are: only rows that
// are on the screen are drawn, and only those that changed anew.
func TestAKeyCostsTheSameWithThousandAccounts(t *testing.T) {
	cost := func(n int) float64 {
		m := thousand(t)
		m.Update(stateMsg{crowd(n)})
		down, up := keyMsgs["down"], keyMsgs["k"]
		return testing.AllocsPerRun(50, func() {
			m.Update(down)
			m.Update(up)
		})
	}
	few, many := cost(30), cost(1000)
	if many > few*1.1+20 {
		t.Errorf("%v allocations with 1,000 accounts, %v with 30", many, few)
	}
}
