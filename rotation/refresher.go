package rotation

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/vault"
)

const (
	// renewalWait is how long a request waits for a renewal before it takes the
	// next account. The renewal goes on.
	renewalWait = 10 * time.Second
	// renewalLater keeps requests from waiting for what keeps others waiting.
	renewalLater = 5 * time.Second
	// renewalFailed is the cooldown of an account whose renewal got no answer, or
	// one that says nothing about the login.
	renewalFailed = 15 * time.Second
	// renewalThrottled is the same for a 429 that names no time.
	renewalThrottled = 30 * time.Second
	// renewalUnreadable is the cooldown of an account whose token cannot be read.
	renewalUnreadable = time.Minute
	// forcedAgain is how long a token that a refusal brought about is not replaced
	// when it is refused too.
	forcedAgain = time.Minute
)

// RefresherOptions are what a refresher is made of.
type RefresherOptions struct {
	Accounts Accounts
	Tokens   Tokens
	Pool     *Pool
	Settings func(accounts.ProviderID) Settings
	Journal  *accounts.Journal // nil: nothing is noted
	Log      *slog.Logger      // nil: nothing is logged
	Relogin  Relogin           // nil: only a person signs in
}

// Refresher sees to it that a request gets a valid token, and keeps account of
// renewals that fail: what a failure means for the account is the pool's to know
// before the request goes on.
type Refresher struct {
	accounts Accounts
	tokens   Tokens
	pool     *Pool
	settings func(accounts.ProviderID) Settings
	journal  *accounts.Journal
	log      *slog.Logger
	relogin  Relogin
	wait     time.Duration // of a request for a renewal: renewalWait
	wake     chan struct{} // Run has a login to carry out

	mu     sync.Mutex // guards what follows
	forced map[accounts.ID]forced
	logins logins
}

// forced is the token that a refusal brought about.
type forced struct {
	generation uint64
	at         time.Time
}

// NewRefresher makes a refresher. It starts nothing.
func NewRefresher(o RefresherOptions) *Refresher {
	r := &Refresher{
		accounts: o.Accounts,
		tokens:   o.Tokens,
		pool:     o.Pool,
		settings: o.Settings,
		journal:  o.Journal,
		log:      o.Log,
		relogin:  o.Relogin,
		wait:     renewalWait,
		wake:     make(chan struct{}, 1),
		forced:   make(map[accounts.ID]forced),
		logins:   logins{running: make(map[accounts.ID]bool), ended: make(chan struct{})},
	}
	if r.journal == nil {
		r.journal = new(accounts.Journal)
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	return r
}

// RenewalError says why an account has no token for a request. The pool knows
// of it already.
type RenewalError struct {
	Account  accounts.ID
	Login    bool   // only a login helps
	Evidence string // in words for a person
	Err      error
}

func (e *RenewalError) Error() string { return e.Evidence }

// Unwrap returns the cause.
func (e *RenewalError) Unwrap() error { return e.Err }

// errRefusedAgain says that a token was refused that is a replacement itself.
var errRefusedAgain = errors.New("a new token was refused too")

// Valid returns the account's token, renewed first when it is spent; a request
// waits 10 s for that at most. Errors are *RenewalError, *vault.KeyError and
// those of ctx; accounts.ErrEnding when the program is about to end.
func (r *Refresher) Valid(ctx context.Context, a accounts.Account) (accounts.Token, error) {
	t, err := r.tokens.Token(a.ID)
	if err != nil {
		return accounts.Token{}, r.punish(a.ID, r.unreadable(ctx, a, err))
	}
	if t.Valid(time.Now()) {
		return t, nil
	}
	renewed, failure := r.renew(ctx, a, t.Generation, r.wait)
	switch {
	case failure == nil:
		return renewed, nil
	case !failure.login && t.AccessToken != "" && time.Now().Before(t.Expiry):
		return t, nil // it still lives: better than no answer
	}
	return accounts.Token{}, r.punish(a.ID, failure)
}

// Replace returns another token after a 401 or 403 for the one that failed: the
// one that somebody else got meanwhile, or a renewed one. A token that is itself
// the fruit of a refusal is not replaced within a minute (errRefusedAgain).
func (r *Refresher) Replace(ctx context.Context, a accounts.Account, failed accounts.Token) (accounts.Token, error) {
	t, err := r.tokens.Token(a.ID)
	if err != nil {
		return accounts.Token{}, r.punish(a.ID, r.unreadable(ctx, a, err))
	}
	if t.Generation > failed.Generation && t.Valid(time.Now()) {
		return t, nil
	}
	r.mu.Lock()
	last := r.forced[a.ID]
	r.mu.Unlock()
	if last.generation == failed.Generation && failed.Generation > 0 && time.Since(last.at) < forcedAgain {
		return accounts.Token{}, errRefusedAgain
	}
	renewed, failure := r.renew(ctx, a, max(t.Generation, failed.Generation), r.wait)
	if failure != nil {
		return accounts.Token{}, r.punish(a.ID, failure)
	}
	r.mu.Lock()
	if r.forced[a.ID].generation < renewed.Generation {
		r.forced[a.ID] = forced{generation: renewed.Generation, at: time.Now()}
	}
	r.mu.Unlock()
	return renewed, nil
}

// Ahead renews the account's token when it lives for less than margin, in the
// background's name: it waits as long as ctx allows, and as long as the token
// still serves, a failure other than a refusal for good costs the account nothing.
func (r *Refresher) Ahead(ctx context.Context, a accounts.Account, _ *accounts.Provider, margin time.Duration) (accounts.Token, error) {
	t, err := r.tokens.Token(a.ID)
	if err != nil {
		return accounts.Token{}, r.unreadable(ctx, a, err).err
	}
	if t.ValidFor(time.Now(), margin) {
		return t, nil
	}
	renewed, failure := r.renew(ctx, a, t.Generation, 0)
	switch {
	case failure == nil:
		return renewed, nil
	case failure.login || !t.Valid(time.Now()):
		return accounts.Token{}, r.punish(a.ID, failure)
	}
	return accounts.Token{}, failure.err
}

// failure is a renewal that brought no token, and what it costs the account.
type failure struct {
	err      error
	login    bool
	kind     string        // of the cooldown
	cooldown time.Duration // 0: none
	evidence string
}

// renew asks for a token of a generation above than, and waits for it: as long
// as ctx allows, and no longer than wait if that is not 0.
func (r *Refresher) renew(ctx context.Context, a accounts.Account, than uint64, wait time.Duration) (accounts.Token, *failure) {
	waiting := ctx
	if wait > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, wait)
		defer cancel()
	}
	t, err := r.tokens.Renew(waiting, a.ID, than)
	if err == nil {
		return t, nil
	}
	return accounts.Token{}, r.explain(ctx, a, err)
}

// explain says what an error of a renewal means. That an account needs a login
// is marked and journalled by whoever found out: Tokens.
func (r *Refresher) explain(ctx context.Context, a accounts.Account, err error) *failure {
	f := &failure{err: err, kind: accounts.CoolRenewal, cooldown: renewalFailed}
	_, locked := errors.AsType[*vault.KeyError](err)
	postponed, rests := errors.AsType[*accounts.PostponedError](err)
	_, login := errors.AsType[*accounts.LoginNeededError](err)
	refusal, refused := errors.AsType[*accounts.TokenError](err)
	switch {
	case ctx.Err() != nil:
		f.err, f.cooldown = ctx.Err(), 0 // who asked has gone
	case locked, errors.Is(err, accounts.ErrEnding):
		f.cooldown = 0 // says nothing about this account, or about any other
	case rests:
		f.evidence = "its renewal waits after one that failed"
		f.cooldown = min(max(time.Until(postponed.Until), time.Second), time.Hour)
	case login:
		f.evidence = err.Error()
		f.login = r.needsLogin(a.ID)
	case refused && refusal.Temporary():
		f.evidence = "renewal: " + refusal.Error()
		if refusal.StatusCode == http.StatusTooManyRequests {
			f.cooldown = renewalThrottled
		}
		if refusal.RetryAfter > 0 {
			f.cooldown = min(max(refusal.RetryAfter, time.Second), time.Hour)
		}
	case refused:
		f.evidence = "renewal: " + refusal.Error()
		f.kind, f.cooldown = accounts.CoolAuth, r.settings(a.Provider).AuthFailure
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, vault.ErrBusy):
		f.evidence, f.cooldown = "its token is still being renewed", renewalLater
	default:
		f.evidence = "renewal: " + describe(err)
	}
	return f
}

// unreadable says what it means that there is no token to begin with.
func (r *Refresher) unreadable(ctx context.Context, a accounts.Account, err error) *failure {
	if _, missing := errors.AsType[*accounts.LoginNeededError](err); missing {
		_, f := r.renew(ctx, a, 0, r.wait) // marks the account
		if f != nil {
			return f
		}
	}
	f := &failure{err: err, kind: accounts.CoolFault, cooldown: renewalUnreadable}
	if _, locked := errors.AsType[*vault.KeyError](err); locked {
		f.cooldown = 0
		return f
	}
	f.evidence = "its stored login cannot be read"
	r.log.Warn("stored login cannot be read", "account", a.ID, "error", err)
	return f
}

// punish has the pool know what a failure costs the account, and returns the
// error that says so.
func (r *Refresher) punish(id accounts.ID, f *failure) error {
	if f.cooldown > 0 && !f.login {
		r.pool.Cool(id, Cooldown{Until: time.Now().Add(f.cooldown), Kind: f.kind, Evidence: f.evidence})
	}
	if f.evidence == "" {
		return f.err // it does not speak of the account
	}
	return &RenewalError{Account: id, Login: f.login, Evidence: f.evidence, Err: f.err}
}

// needsLogin has the pool see at once that an account was marked, and has it
// signed in again where that can be done. It reports false when the account is
// not marked: a newer token was faster, or the mark could not be written.
func (r *Refresher) needsLogin(id accounts.ID) bool {
	r.pool.adopt(id)
	a, err := r.accounts.Get(id)
	if err != nil || a.NeedsLogin == "" {
		return false
	}
	r.signIn(id)
	return true
}
