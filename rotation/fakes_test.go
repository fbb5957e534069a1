package rotation

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// house is the provider of tests that need no particular one.
const house accounts.ProviderID = "house"

// book is an Accounts in memory that tells like the registry does.
type book struct {
	bus accounts.Bus

	mu        sync.Mutex
	all       []accounts.Account
	preferred map[accounts.ProviderID]accounts.ID
	lent      map[*accounts.Account]accounts.Account // as they were when they were asked for
	edits     int
	failing   error         // of Edit
	slow      chan struct{} // Edit waits for it; nil: it does not
}

func newBook(ids ...accounts.ID) *book {
	b := &book{preferred: make(map[accounts.ProviderID]accounts.ID), lent: make(map[*accounts.Account]accounts.Account)}
	for i, id := range ids {
		b.all = append(b.all, accounts.Account{ID: id, Provider: house, Label: string(id), Order: i + 1})
	}
	return b
}

func (b *book) AllShared() []*accounts.Account {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]*accounts.Account, len(b.all))
	for i := range b.all {
		all[i] = b.lend(b.all[i])
	}
	return all
}

func (b *book) Shared(id accounts.ID) (*accounts.Account, error) {
	a, err := b.Get(id)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lend(a), nil
}

// lend hands out what nobody may write to. b.mu is held.
func (b *book) lend(a accounts.Account) *accounts.Account {
	shared := &a
	b.lent[shared] = a.Clone()
	return shared
}

// untouched wants what was lent to be as it was.
func (b *book) untouched(tb testing.TB) {
	tb.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for now, was := range b.lent {
		if !reflect.DeepEqual(*now, was) {
			tb.Errorf("an account that is the registry's was written to: %+v, it was %+v", *now, was)
		}
	}
}

func (b *book) Get(id accounts.ID) (accounts.Account, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.all {
		if a.ID == id {
			return a, nil
		}
	}
	return accounts.Account{}, accounts.ErrNotFound
}

func (b *book) Preferred(p accounts.ProviderID) accounts.ID {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id := b.preferred[p]; id != "" {
		return id
	}
	for _, a := range b.all {
		if a.Provider == p && a.Order == 1 {
			return a.ID
		}
	}
	return ""
}

func (b *book) Edit(id accounts.ID, change func(*accounts.Account) error) (accounts.Account, error) {
	b.mu.Lock()
	slow, failing := b.slow, b.failing
	b.mu.Unlock()
	if slow != nil {
		<-slow
	}
	if failing != nil {
		return accounts.Account{}, failing
	}
	a, err := b.edit(id, change)
	if err == nil {
		b.bus.Publish(accounts.Event{Kind: accounts.AccountsChanged, Account: id})
	}
	return a, err
}

func (b *book) edit(id accounts.ID, change func(*accounts.Account) error) (accounts.Account, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.all {
		if b.all[i].ID == id {
			b.edits++
			err := change(&b.all[i])
			return b.all[i], err
		}
	}
	return accounts.Account{}, accounts.ErrNotFound
}

func (b *book) writes() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.edits
}

func (b *book) prefer(id accounts.ID) {
	b.mu.Lock()
	b.preferred[house] = id
	b.mu.Unlock()
	b.bus.Publish(accounts.Event{Kind: accounts.AccountsChanged})
}

func (b *book) change(t *testing.T, id accounts.ID, change func(*accounts.Account)) {
	t.Helper()
	if _, err := b.Edit(id, func(a *accounts.Account) error { change(a); return nil }); err != nil {
		t.Fatal(err)
	}
}

func (b *book) stored(t *testing.T, id accounts.ID) accounts.Account {
	t.Helper()
	a, err := b.Get(id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// purse is a Tokens in memory. A token of generation n reads "id-n".
type purse struct {
	mu     sync.Mutex
	tokens map[accounts.ID]accounts.Token
	renew  func(ctx context.Context, id accounts.ID, than uint64) error // nil: a renewal succeeds
	read   error                                                        // of Token; nil: it succeeds
	asked  map[accounts.ID]int                                          // renewals
}

func newPurse(ids ...accounts.ID) *purse {
	p := &purse{tokens: make(map[accounts.ID]accounts.Token), asked: make(map[accounts.ID]int)}
	for _, id := range ids {
		p.put(id, 1, time.Now().Add(time.Hour))
	}
	return p
}

func (p *purse) put(id accounts.ID, generation uint64, expiry time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens[id] = accounts.Token{
		AccessToken: accounts.Secret(fmt.Sprintf("%s-%d", id, generation)), Generation: generation,
		ReceivedAt: expiry.Add(-time.Hour), Expiry: expiry,
	}
}

func (p *purse) Token(id accounts.ID) (accounts.Token, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tokens[id], p.read
}

func (p *purse) Renew(ctx context.Context, id accounts.ID, than uint64) (accounts.Token, error) {
	p.mu.Lock()
	p.asked[id]++
	renew := p.renew
	p.mu.Unlock()
	if renew != nil {
		if err := renew(ctx, id, than); err != nil {
			return accounts.Token{}, err
		}
	}
	p.put(id, than+1, time.Now().Add(time.Hour))
	return p.Token(id)
}

func (p *purse) renewals(id accounts.ID) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[id]
}

func houseSettings(accounts.ProviderID) Settings {
	return Settings{NetworkRetries: 1, RateLimit: 30 * time.Second, AuthFailure: 5 * time.Minute, ReplayLimit: 1 << 20}
}

func poolOf(tb testing.TB, b *book) (*Pool, *accounts.Journal) {
	tb.Helper()
	journal := new(accounts.Journal)
	tb.Cleanup(func() { b.untouched(tb) })
	return NewPool(PoolOptions{Accounts: b, Bus: &b.bus, Journal: journal}), journal
}

// runPool runs the pool until the returned function is called, which reports
// what Run came to.
func runPool(t *testing.T, p *Pool) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}

// take leases an account and gives it back at once.
func take(t *testing.T, p *Pool, ask Ask) accounts.ID {
	t.Helper()
	if ask.Provider == "" {
		ask.Provider = house
	}
	lease, err := p.Acquire(ask)
	if err != nil {
		t.Fatal(err)
	}
	lease.Release()
	return lease.Account.ID
}

func cool(p *Pool, id accounts.ID, d time.Duration, scope string) {
	p.Cool(id, Cooldown{Until: time.Now().Add(d), Scope: scope, Kind: accounts.CoolQuota, Evidence: "429 five_hour"})
}

func kinds(j *accounts.Journal) []accounts.EntryKind {
	var all []accounts.EntryKind
	for _, e := range j.Since(0) {
		all = append(all, e.Kind)
	}
	return all
}
