package relogin

import (
	"cmp"
	"context"
	"errors"

	"github.com/oauthmux/oauthmux/accounts"
)

const (
	hintWindow = "sign in in the account's own window"
	hintAgain  = "open the window again, and sign in to the end"
)

// describe puts what stopped a sign-in in words, with what to do about it.
func describe(err error) (what, hint string, kind accounts.Failure) {
	if e, ok := errors.AsType[*PageError](err); ok {
		return e.Words, hintWindow, accounts.FailureNeedsYou
	}
	if e, ok := errors.AsType[*IdentityError](err); ok {
		return e.Words, "sign out in the account's own window, then sign in as its owner", accounts.FailureIdentity
	}
	if e, ok := errors.AsType[*RefusedError](err); ok {
		return e.Words, e.Hint, accounts.FailureRefused
	}
	if e, ok := errors.AsType[*TroubleError](err); ok {
		return e.Words, e.Hint, accounts.FailureTrouble
	}
	if what, hint, ok := describeBrowser(err); ok {
		return what, hint, accounts.FailureTrouble
	}
	switch {
	case errors.Is(err, ErrWindowClosed):
		return err.Error(), hintAgain, accounts.FailureGivenUp
	case errors.Is(err, ErrNotInTime):
		return err.Error(), "try again, or " + hintWindow, accounts.FailureExpired
	case errors.Is(err, ErrClosed), errors.Is(err, ErrGivenUp):
		return err.Error(), "start again", accounts.FailureGivenUp
	case errors.Is(err, errGivenWay):
		return err.Error(), "", accounts.FailureGivenUp
	}
	return err.Error(), "try again", accounts.FailureTrouble
}

// describeBrowser is describe for what a browser, its screen or its profile lacks.
func describeBrowser(err error) (what, hint string, ok bool) {
	if e, ok := errors.AsType[*BrowserMissingError](err); ok {
		return e.Error(), e.Hint, true
	}
	if e, ok := errors.AsType[*DisplayError](err); ok {
		return e.Error(), "ask for it from a desktop, or sign in with your usual browser", true
	}
	if e, ok := errors.AsType[*InUseError](err); ok {
		if e.Host != "" {
			return e.Error(), "if no browser uses it there, say so, and it is taken over", true
		}
		return e.Error(), "close that browser, and try again", true
	}
	if e, ok := errors.AsType[*ProfileError](err); ok {
		return e.Error(), cmp.Or(e.Hint, "make room, or mend the folder's owner and permissions"), true
	}
	if e, ok := errors.AsType[*BrowserError](err); ok {
		return e.Error(), "try again; if that does not help, another browser may", true
	}
	return "", "", false
}

// needsPerson reports whether only a person can do something about err.
func needsPerson(err error) bool {
	if used, ok := errors.AsType[*InUseError](err); ok {
		return used.Host != "" // nobody else knows what goes on there
	}
	return as[*PageError](err) != nil || as[*IdentityError](err) != nil || as[*RefusedError](err) != nil
}

// interrupted reports whether a sign-in was ended for reasons of our own, or the
// person's: that says nothing of the profile.
func interrupted(err error) bool {
	return errors.Is(err, ErrClosed) || errors.Is(err, ErrGivenUp) || errors.Is(err, errGivenWay)
}

// notBegun reports whether err is one of before a browser starts. It may come later,
// too: only that browser knew.
func notBegun(err error) bool {
	return as[*BrowserMissingError](err) != nil || as[*DisplayError](err) != nil ||
		as[*InUseError](err) != nil || as[*ProfileError](err) != nil
}

// ownError returns what this package knows in err, which came from a driver: the
// rest of it could quote an address, and a code with it.
func ownError(err error) error {
	for _, find := range []func(error) error{
		as[*PageError], as[*IdentityError], as[*RefusedError], as[*TroubleError], as[*BrowserMissingError],
		as[*DisplayError], as[*InUseError], as[*ProfileError], as[*BrowserError],
	} {
		if known := find(err); known != nil {
			return known
		}
	}
	switch {
	case errors.Is(err, ErrWindowClosed):
		return ErrWindowClosed
	case errors.Is(err, ErrNotInTime), errors.Is(err, context.DeadlineExceeded):
		return ErrNotInTime
	case errors.Is(err, ErrGivenUp), errors.Is(err, context.Canceled):
		return ErrGivenUp
	}
	return &BrowserError{Problem: "failed", Err: err}
}

func as[E error](err error) error {
	if known, ok := errors.AsType[E](err); ok {
		return known
	}
	return nil
}
