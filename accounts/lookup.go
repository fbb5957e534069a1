package accounts

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Lookup returns the accounts that a person may mean by name: the one whose id
// it is to the letter, or else every one whose id, label or e-mail address it
// is, whatever the case. Of several the person chooses: no kind of name is worth
// more than another, or a command would reach an account that was not meant.
func Lookup[A any](all []A, name string, names func(A) (id, label, email string)) []A {
	name = strings.TrimSpace(name)
	key := nameKey(name)
	if key == "" {
		return nil
	}
	var matches []A
	for _, a := range all {
		id, label, email := names(a)
		if id == name {
			return []A{a}
		}
		if nameKey(id) == key || nameKey(label) == key || nameKey(email) == key {
			matches = append(matches, a)
		}
	}
	return matches
}

// nameKey is what two spellings of a name have in common.
func nameKey(name string) string {
	return strings.ToLower(norm.NFC.String(strings.TrimSpace(name)))
}

func (e *entry) names() (id, label, email string) { return string(e.ID), e.Label, e.Email }

// named returns another account than id that a person may mean by name.
func (d *document) named(id ID, name string) (Account, bool) {
	key := nameKey(name)
	for _, e := range d.accounts {
		if e.ID != id && (nameKey(e.Label) == key || nameKey(string(e.ID)) == key || nameKey(e.Email) == key) {
			return e.Account, true
		}
	}
	return Account{}, false
}
