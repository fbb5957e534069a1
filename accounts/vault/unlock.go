package vault

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"
)

// How long Unlock waits: for a keyring that ought to answer, for our own
// encrypted file, which is nothing but work for a machine that may be busy, and
// for a keyring that may have to ask a person first.
const (
	quickPatience = 3 * time.Second
	filePatience  = 30 * time.Second
	longPatience  = 120 * time.Second
)

// flight is one attempt to get the key. There is one at a time: a keyring that
// hangs holds one goroutine, not one a call. It lands when the keyring answers,
// however late, and what it brings is taken.
type flight struct {
	passphrase  string
	interactive bool
	patience    time.Duration // of who began it
	until       time.Time     // then it counts as hanging
	done        chan struct{}
	err         error // set before done is closed
}

func (v *Vault) patience(interactive bool) time.Duration {
	switch {
	case interactive:
		return longPatience
	case v.inFile():
		return filePatience
	}
	return quickPatience
}

// inFile reports whether the key is in the encrypted file, or is to be made there.
func (v *Vault) inFile() bool {
	s, err := v.readStore()
	if err != nil {
		return v.options.Backend == backendFile
	}
	return s.Backend == backendFile
}

// covers reports whether f tries all that a caller asks for.
func (f *flight) covers(passphrase string, interactive bool) bool {
	return f.passphrase == passphrase && (f.interactive || !interactive)
}

// Unlock gets the key from the keyring, making it on the very first use. It
// takes 3 s at most, 30 s where the key is in the encrypted file, or 120 s when a
// person may have to answer a prompt; past that the keyring counts as hanging,
// and what it says later is still taken.
// Calls at the same time share one attempt. The error is a *KeyError, or ctx's.
func (v *Vault) Unlock(ctx context.Context, passphrase string, interactive bool) error {
	if passphrase == "" {
		passphrase = v.options.Passphrase
	}
	own := &flight{passphrase: passphrase, interactive: interactive, patience: v.patience(interactive), done: make(chan struct{})}
	timer := time.NewTimer(own.patience)
	defer timer.Stop()
	for {
		f := v.board(own)
		if f == nil {
			return nil
		}
		select {
		case <-f.done:
			if f.err == nil || f.covers(passphrase, interactive) {
				return f.err
			}
		case <-timer.C:
			v.late(f)
			return &KeyError{State: KeyTimeout}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// OpenedWith returns the passphrase that was given when the key was got, as far as one
// was. It is a secret: who takes the place of this process needs it.
func (v *Vault) OpenedWith() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.opened
}

// board returns the flight under way, having started own when there was none,
// or nil when the key is there.
func (v *Vault) board(own *flight) *flight {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.seals != nil:
		return nil
	case v.flight == nil:
		v.flight = own
		own.until = time.Now().Add(own.patience)
		go v.fly(own)
	}
	return v.flight
}

// fly runs on a goroutine of its own that nobody can stop: keyrings take no
// context.
func (v *Vault) fly(f *flight) {
	seals, err := v.fetch(f)
	v.mu.Lock()
	v.flight = nil
	switch {
	case v.closed:
		err = &KeyError{State: v.state, Err: errors.New("the vault is closed")}
	case err != nil:
		v.state = KeyDenied
		if ke, ok := errors.AsType[*KeyError](err); ok {
			v.state = ke.State
		}
	default:
		v.seals, v.opened, v.state = seals, f.passphrase, KeyOK
	}
	f.err = err
	v.mu.Unlock()
	close(f.done)
	v.changed()
}

// late notes that a flight hangs.
func (v *Vault) late(f *flight) {
	v.mu.Lock()
	hangs := v.flight == f && !time.Now().Before(f.until) && v.state != KeyTimeout
	if hangs {
		v.state = KeyTimeout
	}
	v.mu.Unlock()
	if hangs {
		v.changed()
	}
}

// fetch gets or makes the key and checks that it is the store's.
func (v *Vault) fetch(f *flight) (seals *sealer, err error) {
	// A prompt that was closed makes libsecret panic.
	defer func() {
		if r := recover(); r != nil {
			state := KeyLocked
			if f.interactive {
				state = KeyDismissed
			}
			seals, err = nil, &KeyError{State: state, Err: fmt.Errorf("the keyring panicked: %v", r)}
		}
	}()
	var s store
	var key []byte
	if v.options.Memory {
		s, key, err = v.inMemory()
	} else {
		s, key, err = v.getOrMake(f)
	}
	if err != nil {
		return nil, err
	}
	defer clear(key)
	seals, err = newSealer(key, s.id())
	if err != nil {
		return nil, &KeyError{State: KeyMismatch, Err: err}
	}
	if subtle.ConstantTimeCompare([]byte(seals.check), []byte(s.Check)) == 0 {
		return nil, &KeyError{State: KeyMismatch}
	}
	return seals, nil
}

// inMemory draws a key that ends with the process.
func (v *Vault) inMemory() (store, []byte, error) {
	if _, err := v.readStore(); !errors.Is(err, errNoStore) {
		return store{}, nil, &KeyError{State: KeyMismatch, Err: errors.New("this vault has a key already, outside of memory")}
	}
	return newStore()
}

func (v *Vault) getOrMake(f *flight) (store, []byte, error) {
	s, err := v.readStore()
	if errors.Is(err, errNoStore) {
		return v.makeKey(f)
	}
	if err != nil {
		return s, nil, err
	}
	key, err := v.getKey(s, f)
	return s, key, err
}

// makeKey makes the store's key. Only one process at a time may, and only
// where there is no store.json.
//
// Killed at any step, it loses and forks nothing:
//
//	before the item is written   nothing happened
//	item written or half written the next attempt draws a new store id, and so
//	                             a new item: what is left is a random value
//	                             under a name that nobody uses
//	store.json written aside     the same
//	store.json renamed           the key was read back before, and is on disk
//	                             as far as we can see to it
//
// Nothing is sealed before the last step. A call that the keyring answers after
// everybody stopped waiting cannot hit another key either: no two attempts
// share a name.
func (v *Vault) makeKey(f *flight) (store, []byte, error) {
	root, err := v.open()
	if err != nil {
		return store{}, nil, &KeyError{State: KeyUnwritable, Err: err}
	}
	defer root.close()
	unlock, err := lockFile(root, storeLock, time.Until(f.until))
	if errors.Is(err, ErrBusy) {
		return store{}, nil, &KeyError{State: KeyTimeout, Err: errors.New("another process is making the key")}
	}
	if err != nil {
		return store{}, nil, &KeyError{State: KeyUnwritable, Err: err}
	}
	defer unlock()

	s, err := v.readStore() // again: another process may have been faster
	if err == nil {
		key, err := v.getKey(s, f)
		return s, key, err
	}
	if !errors.Is(err, errNoStore) {
		return s, nil, err
	}
	var last *KeyError // there is always a candidate
	for _, backend := range v.candidates() {
		s, key, err := v.makeKeyIn(root, backend, f)
		if err == nil {
			v.log.Info("made the vault's key", "backend", backend, "item", s.Item)
			return s, key, nil
		}
		ke, ok := errors.AsType[*KeyError](err)
		if !ok {
			return s, nil, err
		}
		ke.FirstUse = true
		// Only what is certainly not there is passed over: a keyring that is
		// locked or hangs is the one of this system all the same.
		if last = ke; ke.State != KeyAbsent {
			break
		}
		v.log.Debug("no such keyring on this system", "backend", backend, "error", err)
	}
	return s, nil, last
}
