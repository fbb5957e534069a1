package accounts

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// ErrStateBusy says that another process kept state.lock for too long.
var ErrStateBusy = errors.New("another oauthmux process is writing and does not finish")

// errTurnBusy is ErrStateBusy of a writer of this very process, which a disk may
// keep: some of them hold an account's lock while they wait for their turn.
var errTurnBusy error = &turnBusyError{}

type turnBusyError struct{}

func (*turnBusyError) Error() string {
	return "an earlier change of the accounts does not finish: the disk may hang"
}

// Is makes errors.Is(err, ErrStateBusy) true.
func (*turnBusyError) Is(target error) bool { return target == ErrStateBusy }

// ErrDamaged says that nothing is written to accounts.json until it has been
// rebuilt from the vault.
var ErrDamaged = errors.New("accounts.json is damaged and has not been rebuilt yet")

const (
	stateLockWait = 10 * time.Second
	stateLockPoll = 2 * time.Millisecond
)

// change carries out one write: it waits for its turn in this process and for
// state.lock, reads the file again, lets edit work on a copy of what it found,
// makes that durable, then visible, and announces it. about is the account that
// is announced; "" is all of them. edit must not call the registry's writers.
func (r *Registry) change(about ID, edit func(*document) error) error {
	changed, err := r.locked(func() (bool, error) {
		base, found, err := r.base()
		if err != nil {
			return found, err
		}
		next := base.clone()
		if err := edit(next); err != nil {
			return found, err
		}
		wrote, err := r.write(base, next)
		return found || wrote, err
	})
	if changed {
		r.publish(about)
	}
	return err
}

// locked runs work while no other writer of any process does.
func (r *Registry) locked(work func() (changed bool, err error)) (changed bool, err error) {
	select {
	case r.turn <- struct{}{}:
	case <-time.After(stateLockWait):
		return false, errTurnBusy
	}
	defer func() { <-r.turn }()
	lock, err := lockState(r.lockPath)
	if err != nil {
		return false, err
	}
	defer func() {
		if unlockErr := lock.Unlock(); err == nil && unlockErr != nil {
			err = fmt.Errorf("unlock the accounts: %w", unlockErr)
		}
	}()
	return work()
}

// lockState takes state.lock. It polls: the kernel's own wait cannot be ended.
func lockState(path string) (*flock.Flock, error) {
	if err := MakeLockFile(path); err != nil {
		return nil, fmt.Errorf("lock the accounts: %w", err)
	}
	lock := flock.New(path) // one an acquisition: a Flock is no mutex in itself
	for start := time.Now(); ; time.Sleep(stateLockPoll) {
		switch ok, err := lock.TryLock(); {
		case err != nil:
			return nil, fmt.Errorf("lock the accounts: %w", err)
		case ok:
			return lock, nil
		case time.Since(start) > stateLockWait:
			return nil, ErrStateBusy
		}
	}
}

// base returns the document that a write starts from: what is on disk. When
// that is damaged or gone, it is this process's own last good copy. found says
// that the file held something this process had not seen.
func (r *Registry) base() (doc *document, found bool, err error) {
	r.mu.RLock()
	known := r.state
	r.mu.RUnlock()
	doc, info, err := r.read()
	switch {
	case err == nil:
		found = doc != known.doc
		r.show(state{doc: doc, info: info})
		return doc, found, nil
	case errors.Is(err, fs.ErrNotExist):
	case isDamage(err):
		if _, err := r.setAside(); err != nil {
			return nil, false, err
		}
	default:
		return nil, false, fmt.Errorf("read the accounts: %w", err)
	}
	if known.hollow {
		return nil, false, ErrDamaged
	}
	if known.info != nil {
		r.log.Warn("accounts.json was damaged or removed, and is written again from memory", "problem", err)
	}
	unwritten := *known.doc
	unwritten.sum = [sha256.Size]byte{} // it is on no disk
	return &unwritten, false, nil
}

// write makes next durable, then visible. It writes nothing when nothing changed.
func (r *Registry) write(base, next *document) (wrote bool, err error) {
	next.settle()
	raw, err := next.encode()
	if err != nil {
		return false, fmt.Errorf("write the accounts: %w", err)
	}
	if next.sum = sumOf(raw); next.sum == base.sum {
		return false, nil
	}
	if len(raw) > documentLimit {
		return false, fmt.Errorf("write the accounts: they would take more than %d MiB", documentLimit>>20)
	}
	if err := WriteDurably(r.path, raw); err != nil {
		return false, fmt.Errorf("write the accounts: %w", err)
	}
	info, err := os.Lstat(r.path)
	if err != nil {
		info = nil // it will be read again, that is all
	}
	r.show(state{doc: next, info: info})
	return true, nil
}

func (r *Registry) show(s state) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.damage = ""
	r.state = s
}

func sumOf(raw []byte) [sha256.Size]byte { return sha256.Sum256(raw) }

func isDamage(err error) bool {
	_, ok := errors.AsType[*damageError](err)
	return ok
}
