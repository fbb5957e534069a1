package rotation

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

func TestCooldownsAreWrittenAtOnceAndSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook("a", "b")
		p, _ := poolOf(t, b)
		stop := runPool(t, p)
		defer stop()
		cool(p, "a", time.Hour, "")
		synctest.Wait()
		if got := b.stored(t, "a").Cooldowns; len(got) != 1 || got[0].Evidence != "429 five_hour" {
			t.Fatalf("stored: %+v", got)
		}
		stop()
		again, journal := poolOf(t, b)
		if got := take(t, again, Ask{}); got != "b" {
			t.Errorf("after a restart the cooling account serves: %s", got)
		}
		defer runPool(t, again)()
		time.Sleep(time.Hour + time.Second)
		if got := take(t, again, Ask{}); got != "a" {
			t.Errorf("an hour later %s serves", got)
		}
		if got := kinds(journal); !slices.Equal(got, []accounts.EntryKind{accounts.EntryBack}) {
			t.Errorf("journal: %v", got)
		}
	})
}

// The monotonic clock stands still in a suspend, and a cooldown must not.
func TestCooldownsAreHeldAgainstTheWallClock(t *testing.T) {
	p, _ := poolOf(t, newBook("a"))
	cool(p, "a", time.Hour, "")
	if until := p.Members(house)[0].Cooldowns[0].Until; until != until.Round(0) {
		t.Errorf("until %v", until)
	}
}

func TestAFailoverDoesNotWaitForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook("a", "b")
		b.slow = make(chan struct{})
		p, _ := poolOf(t, b)
		stop := runPool(t, p)
		cool(p, "a", time.Hour, "")
		if got := take(t, p, Ask{}); got != "b" {
			t.Errorf("served by %s", got)
		}
		synctest.Wait()
		close(b.slow)
		stop()
		if len(b.stored(t, "a").Cooldowns) != 1 {
			t.Error("the cooldown was not written in the end")
		}
	})
}

func TestReadingsAndCountersAreWrittenLazilyAndAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook("a")
		p, _ := poolOf(t, b)
		stop := runPool(t, p)
		defer stop()
		request := func(status int) {
			t.Helper()
			lease, err := p.Acquire(Ask{Provider: house})
			if err != nil {
				t.Fatal(err)
			}
			lease.answered(seen{status: status, windows: []usage.Window{{Name: usage.FiveHour, Used: 0.5}}}, time.Now())
			lease.Release()
		}
		for range 100 {
			request(200)
			time.Sleep(10 * time.Millisecond)
		}
		if n := b.writes(); n != 0 {
			t.Errorf("%d writes in the first second", n)
		}
		time.Sleep(lazyWrite)
		synctest.Wait()
		a := b.stored(t, "a")
		if n := b.writes(); n != 1 || a.Counts.Requests != 100 || a.LastStatus != 200 || len(a.Usage.Windows) != 1 || a.Usage.Source != usage.SourceHeaders {
			t.Errorf("after %d writes: %+v", n, a)
		}
		request(503)
		stop()
		if a := b.stored(t, "a"); a.Counts.Requests != 101 || a.LastStatus != 503 {
			t.Errorf("at the end: %+v", a)
		}
	})
}

func TestABusyPoolIsNotAnnouncedWithEveryRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook("a")
		p, _ := poolOf(t, b)
		box := b.bus.Subscribe(5000, accounts.PoolChanged)
		defer box.Close()
		defer runPool(t, p)()
		for range 1000 {
			take(t, p, Ask{})
			time.Sleep(time.Millisecond)
		}
		time.Sleep(announceEvery)
		synctest.Wait()
		if events, _ := box.Drain(); len(events) < 9 || len(events) > 12 {
			t.Errorf("announced %d times in a second", len(events))
		}
		lease, err := p.Acquire(Ask{Provider: house})
		if err != nil {
			t.Fatal(err)
		}
		defer lease.Release()
		time.Sleep(announceEvery)
		synctest.Wait()
		if events, _ := box.Drain(); len(events) != 1 {
			t.Errorf("a request at rest was announced %d times", len(events))
		}
	})
}

func TestARecordThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook("a")
		b.failing = errors.New("disk full")
		p, _ := poolOf(t, b)
		defer runPool(t, p)()
		cool(p, "a", time.Hour, "")
		synctest.Wait()
		b.mu.Lock()
		b.failing = nil
		b.mu.Unlock()
		time.Sleep(lazyWrite + time.Second)
		if len(b.stored(t, "a").Cooldowns) != 1 {
			t.Error("not written")
		}
	})
}

func TestCountersBeginAtLocalMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook("a", "b")
		p, _ := poolOf(t, b)
		lease, err := p.Acquire(Ask{Provider: house})
		if err != nil {
			t.Fatal(err)
		}
		lease.answered(seen{status: 200}, time.Now())
		lease.answered(seen{status: 200}, time.Now()) // the same request's second answer
		lease.Release()
		p.wentOn("a", "b", time.Second, "429")
		if c := p.Members(house)[0].Counts; c.Requests != 1 || c.Failovers != 1 {
			t.Errorf("counts %+v", c)
		}
		year, month, day := time.Now().Date()
		time.Sleep(time.Until(time.Date(year, month, day+1, 0, 0, 0, 0, time.Local)))
		c := p.Members(house)[0].Counts
		if c.Requests != 0 || c.Failovers != 0 || c.Day != time.Now().Format(time.DateOnly) {
			t.Errorf("counts after midnight %+v", c)
		}
	})
}

func TestCooldownsEndByThemselvesAndAreToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook("a", "b")
		p, journal := poolOf(t, b)
		box := b.bus.Subscribe(100, accounts.PoolChanged)
		defer box.Close()
		defer runPool(t, p)()
		for range 64 { // as many requests learn of the same limit
			cool(p, "a", time.Minute, "")
		}
		cool(p, "a", 30*time.Second, "opus")
		time.Sleep(31 * time.Second)
		if p.Members(house)[0].AvailableAt(time.Now(), "") {
			t.Error("available too soon")
		}
		time.Sleep(30 * time.Second)
		if !p.Members(house)[0].AvailableAt(time.Now(), "") {
			t.Error("still cooling after its minute")
		}
		synctest.Wait()
		want := []accounts.EntryKind{accounts.EntryCooling, accounts.EntryCooling, accounts.EntryBack}
		if got := kinds(journal); !slices.Equal(got, want) {
			t.Errorf("journal %v, want %v", got, want)
		}
		if events, _ := box.Drain(); len(events) == 0 || len(events) > 4 {
			t.Errorf("announced %d times", len(events))
		}
	})
}

func TestANewLoginLiftsWhatSpokeOfTheOldOne(t *testing.T) {
	now := time.Now()
	b := newBook("a")
	p, _ := poolOf(t, b)
	cooldowns := func() (kinds []string) {
		for _, c := range p.Members(house)[0].Cooldowns {
			kinds = append(kinds, c.Kind)
		}
		slices.Sort(kinds)
		return kinds
	}
	for _, kind := range []string{accounts.CoolQuota, accounts.CoolAuth, accounts.CoolRenewal} {
		p.Cool("a", Cooldown{Until: now.Add(time.Hour), Kind: kind})
	}
	b.change(t, "a", func(a *accounts.Account) { a.TokenExpiresAt = now.Add(8 * time.Hour) })
	if got := cooldowns(); !slices.Equal(got, []string{accounts.CoolAuth, accounts.CoolQuota}) {
		t.Errorf("after a renewal: %v", got)
	}
	b.change(t, "a", func(a *accounts.Account) { a.LoggedInAt = now })
	if got := cooldowns(); !slices.Equal(got, []string{accounts.CoolQuota}) {
		t.Errorf("after a login: %v", got)
	}
}
