package accounts

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/oauthmux/oauthmux/accounts/vault"
)

const (
	// shortWait is what a renewal waits for within itself before it presents a
	// token again whose answer was lost; its callers wait with it.
	shortWait = 10 * time.Second
	// shortSpread keeps two of them apart.
	shortSpread = time.Second
)

// PostponedError says that a renewal has to wait: the refresh token was
// presented before without an answer, or the token endpoint asked for time.
type PostponedError struct {
	Until time.Time
	Err   error // what the last attempt ended with; nil: its answer was lost
}

func (e *PostponedError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("the next renewal is at %s: %v", e.Until.Format(time.TimeOnly), e.Err)
	}
	return "the answer to the last renewal was lost; the next one is at " + e.Until.Format(time.TimeOnly)
}

func (e *PostponedError) Unwrap() error { return e.Err }

// ErrRolledBack says that the vault holds an older token than this process has
// seen: somebody restored a backup. Presenting that token could end the login.
var ErrRolledBack = errors.New("the vault holds an older token than before, as of a restored backup")

// outcome is what came of a renewal while the account's lock was held.
type outcome struct {
	token   Token
	renewed bool // else token was there already
	record  vault.Record
	cause   string // a Login constant: only a login helps
	err     error
	told    bool // cause has been noted and announced
	doubt   bool // the server may have replaced the token before it refused it
}

// renew does the work of one renewal, then tells of it with no lock held.
func (r *Renewer) renew(ctx context.Context, id ID, than uint64) (Token, error) {
	a, err := r.o.Registry.Get(id)
	if err != nil {
		return Token{}, err
	}
	p, ok := r.o.Providers.Get(a.Provider)
	if !ok {
		return Token{}, fmt.Errorf("renew %s: no provider %q", id, a.Provider)
	}
	if r.unsaved(id) {
		return Token{}, fmt.Errorf("renew %s: %w", id, vault.ErrUnsaved)
	}
	r.o.Registry.Adopt(ctx, r.o.Vault, id) // a login that could not have the lock, then nothing has to be presented
	o := r.renewLocked(ctx, a, p, than)
	if _, err := r.o.Registry.Get(id); o.cause == LoginMissing && errors.Is(err, ErrNotFound) {
		// The account was removed meanwhile, and asking for its lock has made its
		// folder again. There is no record in it.
		if removeErr := r.o.Vault.Remove(ctx, string(id)); removeErr != nil && !errors.Is(removeErr, vault.ErrNotFound) {
			r.log.Warn("the folder of a removed account stays behind", "account", id, "error", removeErr)
		}
		return Token{}, err
	}
	return r.report(a, o)
}

// renewLocked is SAFETY 2.2 from the lock to the commit.
func (r *Renewer) renewLocked(ctx context.Context, a Account, p *Provider, than uint64) outcome {
	held, err := r.lock(ctx, a.ID)
	if err != nil {
		if t, readErr := r.read(a.ID); readErr == nil && t.Generation > than && t.Valid(time.Now()) {
			return outcome{token: t}
		}
		return outcome{err: fmt.Errorf("renew %s: %w", a.ID, err)}
	}
	defer held.Release()
	a, gone := r.o.Registry.Latest(a.ID) // it may have been removed while this waited, or refused to another process
	record, err := held.Read()
	switch {
	case errors.Is(err, vault.ErrNotFound):
		return outcome{cause: LoginMissing}
	case gone != nil:
		return outcome{err: gone}
	case err != nil:
		return outcome{err: fmt.Errorf("renew %s: %w", a.ID, err)}
	}
	now := time.Now()
	current, unreadable := tokenFrom(record)
	seen := r.seen(a.ID)
	switch {
	case unreadable == nil && record.Generation > than && current.Valid(now):
		return outcome{token: current, record: record}
	case precedes(record.Generation, record.LoggedInAt, seen):
		return outcome{record: record, err: fmt.Errorf("renew %s: %w", a.ID, ErrRolledBack)}
	case unreadable == nil && record.Generation < seen.Generation && current.Valid(now):
		return outcome{token: current, record: record} // of a login that came after
	case record.RefreshToken == "":
		return outcome{record: record, cause: LoginNoRefresh}
	case a.NeedsLogin != "" && a.NeedsLoginGen == record.Generation:
		return outcome{record: record, cause: a.NeedsLogin} // refused before: it is not asked twice
	}
	if err := r.mayPresent(ctx, a.ID, held, record, current.Expiry); err != nil {
		return outcome{record: record, err: err}
	}
	if err := held.Prepare(); err != nil {
		return outcome{record: record, err: fmt.Errorf("renew %s: %w", a.ID, err)}
	}
	return r.presentLocked(ctx, a, p, held, record, current.Expiry)
}

func (r *Renewer) lock(ctx context.Context, id ID) (*vault.Held, error) {
	ctx, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	held, err := r.o.Vault.Lock(ctx, string(id))
	if err != nil && errors.Is(context.Cause(ctx), ErrEnding) {
		return nil, ErrEnding
	}
	return held, err
}

// mayPresent returns when the refresh token may be presented, or says why not
// now. A short wait is waited for here.
func (r *Renewer) mayPresent(ctx context.Context, id ID, held *vault.Held, record vault.Record, expiry time.Time) error {
	now := time.Now()
	if until, err := r.resting(id, record.Generation, now); err != nil {
		return &PostponedError{Until: until, Err: err}
	}
	earlier, err := held.Earlier(record.RefreshToken)
	if err != nil {
		return fmt.Errorf("renew %s: %w", id, err)
	}
	until := r.notBefore(earlier, now, expiry)
	switch wait := until.Sub(now); {
	case wait <= 0:
		return nil
	case wait <= shortWait && pause(ctx, wait+rand.N(r.spread)): //nolint:gosec // G404: only to keep two apart
		return nil
	}
	return &PostponedError{Until: until}
}

// presentLocked presents the refresh token, once more if the answer is lost,
// and makes what comes durable before anything else.
func (r *Renewer) presentLocked(ctx context.Context, a Account, p *Provider, held *vault.Held, record vault.Record, expiry time.Time) outcome {
	request := refreshRequest(p.OAuth, record.RefreshToken)
	var earlier vault.Attempt
	var begun bool
	begin := func() (err error) {
		if err := r.sending(a.ID); err != nil {
			return err
		}
		earlier, err = held.Begin(record.RefreshToken)
		begun = err == nil
		return err
	}
	for again := false; ; again = true {
		begun = false
		answered, err := present(ctx, r.o.Client(p), p.OAuth, request, r.o.UserAgent, begin)
		if err == nil && answered.granted() {
			if next, ok := grantedRecord(a, p, record, answered); ok {
				return r.commit(held, next)
			}
			err = &unansweredError{noToken(answered, request)}
		}
		if err == nil {
			te := readRefusal(answered.status, answered.header, answered.body, answered.at, request.secrets())
			if !begun { // nothing of the token was sent: the answer is not about it
				earlier, _ = held.Earlier(record.RefreshToken) // an error: it is said by who presents it
				return outcome{record: record, err: te, doubt: earlier.Doubtful()}
			}
			return r.refused(a, p, held, record, earlier, te)
		}
		if errors.Is(err, vault.ErrLostResponse) {
			return outcome{record: record, cause: LoginLostResponse}
		}
		_, lost := errors.AsType[*unansweredError](err)
		if !lost || !r.lost(a.ID) || again || r.mayPresent(ctx, a.ID, held, record, expiry) != nil {
			return outcome{record: record, err: fmt.Errorf("renew %s: %w", a.ID, err)}
		}
	}
}

// pause waits for d, and reports whether ctx let it.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func noToken(answered tokenAnswer, request grantRequest) error {
	refusal := readRefusal(answered.status, answered.header, answered.body, answered.at, request.secrets())
	return &NoTokenError{StatusCode: answered.status, Refusal: refusal}
}

// grantedRecord is the record that follows, with the answer as it came: it is
// looked at no further than it must be before it is durable. It reports false
// when the answer cannot hold a token.
func grantedRecord(a Account, p *Provider, record vault.Record, answered tokenAnswer) (vault.Record, bool) {
	refresh, ok := looksGranted(answered.body)
	if !ok {
		return vault.Record{}, false
	}
	next := record
	next.Generation++
	next.Raw = answered.body
	next.ReceivedAt = answered.at
	next.TokenURL = p.OAuth.TokenURL
	if refresh != "" {
		next.RefreshToken = refresh // else the old one stays in force (RFC 6749, section 6)
	}
	next.Provider, next.Identity, next.Label, next.Order = string(a.Provider), a.Identity, a.Label, a.Order
	next.Email, next.Org, next.Plan, next.Paused = a.Email, a.Org, a.Plan, a.Paused
	return next, true
}

// commit makes the record durable. Only then is it looked at.
func (r *Renewer) commit(held *vault.Held, next vault.Record) outcome {
	err := held.Store(next)
	if err != nil && !errors.Is(err, vault.ErrUnsaved) {
		return outcome{record: next, err: fmt.Errorf("store the renewed token: %w", err)}
	}
	if err != nil {
		// The vault keeps it in memory, with the account's lock, and goes on trying.
		r.log.Error("the renewed token is not saved yet: the disk refuses it", "account", next.Label, "error", err)
	}
	t, err := tokenFrom(next)
	if err != nil {
		return outcome{record: next, err: err}
	}
	return outcome{token: t, renewed: true, record: next}
}

// refused settles what a whole refusal means (DESIGN 3). The lock is held: the
// record on disk is the one that was presented.
func (r *Renewer) refused(a Account, p *Provider, held *vault.Held, record vault.Record, earlier vault.Attempt, te *TokenError) outcome {
	if te.Temporary() {
		// The note stays, so that a refusal that follows is known for what it may
		// be: a server can fail after it has rotated.
		if err := held.Defer(); err != nil {
			r.log.Warn("a renewal's answer could not be noted", "error", err)
		}
		return outcome{record: record, err: te}
	}
	o := outcome{record: record, err: te, doubt: earlier.Doubtful()}
	settle := held.Dismiss
	if p.LoginRequired != nil && p.LoginRequired(te) {
		o.cause, settle = refusalCause(o.doubt), held.Abandon
	}
	if o.cause != "" {
		// Before the lock is free: whoever gets it next would present the token
		// again, and take the answer for another reason. Where accounts.json cannot
		// be written, the note of the presentation holds him back.
		news, err := r.flag(a, o)
		if o.told = true; news {
			r.announceEnd(a.ID, o)
		}
		if err != nil {
			return o
		}
	}
	if err := settle(); err != nil {
		r.log.Warn("the note of a refused renewal stays behind", "error", err)
	}
	return o
}

// refusalCause names the refusal of a token. One that the server may have replaced
// is refused because the answer with the next one was lost.
func refusalCause(doubt bool) string {
	if doubt {
		return LoginLostResponse
	}
	return LoginRevoked
}
