package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	lockPatience = 90 * time.Second // without a deadline of the caller's
	pollFirst    = 5 * time.Millisecond
	pollMost     = 100 * time.Millisecond
)

// Held is an account's lock in our hands, and the only way to change its
// record. It is for one goroutine at a time. Release it.
type Held struct {
	vault  *Vault
	id     string
	dir    folder
	unlock func()
	gate   chan struct{}
	kept   bool // the vault has taken it over, with a record it cannot save
	freed  bool

	// What Prepare found and made, so that Store needs nothing but the disk.
	seals    *sealer
	last     *found
	begun    bool // Begin has noted that last's token is presented
	reserved file // cred.tmp
}

// Lock takes the account's lock, in this process and across processes, making
// the account's folder when there is none. It waits until ctx ends, or 90 s
// when ctx has no deadline; past a deadline the error is ErrBusy. Nobody steals
// a lock: the kernel frees it when its holder dies.
func (v *Vault) Lock(ctx context.Context, id string) (*Held, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lockPatience)
		defer cancel()
	}
	// The kernel's lock excludes other processes; this one excludes the rest
	// of ours, and in order of arrival.
	gate := v.gate(id)
	select {
	case gate <- struct{}{}:
	case <-ctx.Done():
		return nil, v.busy(ctx, id)
	}
	h := &Held{vault: v, id: id, gate: gate}
	if err := h.acquire(ctx); err != nil {
		<-gate
		return nil, err
	}
	return h, nil
}

// acquire polls for the kernel's lock. It opens everything anew each time: the
// account may be removed and made again meanwhile.
func (h *Held) acquire(ctx context.Context) error {
	ok, err := poll(ctx.Done(), h.try)
	if err == nil && !ok {
		return h.vault.busy(ctx, h.id)
	}
	return err
}

// poll calls try until it succeeds or fails, or done has something to say.
func poll[T any](done <-chan T, try func() (bool, error)) (ok bool, err error) {
	for wait := pollFirst; ; wait = min(2*wait, pollMost) {
		if ok, err := try(); ok || err != nil {
			return ok, err
		}
		select {
		case <-time.After(wait):
		case <-done:
			return false, nil
		}
	}
}

// lockFile takes the lock of a file of the vault's own folder, or gives up
// with ErrBusy.
func lockFile(root folder, name string, patience time.Duration) (unlock func(), err error) {
	ok, err := poll(time.After(patience), func() (ok bool, err error) {
		unlock, ok, err = root.tryLock(name)
		return ok, err
	})
	if err == nil && !ok {
		err = ErrBusy
	}
	return unlock, err
}

func (h *Held) try() (ok bool, err error) {
	root, err := h.vault.open()
	if err != nil {
		return false, err
	}
	defer root.close()
	dir, err := root.sub(h.id, true)
	if err != nil {
		return false, err
	}
	defer func() {
		if !ok {
			dir.close()
		}
	}()
	unlock, ok, err := dir.tryLock(lockName)
	if !ok || err != nil {
		return false, err
	}
	if err := h.vault.proveLocks(dir); err != nil {
		unlock()
		return false, err
	}
	h.dir, h.unlock = dir, unlock
	return true, nil
}

// proveLocks makes sure, once, that a lock which is held cannot be had again:
// on some network file systems it can.
func (v *Vault) proveLocks(dir folder) error {
	v.mu.Lock()
	proven := v.locksWork
	v.mu.Unlock()
	if proven {
		return nil
	}
	unlock, ok, err := dir.tryLock(lockName)
	if err != nil {
		return err
	}
	if ok {
		unlock()
		return ErrLocksBroken
	}
	v.mu.Lock()
	v.locksWork = true
	v.mu.Unlock()
	return nil
}

// gate returns the account's in-process lock: a channel that holds one value
// while somebody has it.
func (v *Vault) gate(id string) chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	gate := v.gates[id]
	if gate == nil {
		gate = make(chan struct{}, 1)
		v.gates[id] = gate
	}
	return gate
}

// busy explains why a lock was not had: the caller left, or somebody has it.
func (v *Vault) busy(ctx context.Context, id string) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ctx.Err()
	}
	busy := &BusyError{}
	root, err := v.open()
	if err != nil {
		return busy
	}
	defer root.close()
	dir, err := root.sub(id, false)
	if err != nil {
		return busy
	}
	defer dir.close()
	if i, err := readIntent(dir); err == nil && i != nil {
		busy.PID, busy.Since = i.PID, i.StartedAt
	}
	return busy
}

// Release gives the lock back. While the record is unsaved the vault keeps it.
func (h *Held) Release() {
	if !h.kept {
		h.free()
	}
}

// free gives the lock back whatever happened.
func (h *Held) free() {
	if h.freed {
		return
	}
	h.freed = true
	if h.reserved != nil { // nothing was written there
		h.reserved.close()
		_ = removeAny(h.dir, tmpName)
	}
	h.unlock()
	h.dir.close()
	<-h.gate
}

// checkID refuses what could be more than the name of a folder, on any system.
func checkID(id string) error {
	ok := id != "" && len(id) <= 64 && id != keyringFolder
	for i, c := range id {
		ok = ok && ('a' <= c && c <= 'z' || '0' <= c && c <= '9' || i > 0 && (c == '-' || c == '_'))
	}
	switch { // names of devices on Windows
	case id == "con", id == "prn", id == "aux", id == "nul",
		len(id) == 4 && (strings.HasPrefix(id, "com") || strings.HasPrefix(id, "lpt")) && id[3] <= '9':
		ok = false
	}
	if !ok {
		return fmt.Errorf("%q cannot be the id of an account", id)
	}
	return nil
}
