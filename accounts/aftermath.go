package accounts

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/oauthmux/oauthmux/accounts/vault"
)

const (
	refusalsForLogin = 3               // refusals in a row that count as the end of a login (DESIGN 3)
	restAtFirst      = time.Second     // after a 5xx; doubled with each that follows
	restThrottled    = 5 * time.Second // after a 429 that names no time
	restAtMost       = 5 * time.Minute
)

// trouble is what the last renewals of one generation ended with.
type trouble struct {
	generation uint64
	refusals   int           // refusals in a row that were not final by themselves
	failures   int           // 429 and 5xx in a row
	rest       time.Duration // after the last 429 or 5xx
	until      time.Time     // when rest is over
	err        error         // of the last 429 or 5xx
}

// report shows and announces what came of a renewal. No lock is held any more.
func (r *Renewer) report(a Account, o outcome) (Token, error) {
	if quiet(o.err) {
		return Token{}, o.err
	}
	if te, ok := errors.AsType[*TokenError](o.err); ok && o.cause == "" {
		o.cause = r.note(a.ID, o, te)
	}
	switch {
	case o.cause != "" && o.told:
		return Token{}, &LoginNeededError{Account: a.ID, Cause: o.cause, Err: o.err}
	case o.cause != "":
		return Token{}, r.needLogin(a, o)
	case o.err != nil:
		r.log.Warn("token not renewed", "account", a.ID, "error", o.err)
		r.journal(Entry{Kind: EntryRenewFailed, Account: a.ID, Evidence: o.err.Error()})
		return Token{}, o.err
	}
	r.accept(a, o)
	return o.token, nil
}

// quiet reports whether nothing was tried: that is told to the caller alone.
func quiet(err error) bool {
	_, postponed := errors.AsType[*PostponedError](err)
	_, locked := errors.AsType[*vault.KeyError](err)
	return postponed || locked || errors.Is(err, vault.ErrBusy) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrEnding)
}

// note remembers a refusal. It returns why a login is needed when it is the last
// straw.
func (r *Renewer) note(id ID, o outcome, te *TokenError) (cause string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.troubles[id]
	if t.generation != o.record.Generation {
		t = trouble{generation: o.record.Generation}
	}
	switch {
	case te.Temporary():
		t.failures++
		rest := min(restAtFirst<<min(t.failures-1, 10), restAtMost)
		if te.StatusCode == http.StatusTooManyRequests {
			rest = max(rest, restThrottled)
		}
		if te.RetryAfter > 0 {
			rest = te.RetryAfter
		}
		// By the wall clock: the other one stands still while the machine sleeps.
		t.rest, t.until, t.err = rest, time.Now().Round(0).Add(rest), te
	case refusesAccount(te):
		if t.refusals++; t.refusals >= refusalsForLogin {
			cause = refusalCause(o.doubt)
		}
	}
	r.troubles[id] = t
	return cause
}

// refusesAccount reports whether a refusal may be about the account. One of the
// client is not: no login would mend it (PROTOCOL 1.8).
func refusesAccount(te *TokenError) bool {
	switch te.StatusCode {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return te.ErrorCode != "invalid_client" && te.ErrorCode != "unauthorized_client"
	}
	return false
}

// resting returns until when the token endpoint is left alone, and why.
func (r *Renewer) resting(id ID, generation uint64, now time.Time) (time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.troubles[id]
	if t.generation != generation || t.err == nil || !now.Before(t.until) {
		return time.Time{}, nil
	}
	if latest := now.Round(0).Add(t.rest); t.until.After(latest) { // the clock was set back
		t.until = latest
		r.troubles[id] = t
	}
	return t.until, t.err
}

// needLogin flags the account, and says so once for each generation of its token.
func (r *Renewer) needLogin(a Account, o outcome) error {
	if news, _ := r.flag(a, o); news {
		r.announceEnd(a.ID, o)
	}
	return &LoginNeededError{Account: a.ID, Cause: o.cause, Err: o.err}
}

// flag notes durably that the account, as it was when its record was read, needs
// a login. It reports whether that is news.
func (r *Renewer) flag(a Account, o outcome) (news bool, err error) {
	login := o.record.LoggedInAt
	if o.record.Generation == 0 {
		login = a.LoggedInAt // a record that is missing does not say of which login it was
	}
	_, err = r.o.Registry.Edit(a.ID, func(a *Account) error {
		if a.NeedsLogin == o.cause && a.NeedsLoginGen == o.record.Generation || a.LoggedInAt.After(login) {
			return nil // known, or somebody signed in meanwhile
		}
		a.NeedsLogin, a.NeedsLoginGen, news = o.cause, o.record.Generation, true
		return nil
	})
	if err != nil {
		r.log.Warn("cannot note that an account needs a login", "account", a.ID, "error", err)
	}
	return news, err
}

func (r *Renewer) announceEnd(id ID, o outcome) {
	evidence := loginCause(o.cause)
	if o.err != nil {
		evidence = fmt.Sprintf("%s (%v)", evidence, o.err)
	}
	r.log.Warn("account needs a login", "account", id, "evidence", evidence)
	r.journal(Entry{Kind: EntryLoginNeeded, Account: id, Evidence: evidence})
}

// accept shows a token that is durable: in memory first, for those who wait.
func (r *Renewer) accept(a Account, o outcome) {
	named := o.token.Expiry.UTC().Round(0)
	before := a
	a.TokenExpiresAt = named
	r.keep(a, o.token, time.Now())
	r.mu.Lock()
	delete(r.troubles, a.ID)
	r.mu.Unlock()
	if o.renewed {
		r.log.Info("token renewed", "account", a.ID, "until", named)
		r.journal(Entry{Kind: EntryRenewed, Account: a.ID, Until: named})
	}
	lifts := before.NeedsLogin != "" && before.NeedsLoginGen < o.token.Generation
	if before.TokenExpiresAt.Equal(named) && !lifts {
		return
	}
	_, err := r.o.Registry.Edit(a.ID, func(a *Account) error {
		a.TokenExpiresAt = named
		if a.NeedsLoginGen < o.token.Generation {
			a.NeedsLogin, a.NeedsLoginGen = "", 0
		}
		return nil
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		r.log.Warn("cannot note a renewed token in accounts.json", "account", a.ID, "error", err)
	}
}

func (r *Renewer) journal(e Entry) {
	if r.o.Journal != nil {
		r.o.Journal.Add(e)
	}
}

// loginCause says in words why an account needs a login.
func loginCause(cause string) string {
	switch cause {
	case LoginRevoked:
		return "the server refused the refresh token"
	case LoginLostResponse:
		return "the answer to a renewal was lost, and the new token with it"
	case LoginNoRefresh:
		return "the login came without a refresh token"
	case LoginMissing:
		return "the vault holds no token"
	}
	return cause
}
