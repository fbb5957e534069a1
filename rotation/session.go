package rotation

import (
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

const (
	// sessionLife is how long a conversation that rests stays with its account.
	// Nothing of it is left in any cache of the upstream after that.
	sessionLife = time.Hour
	maxSessions = 4096
)

// SessionView is a conversation that sticks to an account.
type SessionView struct {
	Session  string
	Provider accounts.ProviderID
	Account  accounts.ID
	Since    time.Time // when it came to that account
	Requests int       // since it is known
}

// sessions remembers which account a conversation is with. It forgets those that
// rest for too long, and the ones that rest longest when there are too many.
type sessions struct {
	byKey map[sessionKey]*session
	// ends of the list by last use
	oldest, newest *session
}

type sessionKey struct {
	provider accounts.ProviderID
	name     string
}

type session struct {
	key          sessionKey
	account      accounts.ID
	seat         *seat
	since, last  time.Time
	requests     int
	older, newer *session
}

// find returns the conversation, if it is known and has not rested for too long.
func (s *sessions) find(key sessionKey, now time.Time) *session {
	c := s.byKey[key]
	if c != nil && now.Sub(c.last) >= sessionLife {
		s.remove(c)
		return nil
	}
	return c
}

// use notes that a conversation is with an account, and came by just now.
func (s *sessions) use(key sessionKey, with *seat, now time.Time) *session {
	for s.oldest != nil && (len(s.byKey) > maxSessions || now.Sub(s.oldest.last) >= sessionLife) {
		s.remove(s.oldest)
	}
	c := s.byKey[key]
	if c == nil {
		c = &session{key: key, since: now}
		if s.byKey == nil {
			s.byKey = make(map[sessionKey]*session)
		}
		s.byKey[key] = c
	} else if c != s.newest {
		s.unlink(c)
	}
	if c != s.newest {
		c.older, c.newer = s.newest, nil
		if s.newest != nil {
			s.newest.newer = c
		}
		s.newest = c
		if s.oldest == nil {
			s.oldest = c
		}
	}
	if c.seat != with {
		c.seat, c.account, c.since = with, with.member().Account.ID, now
	}
	c.last = now
	return c
}

func (s *sessions) remove(c *session) {
	delete(s.byKey, c.key)
	s.unlink(c)
}

func (s *sessions) unlink(c *session) {
	if c.older != nil {
		c.older.newer = c.newer
	} else {
		s.oldest = c.newer
	}
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		s.newest = c.older
	}
	c.older, c.newer = nil, nil
}

// views returns the conversations that have not rested for too long, the one
// used last first.
func (s *sessions) views(now time.Time) []SessionView {
	var views []SessionView
	for c := s.newest; c != nil && now.Sub(c.last) < sessionLife; c = c.older {
		views = append(views, SessionView{
			Session: c.key.name, Provider: c.key.provider, Account: c.account, Since: c.since, Requests: c.requests,
		})
	}
	return views
}
