package simulator

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Kind is one way to go wrong.
type Kind string

// Faults of the API. Those marked * work at the token endpoint too, in its words.
const (
	QuotaFiveHour Kind = "quota-5h"      // 429, the 5-hour window rejected
	QuotaSevenDay Kind = "quota-7d"      // 429, the 7-day window rejected
	QuotaScoped   Kind = "quota-scoped"  // 429, only the window of the model family rejected
	Throttle      Kind = "throttle"      // * 429 without any quota header; RetryAfter as given
	OutOfCredits  Kind = "credits"       // 429, windows allowed, overage out of credits
	Overloaded    Kind = "overloaded"    // 529
	ServerError   Kind = "server-error"  // * 500
	Expired       Kind = "expired"       // 401, the access token has expired
	Revoked       Kind = "revoked"       // 401, the access token has been revoked
	Rejected      Kind = "rejected"      // 401, "Invalid authentication credentials": renewing does not help
	OrgForbidden  Kind = "org-forbidden" // 403, the organisation forbids OAuth
	OrgDisabled   Kind = "org-disabled"  // 400, the organisation is disabled
	CutBefore     Kind = "cut-before"    // * request read to its end, connection closed without an answer
	CutStream     Kind = "cut-stream"    // an SSE stream ends without its end after Event events
	StreamError   Kind = "stream-error"  // an SSE stream carries an error event after Event events
	Silent        Kind = "silent"        // an SSE stream says nothing but pings for Delay
	Slow          Kind = "slow"          // * the answer comes after Delay
	TooLarge      Kind = "too-large"     // 413 with an HTML page, as from the edge
	Captive       Kind = "captive"       // * 200 with an HTML page, as from a hotel's portal
	Answer        Kind = "answer"        // * Status, Header and Body as given
)

// Faults of the token endpoint alone.
const (
	InvalidGrant  Kind = "invalid-grant"  // 400 invalid_grant, and the token stays as it was
	LostResponse  Kind = "lost-response"  // the grant is made, rotation and all, and the connection closed
	ErrorAfter    Kind = "error-after"    // the grant is made, and a 500 answered
	Garbage       Kind = "garbage"        // the grant is made, and the body is cut in the middle of the JSON
	MissingFields Kind = "missing-fields" // the grant is made, and the answer has only the required fields
)

// Fault makes matching requests go wrong.
type Fault struct {
	Kind Kind

	User   string // "": everybody
	Path   string // "": where the kind makes sense: PathToken or PathMessages
	Family string // only requests for models of that family
	Skip   int    // how many matching requests pass first
	Times  int    // how many go wrong then; 0: one, negative: all

	RetryAfter string        // the Retry-After field as it is sent; "": the kind's own (Throttle: none); see NoRetryAfter
	ResetsIn   time.Duration // of a quota kind: until the rejected window ends, before Speed; 0: when the window ends
	Delay      time.Duration // of Slow and Silent, on the client's clock
	Event      int           // of CutStream and StreamError: after how many events; 0: the third
	Early      bool          // answer before the request's body has been read: no family then, and no user at PathToken

	Status int         // of Answer
	Header http.Header // of Answer; added to the answers of other kinds
	Body   string      // of Answer
}

// NoRetryAfter as Fault.RetryAfter leaves the field out of a quota 429.
const NoRetryAfter = "none"

// asked is what is known of a request when it may go wrong.
type asked struct {
	user, path, family string
	stream             bool
	early              bool // nothing of the body has been read
}

func (f *Fault) matches(q asked) bool {
	if (f.Kind == StreamError || f.Kind == Silent) && !q.stream {
		return false
	}
	return f.Early == q.early && f.Path == q.path &&
		(f.User == "" || f.User == q.user) && (f.Family == "" || f.Family == q.family)
}

// faults is the list of what is still to go wrong.
type faults struct {
	armed atomic.Int32 // how many there are: the common case costs one load

	mu   sync.Mutex // guards list
	list []*Fault
}

// Inject adds a fault. Of several that match a request the oldest is taken.
func (s *Server) Inject(f Fault) {
	if f.Path == "" {
		f.Path = PathMessages
		if slices.Contains([]Kind{InvalidGrant, LostResponse, ErrorAfter, Garbage, MissingFields}, f.Kind) {
			f.Path = PathToken
		}
	}
	if f.Times == 0 {
		f.Times = 1
	}
	if f.Event == 0 {
		f.Event = 3
	}
	f.Family = strings.ToLower(f.Family)
	f.Header = f.Header.Clone()
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, &f)
	s.faults.armed.Store(int32(len(s.faults.list))) //nolint:gosec // G115: a handful
}

// ClearFaults takes back every fault that has not happened yet.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = nil
	s.faults.armed.Store(0)
}

// take returns the fault that this request gets, if any, and uses it up.
func (f *faults) take(q asked) *Fault {
	if f.armed.Load() == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, fault := range f.list {
		if !fault.matches(q) {
			continue
		}
		if fault.Skip > 0 {
			fault.Skip--
			continue
		}
		taken := *fault
		if fault.Times > 0 {
			fault.Times--
		}
		if fault.Times == 0 {
			f.list = slices.Delete(f.list, i, i+1)
			f.armed.Store(int32(len(f.list))) //nolint:gosec // G115: a handful
		}
		return &taken
	}
	return nil
}
