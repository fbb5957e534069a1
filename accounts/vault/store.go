package vault

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/scrypt"
)

const (
	storeName     = "store.json"
	storeLock     = "store.lock" // excludes processes that would make a key at once
	keyringFolder = "keyring"    // of the encrypted file backend
	itemPrefix    = "oauthmux-"
	storeVersion  = 1
)

// store is store.json: which key belongs to this vault and where it is. It is
// written once, after the key has been read back, and never changed: without
// it there has never been anything sealed.
type store struct {
	Version   int       `json:"version"`
	ID        string    `json:"id"`      // random; part of every record's seal
	Backend   string    `json:"backend"` // pinned: what opens first differs between a desktop, ssh and cron
	Item      string    `json:"item"`    // named after the id, so that two homes never share one
	Check     string    `json:"check"`   // derived from the key: tells it from another one
	Canary    *canary   `json:"canary"`  // of the passphrase, for the encrypted file
	CreatedAt time.Time `json:"created_at"`
}

// canary tells a wrong passphrase from a damaged file.
type canary struct {
	Salt []byte `json:"salt"`
	Hash []byte `json:"hash"`
}

// errNoStore: there is no store.json, so there is no key yet.
var errNoStore = errors.New("no " + storeName)

// readStore returns errNoStore only where nothing has ever been sealed.
func (v *Vault) readStore() (store, error) {
	root, err := v.open()
	if err != nil {
		return store{}, &KeyError{State: KeyDamaged, Err: err}
	}
	defer root.close()
	data, err := root.read(storeName)
	if errors.Is(err, fs.ErrNotExist) {
		switch ids, err := v.IDs(); {
		case err != nil:
			return store{}, &KeyError{State: KeyDamaged, Err: err}
		case len(ids) > 0:
			return store{}, &KeyError{State: KeyDamaged, Err: fmt.Errorf("%s is gone, but %d sealed accounts are there", storeName, len(ids))}
		}
		return store{}, errNoStore
	}
	if err != nil {
		return store{}, &KeyError{State: KeyDamaged, Err: err}
	}
	var s store
	if err := json.Unmarshal(data, &s); err != nil {
		return store{}, &KeyError{State: KeyDamaged, Err: fmt.Errorf("%s: %w", storeName, err)}
	}
	if err := s.validate(); err != nil {
		return store{}, &KeyError{State: KeyDamaged, Err: fmt.Errorf("%s: %w", storeName, err)}
	}
	return s, nil
}

func (s store) validate() error {
	switch {
	case s.Version > storeVersion:
		return fmt.Errorf("version %d was written by a newer program", s.Version)
	case s.Version != storeVersion:
		return errors.New("no version")
	case !isHex(s.ID, storeSize):
		return errors.New("no id")
	case s.Item != itemPrefix+s.ID:
		return errors.New("the item is not named after the id")
	case !slices.Contains(knownBackends, s.Backend):
		return fmt.Errorf("unknown keyring backend %q", s.Backend)
	case !isHex(s.Check, 16):
		return errors.New("no check of the key")
	}
	return nil
}

func isHex(s string, n int) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == n && strings.ToLower(s) == s
}

// id returns the raw bytes of a valid store's id.
func (s store) id() (id [storeSize]byte) {
	_, _ = hex.Decode(id[:], []byte(s.ID))
	return id
}

// newStore names a store and draws its key.
func newStore() (s store, key []byte, err error) {
	id := make([]byte, storeSize)
	key = make([]byte, keySize)
	_, _ = rand.Read(id) // never fails
	_, _ = rand.Read(key)
	s = store{Version: storeVersion, ID: hex.EncodeToString(id), CreatedAt: time.Now().UTC().Round(time.Second)}
	s.Item = itemPrefix + s.ID
	seals, err := newSealer(key, s.id())
	if err != nil {
		return s, nil, err
	}
	s.Check = seals.check
	return s, key, nil
}

// publish writes store.json, durably, and only where there is none.
func (s store) publish(root folder) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return publish(root, storeName, append(data, '\n'))
}

// publish makes a file that appears whole, durably, and replaces nothing:
// fs.ErrExist when it is there. The caller holds a lock for that name.
func publish(root folder, name string, data []byte) error {
	if _, err := root.read(name); !errors.Is(err, fs.ErrNotExist) {
		return cmp.Or(err, fs.ErrExist)
	}
	return replace(root, name+".next", name, data)
}

// newCanary takes longer to try a passphrase on than the file itself does, so
// that it helps nobody who guesses.
func newCanary(passphrase string) (*canary, error) {
	c := &canary{Salt: make([]byte, 16)}
	_, _ = rand.Read(c.Salt)
	var err error
	c.Hash, err = c.hash(passphrase)
	return c, err
}

func (c *canary) hash(passphrase string) ([]byte, error) {
	return scrypt.Key([]byte(passphrase), c.Salt, 1<<15, 8, 1, 32)
}

// sings reports whether the passphrase is the one the canary was made with.
func (c *canary) sings(passphrase string) bool {
	if c == nil {
		return true
	}
	hash, err := c.hash(passphrase)
	return err == nil && subtle.ConstantTimeCompare(hash, c.Hash) == 1
}
