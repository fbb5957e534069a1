package accounts

import (
	"errors"
	"fmt"
	"strings"

	"github.com/oauthmux/oauthmux/accounts/vault"
)

// pasteAgain reports whether another paste can still make the flow succeed: the
// code was refused, or has not been used.
func pasteAgain(err error) bool {
	_, refused := errors.AsType[*TokenError](err)
	_, unsent := errors.AsType[*unsentError](err)
	_, locked := errors.AsType[*vault.KeyError](err)
	return refused || unsent || locked
}

// explained is an error that has words of its own for a person.
type explained interface {
	error
	problem() problem
}

// problemOf puts what stopped a login in words, with what to do about it.
func problemOf(err error) problem {
	const again = "start again: every sign-in has a code of its own"
	if e, ok := errors.AsType[explained](err); ok {
		return e.problem()
	}
	if te, ok := errors.AsType[*TokenError](err); ok {
		if te.Temporary() {
			return problem{err.Error(), "the provider is in trouble; try again in a while", FailureTrouble}
		}
		return problem{strings.TrimSpace(fmt.Sprintf("the code was refused (%d %s", te.StatusCode, te.ErrorCode)) + ")", "it may be cut short, used already or too old; copy all of it, or start again", FailureRefused}
	}
	if key, ok := errors.AsType[*vault.KeyError](err); ok {
		message, hint := key.State.Describe()
		return problem{message + ": nothing was stored", hint, FailureTrouble}
	}
	if _, ok := errors.AsType[*unsentError](err); ok {
		return problem{fmt.Sprintf("the token endpoint cannot be reached: %v", errors.Unwrap(err)), "look at the network and try again", FailureTrouble}
	}
	if _, ok := errors.AsType[*unansweredError](err); ok {
		return problem{"the code was sent, and no answer came", again, FailureTrouble}
	}
	switch {
	case errors.Is(err, errWrongState):
		return problem{"the code does not belong to this sign-in: the state is another one", "paste what the page shows that was opened for this sign-in", FailureTrouble}
	case errors.Is(err, errNoCode), errors.Is(err, errWrongPage), errors.Is(err, errMixedCallback):
		return problem{"this is not a code: " + err.Error(), "paste the whole code, or the address of the page that shows it", FailureTrouble}
	case errors.Is(err, vault.ErrBusy): // the account's: the login is in the vault by then
		return problem{err.Error() + "; the new login is kept, and waits for it", "nothing to do: it is taken when the account is free, at the next start of oauthmux at the latest", FailureTrouble}
	case errors.Is(err, errNotRegistered):
		return problem{err.Error(), "make room, or mend the folder's permissions, and start oauthmux again", FailureTrouble}
	}
	if e, ok := errors.AsType[*refusedError](err); ok {
		if e.code == "server_error" || e.code == "temporarily_unavailable" { // RFC 6749, section 4.1.2.1
			return problem{err.Error(), "the provider is in trouble; try again in a while", FailureTrouble}
		}
		return problem{err.Error(), again, FailureRefused}
	}
	return problem{err.Error(), again, FailureTrouble}
}
