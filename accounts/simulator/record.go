package simulator

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// Request is one request as it came, and what was answered. Credentials are not in it.
type Request struct {
	At       time.Time
	User     string // "": nobody known
	Method   string
	Path     string
	RawQuery string
	Header   http.Header // with the values of credentials and cookies replaced by "[redacted]"
	Model    string
	Marker   string

	Bytes  int64  // of the request's body
	SHA256 string // of the request's body, in hex

	Status       int    // 0: the connection was cut without an answer
	AnswerBytes  int64  // as they went over the wire, before any chunking
	AnswerSHA256 string // of those, in hex
	Took         time.Duration
	Cancelled    bool // the client went before the answer was whole
}

// recorder keeps the newest requests.
type recorder struct {
	size int // 0: nothing is kept

	mu   sync.Mutex // guards what follows
	list []Request
	next int // where the next one goes once the list is full
}

func (r *recorder) init(size int) { r.size = max(size, 0) }

func (r *recorder) on() bool { return r.size > 0 }

func (r *recorder) add(q Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) < r.size {
		r.list = append(r.list, q)
		return
	}
	r.list[r.next] = q
	r.next = (r.next + 1) % r.size
}

// Requests returns the requests that are kept, oldest first, each added when
// its answer had ended.
func (s *Server) Requests() []Request {
	r := &s.journal
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Concat(r.list[r.next:], r.list[:r.next])
}

// redacted returns a copy of h without the values of credentials.
func redacted(h http.Header) http.Header {
	h = h.Clone()
	for _, name := range []string{"Authorization", "X-Api-Key", "Cookie", "Proxy-Authorization"} {
		for i := range h[name] {
			h[name][i] = "[redacted]"
		}
	}
	return h
}
