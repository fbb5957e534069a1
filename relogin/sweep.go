package relogin

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/oauthmux/oauthmux/accounts"
)

// sweepOnce sweeps for a program that does one thing and never comes to Run. What
// takes long is left to the next one.
func (m *Manager) sweepOnce(ctx context.Context) {
	m.swept.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, sweepLimit)
		defer cancel()
		m.sweep(ctx)
	})
}

// sweep deletes what died processes and removed accounts have left, and takes back
// what is said of sessions that are not there. Nothing is taken for left as long as
// accounts.json is damaged.
func (m *Manager) sweep(ctx context.Context) {
	if m.o.Registry.Damage() != "" {
		return
	}
	providers, err := os.ReadDir(m.o.Dir)
	if err != nil {
		providers = nil // there is none yet, or it says so when it is needed
	}
	for _, provider := range providers {
		if !provider.IsDir() || !providerName.MatchString(provider.Name()) {
			continue
		}
		dir := filepath.Join(m.o.Dir, provider.Name())
		entries, err := os.ReadDir(dir)
		if err != nil {
			m.log.Warn("browser profiles cannot be looked at", "folder", dir, "error", err)
			continue
		}
		for _, entry := range entries {
			if ctx.Err() != nil {
				return
			}
			m.sweepOne(dir, entry.Name())
		}
	}
	m.reconcile(ctx)
}

// sweepOne deletes what has that name in a provider's folder, if it is nobody's.
func (m *Manager) sweepOne(dir, name string) {
	name = strings.TrimSuffix(name, lockSuffix)
	p := profile{filepath.Join(dir, name)}
	var err error
	switch {
	case strings.HasPrefix(name, gonePrefix):
		err = os.RemoveAll(p.dir)
	case strings.HasPrefix(name, newPrefix):
		err = p.sweep(func() bool { return true })
	case accountName.MatchString(name):
		err = p.sweep(func() bool { return m.o.Registry.Forgotten(accounts.ID(name)) })
	}
	if err != nil {
		m.log.Warn("a browser profile that is nobody's stays behind", "profile", p.dir, "error", err)
	}
}

// sweep deletes p, unless another process works on it, or it is somebody's.
func (p profile) sweep(nobodys func() bool) error {
	if !nobodys() {
		return nil
	}
	held, err := p.tryAcquire()
	if held == nil {
		return err
	}
	if !nobodys() { // what may have been settled since
		held.release()
		return nil
	}
	defer held.discard()
	return p.remove()
}

// reconcile takes back what is said of sessions that are not there: whoever removed
// one, or put one in its place, may have died between the two.
func (m *Manager) reconcile(ctx context.Context) {
	for _, a := range m.o.Registry.All() {
		p, err := m.profileOf(a)
		if a.Browser == "" || err != nil || p.exists() || ctx.Err() != nil {
			continue
		}
		held, err := p.acquire(ctx, 0, nil)
		if err != nil { // it is being made, or it cannot be
			continue
		}
		if !p.exists() {
			m.forget(a.ID)
		}
		held.discard()
	}
}
