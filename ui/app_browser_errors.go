package ui

import (
	"errors"

	"github.com/oauthmux/oauthmux/relogin"
	"github.com/oauthmux/oauthmux/ui/control"
)

// windowHint says how a person gets the window of an account's browser session.
func windowHint(label string) string {
	if label == "" {
		return "open a window with: oauthmux browser setup"
	}
	return "open a window with: oauthmux browser setup " + shellWord(label) + "   (b in the dashboard)"
}

// shellWord is a word for the shell of a person, whatever is in it.
func shellWord(text string) string { return quoted(text, `\`, `'\''`) }

// browserError is about browsers and what they met. who is the account by its
// label; "": none was named.
func browserError(err error, who string, about func(string) string) *control.Error {
	window := windowHint(who)
	say := func(code, hint string) *control.Error {
		return &control.Error{Code: code, Message: about(err.Error()), Hint: hint}
	}
	if _, ok := errors.AsType[*relogin.PageError](err); ok {
		return say(control.CodeNeedsYou, window)
	}
	if _, ok := errors.AsType[*relogin.IdentityError](err); ok {
		return say(control.CodeOtherIdentity, "sign out there and sign in as the account's owner; "+window)
	}
	if e, ok := errors.AsType[*relogin.RefusedError](err); ok {
		return say(control.CodeNeedsYou, or(e.Hint, window))
	}
	if e, ok := errors.AsType[*relogin.WaitError](err); ok {
		if e.NeedsYou {
			return say(control.CodeNeedsYou, window)
		}
		return say(control.CodeBudget, "try it now with: oauthmux browser login "+shellWord(who))
	}
	if e, ok := errors.AsType[*relogin.BrowserMissingError](err); ok {
		return say(control.CodeNoBrowser, e.Hint)
	}
	if _, ok := errors.AsType[*relogin.DisplayError](err); ok {
		return say(control.CodeNoDisplay, "run it where there is a screen, or: oauthmux browser setup --paste")
	}
	if e, ok := errors.AsType[*relogin.InUseError](err); ok {
		if e.Host != "" {
			return say(control.CodeElsewhere, "close it there; if nothing uses it: oauthmux browser setup --take-over "+shellWord(who))
		}
		return say(control.CodeBrowserInUse, "close that browser and try again")
	}
	if e, ok := errors.AsType[*relogin.ProfileError](err); ok {
		return say(control.CodeBrowserProfile, e.Hint)
	}
	if _, ok := errors.AsType[*relogin.BrowserError](err); ok {
		return say(control.CodeBrowserFailed, "oauthmux.log says more; OAUTHMUX_BROWSER names another browser")
	}
	if e, ok := errors.AsType[*relogin.TroubleError](err); ok {
		return say(control.CodeUnavailable, e.Hint)
	}
	switch {
	case errors.Is(err, relogin.ErrNoSession):
		return &control.Error{Code: control.CodeNoSession, Message: about("it has no browser session"), Hint: "set one up with: oauthmux browser setup " + shellWord(who)}
	case errors.Is(err, relogin.ErrNotInTime):
		return say(control.CodeUnavailable, "the site or the network may be slow; try again, or "+window)
	case errors.Is(err, relogin.ErrWindowClosed):
		return say(control.CodeLoginFailed, window)
	case errors.Is(err, relogin.ErrGivenUp):
		return say(control.CodeUnavailable, "nothing was changed")
	case errors.Is(err, relogin.ErrClosed):
		return say(control.CodeUnavailable, "try again")
	}
	return nil
}
