package simulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Facts of the wire that a client must know (PROTOCOL 1 to 3).
const (
	ClientID = "9d1c250a-e61b-44d9-88ed-5944d1962f5e" // the public native client
	BetaName = "oauth-2025-04-20"                     // must be in anthropic-beta with an OAuth token

	HostedCallback    = "https://platform.claude.com/oauth/code/callback"
	HostedCallbackOld = "https://console.anthropic.com/oauth/code/callback"
)

// The places of the server.
const (
	PathAuthorize    = "/oauth/authorize"
	PathAuthorizeCAI = "/cai/oauth/authorize" // redirects to PathAuthorize
	PathToken        = "/v1/oauth/token"      //nolint:gosec // G101: a path, not a credential
	PathRevoke       = "/v1/oauth/revoke"
	PathProfile      = "/api/oauth/profile"
	PathUsage        = "/api/oauth/usage"
	PathMessages     = "/v1/messages"
	PathCountTokens  = "/v1/messages/count_tokens" //nolint:gosec // G101: a path, not a credential
	PathModels       = "/v1/models"
)

// MarkerHeader names a request: two answers generated for one marker are a
// duplicate generation (SAFETY T15). A request without it is not watched.
const MarkerHeader = "X-Simulator-Marker"

// Policy is what the token endpoint does with refresh tokens (SAFETY C07).
type Policy string

// The policies.
const (
	Strict     Policy = "strict"      // single use; presenting a spent one revokes its family
	Grace      Policy = "grace"       // as Strict, but a spent one gets its successor again for Options.Grace
	Forking    Policy = "forking"     // a spent one gets another successor; nobody is revoked
	NoRotation Policy = "no-rotation" // the refresh token stays the same
)

// Shape is which form the usage document has (PROTOCOL 2.2).
type Shape string

// The shapes.
const (
	Mixed      Shape = "mixed"  // flat windows and limits[]
	Flat       Shape = "flat"   // flat windows only
	LimitsOnly Shape = "limits" // limits[] only
	AllNull    Shape = "null"   // every window null
)

// Options are how a server behaves. The zero value is the real provider at its
// real speed, answering at once.
type Options struct {
	Now   func() time.Time // nil: time.Now
	Speed float64          // lengths of tokens, windows and budgets are divided by it; 0: 1

	TokenLife time.Duration // of an access token, before Speed; 0: 8 h
	LoginLife time.Duration // of a grant from its login on, before Speed; 0: for ever
	CodeLife  time.Duration // of an authorization code, whatever the speed; 0: 10 min

	Latency      time.Duration // before the first byte of an API answer
	StreamEvents int           // content deltas of a streamed answer; 0: 8
	StreamDelay  time.Duration // between two events of a stream

	DefaultUser string        // who authorizes when the request has no login_hint
	Policy      Policy        // "": Strict
	Grace       time.Duration // for the policy Grace, whatever the speed; 0: 10 s

	AcceptForm   bool     // the token endpoint takes a form besides JSON
	ObjectErrors bool     // every refusal of the token endpoint is an error object, none an error string
	Omit         []string // fields left out of a refresh answer: "account", "organization", "scope", "refresh_token"

	UsageShape  Shape // "": Mixed
	UsageBudget int   // usage requests per trailing hour and access token; 0: 28, negative: no limit

	// Pages turns the authorization page into pages that a person, or a browser,
	// walks through: see the package comment. Without it the page consents at once.
	Pages        bool
	ShowPassword bool          // the sign-in pages say what is to be typed in
	Language     string        // of the consent page: see User.Language; "": as Accept-Language asks
	SessionLife  time.Duration // how long a browser stays signed in, whatever the speed; 0: 30 days
	PageDelay    time.Duration // of PageSlow and PageLate, on the client's clock; 0: 2 s
	OffList      string        // where PageOffList goes; "": to the listener by another of its names

	Gzip   bool     // compress answers for clients that accept it
	Hosts  []string // Host values that are right besides the listener's own
	Record int      // how many requests are kept for Requests; 0: 1000, negative: none

	Presentations bool // keep every presentation of a refresh token, for Presentations
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Speed <= 0 {
		o.Speed = 1
	}
	o.TokenLife = orElse(o.TokenLife, 8*time.Hour)
	o.CodeLife = orElse(o.CodeLife, 10*time.Minute)
	o.StreamEvents = orElse(o.StreamEvents, 8)
	o.Policy = orElse(o.Policy, Strict)
	o.Grace = orElse(o.Grace, 10*time.Second)
	o.UsageShape = orElse(o.UsageShape, Mixed)
	o.UsageBudget = orElse(o.UsageBudget, 28)
	o.Record = orElse(o.Record, 1000)
	o.SessionLife = orElse(o.SessionLife, 30*24*time.Hour)
	o.PageDelay = orElse(o.PageDelay, 2*time.Second)
	return o
}

func orElse[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// Server is one simulated provider. New makes one.
type Server struct {
	o       Options
	users   users
	grants  grants
	people  people
	shows   shows
	faults  faults
	tally   tally
	journal recorder

	presented presented
	seq       atomic.Uint64            // numbers answers: request ids, message ids
	clocked   bool                     // the clock was given: Date must follow it
	hosts     atomic.Pointer[[]string] // the Host values that are right; nil: any

	gate sync.RWMutex  // every request holds it for reading; Close waits for them by writing
	done chan struct{} // closed by Close

	mu       sync.Mutex // guards what follows
	closed   bool
	server   *http.Server
	addr     string
	serving  sync.WaitGroup // the accept loop
	connWait sync.WaitGroup // its connections
}

// New returns a server that does not listen yet.
func New(o Options) *Server {
	s := &Server{o: o.withDefaults(), clocked: o.Now != nil, done: make(chan struct{})}
	if len(o.Hosts) > 0 {
		s.hosts.Store(&s.o.Hosts)
	}
	s.users.init()
	s.grants.init()
	s.people.init()
	s.tally.init()
	s.journal.init(s.o.Record)
	s.presented.on = s.o.Presentations
	return s
}

// Start listens on a free port of 127.0.0.1.
func (s *Server) Start() error { return s.StartAt("127.0.0.1:0") }

// StartAt listens on addr and serves until Close.
func (s *Server) StartAt(addr string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("simulator: closed")
	}
	if s.server != nil {
		return errors.New("simulator: already started")
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	s.addr = l.Addr().String()
	hosts := knownHosts(s.addr, s.o.Hosts)
	s.hosts.Store(&hosts)
	s.server = &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: time.Minute, // a client may be one of a thousand on a busy machine
		ErrorLog:          log.New(io.Discard, "", 0),
		ConnState:         s.countConn,
	}
	s.serving.Go(func() { _ = s.server.Serve(l) }) // ends with http.ErrServerClosed
	return nil
}

// countConn lets Close wait until the goroutines of all connections have ended.
func (s *Server) countConn(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.connWait.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.connWait.Done()
	case http.StateActive, http.StateIdle:
	}
}

// URL is the base of every endpoint, without a slash at its end; "" before Start.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addr == "" {
		return ""
	}
	return "http://" + s.addr
}

// Close ends the listener, every connection and every answer under way, and
// returns when they have ended. A server that only lent its Handler ends the
// answers under way, but the connections are the borrower's to close first.
func (s *Server) Close() {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	server := s.server
	s.mu.Unlock()
	if first {
		close(s.done)
	}
	if server != nil {
		_ = server.Close() // its listener may be gone already: nothing to do about it
		s.serving.Wait()
		s.connWait.Wait()
	}
	s.gate.Lock() // nobody is inside any more
	defer s.gate.Unlock()
}

func (s *Server) isClosed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// span is how long d of the provider's time lasts on the client's clock.
func (s *Server) span(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.o.Speed)
}
