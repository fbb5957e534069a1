package accounts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/oauthmux/oauthmux/accounts/vault"
)

// leftoverPatience is how long the locks are waited for of a login that may still be
// under way, which its sign-in settles then, and of its account.
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

// Sweep settles the logins that sign-ins left under names of their own because they
// were killed, or could not have their account's lock: of the records that Rebuild
// passed over, those of which an account is known. The account gets what is newer
// than its own; a copy that stays would outlive its token, and be an account when the
// real one is removed.
func (r *Registry) Sweep(ctx context.Context, v *vault.Vault, records map[ID]vault.Record) {
	for _, id := range inOrder(records) {
		if r.stray(v, id, records[id]) {
			r.settle(ctx, v, id)
		}
	}
}

// inOrder begins with the oldest login: what has the account's token of now is a copy
// of it, and could not be told once the account has another.
func inOrder(records map[ID]vault.Record) []ID {
	return slices.SortedFunc(maps.Keys(records), func(a, b ID) int {
		return cmp.Or(records[a].LoggedInAt.Compare(records[b].LoggedInAt), cmp.Compare(a, b))
	})
}

// Adopt is Sweep for the logins of one account. It is for whoever is about to take
// the account's lock, and has not got it: a sign-in holds its copy's while it waits
// for the account's.
func (r *Registry) Adopt(ctx context.Context, v *vault.Vault, id ID) {
	strays, _ := r.straysOf(v, id)
	for _, stray := range strays {
		r.settle(ctx, v, stray)
	}
}

// Disown removes the logins that wait for an account which is about to be removed. A
// sign-in that is still under way is for itself to settle. An error says that the
// vault has a login of nobody known that cannot be looked at: it may be the
// account's, and would be an account of its own afterwards.
func (r *Registry) Disown(ctx context.Context, v *vault.Vault, id ID) error {
	strays, unseen := r.straysOf(v, id)
	if unseen != nil {
		return fmt.Errorf("a login that waits in the vault may be of this account, and cannot be looked at: %w", unseen)
	}
	for _, stray := range strays {
		r.withStray(ctx, v, stray, func(_ context.Context, record vault.Record) bool {
			owner, known := r.owner(v, record)
			return known && owner.ID == id
		})
	}
	return nil
}

// straysOf returns where the vault has logins of an account beside its own, and why
// it does not tell of some. One that is damaged is nobody's.
func (r *Registry) straysOf(v *vault.Vault, id ID) (strays []ID, unseen error) {
	records := make(map[ID]vault.Record)
	r.look()
	doc := r.document()
	for _, other := range r.sealed(func(other ID) bool { return doc.find(other) == nil }) {
		switch record, err := v.Read(string(other)); {
		case err == nil:
			if owner, known := r.owner(v, record); known && owner.ID == id {
				records[other] = record
			}
		case !errors.Is(err, vault.ErrNotFound) && !errors.Is(err, vault.ErrUnreadable):
			unseen = err
		}
	}
	return inOrder(records), unseen
}

// settle brings a copy's login to its account, and removes the copy.
func (r *Registry) settle(ctx context.Context, v *vault.Vault, id ID) {
	r.withStray(ctx, v, id, func(ctx context.Context, record vault.Record) bool {
		owner, known := r.owner(v, record)
		if !known {
			return r.orphan(record)
		}
		has, err := r.hand(ctx, v, owner, record)
		if err != nil {
			r.log.Warn("a login waits for its account", "account", owner.ID, "login", id, "error", err)
		}
		return has
	})
}

// withStray calls work with a record that is no account's, under its lock: its
// sign-in may have made an account of it, or be about to. It removes the record if
// work says that it goes.
func (r *Registry) withStray(ctx context.Context, v *vault.Vault, id ID, work func(context.Context, vault.Record) (goes bool)) {
	ctx, cancel := context.WithTimeout(ctx, leftoverPatience)
	defer cancel()
	held, err := v.Lock(ctx, string(id))
	if err != nil {
		return
	}
	defer held.Release()
	if _, err := r.Latest(id); !errors.Is(err, ErrNotFound) || r.Damage() != "" {
		return
	}
	record, err := held.Read()
	switch {
	case errors.Is(err, vault.ErrNotFound): // asking for the lock has made its folder again
	case err != nil, !work(ctx, record):
		return
	}
	if err := held.Remove(ctx); err != nil {
		r.log.Warn("something is left of a sign-in", "account", id, "error", err)
	}
}

// stray reports whether a record is no account's, and belongs to one that is here, or
// that was here.
func (r *Registry) stray(v *vault.Vault, id ID, record vault.Record) bool {
	if _, err := r.Latest(id); !errors.Is(err, ErrNotFound) || r.Damage() != "" {
		return false
	}
	_, known := r.owner(v, record)
	return known || r.orphan(record)
}

// orphan reports whether a login was asked to be an account's that is gone.
func (r *Registry) orphan(record vault.Record) bool {
	return record.For != "" && r.Forgotten(ID(record.For))
}

// owner returns the account that a record is a login of: the one that was asked for,
// or the identity's, or else the one that has the very same token.
func (r *Registry) owner(v *vault.Vault, record vault.Record) (Account, bool) {
	if record.For != "" {
		a, err := r.Get(ID(record.For))
		return a, err == nil
	}
	if a, known := r.Identified(ProviderID(record.Provider), record.Identity); known {
		return a, true
	}
	for _, a := range r.All() {
		if string(a.Provider) != record.Provider || record.RefreshToken == "" {
			continue
		}
		if has, err := v.Read(string(a.ID)); err == nil && has.RefreshToken == record.RefreshToken {
			return a, true
		}
	}
	return Account{}, false
}

// hand gives an account a login, unless it has that one or a later one, and reports
// whether it has it on disk then. The login of an account that was removed since is
// not needed either.
func (r *Registry) hand(ctx context.Context, v *vault.Vault, a Account, login vault.Record) (has bool, err error) {
	held, err := v.Lock(ctx, string(a.ID))
	if err != nil {
		return false, err
	}
	defer held.Release()
	a, gone := r.Latest(a.ID)
	own, err := held.Read()
	switch {
	case gone != nil && errors.Is(err, vault.ErrNotFound): // asking for its lock has made its folder again
		return true, held.Remove(ctx)
	case gone != nil:
		return false, gone
	case err != nil && !errors.Is(err, vault.ErrNotFound) && !errors.Is(err, vault.ErrUnreadable):
		return false, err
	}
	if err := held.Prepare(); err != nil { // what the account has is durable in its place by then
		return false, err
	}
	t, unreadable := tokenFrom(login)
	switch {
	case err == nil && !supersedes(login, own, a):
		return true, r.Acknowledge(a.ID, own)
	case login.Unproven: // it may be anybody's
		return false, nil
	case err != nil && !login.LoggedInAt.After(a.LoggedInAt):
		return false, nil // the record that cannot be read may have superseded it
	case unreadable != nil:
		return false, unreadable
	}
	if err := held.Store(adopted(a, login)); err != nil {
		return false, err
	}
	_, err = r.Edit(a.ID, func(a *Account) error {
		a.Identity, a.Email = cmp.Or(login.Identity, a.Identity), cmp.Or(login.Email, a.Email)
		a.Org, a.Plan = cmp.Or(login.Org, a.Org), cmp.Or(login.Plan, a.Plan)
		a.signedIn(login.LoggedInAt, t.Expiry)
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		return true, held.Remove(ctx)
	}
	r.log.Info("a login that waited for its account has been taken", "account", a.ID)
	return true, err
}

// supersedes reports whether a login is to take the place of an account's own. A
// clock that was set back makes a later one look earlier: where the account's own has
// ended, any other sign-in's does. At worst that has ended, too, and the next renewal
// says so; a copy of the own one, whose token may be used up, is of the same moment.
func supersedes(login, own vault.Record, a Account) bool {
	switch {
	case own.RefreshToken != "" && own.RefreshToken == login.RefreshToken:
		return false
	case a.NeedsLogin != "" && a.NeedsLoginGen == own.Generation:
		return !login.LoggedInAt.Equal(own.LoggedInAt)
	}
	return login.LoggedInAt.After(own.LoggedInAt)
}

// Acknowledge writes down that an account has the login of its record, if it is not
// known yet: a process may have been killed between the vault and accounts.json.
func (r *Registry) Acknowledge(id ID, own vault.Record) error {
	t, err := tokenFrom(own)
	if err != nil {
		return nil //nolint:nilerr // the record says nothing that could be written down
	}
	if a, err := r.Get(id); err != nil || !own.LoggedInAt.After(a.LoggedInAt) {
		return nil //nolint:nilerr // or there is no such account any more
	}
	_, err = r.Edit(id, func(a *Account) error {
		if own.LoggedInAt.After(a.LoggedInAt) {
			a.signedIn(own.LoggedInAt, t.Expiry)
		}
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// adopted is what the vault gets of a login that becomes the account's.
func adopted(a Account, login vault.Record) vault.Record {
	login.Generation, login.For = 0, ""
	login.Identity, login.Email = cmp.Or(login.Identity, a.Identity), cmp.Or(login.Email, a.Email)
	login.Org, login.Plan = cmp.Or(login.Org, a.Org), cmp.Or(login.Plan, a.Plan)
	login.Label, login.Order, login.Paused = a.Label, a.Order, a.Paused
	return login
}
