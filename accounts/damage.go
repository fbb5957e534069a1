package accounts

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/oauthmux/oauthmux/accounts/vault"
)

// openDamaged settles how a registry begins whose file cannot be used, or is
// not there.
func (r *Registry) openDamaged(cause error) {
	sealed := len(r.sealed(func(ID) bool { return true }))
	empty := &document{}
	if errors.Is(cause, fs.ErrNotExist) {
		r.state = state{doc: empty, hollow: sealed > 0}
		kept := r.keptBefore()
		switch {
		case sealed > 0:
			r.state.damage = fmt.Sprintf("accounts.json is missing, and the vault holds %s%s", accountsInWords(sealed), kept)
		case kept != "": // nothing is lost but what that one says
			r.state.damage = "accounts.json is missing" + kept
		}
		return
	}
	r.state = state{doc: empty, hollow: sealed > 0}
	var kept string
	_, err := r.locked(func() (bool, error) {
		doc, info, err := r.read() // somebody may have mended it
		if err == nil {
			r.state = state{doc: doc, info: info}
			return false, nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil // somebody else set it aside
		}
		kept, err = r.setAside()
		return false, err
	})
	switch {
	case r.state.info != nil:
	case err != nil: // it is still there, so that nothing can be written over it
		r.log.Warn("accounts.json is damaged and cannot be moved aside", "problem", cause, "error", err)
		r.state.damage = fmt.Sprintf("accounts.json is damaged (%v) and could not be moved aside (%v)", cause, err)
	case kept == "":
		r.state.damage = fmt.Sprintf("accounts.json was damaged (%v)%s", cause, r.keptBefore())
	default:
		r.log.Warn("accounts.json was damaged and has been moved aside", "problem", cause, "kept", kept)
		r.state.damage = fmt.Sprintf("accounts.json was damaged (%v); it is kept as %s in %s", cause, filepath.Base(kept), filepath.Dir(kept))
	}
}

// setAside renames the damaged file, so that nothing of it is lost. The caller
// holds state.lock.
func (r *Registry) setAside() (kept string, err error) {
	stamp := time.Now().UTC().Format("20060102T150405.000000000Z")
	for n := 0; ; n++ {
		kept = fmt.Sprintf("%s.bad-%s", r.path, stamp)
		if n > 0 {
			kept += fmt.Sprintf("-%d", n)
		}
		if _, err := os.Lstat(kept); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err := os.Rename(r.path, kept); err != nil {
		return "", fmt.Errorf("move the damaged accounts.json aside: %w", err)
	}
	if err := ownersAlone(kept); err != nil {
		r.log.Warn("a damaged accounts.json is kept, and others may read it", "kept", kept, "error", err)
	}
	return kept, syncDir(filepath.Dir(r.path))
}

// ownersAlone takes what others may do with a regular file from them. It follows
// no link: what a link leads to is not ours.
func ownersAlone(path string) error {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return os.Chmod(path, 0o600)
}

// keptBefore names the newest damaged file that was moved aside, if there is one.
func (r *Registry) keptBefore() string {
	names, err := filepath.Glob(r.path + ".bad-*")
	if err != nil || len(names) == 0 {
		return ""
	}
	return "; a damaged one is kept as " + filepath.Base(slices.Max(names)) + " in " + filepath.Dir(r.path)
}

// sealed returns those accounts of which the vault holds a record, of all that may be
// wanted.
func (r *Registry) sealed(wanted func(ID) bool) (ids []ID) {
	entries, err := os.ReadDir(r.vaultDir())
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		if wanted(ID(entry.Name())) && vault.Keeps(r.vaultDir(), entry.Name()) {
			ids = append(ids, ID(entry.Name()))
		}
	}
	return ids
}

// stillSealed returns the records that the vault still has.
func (r *Registry) stillSealed(records map[ID]vault.Record) map[ID]vault.Record {
	still := make(map[ID]vault.Record, len(records))
	for id, record := range records {
		if validID(id) && vault.Keeps(r.vaultDir(), string(id)) {
			still[id] = record
		}
	}
	return still
}

// Forgotten reports whether nothing is left of an account: neither in accounts.json,
// as other processes left it, nor in the vault. What belonged to it may go. Of no
// account is that said while accounts.json is damaged.
func (r *Registry) Forgotten(id ID) bool {
	if !validID(id) || !r.look() || r.Damage() != "" {
		return false
	}
	if _, err := r.Get(id); err == nil {
		return false
	}
	return !vault.Keeps(r.vaultDir(), string(id))
}

// vaultDir is where the vault is (DESIGN 5).
func (r *Registry) vaultDir() string { return filepath.Join(filepath.Dir(r.path), "vault") }

func accountsInWords(n int) string {
	if n == 1 {
		return "one account"
	}
	return fmt.Sprintf("%d accounts", n)
}

// Rebuild fills in what the vault knows and accounts.json does not: after
// damage, or when a process died between the two. What the file holds stays as
// it is, and a record of which it knows the account changes nothing. Neither does
// one that has left the vault since it was read: its account is being removed.
func (r *Registry) Rebuild(records map[ID]vault.Record) error {
	changed, err := r.locked(func() (bool, error) {
		r.mu.Lock()
		r.state.hollow = false // from here on the vault's records are what there is
		r.mu.Unlock()
		base, found, err := r.base()
		if err != nil {
			return found, err
		}
		next := base.clone()
		next.fill(r.stillSealed(records), func(id ID) bool { return vault.Keeps(r.vaultDir(), string(id)) }, r.Damage() != "")
		wrote, err := r.write(base, next)
		return found || wrote, err
	})
	if changed {
		r.publish("")
	}
	return err
}

// fill adds the accounts of the records that d does not know, as they signed in.
// A record that says whose it is comes before one that does not: a crash in the
// middle of a sign-in can leave a copy of its tokens, and one refresh token must
// never be two accounts'. An identity that is known already needs no second
// account, unless the one that has it has no record: then its id in the file is
// not what it was, and this is the login. What was asked to be a certain account's
// is no other one's (see Sweep), unless nothing else is left of that: whether it was
// removed is not known after damage, and a login more is better than one less.
func (d *document) fill(records map[ID]vault.Record, sealed func(ID) bool, damaged bool) {
	ids := slices.SortedFunc(maps.Keys(records), func(a, b ID) int {
		x, y := records[a], records[b]
		return cmp.Or(anonymous(x)-anonymous(y), x.LoggedInAt.Compare(y.LoggedInAt), cmp.Compare(a, b))
	})
	presented := make(map[string]bool)
	for _, id := range ids {
		if d.index(id) >= 0 {
			presented[records[id].RefreshToken] = true
		}
	}
	for _, id := range ids {
		record := records[id]
		known, twin := d.identified(ProviderID(record.Provider), record.Identity)
		of := ID(record.For)
		anothers := of != "" && (!damaged || record.Unproven || d.index(of) >= 0 || sealed(of))
		if !validID(id) || record.Provider == "" || anothers || d.index(id) >= 0 || twin && sealed(known.ID) || presented[record.RefreshToken] {
			continue
		}
		presented[record.RefreshToken] = record.RefreshToken != ""
		d.add(fromRecord(id, record))
	}
}

func anonymous(record vault.Record) int {
	if record.Identity == "" {
		return 1
	}
	return 0
}

func fromRecord(id ID, record vault.Record) Account {
	a := Account{
		ID:         id,
		Provider:   ProviderID(record.Provider),
		Identity:   record.Identity,
		Label:      record.Label,
		Email:      record.Email,
		Org:        record.Org,
		Plan:       record.Plan,
		Order:      record.Order,
		Paused:     record.Paused,
		LoggedInAt: record.LoggedInAt,
	}
	if t, err := tokenFrom(record); err == nil {
		a.TokenExpiresAt = t.Expiry
	}
	return a
}
