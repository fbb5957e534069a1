package ui

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/vault"
	"github.com/oauthmux/oauthmux/rotation"
	"github.com/oauthmux/oauthmux/ui/control"
)

// forPeople says what happened, to which account, and what to do. It branches
// on types only; what it does not know is said as it is.
func (a *App) forPeople(err error, r control.Request) error {
	if _, ok := errors.AsType[*control.Error](err); ok {
		return err
	}
	if e := accountError(err, r); e != nil {
		return e
	}
	about := a.about(r)
	if e := browserError(err, a.who(r), about); e != nil {
		return e
	}
	if e := tokenError(err, about); e != nil {
		return e
	}
	if e := systemError(err, about); e != nil {
		return e
	}
	return &control.Error{Code: control.CodeInternal, Message: err.Error()}
}

// who is the label of the account that a request names; "": it names none.
func (a *App) who(r control.Request) string {
	if acc, err := a.registry.Find(r.Account); err == nil {
		return acc.Label
	}
	return r.Account
}

// accountError is about names and labels.
func accountError(err error, r control.Request) *control.Error {
	if e, ok := errors.AsType[*accounts.AmbiguousError](err); ok {
		return &control.Error{Code: control.CodeAmbiguous, Message: e.Error(), Hint: "name one by its id"}
	}
	if e, ok := errors.AsType[*accounts.DuplicateLabelError](err); ok {
		return &control.Error{Code: control.CodeDuplicateLabel, Message: e.Error(), Hint: "choose another label, or rename that account first"}
	}
	if e, ok := errors.AsType[*accounts.LabelError](err); ok {
		return &control.Error{Code: control.CodeBadLabel, Message: e.Error(), Hint: "a label is a short line of ordinary characters"}
	}
	if errors.Is(err, accounts.ErrDamaged) {
		return &control.Error{Code: control.CodeInternal, Message: err.Error(), Hint: "unlock the vault: the accounts are rebuilt from it"}
	}
	if errors.Is(err, accounts.ErrNotFound) {
		if r.Flow != "" {
			return &control.Error{Code: control.CodeNotFound, Message: "this sign-in has ended", Hint: "begin again with: oauthmux login"}
		}
		return &control.Error{Code: control.CodeNotFound, Message: fmt.Sprintf("no account %q", r.Account), Hint: "oauthmux list shows them all"}
	}
	return nil
}

// about puts the account that a request names, by its label, before a text.
func (a *App) about(r control.Request) func(text string) string {
	who := a.who(r)
	return func(text string) string {
		if who == "" {
			return text
		}
		return who + ": " + text
	}
}

// loginAgain begins what is said of an account whose login has ended.
const loginAgain = "sign in again: "

func loginOver(message string) *control.Error {
	return &control.Error{Code: control.CodeLoginNeeded, Message: message, Hint: "oauthmux login, as the same person: the account keeps its place"}
}

func recordSpoilt(message string) *control.Error {
	return &control.Error{Code: control.CodeLoginNeeded, Message: message, Hint: "restore the vault from a backup, or sign in again: oauthmux login"}
}

// needsYou is about an account that waits for its person at a page.
func needsYou(label, page string) *control.Error {
	return &control.Error{Code: control.CodeNeedsYou, Message: label + ": " + page, Hint: windowHint(label)}
}

// tokenError is about keys, tokens and servers.
func tokenError(err error, about func(string) string) *control.Error {
	if e, ok := errors.AsType[*vault.KeyError](err); ok {
		_, hint := e.State.Describe()
		return &control.Error{Code: control.CodeKeyPrefix + string(e.State), Message: e.Error(), Hint: hint}
	}
	if e, ok := errors.AsType[*accounts.LoginNeededError](err); ok {
		return loginOver(about(loginAgain + loginWords(e.Cause)))
	}
	if e, ok := errors.AsType[*rotation.TooSoonError](err); ok {
		return &control.Error{
			Code: control.CodeTooSoon, Message: about("usage was read a moment ago"),
			Hint: "the provider allows the next reading at " + clock(e.Until, time.Now()),
		}
	}
	if e, ok := errors.AsType[*accounts.UnawaitedError](err); ok && errors.Is(e, context.Canceled) {
		return &control.Error{
			Code: control.CodeUnavailable, Message: about("its renewal was not waited for"),
			Hint: "what was sent is finished and stored all the same; oauthmux list shows it",
		}
	}
	switch {
	case errors.Is(err, accounts.ErrEnding):
		return &control.Error{Code: control.CodeUnavailable, Message: about("oauthmux is ending, and renews nothing any more"), Hint: "the login is kept; try again"}
	case errors.Is(err, vault.ErrBusy):
		return &control.Error{Code: control.CodeBusy, Message: about(err.Error()), Hint: "try again in a moment"}
	case errors.Is(err, vault.ErrNotFound):
		return loginOver(about("the vault has no token for it"))
	case errors.Is(err, vault.ErrUnreadable):
		return recordSpoilt(about(err.Error()))
	case errors.Is(err, context.DeadlineExceeded):
		return &control.Error{Code: control.CodeUnavailable, Message: about("no answer in time"), Hint: "the network may be down; try again"}
	case errors.Is(err, context.Canceled):
		return &control.Error{Code: control.CodeUnavailable, Message: about("given up")}
	}
	if e, ok := errors.AsType[*accounts.PostponedError](err); ok {
		return &control.Error{Code: control.CodeUnavailable, Message: about(e.Error()), Hint: "the login is kept; it is tried again then"}
	}
	if e, ok := errors.AsType[*accounts.TokenError](err); ok {
		return &control.Error{Code: control.CodeUnavailable, Message: about(e.Error()), Hint: "the login is kept; try again later"}
	}
	return nil
}

// systemError is about the disk and the network, in words instead of calls.
func systemError(err error, about func(string) string) *control.Error {
	disk := func(words, hint string) *control.Error {
		return &control.Error{Code: control.CodeDisk, Message: about(words), Hint: hint + "; nothing was lost"}
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return disk("the disk is full", "free some space and try again")
	case errors.Is(err, syscall.EROFS):
		return disk("the disk is read-only", "make it writable, or set OAUTHMUX_HOME to another folder")
	case errors.Is(err, fs.ErrPermission):
		return disk("a file or folder may not be written", "see whose the files of oauthmux are, and their modes")
	case errors.Is(err, accounts.ErrStateBusy):
		return &control.Error{Code: control.CodeBusy, Message: err.Error(), Hint: "try again in a moment"}
	}
	unreachable := func(words string) *control.Error {
		return &control.Error{Code: control.CodeUnavailable, Message: about(words), Hint: "see the network, and network.proxy; the login is kept"}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return unreachable("the provider's certificate is not trusted")
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return unreachable("the provider's name cannot be looked up: " + e.Name)
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return unreachable("the provider cannot be reached: " + reason(err).Error())
	}
	return nil
}
