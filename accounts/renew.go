package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/oauthmux/oauthmux/accounts/vault"
)

const (
	renewalLimit = 5 * time.Minute  // for all of a renewal, the wait for the lock included
	lockLimit    = 90 * time.Second // for the account's lock
	rereadAfter  = 30 * time.Second // how old a token in memory may be before the vault is asked again
)

// RenewerOptions are what a Renewer works with.
type RenewerOptions struct {
	Registry  *Registry
	Vault     *vault.Vault
	Providers *Set
	Journal   *Journal // nil: nothing is written down
	Bus       *Bus     // nil: nobody is told
	Log       *slog.Logger

	// Client sends token requests; nil: one that sends each of them once, to the
	// token endpoint's host only.
	Client func(p *Provider) Doer
	// NetworkProxy is the way out of this machine; nil: direct. A Client of one's
	// own does not use it.
	NetworkProxy func(*http.Request) (*url.URL, error)
	// UserAgent is what token requests call themselves; "": UserAgent("").
	UserAgent string
}

// Renewer hands out the tokens of the vault, and renews them so that no refresh
// token is presented by two callers or two processes, or again after a newer one
// is durable (SAFETY 2). It starts a goroutine for each renewal, which outlives
// its caller: Drain before the program ends.
type Renewer struct {
	o   RenewerOptions
	log *slog.Logger

	// The spacing of presentations, which tests of many kills make shorter.
	notBefore func(a vault.Attempt, now, expiry time.Time) time.Time // vault.Attempt.NotBefore
	spread    time.Duration                                          // shortSpread

	mu       sync.Mutex // guards what follows
	renewals map[ID]*renewal
	tokens   map[ID]cachedToken
	troubles map[ID]trouble
	ending   bool // Drain was called
}

// renewal is one under way, with everybody who waits for it.
type renewal struct {
	done  chan struct{} // closed when token and err are set
	stop  context.CancelCauseFunc
	sent  bool // its answer is waited for; under Renewer.mu
	token Token
	err   error
}

// cachedToken is a token in memory, and the expiry that accounts.json named for
// the account when it was read: when that differs, somebody has stored another.
type cachedToken struct {
	token  Token
	named  time.Time
	readAt time.Time
}

// NewRenewer returns a Renewer; it starts nothing.
func NewRenewer(o RenewerOptions) *Renewer {
	r := &Renewer{
		o:   o,
		log: o.Log,

		notBefore: vault.Attempt.NotBefore,
		spread:    shortSpread,

		renewals: make(map[ID]*renewal),
		tokens:   make(map[ID]cachedToken),
		troubles: make(map[ID]trouble),
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.o.UserAgent == "" {
		r.o.UserAgent = UserAgent("")
	}
	if r.o.Client == nil {
		r.o.Client = func(p *Provider) Doer { return tokenClient(p, o.NetworkProxy) }
	}
	return r
}

// Token returns the newest token of the account, valid or not, without network.
// Errors: ErrNotFound, *vault.KeyError, vault.ErrUnreadable, and
// *LoginNeededError when the vault holds none.
func (r *Renewer) Token(id ID) (Token, error) {
	a, err := r.o.Registry.Get(id)
	if err != nil {
		r.forget(id)
		return Token{}, err
	}
	return r.token(a, time.Now())
}

func (r *Renewer) token(a Account, now time.Time) (Token, error) {
	r.mu.Lock()
	c, cached := r.tokens[a.ID]
	r.mu.Unlock()
	if cached && c.named.Equal(a.TokenExpiresAt) && now.Sub(c.readAt).Abs() < rereadAfter && c.token.Valid(now) {
		return c.token, nil
	}
	t, err := r.read(a.ID)
	switch {
	case err == nil:
		return r.keep(a, t, now), nil
	case cached && c.token.Valid(now) && !errors.Is(err, vault.ErrNotFound):
		return c.token, nil // a locked keyring spoils no token that is in memory
	case errors.Is(err, vault.ErrNotFound):
		return Token{}, &LoginNeededError{Account: a.ID, Cause: LoginMissing}
	}
	return Token{}, fmt.Errorf("token of %s: %w", a.ID, err)
}

func (r *Renewer) read(id ID) (Token, error) {
	record, err := r.o.Vault.Read(string(id))
	if err != nil {
		return Token{}, err
	}
	return tokenFrom(record)
}

// keep puts t in memory unless a newer one is there, and returns the newer: no
// caller sees generations go back, but to those of a newer login.
func (r *Renewer) keep(a Account, t Token, now time.Time) Token {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c, ok := r.tokens[a.ID]; ok && precedes(t.Generation, t.LoggedInAt, c.token) {
		t = c.token
	}
	r.tokens[a.ID] = cachedToken{token: t, named: a.TokenExpiresAt, readAt: now}
	return t
}

// seen is the newest token that this process knows of.
func (r *Renewer) seen(id ID) Token {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tokens[id].token
}

// precedes reports whether a generation of a login is older than t, as that of a
// restored backup is. A login after it begins at the backup's generation, and is
// newer all the same: nothing else makes good that the backup was restored.
func precedes(generation uint64, loggedInAt time.Time, t Token) bool {
	return generation < t.Generation && !loggedInAt.After(t.LoggedInAt)
}

func (r *Renewer) forget(id ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.tokens, id)
	delete(r.troubles, id)
}

// Renew returns a token of a generation above than, or of a newer login: one that
// somebody else has stored since, or one it gets by presenting the refresh token,
// once. Callers
// at the same time share one renewal. ctx bounds the wait of this caller alone;
// the renewal goes on without it, for a refresh token is good for one use, and
// the answer to it must be kept.
//
// Errors: ErrNotFound, *vault.KeyError, vault.ErrBusy, *LoginNeededError (only a
// login helps), *TokenError (the server refused, or is in trouble: see
// Temporary), *PostponedError (not now), ErrEnding (never again), *UnawaitedError
// (ctx ended first), and errors of the network or the disk, after which it may be
// tried again.
func (r *Renewer) Renew(ctx context.Context, id ID, than uint64) (Token, error) {
	for {
		// A smaller generation is that of a newer login: see keep.
		if t, err := r.Token(id); err == nil && t.Generation != than && t.Valid(time.Now()) {
			return t, nil
		} else if errors.Is(err, ErrNotFound) {
			return Token{}, err
		}
		w, mine, err := r.join(ctx, id, than)
		if err != nil {
			return Token{}, fmt.Errorf("renew %s: %w", id, err)
		}
		select {
		case <-w.done:
		case <-ctx.Done():
			return Token{}, &UnawaitedError{Account: id, Err: ctx.Err()}
		}
		// A renewal that was under way may have been for an older generation.
		if mine || w.err != nil || w.token.Generation > than {
			return w.token, w.err
		}
	}
}

// join returns the account's renewal under way, or begins one.
func (r *Renewer) join(ctx context.Context, id ID, than uint64) (w *renewal, mine bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w, ok := r.renewals[id]; ok {
		return w, false, nil
	}
	if r.ending {
		return nil, false, ErrEnding
	}
	// The renewal outlives its first caller: a refresh token is good for one use only.
	ctx, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	w = &renewal{done: make(chan struct{}), stop: stop}
	r.renewals[id] = w
	go r.run(ctx, id, than, w)
	return w, true, nil
}

func (r *Renewer) run(ctx context.Context, id ID, than uint64, w *renewal) {
	defer w.stop(nil)
	ctx, cancel := context.WithTimeout(ctx, renewalLimit)
	defer cancel()
	r.tell(id)
	defer func() {
		if p := recover(); p != nil {
			r.log.Error("a renewal panicked", "account", id, "panic", FaultWords(p), "stack", string(debug.Stack()))
			w.token, w.err = Token{}, fmt.Errorf("renew %s: internal error", id)
		}
		r.mu.Lock()
		delete(r.renewals, id)
		r.mu.Unlock()
		close(w.done)
		r.tell(id)
	}()
	w.token, w.err = r.renew(ctx, id, than)
}

func (r *Renewer) tell(id ID) {
	if r.o.Bus != nil {
		r.o.Bus.Publish(Event{Kind: TokenChanged, Account: id})
	}
}

// Renewing reports whether a renewal of the account is under way.
func (r *Renewer) Renewing(id ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.renewals[id]
	return ok
}

// unsaved reports whether the account's newest token is only in memory.
func (r *Renewer) unsaved(id ID) bool { return slices.Contains(r.o.Vault.Unsaved(), string(id)) }
