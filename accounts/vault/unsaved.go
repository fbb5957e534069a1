package vault

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// saveEvery is how often a disk that refused a record is tried again.
const saveEvery = time.Second

const (
	rescueSuffix = ".cred" // ends the name of a copy outside the vault
	rescueNext   = ".next" // and of one that is being written
)

// unsaved is a record that no place in the vault took. Its lock stays held, so
// that nobody presents the token that it replaced.
type unsaved struct {
	held    *Held
	entry   entry
	sealed  []byte
	bad     bool   // cred cannot be read, and has not been kept yet
	rescued string // a copy outside the vault, for when this process dies; "": none
	stop    func() // any number of times
	done    chan struct{}
}

// keep takes over the record and the lock, and returns ErrUnsaved. A vault that has
// been closed takes nothing over: nobody would try again, or end. All that it does
// is leave the copy.
func (v *Vault) keep(h *Held, e entry, sealed []byte, bad bool, cause error) error {
	stop := make(chan struct{})
	u := &unsaved{
		held: h, entry: e, sealed: sealed, bad: bad, rescued: v.rescue(h.seals, h.id, sealed),
		stop: sync.OnceFunc(func() { close(stop) }), done: make(chan struct{}),
	}
	v.mu.Lock()
	if v.closed {
		v.mu.Unlock()
		v.log.Error("a record cannot be saved, and the vault is closed", "account", h.id, "copy", u.rescued, "error", cause)
		return fmt.Errorf("the vault is closed: %w", cause)
	}
	h.kept = true
	if v.unsaved == nil {
		v.unsaved = make(map[string]*unsaved)
	}
	v.unsaved[h.id] = u
	v.mu.Unlock()
	v.log.Error("a record cannot be saved; it is kept in memory and tried again", "account", h.id, "copy", u.rescued, "error", cause)
	go v.save(u, stop)
	v.changed()
	return fmt.Errorf("%w: %w", ErrUnsaved, cause)
}

// save tries until the record is saved or stop is closed.
func (v *Vault) save(u *unsaved, stop <-chan struct{}) {
	defer close(u.done)
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		if err := u.held.commit(u.spare(), nil, u.sealed, &u.bad); err != nil {
			v.log.Debug("the record cannot be saved yet", "account", u.held.id, "error", err)
			continue
		}
		v.log.Info("the record is saved now", "account", u.held.id)
		u.held.settle()
		v.mu.Lock()
		delete(v.unsaved, u.held.id)
		v.mu.Unlock()
		u.held.free()
		v.changed()
		return
	}
}

// spare returns the file to try next. One that could be written but not synced
// may be all that is left if this process dies now: it is the other one then.
func (u *unsaved) spare() string {
	if data, err := u.held.dir.read(tmpName); err == nil && bytes.HasPrefix(data, u.sealed) {
		return newName
	}
	return tmpName
}

// Unsaved returns the accounts whose newest record is only in memory, sorted.
func (v *Vault) Unsaved() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Sorted(maps.Keys(v.unsaved))
}

// Flush waits until nothing is unsaved.
func (v *Vault) Flush(ctx context.Context) error {
	for {
		v.mu.Lock()
		var wait chan struct{}
		for _, u := range v.unsaved {
			wait = u.done
		}
		v.mu.Unlock()
		if wait == nil {
			return nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrUnsaved, ctx.Err())
		}
	}
}

// takeUnsaved stops the saving of an account's record and hands its lock over.
func (v *Vault) takeUnsaved(id string) (*Held, bool) {
	v.mu.Lock()
	u := v.unsaved[id]
	v.mu.Unlock()
	if u == nil {
		return nil, false
	}
	u.stop()
	<-u.done
	v.mu.Lock()
	still := v.unsaved[id] == u
	delete(v.unsaved, id)
	v.mu.Unlock()
	if !still {
		return nil, false // it was saved just now
	}
	u.held.kept = false
	return u.held, true
}

// rescuePaths returns where an account's record may be written when the vault's
// own disk refuses it. An intent carries them, so that whoever recovers looks
// there whatever its own environment says.
func (v *Vault) rescuePaths(id string) []string {
	s, err := v.sealer()
	if err != nil {
		return nil
	}
	return v.rescuePathsUnder(s, id)
}

func (v *Vault) rescuePathsUnder(s *sealer, id string) []string {
	paths := make([]string, len(v.rescueDirs))
	for i, dir := range v.rescueDirs {
		paths[i] = filepath.Join(dir, fmt.Sprintf("%x-%s%s", s.store, id, rescueSuffix))
	}
	return paths
}

// rescue writes a copy to the first folder that takes it, and returns its path. It
// works by the key that the record was sealed with: the vault may be closed.
func (v *Vault) rescue(s *sealer, id string, sealed []byte) string {
	for _, path := range v.rescuePathsUnder(s, id) {
		if err := v.rescueTo(path, sealed); err == nil {
			return path
		}
	}
	return ""
}

func (v *Vault) rescueTo(path string, sealed []byte) error {
	dir, err := v.disk.open(filepath.Dir(path), true)
	if err != nil {
		return err
	}
	defer dir.close()
	name := filepath.Base(path)
	return replace(dir, name+rescueNext, name, sealed)
}

// removeRescued removes copies that are not needed any more.
func (v *Vault) removeRescued(paths ...string) {
	for _, path := range paths {
		dir, err := v.disk.open(filepath.Dir(path), false)
		if err != nil {
			continue // there never was one
		}
		name := filepath.Base(path)
		if err := removeAny(dir, name, name+rescueNext); err != nil {
			v.log.Debug("a copy is left outside the vault", "path", path, "error", err)
		}
		dir.close()
	}
}

// removeCopies removes what a full disk sent elsewhere, in this process's
// environment or in that of the one whose note is there.
func (h *Held) removeCopies() {
	paths := h.vault.rescuePaths(h.id)
	if i, err := readIntent(h.dir); err == nil && i != nil {
		for _, path := range i.Rescue {
			if strings.HasSuffix(filepath.Base(path), "-"+h.id+rescueSuffix) {
				paths = append(paths, path)
			}
		}
	}
	h.vault.removeRescued(paths...)
}

// rescueFolders returns the folders for copies: those asked for, else the one
// the system keeps for this user while he is logged in.
func rescueFolders(asked []string) []string {
	if asked != nil {
		return asked
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) && !strings.ContainsRune(dir, '\n') {
		return []string{filepath.Join(dir, "oauthmux")}
	}
	return nil
}
