package relogin

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/oauthmux/oauthmux/accounts"
)

// Remove ends what works on the account's profile, and deletes the profile with
// everything in it. ErrNoSession when there is none. Once begun it goes on when
// ctx ends. An account that is gone already may have left one.
func (m *Manager) Remove(ctx context.Context, id accounts.ID) error {
	defer m.sweepOnce(ctx) // not before: what is to be removed may be nobody's by now
	m.settle(ctx)
	p, err := m.find(id)
	if err != nil {
		return err
	}
	if j := m.current(id); j == nil && !p.exists() {
		m.forget(id)
		return ErrNoSession
	}
	j := &job{kind: removal, account: id}
	if err := m.begin(ctx, j, func(ctx context.Context) error { return m.remove(ctx, id, p) }); err != nil {
		return err
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// find returns where an account's session is, or would be.
func (m *Manager) find(id accounts.ID) (profile, error) {
	a, err := m.o.Registry.Latest(id)
	if err == nil {
		return m.profileOf(a)
	}
	if !errors.Is(err, accounts.ErrNotFound) || !accountName.MatchString(string(id)) {
		return profile{}, err
	}
	providers, readErr := os.ReadDir(m.o.Dir)
	if readErr != nil {
		return profile{}, err
	}
	for _, provider := range providers {
		if p := (profile{filepath.Join(m.o.Dir, provider.Name(), string(id))}); providerName.MatchString(provider.Name()) && p.exists() {
			return p, nil
		}
	}
	return profile{}, err
}

func (m *Manager) remove(ctx context.Context, id accounts.ID, p profile) error {
	held, err := p.acquire(ctx, m.lockLimit, nil)
	if err != nil {
		return err
	}
	defer held.discard()
	there := p.exists()
	aside, err := p.setAside()
	if err != nil {
		return err
	}
	m.forget(id) // it is none any more, even if some of it cannot be deleted
	if !there {
		return ErrNoSession
	}
	return aside.delete()
}

// forget takes from the account, and from this process, what was said of its
// session.
func (m *Manager) forget(id accounts.ID) {
	m.mu.Lock()
	delete(m.unkept, id)
	m.mu.Unlock()
	m.edit(id, func(a *accounts.Account) { a.Browser, a.NeedsYou = "", "" })
}
