package rotation

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

func TestANewSessionStartsOnThePreferredOneElseOnTheNextInOrder(t *testing.T) {
	b := newBook("a", "b", "c", "d")
	p, _ := poolOf(t, b)
	want := func(id accounts.ID) {
		t.Helper()
		if got := take(t, p, Ask{}); got != id {
			t.Fatalf("served by %s, want %s", got, id)
		}
		if next, ok := p.Next(house); !ok || next.ID != id {
			t.Fatalf("Next is %s, want %s", next.ID, id)
		}
	}
	want("a") // nobody chose: the first
	b.prefer("c")
	want("c")
	cool(p, "c", time.Minute, "")
	want("d")
	cool(p, "d", time.Minute, "")
	want("a") // after the last comes the first
	b.change(t, "a", func(a *accounts.Account) { a.Paused = true })
	want("b")
	b.prefer("d")
	want("b") // d cools
	b.change(t, "a", func(a *accounts.Account) { a.Paused = false })
	want("a")
}

func TestASessionStaysWithItsAccountWhileItIsAvailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook("a", "b", "c")
		p, _ := poolOf(t, b)
		b.prefer("b")
		talk := Ask{Session: "talk"}
		if got := take(t, p, talk); got != "b" {
			t.Fatalf("began with %s", got)
		}
		b.prefer("a")
		if got := take(t, p, talk); got != "b" {
			t.Errorf("another choice of the person moved a session to %s", got)
		}
		if got := take(t, p, Ask{Session: "other"}); got != "a" {
			t.Errorf("a new session began with %s, not with the choice", got)
		}
		cool(p, "b", time.Minute, "")
		if got := take(t, p, talk); got != "a" {
			t.Errorf("a cooling account's session went to %s", got)
		}
		time.Sleep(2 * time.Minute)
		if got := take(t, p, talk); got != "a" {
			t.Errorf("the session went back to %s", got)
		}
		views := p.Sessions()
		if len(views) != 2 || views[0].Session != "talk" || views[0].Account != "a" || views[0].Requests != 4 {
			t.Errorf("sessions: %+v", views)
		}
		time.Sleep(sessionLife)
		b.prefer("c")
		if got := take(t, p, talk); got != "c" {
			t.Errorf("a session that rested for an hour is still with %s", got)
		}
		if views := p.Sessions(); len(views) != 1 {
			t.Errorf("%d sessions after an hour, want 1", len(views))
		}
	})
}

func TestSessionsAreBounded(t *testing.T) {
	p, _ := poolOf(t, newBook("a"))
	for i := range maxSessions + 100 {
		take(t, p, Ask{Session: strconv.Itoa(i)})
	}
	views := p.Sessions()
	if len(views) > maxSessions+1 || len(p.sessions.byKey) != len(views) {
		t.Errorf("%d sessions, %d listed", len(p.sessions.byKey), len(views))
	}
	if views[0].Session != strconv.Itoa(maxSessions+99) {
		t.Errorf("the last used is %s", views[0].Session)
	}
}

func TestAScopedCooldownKeepsOtherModelsAndTheSessionInPlace(t *testing.T) {
	p, _ := poolOf(t, newBook("a", "b"))
	opus := Ask{Provider: house, Session: "talk", Scope: "opus", ScopeKnown: true}
	haiku := Ask{Session: "talk", Scope: "haiku", ScopeKnown: true}
	if got := take(t, p, opus); got != "a" {
		t.Fatalf("began with %s", got)
	}
	cool(p, "a", time.Minute, "opus")
	if got := take(t, p, opus); got != "b" {
		t.Errorf("opus went to %s", got)
	}
	if got := take(t, p, haiku); got != "a" {
		t.Errorf("haiku went to %s", got)
	}
	opus.ScopeKnown, opus.Scope = false, ""
	if _, err := p.Acquire(opus); !errors.Is(err, ErrScopeWanted) {
		t.Errorf("a request of an unknown model: %v, want ErrScopeWanted", err)
	}
}

func TestAPinnedRequestGoesNowhereElse(t *testing.T) {
	p, journal := poolOf(t, newBook("a", "b"))
	pinned := Ask{Provider: house, Pin: "b"}
	if got := take(t, p, pinned); got != "b" {
		t.Errorf("served by %s", got)
	}
	cool(p, "b", time.Minute, "")
	_, err := p.Acquire(pinned)
	nobody, ok := errors.AsType[*NobodyError](err)
	if !ok || len(nobody.Reasons) != 1 || nobody.Reasons[0].Account != "b" {
		t.Errorf("a pin on a cooling account: %v", err)
	}
	if slices.Contains(kinds(journal), accounts.EntryExhausted) {
		t.Error("a pinned request's failure was called exhaustion")
	}
}

func TestWhoWasTriedIsNotTriedAgain(t *testing.T) {
	p, _ := poolOf(t, newBook("a", "b", "c"))
	if got := take(t, p, Ask{Tried: []accounts.ID{"a"}}); got != "b" {
		t.Errorf("after a came %s", got)
	}
	if got := take(t, p, Ask{Tried: []accounts.ID{"a", "b"}}); got != "c" {
		t.Errorf("after a and b came %s", got)
	}
	_, err := p.Acquire(Ask{Provider: house, Tried: []accounts.ID{"c", "b", "a"}})
	if _, ok := errors.AsType[*NobodyError](err); !ok {
		t.Errorf("after all three: %v", err)
	}
	if got := take(t, p, Ask{}); got != "a" {
		t.Errorf("the next request got %s", got)
	}
}

func TestNobodyNamesEveryReasonAndTheSoonestReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook("a", "b", "c", "d")
		p, journal := poolOf(t, b)
		cool(p, "a", time.Hour, "")
		cool(p, "b", 10*time.Minute, "")
		b.change(t, "c", func(a *accounts.Account) { a.Paused = true })
		b.change(t, "d", func(a *accounts.Account) { a.NeedsLogin = accounts.LoginRevoked })
		for range 3 {
			_, err := p.Acquire(Ask{Provider: house})
			nobody, ok := errors.AsType[*NobodyError](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if want := time.Now().Add(10 * time.Minute); !nobody.Soonest.Equal(want) {
				t.Errorf("soonest %v, want %v", nobody.Soonest, want)
			}
			var said []string
			for _, r := range nobody.Reasons {
				said = append(said, r.Label+": "+r.Evidence)
			}
			want := []string{"a: 429 five_hour", "b: 429 five_hour", "c: paused", "d: sign in again: revoked"}
			if !slices.Equal(said, want) {
				t.Errorf("reasons %q", said)
			}
		}
		told := func() (n int) {
			for _, k := range kinds(journal) {
				if k == accounts.EntryExhausted {
					n++
				}
			}
			return n
		}
		if n := told(); n != 1 {
			t.Errorf("%d entries say that everybody is out, want 1", n)
		}
		time.Sleep(10 * time.Minute)
		take(t, p, Ask{})
		cool(p, "b", time.Minute, "")
		if _, err := p.Acquire(Ask{Provider: house}); err == nil || told() != 2 {
			t.Errorf("the second time everybody is out: %v, %d entries", err, told())
		}
	})
}

func TestThePoolFollowsTheAccounts(t *testing.T) {
	b := newBook("a", "b")
	p, _ := poolOf(t, b)
	lease, err := p.Acquire(Ask{Provider: house})
	if err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	b.all = append(b.all[1:], accounts.Account{ID: "c", Provider: "other", Label: "c", Order: 1})
	b.all[0].Order = 1
	b.mu.Unlock()
	b.bus.Publish(accounts.Event{Kind: accounts.AccountsChanged})
	if got := take(t, p, Ask{}); got != "b" {
		t.Errorf("served by %s", got)
	}
	if got := take(t, p, Ask{Provider: "other"}); got != "c" {
		t.Errorf("served by %s", got)
	}
	lease.answered(seen{status: 200}, time.Now()) // of an account that is gone
	lease.Release()
	lease.Release()
	if n := p.InFlight(); n != 0 {
		t.Errorf("%d in flight", n)
	}
	p.Cool("a", Cooldown{Until: time.Now().Add(time.Hour)})
	p.Observe("a", usage.Snapshot{})
	if p.Decisions("a") != nil {
		t.Error("decisions of an account that is gone")
	}
	var names []accounts.ID
	for _, m := range p.Members("") {
		names = append(names, m.Account.ID)
	}
	if !slices.Equal(names, []accounts.ID{"b", "c"}) {
		t.Errorf("members %v", names)
	}
}

func TestDecisionsAreTheLastTwoHundred(t *testing.T) {
	p, _ := poolOf(t, newBook("a", "b"))
	for i := range 450 {
		d := &Decision{Status: i, Steps: []Step{{Account: "a"}, {Account: "a"}}}
		if i%2 == 0 {
			d.Steps = append(d.Steps, Step{Account: "b"})
		}
		p.record(d)
	}
	all := p.Decisions("a")
	if len(all) != maxDecisions || all[0].Status != 250 || all[199].Status != 449 {
		t.Errorf("%d decisions, from %d to %d", len(all), all[0].Status, all[len(all)-1].Status)
	}
	if all := p.Decisions("b"); len(all) != maxDecisions || all[0].Status != 50 {
		t.Errorf("b has %d, from %d", len(all), all[0].Status)
	}
}

// What passes an account by must not crowd out why it cools.
func TestRequestsThatPassAnAccountByAreRememberedBesideItsOwn(t *testing.T) {
	p, _ := poolOf(t, newBook("a", "b", "c"))
	at := time.Now()
	limited := Step{Account: "a", Outcome: "limited", Evidence: "5-hour limit reached (429)"}
	p.record(&Decision{At: at, Steps: []Step{limited, {Account: "b", Outcome: "pass"}}})
	for i := range 450 {
		p.record(&Decision{
			At: at.Add(time.Duration(i+1) * time.Second), Steps: []Step{{Account: "b", Outcome: "pass"}},
			Skipped: []Step{{Account: "a", Outcome: OutcomeSkipped}, {Account: "b", Outcome: OutcomeSkipped}},
		})
	}
	all := p.Decisions("a")
	if len(all) != 1+maxDecisions || all[0].Steps[0] != limited || all[1].At != at.Add(251*time.Second) || all[200].At != at.Add(450*time.Second) {
		t.Errorf("%d decisions, first %+v", len(all), all[0])
	}
	if all := p.Decisions("b"); len(all) != maxDecisions {
		t.Errorf("b, which was back in time to be asked, has %d", len(all))
	}
}

// The selector must see what is true now, however the views are kept.
func TestSelectorsSeeAvailableMembersOnlyAndAsTheyAre(t *testing.T) {
	b := newBook("a", "b", "c", "d", "e")
	spy := &spySelector{}
	p := NewPool(PoolOptions{Accounts: b, Bus: &b.bus, Selector: spy})
	leases := make([]*Lease, 0, 30)
	for i := range 30 {
		switch i {
		case 5:
			cool(p, "b", time.Hour, "")
		case 10:
			b.change(t, "d", func(a *accounts.Account) { a.Paused = true })
		case 20:
			b.change(t, "d", func(a *accounts.Account) { a.Paused = false })
		}
		lease, err := p.Acquire(Ask{Provider: house})
		if err != nil {
			t.Fatal(err)
		}
		leases = append(leases, lease)
		want := make(map[accounts.ID]int)
		for _, l := range leases[:i] {
			want[l.Account.ID]++
		}
		for _, m := range spy.seen {
			if !m.AvailableAt(time.Now(), "") {
				t.Fatalf("request %d: %s is not available", i, m.Account.ID)
			}
			if m.InFlight != want[m.Account.ID] {
				t.Fatalf("request %d: %s has %d in flight, want %d", i, m.Account.ID, m.InFlight, want[m.Account.ID])
			}
		}
		if n := len(spy.seen); n < 3 || i < 5 && n != 5 {
			t.Fatalf("request %d: %d members", i, n)
		}
	}
	for _, l := range leases {
		l.Release()
	}
	if n := p.InFlight(); n != 0 {
		t.Errorf("%d in flight", n)
	}
}

// spySelector takes turns, and keeps a copy of what it saw.
type spySelector struct {
	turn int
	seen []Member
}

func (s *spySelector) Pick(members []Member, _ Hint) int {
	s.seen = slices.Clone(members)
	s.turn++
	return s.turn % len(members)
}
