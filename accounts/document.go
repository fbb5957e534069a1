package accounts

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unique"
)

const (
	documentVersion = 1
	documentLimit   = 16 << 20 // bytes; a thousand accounts are about one MiB
)

// document is accounts.json in memory. A published one never changes: a writer
// works on a clone.
type document struct {
	accounts  []*entry // by provider, then order
	preferred map[ProviderID]ID
	terms     map[ProviderID]time.Time // when the notice was accepted
	strategy  string                   // how accounts are chosen, if the person said so on the screen
	theme     string                   // the colours of the screen, likewise
	extra     fields                   // of the top level, from a newer version: written back as they came

	byID []*entry // accounts by id, as of the last settle

	sum [sha256.Size]byte // of the bytes on disk; zero: never written
}

// entry is an account and the fields of it that this version does not know. It is
// replaced, never written to: documents share it, and so does who asked for Shared.
type entry struct {
	Account
	extra fields
}

type fields map[string]json.RawMessage

// wireDocument is the known part of the file.
type wireDocument struct {
	Version   int                      `json:"version"`
	Accounts  *[]json.RawMessage       `json:"accounts"`
	Preferred map[ProviderID]ID        `json:"preferred"`
	Terms     map[ProviderID]time.Time `json:"terms"`
	Strategy  string                   `json:"strategy"`
	Theme     string                   `json:"theme"`
}

var (
	documentKeys = []string{"version", "accounts", "preferred", "terms", "strategy", "theme"}
	accountKeys  = keysOf(Account{})
)

// damageError says why the bytes of accounts.json cannot be used.
type damageError struct{ reason string }

func (e *damageError) Error() string { return e.reason }

// parseDocument reads the file strictly: what it takes, encode writes back
// without loss. Its errors are *damageError.
func parseDocument(raw []byte) (*document, error) {
	if len(raw) > documentLimit {
		return nil, &damageError{fmt.Sprintf("it is larger than %d MiB", documentLimit>>20)}
	}
	if err := checkShape(raw); err != nil {
		return nil, err
	}
	var wire wireDocument
	if err := json.Unmarshal(raw, &wire); err != nil {
		return nil, damaged(err)
	}
	switch {
	case wire.Version == 0:
		return nil, &damageError{"it names no version"}
	case wire.Version != documentVersion:
		return nil, &damageError{fmt.Sprintf("its version is %d, and this program knows %d", wire.Version, documentVersion)}
	case wire.Accounts == nil:
		return nil, &damageError{"it has no list of accounts"}
	}
	d := &document{
		accounts:  make([]*entry, 0, len(*wire.Accounts)),
		preferred: wire.Preferred,
		terms:     wire.Terms,
		strategy:  wire.Strategy,
		theme:     wire.Theme,
		sum:       sha256.Sum256(raw),
	}
	var err error
	if d.extra, err = unknownFields(raw, documentKeys); err != nil {
		return nil, damaged(err)
	}
	seen := make(map[ID]bool, len(*wire.Accounts))
	for i, rawAccount := range *wire.Accounts {
		e, err := parseEntry(rawAccount)
		switch {
		case err != nil:
			return nil, &damageError{fmt.Sprintf("account %d in it cannot be read: %v", i+1, err)}
		case !validID(e.ID) || e.Provider == "":
			return nil, &damageError{fmt.Sprintf("account %d in it has no usable id or provider", i+1)}
		case seen[e.ID]:
			return nil, &damageError{fmt.Sprintf("it names account %s twice", e.ID)}
		}
		seen[e.ID] = true
		d.accounts = append(d.accounts, e)
	}
	d.settle()
	return d, nil
}

func parseEntry(raw json.RawMessage) (*entry, error) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, errors.New("it is not an object")
	}
	var a Account
	if err := json.Unmarshal(raw, &a); err != nil {
		return nil, damaged(err)
	}
	extra, err := unknownFields(raw, accountKeys)
	if err != nil {
		return nil, err
	}
	a = a.Clone() // encoding/json leaves room in slices
	a.shareWords()
	return &entry{a, extra}, nil
}

// shareWords has an account that nobody else knows yet share the words that are the
// same in many.
func (a *Account) shareWords() {
	words := []*string{(*string)(&a.Provider), &a.Plan, &a.NeedsLogin, &a.Browser, &a.Usage.Source, &a.Counts.Day}
	for i := range a.Usage.Windows {
		words = append(words, &a.Usage.Windows[i].Name, &a.Usage.Windows[i].Scope)
	}
	for i := range a.Cooldowns {
		words = append(words, &a.Cooldowns[i].Scope, &a.Cooldowns[i].Kind)
	}
	for _, word := range words {
		*word = unique.Make(*word).Value()
	}
}

// damaged turns an error of encoding/json into words without the file's own.
func damaged(err error) error {
	if typeErr, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return &damageError{fmt.Sprintf("%q has the wrong type", typeErr.Field)}
	}
	return &damageError{"it has a value of the wrong kind"}
}

// encode returns the file's bytes, one account a line.
func (d *document) encode() ([]byte, error) {
	var b bytes.Buffer
	b.Grow(256 + 1024*len(d.accounts))
	fmt.Fprintf(&b, "{\n  \"version\": %d,\n  \"accounts\": [", documentVersion)
	for i, e := range d.accounts {
		raw, err := e.encode()
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n    ")
		b.Write(raw)
	}
	b.WriteString("\n  ]")
	known := []struct {
		name  string
		value any
	}{{"preferred", nonNil(d.preferred)}, {"terms", nonNil(d.terms)}, {"strategy", d.strategy}, {"theme", d.theme}}
	for _, field := range known {
		if field.value == "" {
			continue // nobody said anything
		}
		raw, err := json.Marshal(field.value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, ",\n  %q: %s", field.name, raw)
	}
	for _, name := range slices.Sorted(maps.Keys(d.extra)) {
		quoted, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, ",\n  %s: %s", quoted, d.extra[name])
	}
	b.WriteString("\n}\n")
	return b.Bytes(), nil
}

func (e *entry) encode() ([]byte, error) {
	a := e.Account
	if a.Cooldowns == nil {
		a.Cooldowns = []Cooldown{}
	}
	raw, err := json.Marshal(a)
	if err != nil || len(e.extra) == 0 {
		return raw, err
	}
	raw = raw[:len(raw)-1]
	for _, name := range slices.Sorted(maps.Keys(e.extra)) {
		quoted, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		raw = append(raw, ',')
		raw = append(raw, quoted...)
		raw = append(raw, ':')
		raw = append(raw, e.extra[name]...)
	}
	return append(raw, '}'), nil
}

func nonNil[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}

// clone returns a copy that may be changed, but for what is inside an entry.
func (d *document) clone() *document {
	next := *d
	next.accounts = slices.Clone(d.accounts)
	next.preferred = maps.Clone(nonNil(d.preferred))
	next.terms = maps.Clone(nonNil(d.terms))
	return &next
}

// settle puts the accounts in order, numbers them per provider from 1, makes
// the labels what they promise to be, and forgets a choice that is gone.
func (d *document) settle() {
	slices.SortStableFunc(d.accounts, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Order, b.Order), cmp.Compare(a.ID, b.ID))
	})
	owners := make(map[string]ID, len(d.accounts))
	taken := func(label string) bool { return owners[labelKey(label)] != "" }
	for i, e := range d.accounts {
		order, label := 1, e.Label
		if i > 0 && d.accounts[i-1].Provider == e.Provider {
			order = d.accounts[i-1].Order + 1
		}
		if clean, err := checkLabel(label); err != nil || clean != label || taken(label) {
			label = e.freeLabel(taken, d.meant(e.ID))
		}
		if order != e.Order || label != e.Label {
			a := e.Account
			a.Order, a.Label = order, label
			d.replace(i, a)
		}
		owners[labelKey(label)] = e.ID
	}
	d.byID = slices.Clone(d.accounts)
	slices.SortFunc(d.byID, func(a, b *entry) int { return cmp.Compare(a.ID, b.ID) })
	for p, id := range d.preferred {
		if e := d.find(id); e == nil || e.Provider != p {
			delete(d.preferred, p)
		}
	}
}

// replace puts a in the place of the i-th account.
func (d *document) replace(i int, a Account) {
	d.accounts[i] = &entry{a, d.accounts[i].extra}
}

// find returns the account of a document that has been settled; nil: it has none of
// that id.
func (d *document) find(id ID) *entry {
	i, found := slices.BinarySearchFunc(d.byID, id, func(e *entry, id ID) int { return cmp.Compare(e.ID, id) })
	if !found {
		return nil
	}
	return d.byID[i]
}

// index returns where the account is, or -1.
func (d *document) index(id ID) int {
	return slices.IndexFunc(d.accounts, func(e *entry) bool { return e.ID == id })
}

// owner returns the account that has the label, whatever its case.
func (d *document) owner(label string) (Account, bool) {
	key := labelKey(label)
	for _, e := range d.accounts {
		if labelKey(e.Label) == key {
			return e.Account, true
		}
	}
	return Account{}, false
}

// identified returns the account of a provider that belongs to an identity.
func (d *document) identified(p ProviderID, identity string) (Account, bool) {
	for _, e := range d.accounts {
		if identity != "" && e.Provider == p && e.Identity == identity {
			return e.Account, true
		}
	}
	return Account{}, false
}
