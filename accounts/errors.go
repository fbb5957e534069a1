package accounts

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotFound says that there is no such account, or no such login under way.
var ErrNotFound = errors.New("not found")

// AmbiguousError says that a name fits several accounts.
type AmbiguousError struct {
	Name    string
	Matches []Account
}

func (e *AmbiguousError) Error() string {
	labels := make([]string, len(e.Matches))
	for i, a := range e.Matches {
		labels[i] = fmt.Sprintf("%s (%s)", a.Label, a.ID)
	}
	return fmt.Sprintf("%q fits several accounts: %s", e.Name, strings.Join(labels, ", "))
}

// LabelError says why a text cannot be a label.
type LabelError struct{ Problem string }

func (e *LabelError) Error() string { return "label: " + e.Problem }

// DuplicateLabelError says which account is meant by a label already.
type DuplicateLabelError struct {
	Label string
	Owner Account
}

func (e *DuplicateLabelError) Error() string {
	if nameKey(e.Label) != nameKey(e.Owner.Label) {
		return fmt.Sprintf("%q is the id or e-mail address of another account, %q (%s)", e.Label, e.Owner.Label, e.Owner.ID)
	}
	return fmt.Sprintf("the label %q belongs to another account already (%s)", e.Label, e.Owner.ID)
}

// LoginNeededError says that the account's refresh token is good for nothing
// any more: only a login helps.
type LoginNeededError struct {
	Account ID
	Cause   string // one of the Login constants
	Err     error  // the refusal, a *TokenError, when there was one
}

func (e *LoginNeededError) Error() string {
	if e.Err == nil {
		return "sign in again: " + loginCause(e.Cause)
	}
	return fmt.Sprintf("sign in again: %s (%v)", loginCause(e.Cause), e.Err)
}

func (e *LoginNeededError) Unwrap() error { return e.Err }
