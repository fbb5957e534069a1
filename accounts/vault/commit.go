package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"
)

// Store makes r the account's record. It is durable when Store returns nil:
// written aside, fsynced, renamed, its folder fsynced, and read back. After
// Begin it is the answer to the token presented, of the same login; an empty
// refresh token then means the one presented (RFC 6749, section 6). Without
// Begin it is a new login.
//
// Nothing comes between the answer and the disk: no network, no keyring, no
// other lock. With ErrUnsaved the disk refused every place; the record is kept
// in memory, and the lock with it, until it is saved.
func (h *Held) Store(r Record) error {
	if h.kept {
		return ErrUnsaved
	}
	if h.last == nil { // nobody prepared: look now
		if err := h.lookFirst(); err != nil {
			return err
		}
	}
	last, next := *h.last, h.next(r)
	if floor := max(last.Generation, last.badGen); next.Generation <= floor {
		return fmt.Errorf("store the record: generation %d is not above %d", next.Generation, floor)
	}
	sealed, err := h.seals.sealEntry(h.id, next)
	if err != nil {
		return err
	}
	reserved := h.reserved
	h.last, h.begun, h.reserved = nil, false, nil
	if err := h.commit(tmpName, reserved, sealed, &last.bad); err != nil {
		// Not the same file again: after a failed fsync its pages may be gone
		// while the kernel says that all is well.
		again := h.commit(newName, nil, sealed, &last.bad)
		if again != nil {
			return h.vault.keep(h, next, sealed, last.bad, errors.Join(err, again))
		}
		h.vault.log.Warn("a record was saved at the second try", "account", h.id, "error", err)
	}
	h.settle()
	return nil
}

// lookFirst finds out what Store is about to replace.
func (h *Held) lookFirst() error {
	seals, err := h.vault.sealer()
	if err != nil {
		return err
	}
	last, _, err := h.recover()
	if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrUnreadable) {
		return err
	}
	h.seals, h.last = seals, &last
	return nil
}

// next gives the record its place after the last one.
func (h *Held) next(r Record) entry {
	e := entry{Record: r, family: newFamily(), parent: h.last.origin()}
	if h.begun {
		e.family = h.last.family
		if e.RefreshToken == "" {
			e.RefreshToken = h.last.RefreshToken
		}
	}
	if e.Generation == 0 {
		e.Generation = max(h.last.Generation, h.last.badGen) + 1
	}
	return e
}

// commit writes sealed aside, in the reserved file or in a new one, and makes
// it the account's cred. An unreadable cred is kept for good, and bad is false
// from then on: at the next try cred may be sealed itself.
func (h *Held) commit(aside string, reserved file, sealed []byte, bad *bool) error {
	if err := h.writeAside(aside, reserved, sealed); err != nil {
		return err
	}
	if err := h.keepOld(*bad); err != nil {
		return err
	}
	*bad = false
	if err := h.dir.rename(aside, credName); err != nil {
		return fmt.Errorf("replace the record: %w", err)
	}
	if err := h.dir.sync(); err != nil {
		return fmt.Errorf("replace the record: %w", err)
	}
	back, err := h.dir.read(credName)
	if err != nil {
		return fmt.Errorf("read the record back: %w", err)
	}
	if !bytes.HasPrefix(back, sealed) {
		return errors.New("read the record back: it is not what was written")
	}
	return nil
}

// keepOld keeps what is about to be replaced under a second name: the record
// before until the new one has been read back, an unreadable one for good. That
// a record cannot be linked is no reason to lose the new one.
func (h *Held) keepOld(bad bool) error {
	name := prevName
	if bad {
		name = badName + strconv.FormatInt(time.Now().UnixNano(), 10)
	}
	err := removeAny(h.dir, name)
	if err == nil {
		err = h.dir.link(credName, name)
	}
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return nil
	case bad:
		return h.dir.rename(credName, name)
	}
	h.vault.log.Debug("the record before is not kept", "account", h.id, "error", err)
	return nil
}

// writeAside makes the sealed record durable in a file beside cred.
func (h *Held) writeAside(name string, f file, sealed []byte) error {
	inPlace := f != nil
	if !inPlace {
		if err := removeAny(h.dir, name); err != nil {
			return fmt.Errorf("write the record: %w", err)
		}
		var err error
		if f, err = h.dir.create(name); err != nil {
			return fmt.Errorf("write the record: %w", err)
		}
	}
	defer f.close()
	if err := f.write(sealed); err != nil {
		return fmt.Errorf("write the record: %w", err)
	}
	if inPlace {
		// The rest of the reservation goes back. The record knows its own
		// length: if this fails it is merely longer.
		_ = f.truncate(int64(len(sealed)))
	}
	if err := f.sync(); err != nil {
		return fmt.Errorf("write the record: %w", err)
	}
	return nil
}

// settle removes what a committed record leaves behind. All of it is harmless,
// and what stays is removed the next time.
func (h *Held) settle() {
	h.removeCopies()
	if err := removeAny(h.dir, intentName, nextIntent, prevName, tmpName, newName); err != nil {
		h.vault.log.Debug("something is left of a renewal", "account", h.id, "error", err)
	}
}
