package accounts

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Edit changes one account: change gets a copy of what is on disk, and what it
// leaves there becomes durable, then visible, then announced. An error of
// change writes nothing. Id, provider and order stay as they are; a label must
// be usable and free. change must not call the registry's other writers.
func (r *Registry) Edit(id ID, change func(*Account) error) (Account, error) {
	var edited Account
	err := r.change(id, func(d *document) error {
		i := d.index(id)
		if i < 0 {
			return fmt.Errorf("account %q: %w", id, ErrNotFound)
		}
		before := d.accounts[i].Account
		a := before.Clone()
		if err := change(&a); err != nil {
			return err
		}
		a.ID, a.Provider, a.Order = before.ID, before.Provider, before.Order
		if a.Label != before.Label {
			label, err := d.claim(id, a.Label)
			if err != nil {
				return err
			}
			a.Label = label
		}
		a.Email, a.Org, a.Plan = plainText(a.Email), plainText(a.Org), plainText(a.Plan)
		a.NeedsYou = plainText(a.NeedsYou)
		d.replace(i, a)
		edited = a.Clone()
		return nil
	})
	if err != nil {
		return Account{}, err
	}
	return edited, nil
}

// Add adds an account at the end of its provider's order and returns it as it
// is stored. Without an id it gets a random one. Without a label it gets one
// made of its e-mail or organisation; a label that was asked for must be
// usable and free, and no account of the provider may have its identity.
func (r *Registry) Add(a Account) (Account, error) {
	if a.ID == "" {
		a.ID = newID()
	}
	if !validID(a.ID) || a.Provider == "" {
		return Account{}, fmt.Errorf("add account %q: no usable id or provider", a.ID)
	}
	err := r.change(a.ID, func(d *document) error {
		if d.index(a.ID) >= 0 {
			return fmt.Errorf("add account %q: %w", a.ID, errThere)
		}
		if owner, known := d.identified(a.Provider, a.Identity); known {
			return &identityKnownError{owner.Clone()}
		}
		if a.Label != "" {
			label, err := d.claim(a.ID, a.Label)
			if err != nil {
				return err
			}
			a.Label = label
		}
		d.add(a)
		return nil
	})
	if err != nil {
		return Account{}, err
	}
	return r.Get(a.ID)
}

// errThere says that there is an account of that id.
var errThere = errors.New("it is there already")

// Remove forgets an account. Its token is the vault's to remove, before.
func (r *Registry) Remove(id ID) error {
	return r.change(id, func(d *document) error {
		i := d.index(id)
		if i < 0 {
			return fmt.Errorf("account %q: %w", id, ErrNotFound)
		}
		d.accounts = slices.Delete(d.accounts, i, i+1)
		return nil
	})
}

// Rename gives an account another label. Errors: ErrNotFound, *LabelError,
// *DuplicateLabelError.
func (r *Registry) Rename(id ID, label string) error {
	if _, err := checkLabel(label); err != nil {
		return err // though it may be the label the account has by now
	}
	_, err := r.Edit(id, func(a *Account) error { a.Label = label; return nil })
	return err
}

// Move puts an account at a position of its provider's order: 1 is first, and
// a position beyond the end is last.
func (r *Registry) Move(id ID, position int) error {
	return r.reorder(id, func(int) int { return position })
}

// Shift moves an account by so many places of its provider's order, towards the end
// where by is positive, and not beyond its ends.
func (r *Registry) Shift(id ID, by int) error {
	by = min(max(by, -math.MaxInt32), math.MaxInt32) // a sum must not wrap around
	return r.reorder(id, func(position int) int { return position + by })
}

// reorder puts an account where to says, which gets its position.
func (r *Registry) reorder(id ID, to func(position int) int) error {
	return r.change("", func(d *document) error {
		from := d.index(id)
		if from < 0 {
			return fmt.Errorf("account %q: %w", id, ErrNotFound)
		}
		moved := d.accounts[from]
		first, last := from, from // of its provider
		for first > 0 && d.accounts[first-1].Provider == moved.Provider {
			first--
		}
		for last < len(d.accounts)-1 && d.accounts[last+1].Provider == moved.Provider {
			last++
		}
		at := min(max(to(from-first+1), 1)-1, last-first) + first
		d.accounts = slices.Insert(slices.Delete(d.accounts, from, from+1), at, moved)
		for i := first; i <= last; i++ {
			a := d.accounts[i].Account
			a.Order = i - first + 1
			d.replace(i, a)
		}
		return nil
	})
}

// Prefer makes the account the person's choice for its provider.
func (r *Registry) Prefer(id ID) error {
	return r.change("", func(d *document) error {
		i := d.index(id)
		if i < 0 {
			return fmt.Errorf("account %q: %w", id, ErrNotFound)
		}
		d.preferred[d.accounts[i].Provider] = id
		return nil
	})
}

// AcceptTerms records that the person accepted the provider's notice.
func (r *Registry) AcceptTerms(p ProviderID) error {
	return r.change("", func(d *document) error {
		if _, before := d.terms[p]; !before {
			d.terms[p] = time.Now().UTC().Truncate(time.Second)
		}
		return nil
	})
}

// SetStrategy remembers how accounts are to be chosen; "" forgets it. What the
// name means is not for the registry to know.
func (r *Registry) SetStrategy(name string) error {
	return r.change("", func(d *document) error { d.strategy = name; return nil })
}

// SetTheme remembers the colours of the screen; "" forgets them.
func (r *Registry) SetTheme(name string) error {
	return r.change("", func(d *document) error { d.theme = name; return nil })
}

// identityKnownError says that the person and organisation have an account.
type identityKnownError struct{ owner Account }

func (e *identityKnownError) Error() string {
	return fmt.Sprintf("this login belongs to %q, which is here already", e.owner.Label)
}

// expect returns a with the label and the place that Add would give it now.
func (r *Registry) expect(a Account) Account {
	d := r.document()
	a.Label, a.Order = d.freeLabel(a), 1
	for i := range d.accounts {
		if d.accounts[i].Provider == a.Provider {
			a.Order = d.accounts[i].Order + 1
		}
	}
	return a
}

func (d *document) freeLabel(a Account) string {
	taken := func(label string) bool { _, taken := d.owner(label); return taken }
	return a.freeLabel(taken, d.meant(a.ID))
}

// meant reports of a label whether a person may mean another account than id by
// it already.
func (d *document) meant(id ID) func(label string) bool {
	return func(label string) bool { _, meant := d.named(id, label); return meant }
}

// claim returns the label as it is stored, if account id may have it: nobody may
// mean another account by it, not by its id or e-mail address either.
func (d *document) claim(id ID, wanted string) (string, error) {
	label, err := checkLabel(wanted)
	if err != nil {
		return "", err
	}
	if i := d.index(id); i >= 0 && labelKey(d.accounts[i].Label) == labelKey(label) {
		return label, nil // it has it
	}
	if owner, meant := d.named(id, label); meant {
		return "", &DuplicateLabelError{Label: label, Owner: owner.Clone()}
	}
	return label, nil
}

// asked returns the account of a provider that a login with that label must be
// of; "": a clean label by which nobody is meant, which a new account may have.
func (d *document) asked(p ProviderID, label string) (ID, error) {
	owner, known := d.owner(label)
	if !known {
		if owner, known = d.named("", label); !known {
			return "", nil
		}
		if other, several := d.named(owner.ID, label); several {
			return "", &DuplicateLabelError{Label: label, Owner: other.Clone()}
		}
	}
	if owner.Provider != p {
		return "", &DuplicateLabelError{Label: label, Owner: owner.Clone()}
	}
	return owner.ID, nil
}

// add appends an account behind all others of its provider.
func (d *document) add(a Account) {
	a.Email, a.Org, a.Plan = plainText(a.Email), plainText(a.Org), plainText(a.Plan)
	a.Label = d.freeLabel(a)
	if a.Order == 0 {
		a.Order = len(d.accounts) + 1
	}
	d.accounts = append(d.accounts, &entry{Account: a})
}
