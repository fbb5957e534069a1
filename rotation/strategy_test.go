package rotation

import (
	"slices"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

// reading is a member whose 5-hour and 7-day windows are used so far, and end so
// long after noon.
func reading(fiveHour, sevenDay float64, ends5, ends7 time.Duration) Member {
	w := []usage.Window{
		{Name: usage.FiveHour, Used: fiveHour, Length: 5 * time.Hour, ResetsAt: noon.Add(ends5)},
		{Name: usage.SevenDay, Used: sevenDay, Length: 7 * 24 * time.Hour, ResetsAt: noon.Add(ends7)},
	}
	return Member{Usage: usage.Snapshot{At: noon, Windows: w}}
}

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func TestWhereANewSessionStarts(t *testing.T) {
	full := reading(0.2, 0.9, time.Hour, 5*day)
	half := reading(0.5, 0.1, 4*time.Hour, 2*day)
	over := reading(0.99, 0.3, -time.Minute, 6*day) // its 5-hour window has ended since
	unread := Member{}
	unbegun := Member{Usage: usage.Snapshot{At: noon, Windows: []usage.Window{{Name: usage.SevenDay, Used: 0, Length: 7 * day}}}}
	opus := half
	opus.Usage.Windows = append(slices.Clone(half.Usage.Windows), usage.Window{Name: usage.SevenDay, Scope: "opus", Used: 0.95, Length: 7 * day, ResetsAt: noon.Add(time.Hour)})
	used := func(m Member, ago time.Duration) Member { m.LastUsed = noon.Add(-ago); return m }
	busy := unread
	busy.InFlight = 3

	for _, c := range []struct {
		name     string
		selector Selector
		members  []Member
		hint     Hint
		want     int
	}{
		{"in turn: never used comes first", RoundRobin{}, []Member{used(full, time.Second), unread}, Hint{}, 1},
		{"in turn: the one that rested longest", RoundRobin{}, []Member{used(half, time.Minute), used(half, time.Hour), used(half, 0)}, Hint{}, 1},
		{"in turn: alike, the order holds", RoundRobin{}, []Member{unread, unread}, Hint{Preferred: 1}, 0},
		{"least used: the fullest window counts", LeastUsed{}, []Member{full, half}, Hint{}, 1},
		{"least used: a window that has ended is empty", LeastUsed{}, []Member{half, over}, Hint{}, 1},
		{"least used: without a reading it is unused", LeastUsed{}, []Member{half, unread, full}, Hint{}, 1},
		{"least used: alike, the one with less to do", LeastUsed{}, []Member{busy, unread}, Hint{}, 1},
		{"least used: then the one that rested longer", LeastUsed{}, []Member{used(half, 0), used(half, time.Minute)}, Hint{}, 1},
		{"least used: another family's window does not count", LeastUsed{}, []Member{full, opus}, Hint{Scope: "sonnet"}, 1},
		{"least used: the request's own does", LeastUsed{}, []Member{full, opus}, Hint{Scope: "opus"}, 0},
		{"soonest reset: the longest window counts", SoonestReset{}, []Member{full, half}, Hint{}, 1},
		{"soonest reset: not begun loses nothing", SoonestReset{}, []Member{unbegun, unread, full}, Hint{}, 2},
		{"soonest reset: the request's own window counts", SoonestReset{}, []Member{half, opus}, Hint{Scope: "opus"}, 1},
		{"soonest reset: alike, the emptier", SoonestReset{}, []Member{reading(0.6, 0.1, day, 2*day), half}, Hint{}, 1},
	} {
		hint := c.hint
		hint.Now, hint.Bound = noon, -1
		if got := c.selector.Pick(c.members, hint); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestEveryStrategyLeavesSessionsWhereTheyAre(t *testing.T) {
	all := Strategies()
	if len(all) != 4 || all[0].Selector != (Sticky{}) {
		t.Errorf("the strategies are %+v, want four, sticky first", all)
	}
	for _, s := range all {
		if got := s.Selector.Pick([]Member{reading(1, 1, day, 9*day), {}, {}}, Hint{Now: noon, Session: "s", Bound: 0, Preferred: 1}); got != 0 {
			t.Errorf("%s moves a session to %d", s.Name, got)
		}
		if named, ok := SelectorNamed(s.Name); !ok || named != s.Selector {
			t.Errorf("%s is not found by its name", s.Name)
		}
	}
	if _, ok := SelectorNamed("fastest"); ok {
		t.Error("there is a strategy called fastest")
	}
}

// The strategies work with what the pool keeps: in turn, that are all of them,
// again and again, and one that comes back takes its place.
func TestNewSessionsTakeTurns(t *testing.T) {
	b := newBook("a", "b", "c")
	p, _ := poolOf(t, b)
	p.Choose(RoundRobin{})
	next := func() accounts.ID {
		lease, err := p.Acquire(Ask{Provider: house})
		if err != nil {
			t.Fatal(err)
		}
		defer lease.Release()
		return lease.Account.ID
	}
	var got []accounts.ID
	for range 6 {
		got = append(got, next())
	}
	if want := []accounts.ID{"a", "b", "c", "a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("served by %v, want %v", got, want)
	}
	p.Choose(Sticky{})
	if a, b := next(), next(); a != "a" || b != "a" {
		t.Errorf("sticky again, served by %s and %s", a, b)
	}
}
