package rotation

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/oauthmux/oauthmux/accounts"
)

// Whatever happened before, a request gets whom a look at every account would
// have chosen, and the members stay in order.
func TestChoosingFromTheViewsIsChoosingFromEverybody(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(rt, "accounts")
		ids := make([]accounts.ID, n)
		for i := range ids {
			ids[i] = accounts.ID(fmt.Sprintf("a%d", i))
		}
		anyID := rapid.SampledFrom(ids)
		anyScope := rapid.SampledFrom([]string{"", "opus", "haiku"})
		synctest.Test(t, func(t *testing.T) {
			b := newBook(ids...)
			p, _ := poolOf(t, b)
			for range rapid.IntRange(1, 40).Draw(rt, "steps") {
				switch rapid.IntRange(0, 5).Draw(rt, "step") {
				case 0:
					d := time.Duration(rapid.IntRange(1, 100).Draw(rt, "seconds")) * time.Second
					cool(p, anyID.Draw(rt, "cools"), d, anyScope.Draw(rt, "scope"))
				case 1:
					b.change(t, anyID.Draw(rt, "paused"), func(a *accounts.Account) { a.Paused = !a.Paused })
				case 2:
					b.prefer(anyID.Draw(rt, "preferred"))
				case 3:
					time.Sleep(time.Duration(rapid.IntRange(1, 50).Draw(rt, "passes")) * time.Second)
				case 4:
					b.swap(anyID.Draw(rt, "moves"), anyID.Draw(rt, "with"))
				case 5:
					checkChoice(rt, b, p, anyScope.Draw(rt, "asks for"))
				}
			}
			checkChoice(rt, b, p, "")
		})
	})
}

func checkChoice(rt *rapid.T, b *book, p *Pool, scope string) {
	members := p.Members(house)
	for i := range members {
		if members[i].Account.Order != i+1 {
			rt.Fatalf("member %d has order %d", i, members[i].Account.Order)
		}
	}
	want := accounts.ID("")
	at := 0
	for members[at].Account.ID != b.Preferred(house) {
		at++
	}
	for range members {
		if members[at].AvailableAt(time.Now(), scope) {
			want = members[at].Account.ID
			break
		}
		at = (at + 1) % len(members)
	}
	lease, err := p.Acquire(Ask{Provider: house, Scope: scope, ScopeKnown: true})
	switch {
	case err == nil && lease.Account.ID != want:
		rt.Fatalf("served by %s, want %q", lease.Account.ID, want)
	case err != nil && want != "":
		rt.Fatalf("%v, want %s", err, want)
	case err == nil:
		lease.Release()
	}
	free := 0
	for i := range members {
		if members[i].AvailableAt(time.Now(), scope) {
			free++
		}
	}
	if lease != nil && lease.Candidates != free {
		rt.Fatalf("%d candidates, want %d", lease.Candidates, free)
	}
}

// swap has two accounts change places in the order.
func (b *book) swap(x, y accounts.ID) {
	b.mu.Lock()
	i, j := b.indexLocked(x), b.indexLocked(y)
	b.all[i].Order, b.all[j].Order = b.all[j].Order, b.all[i].Order
	b.mu.Unlock()
	b.bus.Publish(accounts.Event{Kind: accounts.AccountsChanged})
}

func (b *book) indexLocked(id accounts.ID) int {
	for i := range b.all {
		if b.all[i].ID == id {
			return i
		}
	}
	return -1
}
