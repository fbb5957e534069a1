package simulator

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// What a sign-in forgives.
const (
	MaxTries  = 5                // wrong entries before an e-mail address is locked
	LockedFor = 30 * time.Second // and how long, whatever the speed
)

// people is what the pages know of browsers and who sits at them.
type people struct {
	mu       sync.Mutex // guards what follows, and all that hangs on it
	sessions shelf[*session]
	attempts shelf[attempt]
	tickets  shelf[*ticket]
	wrong    shelf[*mistakes] // by e-mail address
}

// session is a browser in which a person is signed in.
type session struct {
	cookie string
	person string // AccountUUID
	ends   time.Time
	passed passed
}

// passed is what a browser has come past on the way to the consent page of one
// request.
type passed struct {
	state string // of the request
	org   string // that was chosen; "": none
	shown bool   // the page that came in place of the consent page
}

// attempt is a browser in which somebody signs in.
type attempt struct {
	returnTo string
	csrf     string
	email    string
	password bool // it was right
	ends     time.Time
}

// ticket is a page that may be answered once, by the browser that it was made for.
type ticket struct {
	session *session
	page    Page
	account *account // whom the page is about
	request authorizationRequest
	query   string
	shown   bool // in place of the consent page
	ends    time.Time
}

// mistakes are the wrong entries for an e-mail address.
type mistakes struct {
	n     int
	until time.Time // locked; zero: not
}

func (p *people) init() {
	p.sessions.init()
	p.attempts.init()
	p.tickets.init()
	p.wrong.init()
}

// shelf keeps the newest things by name.
type shelf[T any] struct {
	byName map[string]T
	order  []string // of their coming
}

func (s *shelf[T]) init() { s.byName = make(map[string]T) }

func (s *shelf[T]) put(name string, v T) {
	if _, known := s.byName[name]; !known {
		s.order = append(s.order, name)
	}
	s.byName[name] = v
	if len(s.order) > keptTokens {
		s.drop(s.order[0])
	}
}

func (s *shelf[T]) drop(name string) {
	if _, known := s.byName[name]; !known {
		return
	}
	delete(s.byName, name)
	i := slices.Index(s.order, name)
	s.order = slices.Delete(s.order, i, i+1)
}

// SignOut ends the browser sessions of a user's person, in every organisation: the
// next page asks who it is.
func (s *Server) SignOut(user string) {
	a := s.users.get(user)
	if a == nil {
		return
	}
	person := a.get().AccountUUID
	p := &s.people
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range slices.Clone(p.sessions.order) {
		if p.sessions.byName[name].person == person {
			p.sessions.drop(name)
		}
	}
}

// beginSession signs a person in, and returns the cookie's value.
func (p *people) beginSession(person string, ends time.Time) string {
	text := randomText()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions.put(text, &session{cookie: text, person: person, ends: ends})
	return text
}

// session is who is signed in with a cookie; nil: nobody.
func (p *people) session(cookie string, now time.Time) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.sessions.byName[cookie]
	if n != nil && !now.Before(n.ends) {
		p.sessions.drop(cookie)
		return nil
	}
	return n
}

// endSession signs a person out in one browser.
func (p *people) endSession(n *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions.drop(n.cookie)
}

// pass notes what a session has come past.
func (p *people) pass(n *session, at passed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n.passed = at
}

// past returns what a session has come past with the request of that state.
func (p *people) past(n *session, state string) passed {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n.passed.state != state {
		return passed{state: state}
	}
	return n.passed
}

// issue makes a page that may be answered, and returns its CSRF token.
func (p *people) issue(t *ticket) string {
	text := randomText()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tickets.put(text, t)
	return text
}

// redeem takes the page of a CSRF token, for its session and its one answer; nil:
// there is none.
func (p *people) redeem(csrf string, n *session, page Page, now time.Time) *ticket {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tickets.byName[csrf]
	if t == nil || t.session != n || t.page != page || !now.Before(t.ends) {
		return nil
	}
	p.tickets.drop(csrf)
	return t
}

// orphan takes the page of a CSRF token whose session, that of the cookie, has
// ended while the page was open; nil: there is none.
func (p *people) orphan(csrf, cookie string, now time.Time) *ticket {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tickets.byName[csrf]
	if t == nil || t.session.cookie != cookie || !now.Before(t.ends) {
		return nil
	}
	p.tickets.drop(csrf)
	return t
}

// beginAttempt lets somebody sign in, and returns the cookie's value.
func (p *people) beginAttempt(a attempt) string {
	text := randomText()
	p.keepAttempt(text, a)
	return text
}

// keepAttempt notes how far an attempt has come.
func (p *people) keepAttempt(cookie string, a attempt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.attempts.put(cookie, a)
}

// endAttempt forgets an attempt.
func (p *people) endAttempt(cookie string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.attempts.drop(cookie)
}

// attempt is the attempt of a cookie, if it has not ended.
func (p *people) attempt(cookie string, now time.Time) (attempt, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, ok := p.attempts.byName[cookie]
	return a, ok && now.Before(a.ends)
}

// locked reports whether an e-mail address may not be tried now.
func (p *people) locked(email string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.wrong.byName[email]
	if m == nil || m.until.IsZero() {
		return false
	}
	if !now.Before(m.until) {
		p.wrong.drop(email)
		return false
	}
	return true
}

// tried notes an entry for an e-mail address.
func (p *people) tried(email string, right bool, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if right {
		p.wrong.drop(email)
		return
	}
	m := p.wrong.byName[email]
	if m == nil {
		m = &mistakes{}
		p.wrong.put(email, m)
	}
	if m.n++; m.n >= MaxTries {
		m.until = now.Add(LockedFor)
	}
}

// person is the users that are one person, in the order of their coming.
func (u *users) person(uuid string) []*account {
	return slices.DeleteFunc(u.all(), func(a *account) bool { return a.get().AccountUUID != uuid })
}

// signsIn is the user whose password and code are asked for with an e-mail
// address: of the person's users the first. It reports whether there is one.
func (u *users) signsIn(email string) (User, bool) {
	for _, a := range u.all() {
		if user := a.get(); strings.EqualFold(user.Email, email) {
			return u.person(user.AccountUUID)[0].get(), true
		}
	}
	return User{}, false
}
