package accounts

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// RegistryOptions say where the registry lives.
type RegistryOptions struct {
	Dir      string // the data folder, which holds accounts.json
	LockPath string // state.lock, which every writer of every process takes
	Bus      *Bus   // nil: nobody is told
	Log      *slog.Logger
}

// Registry is every account and what the person settled about them, over
// accounts.json. A change is durable first, visible second, announced last.
// Its methods may be called at the same time; those that read never wait.
type Registry struct {
	path     string
	lockPath string
	bus      *Bus
	log      *slog.Logger

	turn chan struct{} // holds a token while one writer of this process is at work

	mu    sync.RWMutex // guards what follows
	state state
}

// state is what is known of accounts.json at one moment.
type state struct {
	doc    *document
	info   os.FileInfo // of the file that doc was read from or written to; nil: none was
	damage string      // what is wrong, in words for a person
	// hollow: the file was damaged or gone when this process first looked, and the
	// vault has accounts. Nothing is written before Rebuild: a file without them
	// would look whole.
	hollow bool
}

// OpenRegistry reads accounts.json. A file that cannot be used is moved aside
// and named by Damage; one that is missing means that this is the first start,
// unless the vault has accounts.
func OpenRegistry(o RegistryOptions) (*Registry, error) {
	r := &Registry{
		path:     filepath.Join(o.Dir, "accounts.json"),
		lockPath: o.LockPath,
		bus:      o.Bus,
		log:      o.Log,
		turn:     make(chan struct{}, 1),
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if err := errors.Join(MakePrivateDir(o.Dir), MakePrivateDir(filepath.Dir(o.LockPath))); err != nil {
		return nil, fmt.Errorf("open the accounts: %w", err)
	}
	doc, info, err := r.read()
	switch {
	case err == nil:
		r.state = state{doc: doc, info: info}
		return r, r.narrow(info)
	case errors.Is(err, fs.ErrNotExist), isDamage(err):
		r.openDamaged(err)
		return r, nil
	}
	return nil, fmt.Errorf("open the accounts: %w", err)
}

// narrow takes a file that others may read back to its owner.
func (r *Registry) narrow(info os.FileInfo) error {
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return os.Chmod(r.path, 0o600)
}

// read returns what the file holds. Besides the system's errors there is *damageError.
func (r *Registry) read() (*document, os.FileInfo, error) {
	raw, info, err := ReadRegular(r.path, documentLimit)
	if err != nil {
		return nil, nil, err
	}
	r.mu.RLock()
	known := r.state.doc
	r.mu.RUnlock()
	if known != nil && known.sum == sumOf(raw) {
		return known, info, nil // parsed already
	}
	doc, err := parseDocument(raw)
	return doc, info, err
}

// All returns every account, by provider, then order.
func (r *Registry) All() []Account {
	doc := r.document()
	all := make([]Account, len(doc.accounts))
	for i, e := range doc.accounts {
		all[i] = e.Clone()
	}
	return all
}

// Get returns the account of that id, or ErrNotFound.
func (r *Registry) Get(id ID) (Account, error) {
	a, err := r.Shared(id)
	if err != nil {
		return Account{}, err
	}
	return a.Clone(), nil
}

// AllShared is All without the copies (see Shared).
func (r *Registry) AllShared() []*Account {
	doc := r.document()
	all := make([]*Account, len(doc.accounts))
	for i, e := range doc.accounts {
		all[i] = &e.Account
	}
	return all
}

// Shared is Get without the copy, for who keeps accounts by the thousand: the
// account as the registry holds it. The registry writes to none, it replaces them.
// Neither may who asks.
func (r *Registry) Shared(id ID) (*Account, error) {
	e := r.document().find(id)
	if e == nil {
		return nil, fmt.Errorf("account %q: %w", id, ErrNotFound)
	}
	return &e.Account, nil
}

// Latest is Get after a look at what other processes wrote, which Run may not have
// come to yet.
func (r *Registry) Latest(id ID) (Account, error) {
	r.look()
	return r.Get(id)
}

// Find returns the account that is meant by name (see Lookup). No account is
// ErrNotFound, several an *AmbiguousError.
func (r *Registry) Find(name string) (Account, error) {
	matches := Lookup(r.document().accounts, name, (*entry).names)
	switch len(matches) {
	case 0:
		return Account{}, fmt.Errorf("account %q: %w", cleanLabel(name), ErrNotFound)
	case 1:
		return matches[0].Clone(), nil
	}
	ambiguous := &AmbiguousError{Name: cleanLabel(name)}
	for _, e := range matches {
		ambiguous.Matches = append(ambiguous.Matches, e.Clone())
	}
	return Account{}, ambiguous
}

// Identified returns the account of a provider that belongs to an identity.
func (r *Registry) Identified(p ProviderID, identity string) (Account, bool) {
	a, ok := r.document().identified(p, identity)
	return a.Clone(), ok
}

// Preferred returns the person's choice among a provider's accounts; the first
// in order when none was made, and "" when there is no account.
func (r *Registry) Preferred(p ProviderID) ID {
	doc := r.document()
	if id := doc.preferred[p]; id != "" {
		return id
	}
	i, _ := slices.BinarySearchFunc(doc.accounts, p, func(e *entry, p ProviderID) int { return cmp.Compare(e.Provider, p) })
	if i < len(doc.accounts) && doc.accounts[i].Provider == p {
		return doc.accounts[i].ID
	}
	return ""
}

// Chosen reports whether the person chose among a provider's accounts.
func (r *Registry) Chosen(p ProviderID) bool { return r.document().preferred[p] != "" }

// Strategy returns what SetStrategy remembered; "": nothing.
func (r *Registry) Strategy() string { return r.document().strategy }

// Theme returns what SetTheme remembered; "": nothing.
func (r *Registry) Theme() string { return r.document().theme }

// TermsAccepted reports whether the person accepted the provider's notice.
func (r *Registry) TermsAccepted(p ProviderID) bool {
	_, accepted := r.document().terms[p]
	return accepted
}

// Damage says, in words for a person, what is wrong with accounts.json as long
// as it has not been rebuilt; "" if nothing is.
func (r *Registry) Damage() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.state.damage
}

// Hollow reports whether the vault holds accounts that cannot be shown, and
// nothing be written, before Rebuild.
func (r *Registry) Hollow() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.state.hollow
}

func (r *Registry) document() *document {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.state.doc
}

func (r *Registry) publish(id ID) {
	if r.bus != nil {
		r.bus.Publish(Event{Kind: AccountsChanged, Account: id})
	}
}
