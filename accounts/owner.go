package accounts

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// profileLimit is how long a login waits to hear whose it is, where the token
// response does not say it all.
const profileLimit = 10 * time.Second

// What a login waits for when only the profile says whose it is, and that cannot
// be had at once.
const (
	identityTries = 3
	identityPause = time.Second // before the second try, and twice that before the third
	identityLimit = 15 * time.Second
)

// otherIdentityError says that somebody else signed in than was asked for.
type otherIdentityError struct {
	wanted Account
	label  string // by which it was asked for
	who    Identity
}

func (e *otherIdentityError) Error() string {
	return fmt.Sprintf("this sign-in is not the one of %q", e.wanted.Label)
}

func (e *otherIdentityError) problem() problem {
	who := e.who.Email
	if who == "" {
		who = "somebody else"
	}
	if e.label == "" {
		return problem{
			fmt.Sprintf("%s signed in, and that is not %q; nothing was stored", who, e.wanted.Label),
			"a browser signs in again whom it knows: sign out there first, then sign in as the account's owner", FailureIdentity,
		}
	}
	return problem{
		fmt.Sprintf("the label %q belongs to another account than the one of %s; nothing was stored", e.label, who),
		"sign in again with another label, or as that account's owner: a browser signs in again whom it knows", FailureIdentity,
	}
}

// unknownIdentityError says that a login must be an account's own, and that whose
// it is could not be found out. It does not unwrap: its code is spent, whatever kept
// the profile from being read.
type unknownIdentityError struct{ err error } // nil: the provider answers, and does not say

func (e *unknownIdentityError) Error() string {
	if e.err == nil {
		return "whose login it is could not be found out: the provider does not say"
	}
	return fmt.Sprintf("whose login it is could not be found out: %v", e.err)
}

func (e *unknownIdentityError) problem() problem {
	return problem{e.Error() + "; nothing was stored", "the provider may be in trouble; sign in again in a while", FailureTrouble}
}

// unprovenError says that an account's identity is not known, and that nothing
// else shows that a login is its own.
type unprovenError struct {
	wanted     Account
	unattended bool
}

func (e *unprovenError) Error() string {
	return fmt.Sprintf("it is not known whose %q is, and nothing shows that this sign-in is its own", e.wanted.Label)
}

func (e *unprovenError) problem() problem {
	if e.unattended {
		return problem{e.Error() + "; nothing was stored", "sign in to it yourself, once", FailureNeedsYou}
	}
	return problem{e.Error() + "; nothing was stored", "sign in to a new account, and remove this one", FailureTrouble}
}

// identify asks for the profile where nothing else says whose the login is, more
// than once if it must: a login that is nobody's can renew no account. An endpoint
// that stays down does not cost a login that is to be a new account.
func (s *signIn) identify(ctx context.Context) {
	if s.p.Profile == nil {
		return
	}
	s.asked = true
	ctx, cancel := context.WithTimeout(ctx, identityLimit)
	defer cancel()
	for try := range identityTries {
		if try > 0 && !sleep(ctx, s.l.pause<<(try-1)) {
			break
		}
		if s.silence = s.hear(ctx); s.silence == nil {
			return
		}
	}
	s.l.log.Warn("whose a new login is could not be found out", "provider", s.p.ID, "error", s.silence)
}

// sleep reports whether ctx lasted as long as that.
func sleep(ctx context.Context, pause time.Duration) bool {
	select {
	case <-time.After(pause):
		return true
	case <-ctx.Done():
		return false
	}
}

// askProfile fills in what the token response does not say, and asks once. An
// endpoint that is down does not cost the login.
func (s *signIn) askProfile(ctx context.Context) {
	if s.asked || s.p.Profile == nil || s.who.Plan != "" && s.who.Email != "" {
		return
	}
	s.asked = true
	if err := s.hear(ctx); err != nil {
		s.l.log.Warn("the profile of a new login could not be read", "provider", s.p.ID, "error", err)
	}
}

// hear has the profile say what it knows.
func (s *signIn) hear(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, profileLimit)
	defer cancel()
	said, err := s.p.Profile(ctx, s.l.profileClient(s.p), s.t)
	if err != nil {
		return err
	}
	if s.who.Key == "" {
		s.who.Key = said.Key
	}
	s.who.Email = cmp.Or(said.Email, s.who.Email)
	s.who.Org = cmp.Or(said.Org, s.who.Org)
	s.who.Plan = cmp.Or(said.Plan, s.who.Plan)
	return nil
}

// owner returns the account that the login belongs to, if there is one. It is an
// error when another one was asked for, and when nobody knows whether that is so:
// then nothing may be stored (SAFETY T20).
func (s *signIn) owner() (owner Account, known bool, err error) {
	owner, known = s.l.o.Registry.Identified(s.p.ID, s.who.Key)
	if s.f.want.account == "" {
		return owner, known, nil
	}
	expected, err := s.l.o.Registry.Get(s.f.want.account)
	if err != nil {
		return Account{}, false, err
	}
	switch {
	case known && owner.ID == expected.ID:
		return expected, true, nil
	case s.who.Key == "" && (s.silence != nil || expected.Identity != ""):
		return Account{}, false, &unknownIdentityError{s.silence}
	case known, expected.Identity != "", !mayBeSame(expected.Email, s.who.Email):
		return Account{}, false, &otherIdentityError{wanted: expected, label: s.f.want.label, who: s.who}
	case expected.Email == "" && s.f.want.unattended, expected.Email != "" && s.who.Email == "":
		return Account{}, false, &unprovenError{wanted: expected, unattended: s.f.want.unattended}
	}
	// The addresses are one, or nothing is known of the account and a person says
	// that the login is its own.
	return expected, true, nil
}

// mayBeSame does not hold it against an address that it is not known.
func mayBeSame(a, b string) bool { return a == "" || b == "" || labelKey(a) == labelKey(b) }
