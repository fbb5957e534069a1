package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// The files of an account.
const (
	lockName   = "lock"
	credName   = "cred"        // the record in force; replaced only by rename
	tmpName    = "cred.tmp"    // the next one, being written
	newName    = "cred.new"    // the same, after the disk refused cred.tmp
	homeName   = "cred.home"   // one found beside cred, on its way there
	prevName   = "cred.prev"   // the one before, until cred has been read back
	badName    = "cred.bad-"   // and the time: unreadable ones are kept aside
	intentName = "intent"      // a refresh token is being presented
	nextIntent = "intent.next" // the next intent, being written
)

// maxGeneration is more than one record a second makes in ten thousand years.
const maxGeneration = 1 << 40

// found is what a look at an account's files yields.
type found struct {
	entry
	place  string // the file that holds it, one of the names above or a full path
	bad    bool   // there is a cred, and it is no record of ours
	why    error  // why not
	badGen uint64 // its generation, as far as its header can be trusted; 0: it cannot
}

// look reads all that may hold the account's newest record. What is being
// written is read before cred: a rename between the two then hides nothing.
// A file that is there and cannot be read now (too many open files, say) is an
// error: an older record must not pass for the newest.
func (v *Vault) look(s *sealer, dir folder, id string) (found, error) {
	var f found
	note, err := readIntent(dir)
	if err != nil {
		return f, err
	}
	places := []string{tmpName, newName}
	var noted []string
	if note != nil {
		noted = note.Rescue
	}
	// A login leaves no note, and a note may be torn: this process's own places count too.
	places = append(append(places, noted...), v.rescuePaths(id)...)
	var candidates []found
	for i, place := range places {
		data, err := v.readAt(dir, place)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotOurs) {
			continue
		}
		if err != nil && i >= 2+len(noted) && errors.Is(err, fs.ErrPermission) {
			continue // a folder of somebody else's, where nothing of ours can be
		}
		if err != nil {
			return f, fmt.Errorf("read the record: %w", err)
		}
		if e, err := s.unsealEntry(id, data); err == nil {
			candidates = append(candidates, found{entry: e, place: place})
		}
	}

	data, err := dir.read(credName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, errNotOurs):
		f.bad, f.why = true, err
	case err != nil:
		return f, fmt.Errorf("read the record: %w", err)
	default:
		if f.entry, err = s.unsealEntry(id, data); err != nil {
			f.bad, f.why = true, err
			// Nothing has authenticated it: what no account comes to is damage, too, and
			// must not be the number that the next record has to be above.
			if f.badGen, _, _ = peek(data); f.badGen > maxGeneration {
				f.badGen = 0
			}
		}
	}
	if f.Generation > 0 {
		f.place = credName
	}

	f.takeNewest(candidates)
	switch {
	case f.Generation > 0:
		return f, nil
	case f.bad:
		return f, fmt.Errorf("%w: %w", ErrUnreadable, f.why)
	}
	return f, ErrNotFound
}

// takeNewest replaces cred's record by the newest candidate that descends from
// it, directly or over another one. Where cred holds none, it is the newest of
// all: only a candidate that is older than what a damaged cred says of itself
// is passed over, since its refresh token must not be presented again.
func (f *found) takeNewest(candidates []found) {
	cred := f.entry
	known := []entry{cred}
	belongs := func(c found) bool {
		if cred.Generation == 0 {
			return c.Generation >= f.badGen
		}
		return slices.ContainsFunc(known, c.follows)
	}
	for again := true; again; {
		again = false
		candidates = slices.DeleteFunc(candidates, func(c found) bool {
			if !belongs(c) {
				return false
			}
			known, again = append(known, c.entry), true
			if c.Generation > f.Generation {
				f.entry, f.place = c.entry, c.place
			}
			return true
		})
	}
}

// readAt reads a file of the account's folder, or of the folder that a full
// path names.
func (v *Vault) readAt(dir folder, place string) ([]byte, error) {
	if !filepath.IsAbs(place) {
		return dir.read(place)
	}
	other, err := v.disk.open(filepath.Dir(place), false)
	if err != nil {
		return nil, err
	}
	defer other.close()
	return other.read(filepath.Base(place))
}

// recover looks, and moves a record that a killed process left beside cred to
// where it belongs. When the disk refuses that, the record is returned all the
// same, with home false: it may be used, and nothing may be presented.
func (h *Held) recover() (f found, home bool, err error) {
	s, err := h.vault.sealer()
	if err != nil {
		return found{}, false, err
	}
	f, err = h.vault.look(s, h.dir, h.id)
	if err != nil || f.place == credName {
		return f, err == nil, err
	}
	if err := h.promote(s, f); err != nil {
		h.vault.log.Warn("a recovered record cannot be put in its place", "account", h.id, "error", err)
		return f, false, nil
	}
	h.vault.log.Info("recovered a record that a renewal left behind", "account", h.id, "generation", f.Generation)
	f.place, f.bad = credName, false
	return f, true, nil
}

// promote makes a record found elsewhere the account's cred. It writes the record
// once more: whoever wrote it first may have been killed before the disk had it, or
// after the disk had refused to, and what can be read now need not be there after a
// power loss. What it was found in stays until the new one is durable.
func (h *Held) promote(s *sealer, f found) error {
	sealed, err := s.sealEntry(h.id, f.entry)
	if err != nil {
		return err
	}
	if err := h.commit(homeName, nil, sealed, &f.bad); err != nil {
		return err
	}
	h.removeCopies()
	return nil
}
