package accounts

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// labelColumns is how wide a label may be on a terminal.
const labelColumns = 40

// newID makes an account's name for ever: 128 random bits in letters and
// digits that every file system keeps apart.
func newID() ID {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: the program ends where there is no randomness
	return ID(strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])))
}

// validID reports whether id is safe as the name of a folder. It takes more
// than newID makes, because a file may come from another version.
func validID(id ID) bool {
	if len(id) == 0 || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// cleanLabel spells a label in the one way it is stored: composed (NFC), with
// single spaces, and without what could change a terminal.
func cleanLabel(s string) string {
	if isPlain(s) {
		return s
	}
	return norm.NFC.String(strings.Join(strings.Fields(plainText(s)), " "))
}

// isPlain reports whether s is what cleanLabel would make of it, for the many
// labels that are words of ASCII: a thousand of them are looked at on each write.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == ' ' && (i == 0 || i == len(s)-1 || s[i+1] == ' ') {
			return false
		}
	}
	return len(s) <= plainTextLimit
}

// checkLabel returns the label a person asked for as it is stored, composed and
// without the spaces around it, or says in a *LabelError why it cannot be one:
// nobody gets another label than was asked for.
func checkLabel(s string) (string, error) {
	label := norm.NFC.String(strings.TrimSpace(s))
	switch {
	case label == "":
		return "", &LabelError{Problem: "must not be empty"}
	case strings.HasPrefix(label, "-"):
		return "", &LabelError{Problem: "must not begin with a dash: a command would take it for a flag"}
	case columns(label) > labelColumns:
		return "", &LabelError{Problem: fmt.Sprintf("must be at most %d columns wide", labelColumns)}
	case label != cleanLabel(label):
		return "", &LabelError{Problem: "must be one line of visible characters, with single ordinary spaces between them"}
	}
	return label, nil
}

// labelKey is what two clean labels must not have in common.
func labelKey(label string) string { return strings.ToLower(label) }

// columns is how wide s is on a terminal, near enough for a limit.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}

// cutColumns returns the beginning of s that is at most limit columns wide.
func cutColumns(s string, limit int) string {
	n := 0
	for i, r := range s {
		if n += runeColumns(r); n > limit {
			return strings.TrimSpace(s[:i])
		}
	}
	return s
}

// labelFrom makes a label of a text from outside; "" if there is nothing to it.
func labelFrom(s string) string {
	return cutColumns(strings.TrimLeft(cleanLabel(s), "- "), labelColumns)
}

// freeLabel returns a label for a: the one it has if that is not taken, or else
// its e-mail or its organisation if no other account is meant by it, or else the
// first of them with a number behind it.
func (a Account) freeLabel(taken, meant func(label string) bool) string {
	base := labelFrom(a.Label)
	if base != "" && !taken(base) {
		return base // also where it is another's e-mail: whose came first is not known
	}
	free := func(label string) bool { return !taken(label) && !meant(label) }
	for _, wish := range []string{a.Email, a.Org} {
		label := labelFrom(wish)
		if label != "" && free(label) {
			return label
		}
		if base == "" {
			base = label
		}
	}
	if base == "" { // nothing is known of it
		if base = labelFrom(string(a.Provider)); base == "" {
			base = "account"
		}
		if free(base) {
			return base
		}
	}
	for n := 2; ; n++ {
		suffix := fmt.Sprintf(" %d", n)
		if label := cutColumns(base, labelColumns-len(suffix)) + suffix; free(label) {
			return label
		}
	}
}
