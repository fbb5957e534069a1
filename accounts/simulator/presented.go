package simulator

import (
	"sync"
	"time"
)

// Presentation is one refresh token as it came to the token endpoint, and not the
// token itself. Tokens of a login are numbered as they are issued, from 1 on.
type Presentation struct {
	At    time.Time // when the request was here, to its last byte
	Ended time.Time // when its answer had ended; zero: not yet
	By    string    // its User-Agent: who presented it, where processes name themselves apart

	User   string
	Login  int   // which login of them all, from 1 on
	Number int64 // which token of that login
	Used   int64 // the newest token of the login that the client had used before
	Spent  bool  // it had been replaced already
	Status int   // of the answer; 0: cut
}

// presented keeps every presentation.
type presented struct {
	on bool

	mu   sync.Mutex // guards list, and what it points to
	list []*Presentation
}

// Presentations returns every presentation of a refresh token that was issued
// here, in the order in which they came, those included that are still being
// answered. They are kept if Options.Presentations says so.
func (s *Server) Presentations() []Presentation {
	s.presented.mu.Lock()
	defer s.presented.mu.Unlock()
	all := make([]Presentation, len(s.presented.list))
	for i, p := range s.presented.list {
		all[i] = *p
	}
	return all
}

// note keeps a presentation that begins, and returns what its end is told to.
func (p *presented) note(x *exchange, t *refreshToken) (ended func()) {
	if !p.on {
		return func() {}
	}
	g := &x.s.grants
	g.mu.RLock()
	noted := &Presentation{
		At: x.s.o.Now(), By: x.r.UserAgent(), User: t.family.account.name,
		Login: t.family.number, Number: t.seq, Used: t.family.shown.Load(), Spent: !t.spentAt.IsZero(),
	}
	g.mu.RUnlock()
	p.mu.Lock()
	p.list = append(p.list, noted)
	p.mu.Unlock()
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		noted.Ended, noted.Status = x.s.o.Now(), x.status
	}
}
