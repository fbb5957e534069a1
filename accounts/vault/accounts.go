package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// IDs returns the accounts that the vault holds a record of, sorted. It needs
// no key, and says nothing of whether the records can be read.
func (v *Vault) IDs() ([]string, error) {
	root, err := v.open()
	if err != nil {
		return nil, err
	}
	defer root.close()
	names, err := root.names()
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, name := range names {
		if checkID(name) != nil {
			continue
		}
		holds, err := v.holdsRecord(root, name)
		if err != nil {
			return nil, fmt.Errorf("list the vault: %w", err)
		}
		if holds {
			ids = append(ids, name)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// holdsRecord reports whether there is a record in an account's folder, or one
// that a killed process left beside it, or outside of the vault.
func (v *Vault) holdsRecord(root folder, id string) (bool, error) {
	dir, err := root.sub(id, false)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotOurs) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer dir.close()
	names, err := dir.names()
	if err != nil {
		return false, err
	}
	if slices.Contains(names, credName) {
		return true, nil
	}
	for _, name := range []string{tmpName, newName} {
		if !slices.Contains(names, name) {
			continue
		}
		data, err := dir.read(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNotOurs) {
			return false, err
		}
		if _, _, ok := peek(data); ok {
			return true, nil
		}
	}
	for _, place := range v.rescuePaths(id) {
		if data, err := v.readAt(dir, place); err == nil {
			if _, _, ok := peek(data); ok {
				return true, nil
			}
		}
	}
	return false, nil
}

// Keeps reports whether anything is left of an account's records in the folder of a
// vault: the one in its place, one beside it, or one that was kept aside because it
// cannot be read. What cannot be looked at may be one. It needs no key.
func Keeps(dir, id string) bool {
	if checkID(id) != nil {
		return false
	}
	root, err := lookDisk{}.open(dir, false)
	if err != nil {
		return mayHide(err)
	}
	defer root.close()
	account, err := root.sub(id, false)
	if err != nil {
		return mayHide(err)
	}
	defer account.close()
	names, err := account.names()
	return err != nil || slices.ContainsFunc(names, func(name string) bool {
		switch {
		case name == credName, name == prevName, strings.HasPrefix(name, badName):
			return true
		case name == tmpName, name == newName, name == homeName: // or space that was set aside for one
			data, err := account.read(name)
			_, _, sealed := peek(data)
			return sealed || err != nil && mayHide(err)
		}
		return false
	})
}

// mayHide reports whether there may be something all the same.
func mayHide(err error) bool { return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNotOurs) }

// Remove deletes all that the vault has of an account, under its lock. The
// record goes last, and the lock after it.
func (v *Vault) Remove(ctx context.Context, id string) error {
	h, ok := v.takeUnsaved(id)
	if !ok {
		var err error
		if h, err = v.LockPresent(ctx, id); h == nil || err != nil {
			return err
		}
	}
	return h.removeAll()
}

// LockPresent is Lock of an account that there is something of: it makes no folder.
// With nil nobody need be waited for: there is nothing, or the vault has the lock
// itself, with a record that it could not save.
func (v *Vault) LockPresent(ctx context.Context, id string) (*Held, error) {
	v.mu.Lock()
	_, unsaved := v.unsaved[id]
	v.mu.Unlock()
	if unsaved {
		return nil, nil //nolint:nilnil // as it is said above
	}
	dir, err := v.account(id)
	if errors.Is(err, ErrNotFound) {
		return nil, nil //nolint:nilnil // as it is said above
	}
	if err != nil {
		return nil, err
	}
	dir.close()
	return v.Lock(ctx, id)
}

// Remove is Vault.Remove by whoever has the lock, which is given back.
func (h *Held) Remove(ctx context.Context) error {
	if h.kept { // the vault has it, with a record that is unsaved
		return h.vault.Remove(ctx, h.id)
	}
	return h.removeAll()
}

func (h *Held) removeAll() error {
	defer h.free()
	if err := h.removeFiles(); err != nil {
		return fmt.Errorf("remove the record: %w", err)
	}
	return nil
}

func (h *Held) removeFiles() error {
	h.removeCopies()
	if h.reserved != nil {
		h.reserved.close()
		h.reserved = nil
	}
	names, err := h.dir.names()
	if err != nil {
		return err
	}
	// Without the record, a file beside it would be recovered as the newest.
	names = slices.DeleteFunc(names, func(name string) bool { return name == credName || name == lockName })
	if err := removeAny(h.dir, names...); err != nil {
		return err
	}
	if err := h.dir.sync(); err != nil {
		return err
	}
	if err := removeAny(h.dir, credName); err != nil {
		return err
	}
	if err := h.dir.sync(); err != nil {
		return err
	}
	// From here on there is no account; a folder that stays does no harm. Who
	// waits for this lock notices that it is not the one of that name any more.
	root, err := h.vault.open()
	if err != nil {
		return err
	}
	defer root.close()
	if !locksCanBeRemoved {
		h.unlock()
		h.unlock = func() {}
	}
	if err := removeAny(h.dir, lockName); err != nil {
		h.vault.log.Debug("an empty folder is left in the vault", "account", h.id, "error", err)
		return nil
	}
	if err := root.remove(h.id); err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.vault.log.Debug("an empty folder is left in the vault", "account", h.id, "error", err)
	}
	return root.sync()
}
