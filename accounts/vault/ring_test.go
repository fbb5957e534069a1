package vault

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/99designs/keyring"
)

// ring is a keyring that does as it is told. Opened any number of times, it is
// the same one.
type ring struct {
	mu    sync.Mutex
	items map[string]keyring.Item
	calls []string
	hook  func(call string) error
}

func newRing() *ring { return &ring{items: make(map[string]keyring.Item)} }

func (r *ring) call(name string) error {
	r.mu.Lock()
	r.calls = append(r.calls, name)
	hook := r.hook
	r.mu.Unlock()
	if hook != nil {
		return hook(name)
	}
	return nil
}

func (r *ring) setHook(hook func(call string) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hook = hook
}

// called returns the calls so far, and forget forgets them.
func (r *ring) called() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

func (r *ring) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = nil
}

func (r *ring) open(c keyring.Config) (keyring.Keyring, error) {
	return r, r.call("open " + string(c.AllowedBackends[0]))
}

func (r *ring) Get(key string) (keyring.Item, error) {
	if err := r.call("get"); err != nil {
		return keyring.Item{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	item, ok := r.items[key]
	if !ok {
		return item, keyring.ErrKeyNotFound
	}
	item.Data = slices.Clone(item.Data)
	return item, nil
}

func (r *ring) Set(item keyring.Item) error {
	if err := r.call("set"); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.items[item.Key] = item
	return nil
}

func (r *ring) Remove(key string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.items, key)
	return nil
}

func (r *ring) GetMetadata(string) (keyring.Metadata, error) { return keyring.Metadata{}, nil }
func (r *ring) Keys() ([]string, error)                      { return nil, nil }

// change replaces the one item's data.
func (r *ring) change(data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, item := range r.items {
		item.Data = data
		r.items[name] = item
	}
}

// with opens a vault of the home whose keyring is r.
func with(t *testing.T, d disk, r *ring) *Vault {
	t.Helper()
	v, err := openOn(Options{Dir: "/vault", Backend: backendSecretService, OpenKeyring: r.open, Rescue: []string{}}, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func stateIn(err error) KeyState {
	if ke, ok := errors.AsType[*KeyError](err); ok {
		return ke.State
	}
	if err == nil {
		return KeyOK
	}
	return KeyState("no *KeyError: " + err.Error())
}
