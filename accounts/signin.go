package accounts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oauthmux/oauthmux/accounts/vault"
)

// signIn is a login whose code is being exchanged.
type signIn struct {
	l    *Logins
	f    *flow
	p    *Provider
	raw  []byte    // the newest answer to it
	t    Token     // what it says
	at   time.Time // when the person signed in
	who  Identity
	home ID          // the vault's folder that was made for it before it was known whose it is
	held *vault.Held // its lock

	stored  vault.Record // what home holds
	unsaved bool         // that is in memory only

	proven  bool  // it is the login of the account that was asked for
	kept    bool  // home stays: it is an account's, or all that there is of the login
	asked   bool  // the profile endpoint
	silence error // why that did not say whose it is; nil: it answered, or was not asked
}

// finish exchanges the code and stores what comes: in the vault before anything
// else, then in the registry, then announced.
func (l *Logins) finish(ctx context.Context, f *flow, code string) (account ID, renewed bool, err error) {
	s := &signIn{l: l, f: f, p: f.provider, home: newID()}
	held, err := l.o.Vault.Lock(ctx, string(s.home))
	if err != nil {
		return "", false, err
	}
	s.held = held
	account, renewed, err = s.complete(ctx, code)
	if !s.kept { // nothing is in it, or a copy of what its account has by now
		s.discard(ctx)
	}
	return account, renewed, err
}

// discard removes the folder that was made for the login, and the account that
// another process may have made of it meanwhile (see Registry.Rebuild).
func (s *signIn) discard(ctx context.Context) {
	err := s.l.o.Vault.Remove(ctx, string(s.home))
	if errors.Is(err, vault.ErrNotFound) {
		err = nil
	}
	if removeErr := s.l.o.Registry.Remove(s.home); !errors.Is(removeErr, ErrNotFound) {
		err = errors.Join(err, removeErr)
	}
	if err != nil {
		s.l.log.Warn("something is left of a sign-in", "account", s.home, "error", err)
	}
}

// errNotRegistered says that a login is in the vault, and its account could not
// be written to accounts.json.
var errNotRegistered = errors.New("the login is in the vault, but accounts.json could not be written")

// complete has the lock of the folder that was made for the login, and gives it
// back.
func (s *signIn) complete(ctx context.Context, code string) (ID, bool, error) {
	defer s.held.Release()
	if err := s.held.Prepare(); err != nil { // a code is good for one use: what can fail fails before
		return "", false, err
	}
	if err := s.redeem(ctx, code); err != nil {
		return "", false, err
	}
	if s.p.Identity != nil {
		s.who = s.p.Identity(s.raw)
	}
	if s.who.Key != "" { // nobody has to be asked: what is another one's is not even stored
		if _, _, err := s.owner(); err != nil {
			return "", false, err
		}
		s.proven = true
	}
	// Whose it is may have to be asked over the network, and the account that it
	// belongs to may be busy. It is durable before that, in a folder that is no
	// account's.
	if err := s.put(s.record(s.l.o.Registry.expect(s.account()))); err != nil && !errors.Is(err, vault.ErrUnsaved) {
		return "", false, err
	}
	if s.who.Key == "" {
		s.identify(ctx)
	}
	owner, known, err := s.owner()
	if err != nil {
		return "", false, err
	}
	s.proven = true
	if known {
		s.complement(s.account()) // what stays behind if this process dies says whose it is
		return s.renew(ctx, owner)
	}
	return s.create(ctx)
}

// account is the one that home would be.
func (s *signIn) account() Account {
	a := Account{ID: s.home, Provider: s.p.ID, Label: s.f.want.label}
	s.fill(&a)
	return a
}

// put stores a record at home, unless that is what home holds. It says which account
// was asked for: killed anywhere from here on, the login becomes no other one.
func (s *signIn) put(now vault.Record) error {
	stored := s.stored
	now.For = string(s.f.want.account)
	now.Unproven = now.For != "" && !s.proven
	if s.unsaved {
		return vault.ErrUnsaved
	}
	if stored.RefreshToken == now.RefreshToken && stored.Raw != nil && now.Identity == stored.Identity && now.Label == stored.Label &&
		now.Email == stored.Email && now.Org == stored.Org && now.Plan == stored.Plan && now.Order == stored.Order &&
		now.Unproven == stored.Unproven {
		return nil
	}
	if stored.Raw != nil { // the first is prepared for before the code is sent
		if err := s.held.Prepare(); err != nil {
			return err
		}
	}
	err := s.held.Store(now)
	s.unsaved = errors.Is(err, vault.ErrUnsaved)
	if err == nil || s.unsaved {
		s.stored = now
	}
	return err
}

// redeem sends the code, once.
func (s *signIn) redeem(ctx context.Context, code string) error {
	o := s.p.OAuth
	request := codeRequest(o, code, s.f.redirectURI, s.f.state, s.f.codeVerifier)
	answered, err := present(ctx, s.l.tokenClient(s.p), o, request, s.l.o.UserAgent, nil)
	if err != nil {
		return err
	}
	if !answered.granted() {
		return readRefusal(answered.status, answered.header, answered.body, answered.at, request.secrets())
	}
	if _, granted := looksGranted(answered.body); !granted {
		return noToken(answered, request)
	}
	s.raw, s.at = answered.body, answered.at
	s.t, err = parseTokenResponse(s.raw, answered.at)
	return err
}

// record is what the vault gets. It numbers it itself.
func (s *signIn) record(a Account) vault.Record {
	return vault.Record{
		Provider:     string(s.p.ID),
		Identity:     s.who.Key,
		Label:        a.Label,
		Email:        cmp.Or(s.who.Email, a.Email),
		Org:          cmp.Or(s.who.Org, a.Org),
		Plan:         cmp.Or(s.who.Plan, a.Plan),
		Order:        a.Order,
		Paused:       a.Paused,
		TokenURL:     s.p.OAuth.TokenURL,
		LoggedInAt:   s.at,
		ReceivedAt:   s.t.ReceivedAt,
		RefreshToken: s.t.RefreshToken.Reveal(),
		Raw:          s.raw,
	}
}

// renew gives an account that is here already the new login. Its lock is held until
// the account is known to be there still: nobody renews, or removes, what is stored
// for an account that is gone. The copy at home goes when the account has the login
// on disk, and not before: the lock may not be had, and the disk may refuse.
func (s *signIn) renew(ctx context.Context, a Account) (ID, bool, error) {
	s.kept = true
	held, err := s.l.o.Vault.Lock(ctx, string(a.ID))
	if err != nil {
		return "", false, err
	}
	defer held.Release()
	if err := held.Prepare(); err != nil {
		return "", false, err
	}
	refused := held.Store(s.record(a))
	if refused != nil && !errors.Is(refused, vault.ErrUnsaved) {
		return "", false, refused
	}
	_, err = s.l.o.Registry.Edit(a.ID, func(a *Account) error {
		s.fill(a)
		if s.f.want.label != "" {
			a.Label = s.f.want.label
		}
		return nil
	})
	switch {
	case errors.Is(err, ErrNotFound):
		return s.removed(ctx, a.ID, held)
	case err != nil:
		return "", false, errors.Join(errNotRegistered, err)
	}
	held.Release()
	s.kept = refused != nil
	s.describe(ctx, a.ID)
	s.announce(a.ID, "login renewed")
	return a.ID, true, nil
}

// removed deals with an account that was removed while its owner signed in: it
// does not come back. A login that was not asked to be its own is a new account's.
func (s *signIn) removed(ctx context.Context, id ID, held *vault.Held) (ID, bool, error) {
	defer func() { // last: what it holds is durable in the new account by then
		if err := held.Remove(ctx); err != nil {
			s.l.log.Warn("the folder of a removed account stays behind", "account", id, "error", err)
		}
	}()
	if s.f.want.account != "" {
		s.kept = false
		return "", false, fmt.Errorf("the account was removed meanwhile: %w", ErrNotFound)
	}
	return s.create(ctx)
}

// create makes a new account: in the vault, then in the registry.
func (s *signIn) create(ctx context.Context) (ID, bool, error) {
	s.kept = true // whatever comes: what the vault has can be found again
	a := s.account()
	s.complement(a)
	s.askProfile(ctx)
	s.fill(&a)
	s.complement(a)
	_, err := s.l.o.Registry.Add(a)
	if errors.Is(err, errThere) { // another process found it in the vault meanwhile
		_, err = s.l.o.Registry.Edit(a.ID, func(a *Account) error { s.fill(a); return nil })
	}
	if twin, ok := errors.AsType[*identityKnownError](err); ok { // another sign-in was faster
		return s.renew(ctx, twin.owner)
	}
	if err != nil {
		return "", false, errors.Join(errNotRegistered, err)
	}
	s.announce(a.ID, "new account")
	return a.ID, false, nil
}

// describe adds to an account what only the profile says of it.
func (s *signIn) describe(ctx context.Context, id ID) {
	known := s.who
	if s.askProfile(ctx); s.who == known {
		return
	}
	_, err := s.l.o.Registry.Edit(id, func(a *Account) error { s.identifies(a); return nil })
	if err != nil && !errors.Is(err, ErrNotFound) {
		s.l.log.Warn("what the profile says of a login is not in accounts.json", "account", id, "error", err)
	}
}

// complement stores a new account's record once more when something is known of
// it since, so that all of the account can be rebuilt from it. This comes
// before anybody knows of the account: a token never changes its generation in
// somebody's hands. What fails leaves the record that is durable already.
func (s *signIn) complement(a Account) {
	if err := s.put(s.record(s.l.o.Registry.expect(a))); err != nil && !errors.Is(err, vault.ErrUnsaved) {
		s.l.log.Warn("what is known of a new login is not in the vault", "account", s.home, "error", err)
	}
}

// fill writes down what the login says of its account.
func (s *signIn) fill(a *Account) {
	s.identifies(a)
	a.signedIn(s.at, s.t.Expiry)
	if s.f.how == LoginBrowser {
		a.Browser = BrowserReady
	}
}

// signedIn writes down that the account has a new login.
func (a *Account) signedIn(at, expiry time.Time) {
	a.NeedsLogin, a.NeedsLoginGen, a.PingsOff, a.NeedsYou = "", 0, "", ""
	a.LoggedInAt = at.UTC().Round(0)
	a.TokenExpiresAt = expiry.UTC().Round(0)
}

// identifies writes down whose the login is.
func (s *signIn) identifies(a *Account) {
	a.Identity = cmp.Or(s.who.Key, a.Identity)
	a.Email = cmp.Or(s.who.Email, a.Email)
	a.Org = cmp.Or(s.who.Org, a.Org)
	a.Plan = cmp.Or(s.who.Plan, a.Plan)
}

func (s *signIn) announce(id ID, evidence string) {
	if s.l.o.Bus != nil {
		s.l.o.Bus.Publish(Event{Kind: TokenChanged, Account: id})
	}
	s.l.log.Info("signed in", "account", id, "what", evidence)
	if s.l.o.Journal != nil {
		s.l.o.Journal.Add(Entry{Kind: EntryLogin, Account: id, Evidence: evidence})
	}
}
