package simulator

import (
	"crypto/rand"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Prefixes of what is issued (PROTOCOL 1.6).
const (
	accessPrefix  = "sk-ant-oat01-"
	refreshPrefix = "sk-ant-ort01-"
)

// keptTokens is how many tokens of a family, and how many codes, are remembered.
const keptTokens = 1024

// grants is everything the authorization server has issued.
type grants struct {
	mu       sync.RWMutex // guards what follows, and all that hangs on it
	codes    map[string]*code
	codeList []string // in the order of issue
	access   map[string]*accessToken
	refresh  map[string]*refreshToken
	families []*family
}

// code is an authorization code: good once, for the request it was made for.
type code struct {
	account     *account
	redirectURI string
	challenge   string
	state       string
	scope       string
	ends        time.Time
	used        *family // what its first use granted; see spent
	spent       bool
}

// family is one login and every token that came out of it.
type family struct {
	account *account
	number  int // which of them all, from 1 on
	scope   string
	began   time.Time
	revoked bool
	seq     int64
	tokens  []*pair // the newest of them, oldest first

	shown      atomic.Int64 // the newest pair that the client has used
	presenting atomic.Int64 // refresh tokens being answered
}

// pair is what one token answer carries.
type pair struct {
	access  *accessToken
	refresh *refreshToken
}

type accessToken struct {
	text   string
	family *family
	seq    int64
	ends   time.Time
	usage  []time.Time // usage requests within the trailing hour
}

type refreshToken struct {
	text      string
	family    *family
	seq       int64
	spentAt   time.Time // zero: not spent
	successor *pair
}

func (g *grants) init() {
	g.codes = make(map[string]*code)
	g.access = make(map[string]*accessToken)
	g.refresh = make(map[string]*refreshToken)
}

// randomText is 52 characters that nobody can guess.
func randomText() string { return rand.Text() + rand.Text() }

// addCodeLocked issues a code.
func (g *grants) addCodeLocked(c *code) string {
	text := randomText()
	g.codes[text] = c
	g.codeList = append(g.codeList, text)
	if len(g.codeList) > keptTokens {
		delete(g.codes, g.codeList[0])
		g.codeList = slices.Delete(g.codeList, 0, 1)
	}
	return text
}

// beginLocked starts a family.
func (g *grants) beginLocked(a *account, scope string, now time.Time) *family {
	f := &family{account: a, number: len(g.families) + 1, scope: scope, began: now}
	g.families = append(g.families, f)
	return f
}

// issueLocked adds a pair to a family. keep, if any, is the refresh token that
// stays in force.
func (g *grants) issueLocked(f *family, now time.Time, life time.Duration, keep *refreshToken) *pair {
	f.seq++
	p := &pair{
		access:  &accessToken{text: accessPrefix + randomText(), family: f, seq: f.seq, ends: now.Add(life)},
		refresh: keep,
	}
	g.access[p.access.text] = p.access
	if keep == nil {
		p.refresh = &refreshToken{text: refreshPrefix + randomText(), family: f, seq: f.seq}
		g.refresh[p.refresh.text] = p.refresh
	}
	f.tokens = append(f.tokens, p)
	if len(f.tokens) > keptTokens {
		old := f.tokens[0]
		delete(g.access, old.access.text)
		if old.refresh != p.refresh {
			delete(g.refresh, old.refresh.text)
		}
		f.tokens = slices.Delete(f.tokens, 0, 1)
	}
	return p
}

// show notes that the client has used the pair of that number.
func (f *family) show(seq int64) {
	for {
		old := f.shown.Load()
		if old >= seq || f.shown.CompareAndSwap(old, seq) {
			return
		}
	}
}

// tokenState is what an access token is worth.
type tokenState int

const (
	tokenUnknown tokenState = iota
	tokenLive
	tokenExpired
	tokenRevoked
)

// bearer looks an access token up, and notes that the client has it.
func (g *grants) bearer(text string, now time.Time) (*accessToken, tokenState) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	t := g.access[text]
	if t == nil {
		return nil, tokenUnknown
	}
	t.family.show(t.seq)
	switch {
	case t.family.revoked:
		return t, tokenRevoked
	case !now.Before(t.ends):
		return t, tokenExpired
	}
	return t, tokenLive
}

// life is how long an access token lives on the client's clock: whole seconds,
// so that expires_in is exact.
func (s *Server) life() time.Duration {
	return max(s.span(s.o.TokenLife).Truncate(time.Second), time.Second)
}

// Revoke ends every grant of a user, access tokens included, as after a change
// of password.
func (s *Server) Revoke(user string) {
	s.grants.mu.Lock()
	defer s.grants.mu.Unlock()
	for _, f := range s.grants.families {
		if f.account == s.users.get(user) {
			f.revoked = true
		}
	}
}

// Expire ends the access tokens of a user now; their refresh tokens stay good.
func (s *Server) Expire(user string) {
	now := s.o.Now()
	s.grants.mu.Lock()
	defer s.grants.mu.Unlock()
	for _, t := range s.grants.access {
		if t.family.account == s.users.get(user) && now.Before(t.ends) {
			t.ends = now
		}
	}
}

// Owner says whose access or refresh token this is, and whether it still works.
func (s *Server) Owner(token string) (user string, live bool) {
	now := s.o.Now()
	s.grants.mu.RLock()
	defer s.grants.mu.RUnlock()
	if t := s.grants.access[token]; t != nil {
		return t.family.account.name, !t.family.revoked && now.Before(t.ends)
	}
	if t := s.grants.refresh[token]; t != nil {
		return t.family.account.name, !t.family.revoked && t.spentAt.IsZero() && !s.loginOver(t.family, now)
	}
	return "", false
}

// loginOver reports whether the grant has reached the end of its login.
func (s *Server) loginOver(f *family, now time.Time) bool {
	return s.o.LoginLife > 0 && !now.Before(f.began.Add(s.span(s.o.LoginLife)))
}

// Secrets returns every code and token that was issued (the newest, if there
// were very many), so that a test can look for them where none may be.
func (s *Server) Secrets() []string {
	s.grants.mu.RLock()
	defer s.grants.mu.RUnlock()
	var list []string
	for text := range s.grants.codes {
		list = append(list, text)
	}
	for text := range s.grants.access {
		list = append(list, text)
	}
	for text := range s.grants.refresh {
		list = append(list, text)
	}
	slices.Sort(list)
	return list
}
