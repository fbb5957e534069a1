package accounts

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Set is the providers of this run: the built-in ones, changed by what the
// config file overrides, and the person's own. It does not change.
type Set struct {
	byID map[ProviderID]*Provider
	all  []*Provider // by name
}

// NewSet makes the providers. A setting it cannot use is a *SettingsError.
func NewSet(settings map[ProviderID]Settings) (*Set, error) {
	s := &Set{byID: make(map[ProviderID]*Provider)}
	for id, build := range builtins {
		s.byID[id] = build()
	}
	for _, id := range slices.Sorted(maps.Keys(settings)) {
		p, builtin := s.byID[id]
		if !builtin {
			p = custom(id)
		}
		if builtin && settings[id].UserinfoURL != "" && p.OAuth.UserinfoURL == "" {
			return nil, &SettingsError{Provider: id, Key: "userinfo_url", Problem: "this provider does not use one"}
		}
		if err := settings[id].apply(p); err != nil {
			return nil, err
		}
		if !builtin {
			if err := complete(p); err != nil {
				return nil, err
			}
			customAbilities(p)
			s.byID[id] = p
		}
	}
	s.all = slices.SortedFunc(maps.Values(s.byID), func(a, b *Provider) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return s, nil
}

// Get returns the provider of that name.
func (s *Set) Get(id ProviderID) (*Provider, bool) {
	p, ok := s.byID[id]
	return p, ok
}

// All returns the providers, sorted by name.
func (s *Set) All() []*Provider { return slices.Clone(s.all) }

// builtins holds a builder for each provider file. A builder makes a fresh
// value every time, because an override changes it.
var builtins = make(map[ProviderID]func() *Provider)

// register makes a provider known; each provider file calls it from its init.
func register(id ProviderID, build func() *Provider) {
	if _, twice := builtins[id]; twice {
		panic(fmt.Sprintf("provider %q is registered twice", id))
	}
	builtins[id] = build
}
