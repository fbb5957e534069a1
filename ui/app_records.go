package ui

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/vault"
)

// records remembers which accounts' records cannot be read, as everybody who
// reads one finds it: a file that is damaged or restored meanwhile is noticed
// with the next request that needs it.
type records struct {
	changed func() // called after every change

	bad   atomic.Int32 // how many there are: none is the common case, and quick
	mu    sync.Mutex   // guards words
	words map[accounts.ID]string
}

// broken says why an account's record cannot be read; "": it can.
func (r *records) broken(id accounts.ID) string {
	if r.bad.Load() == 0 {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.words[id]
}

// note takes in how an attempt to read a record ended. Only what speaks of the
// record counts: a locked keyring or a dead network says nothing about it.
func (r *records) note(id accounts.ID, err error) {
	words := ""
	missing, _ := errors.AsType[*accounts.LoginNeededError](err)
	switch {
	case err == nil:
		if r.bad.Load() == 0 {
			return
		}
	case errors.Is(err, vault.ErrUnreadable):
		words = vault.ErrUnreadable.Error()
	case errors.Is(err, vault.ErrNotFound), missing != nil && missing.Cause == accounts.LoginMissing:
		words = "the vault has no token for it"
	default:
		return
	}
	r.mu.Lock()
	news := r.words[id] != words
	if words == "" {
		delete(r.words, id)
	} else {
		if r.words == nil {
			r.words = make(map[accounts.ID]string)
		}
		r.words[id] = words
	}
	r.bad.Store(int32(len(r.words))) //nolint:gosec // G115: as many as there are accounts
	r.mu.Unlock()
	if news && r.changed != nil {
		r.changed()
	}
}

// notedTokens are the renewer's tokens, with each reading noted.
type notedTokens struct {
	renewer *accounts.Renewer
	records *records
}

// Token implements rotation.Tokens.
func (t notedTokens) Token(id accounts.ID) (accounts.Token, error) {
	token, err := t.renewer.Token(id)
	t.records.note(id, err)
	return token, err
}

// Renew implements rotation.Tokens.
func (t notedTokens) Renew(ctx context.Context, id accounts.ID, than uint64) (accounts.Token, error) {
	token, err := t.renewer.Renew(ctx, id, than)
	t.records.note(id, err)
	return token, err
}

// inspect reads every record once: it rebuilds what a damaged accounts.json
// lost, and finds the records that cannot be read.
func (a *App) inspect(ctx context.Context) error {
	a.inspecting.Lock()
	defer a.inspecting.Unlock()
	ids, err := a.vault.IDs()
	if err != nil {
		return fmt.Errorf("list the vault: %w", err)
	}
	known := make(map[accounts.ID]vault.Record, len(ids))
	for _, id := range ids {
		a.registry.Promote(ctx, a.vault, accounts.ID(id))
		if record, err := a.vault.Read(id); err == nil {
			known[accounts.ID(id)] = record
		}
	}
	if err := a.registry.Rebuild(known); err != nil {
		return fmt.Errorf("rebuild the accounts: %w", err)
	}
	a.registry.Sweep(ctx, a.vault, known)
	for _, acc := range a.registry.All() {
		record, err := a.vault.Read(string(acc.ID)) // again: a login may have come in between
		a.records.note(acc.ID, err)
		if err != nil {
			continue
		}
		if err := a.registry.Acknowledge(acc.ID, record); err != nil {
			a.log.Warn("accounts.json does not tell of a login that the vault has", "account", acc.ID, "error", err)
		}
	}
	return nil
}
