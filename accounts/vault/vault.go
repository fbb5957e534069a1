package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"

	"github.com/99designs/keyring"
)

// Options say where a vault is and where its key lives.
type Options struct {
	Dir        string // <data>/vault, made 0700
	Backend    string // keyring's own name of a backend; "": the best of this system
	Passphrase string // of the encrypted file, when that is the backend; "" asks for it
	Memory     bool   // the key lives in memory only: a demo, a test
	// Rescue are folders for a record that Dir's disk refuses, outside of it;
	// nil: one in XDG_RUNTIME_DIR.
	Rescue []string
	// OpenKeyring stands in for keyring.Open in tests.
	OpenKeyring func(keyring.Config) (keyring.Keyring, error)
	Log         *slog.Logger // nil: silent
}

// Vault is the sealed store of one home. Its methods may be called from any
// goroutine.
type Vault struct {
	options    Options
	disk       disk
	log        *slog.Logger
	rescueDirs []string

	mu        sync.Mutex // guards what follows; never held over I/O or a callback
	seals     *sealer    // nil until the key is there
	opened    string     // the passphrase that it was got with
	state     KeyState
	flight    *flight // the attempt to get the key that is under way
	listeners []func()
	gates     map[string]chan struct{} // in-process locks by account
	unsaved   map[string]*unsaved
	localKey  string // "" until it was read
	locksWork bool
	closed    bool
}

// Open makes the folder. It asks no keyring, and is cheap.
func Open(o Options) (*Vault, error) { return openOn(o, osDisk{}) }

func openOn(o Options, d disk) (*Vault, error) {
	if o.Dir == "" || !filepath.IsAbs(o.Dir) {
		return nil, fmt.Errorf("open the vault: %q is not a full path", o.Dir)
	}
	if o.Backend != "" && !slices.Contains(Backends(), o.Backend) {
		return nil, fmt.Errorf("open the vault: keyring backend %q is not one of %q", o.Backend, Backends())
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	v := &Vault{
		options: o, disk: d, log: o.Log, rescueDirs: rescueFolders(o.Rescue),
		state: KeyUnasked, gates: make(map[string]chan struct{}),
	}
	root, err := v.disk.open(o.Dir, true)
	if err != nil {
		return nil, fmt.Errorf("open the vault: %w", err)
	}
	root.close()
	return v, nil
}

// open opens the vault's folder. It is not kept open: what is checked is what
// is there now.
func (v *Vault) open() (folder, error) { return v.disk.open(v.options.Dir, false) }

// State returns the state of the key.
func (v *Vault) State() KeyState {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state
}

// OnChange has f called after each change of State or Unsaved, from any
// goroutine. It must not block.
func (v *Vault) OnChange(f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.listeners = append(v.listeners, f)
}

func (v *Vault) changed() {
	v.mu.Lock()
	listeners := slices.Clone(v.listeners)
	v.mu.Unlock()
	for _, f := range listeners {
		f()
	}
}

// sealer returns the key in use, or a *KeyError that says why there is none.
func (v *Vault) sealer() (*sealer, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.seals == nil {
		return nil, &KeyError{State: v.state}
	}
	return v.seals, nil
}

// Read returns the account's newest record, taking no lock. Errors: *KeyError,
// ErrNotFound, ErrUnreadable, or what the system says.
func (v *Vault) Read(id string) (Record, error) {
	if err := checkID(id); err != nil {
		return Record{}, err
	}
	s, err := v.sealer()
	if err != nil {
		return Record{}, err
	}
	v.mu.Lock()
	u := v.unsaved[id]
	v.mu.Unlock()
	if u != nil {
		return u.entry.Record, nil
	}
	dir, err := v.account(id)
	if err != nil {
		return Record{}, err
	}
	defer dir.close()
	f, err := v.look(s, dir, id)
	return f.Record, err
}

// account opens the folder of an account that is there.
func (v *Vault) account(id string) (folder, error) {
	root, err := v.open()
	if err != nil {
		return nil, err
	}
	defer root.close()
	dir, err := root.sub(id, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	return dir, err
}

// Close forgets the key, and stops trying to save what is unsaved: Flush first.
func (v *Vault) Close() {
	v.mu.Lock()
	v.closed = true
	v.seals, v.opened = nil, ""
	v.state = KeyUnasked
	pending := v.unsaved
	v.mu.Unlock()
	for id := range pending {
		if h, ok := v.takeUnsaved(id); ok {
			h.free()
		}
	}
}
