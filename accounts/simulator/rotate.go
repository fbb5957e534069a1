package simulator

import (
	"slices"
	"strings"
	"time"
)

// refusal is a "no" of the token endpoint.
type refusal struct {
	status      int
	code        string // "error" of RFC 6749, or error.type of the object envelope
	description string
	format      bool // always the object envelope (PROTOCOL 1.8)
	violation   Violation
}

var (
	errFormat = &refusal{400, "invalid_request_error", "Invalid request format", true, BadBody}
	errCode   = &refusal{400, "invalid_request_error", "Invalid 'code' in request.", true, UnknownCode}
	errClient = &refusal{401, "invalid_client", "Client not found", false, BadBody}
	errScope  = &refusal{400, "invalid_scope", "The requested scope exceeds the grant", false, WrongScope}
	errPKCE   = &refusal{400, "invalid_grant", "PKCE verification failed", false, WrongVerifier}
	errGrant  = &refusal{400, "invalid_grant", "Refresh token not found or invalid", false, ""}
	errNever  = &refusal{400, "invalid_grant", "Refresh token not found or invalid", false, UnknownRefresh}
)

// exchange turns a code into the first pair of a family. A code is used up by
// the first request that names it, good or not; a second use ends what the
// first one granted (RFC 6749, section 4.1.2).
func (s *Server) exchangeCode(f map[string]string, now time.Time) (*pair, *refusal) {
	g := &s.grants
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.codes[f["code"]]
	switch {
	case c == nil:
		return nil, errCode
	case c.spent:
		if c.used != nil {
			c.used.revoked = true
		}
		return nil, errCode
	}
	c.spent = true
	switch {
	case !now.Before(c.ends), c.state != f["state"]:
		return nil, errCode
	case c.redirectURI != f["redirect_uri"]:
		return nil, &refusal{
			400, "invalid_request_error",
			"Redirect URI " + f["redirect_uri"] + " is not supported by client.", true, WrongRedirectURI,
		}
	case challengeOf(f["code_verifier"]) != c.challenge:
		return nil, errPKCE
	}
	c.used = g.beginLocked(c.account, c.scope, now)
	c.account.logins.Add(1)
	return g.issueLocked(c.used, now, s.life(), nil), nil
}

// present takes a refresh token, by the server's policy.
func (s *Server) present(f map[string]string, now time.Time) (*pair, *refusal) {
	g := &s.grants
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.refresh[f["refresh_token"]]
	if t == nil {
		return nil, errNever
	}
	if !t.spentAt.IsZero() {
		s.tally.reused(t.family.shown.Load() > t.seq)
	}
	switch {
	case t.family.revoked, s.loginOver(t.family, now):
		return nil, errGrant
	case !within(f["scope"], t.family.scope):
		return nil, errScope
	case !t.spentAt.IsZero():
		return s.presentSpentLocked(t, now)
	}
	return s.rotateLocked(t, now), nil
}

// presentSpentLocked is where the policies differ.
func (s *Server) presentSpentLocked(t *refreshToken, now time.Time) (*pair, *refusal) {
	switch s.o.Policy {
	case Forking:
		return s.rotateLocked(t, now), nil
	case Grace:
		next := t.successor
		if now.Before(t.spentAt.Add(s.o.Grace)) && next.refresh.spentAt.IsZero() {
			t.family.account.renewed.Add(1)
			return next, nil
		}
	case Strict, NoRotation:
	}
	t.family.revoked = true
	return nil, errGrant
}

func (s *Server) rotateLocked(t *refreshToken, now time.Time) *pair {
	t.family.show(t.seq)
	t.family.account.renewed.Add(1)
	var keep *refreshToken
	if s.o.Policy == NoRotation || slices.Contains(s.o.Omit, "refresh_token") {
		keep = t // an answer without a refresh token leaves the old one in force (RFC 6749, section 6)
	}
	next := s.grants.issueLocked(t.family, now, s.life(), keep)
	if keep == nil {
		t.spentAt, t.successor = now, next
	}
	return next
}

// within reports whether every scope asked for was granted.
func within(asked, granted string) bool {
	have := strings.Fields(granted)
	for scope := range strings.FieldsSeq(asked) {
		if !slices.Contains(have, scope) {
			return false
		}
	}
	return true
}

// ownerOf is whose code or refresh token a token request carries, and which
// refresh token; nil: nobody's, none.
func (g *grants) ownerOf(f map[string]string) (*account, *refreshToken) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if c := g.codes[f["code"]]; c != nil {
		return c.account, nil
	}
	if t := g.refresh[f["refresh_token"]]; t != nil {
		return t.family.account, t
	}
	return nil, nil
}

// holderOf is whose token this is; nil: nobody's.
func (g *grants) holderOf(token string) *account {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if t := g.access[token]; t != nil {
		return t.family.account
	}
	if t := g.refresh[token]; t != nil {
		return t.family.account
	}
	return nil
}

// revoke ends the family of a token (RFC 7009).
func (g *grants) revoke(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.refresh[token]; t != nil {
		t.family.revoked = true
	}
	if t := g.access[token]; t != nil {
		t.family.revoked = true
	}
}

// Grant logs a user in without any browser, and returns the token endpoint's
// answer as it would have come.
func (s *Server) Grant(user string) (raw []byte, err error) {
	a := s.users.get(user)
	if a == nil {
		return nil, unknownUserError(user)
	}
	now := s.o.Now()
	s.grants.mu.Lock()
	p := s.grants.issueLocked(s.grants.beginLocked(a, defaultScopes, now), now, s.life(), nil)
	s.grants.mu.Unlock()
	return s.tokenAnswer(p, now, nil), nil
}

// secondsLeft is expires_in.
func secondsLeft(ends, now time.Time) int64 { return max(int64(ends.Sub(now)/time.Second), 0) }
