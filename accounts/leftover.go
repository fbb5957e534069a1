package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/oauthmux/oauthmux/accounts/vault"
)

// leftoverPatience is how long a folder's lock is waited for whose login may still
// be under way: then its sign-in settles it.
const leftoverPatience = 200 * time.Millisecond

// Promote puts the record of an account that accounts.json does not know in its
// place, if a killed process left it beside that: Rebuild looks there only.
func (r *Registry) Promote(ctx context.Context, v *vault.Vault, id ID) {
	if _, err := r.Latest(id); !errors.Is(err, ErrNotFound) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leftoverPatience)
	defer cancel()
	held, err := v.Lock(ctx, string(id))
	if err != nil {
		return
	}
	defer held.Release()
	if _, err := held.Read(); err != nil {
		r.log.Debug("a record of no account cannot be read", "account", id, "error", err)
	}
}

// Sweep removes what killed sign-ins left of logins that their accounts have: of the
// records that Rebuild passed over, those which an account has the same or a later
// login than. A copy that stays would outlive its token, and be an account when the
// real one is removed.
func (r *Registry) Sweep(ctx context.Context, v *vault.Vault, records map[ID]vault.Record) {
	for id, record := range records {
		if r.leftover(v, id, record) {
			r.sweep(ctx, v, id)
		}
	}
}

// sweep looks again under the copy's lock: its sign-in may have made an account of
// it, or be about to.
func (r *Registry) sweep(ctx context.Context, v *vault.Vault, id ID) {
	ctx, cancel := context.WithTimeout(ctx, leftoverPatience)
	defer cancel()
	held, err := v.Lock(ctx, string(id))
	if err != nil {
		return
	}
	defer held.Release()
	record, err := held.Read()
	if err != nil || !r.leftover(v, id, record) {
		return
	}
	if err := held.Remove(ctx); err != nil {
		r.log.Warn("something is left of a sign-in", "account", id, "error", err)
	}
}

// leftover reports whether a record is no account's, and an account has its login
// or a later one on disk.
func (r *Registry) leftover(v *vault.Vault, id ID, record vault.Record) bool {
	if _, err := r.Latest(id); !errors.Is(err, ErrNotFound) || r.Damage() != "" {
		return false
	}
	for _, a := range r.All() {
		if string(a.Provider) != record.Provider {
			continue
		}
		has, err := v.Read(string(a.ID))
		switch {
		case err != nil:
		case record.RefreshToken != "" && has.RefreshToken == record.RefreshToken,
			record.Identity != "" && a.Identity == record.Identity && !has.LoggedInAt.Before(record.LoggedInAt):
			return true
		}
	}
	return false
}
