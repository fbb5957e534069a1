package simulator

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Violation is something that no client of ours may ever do.
type Violation string

// The violations.
const (
	SawAPIKey        Violation = "x-api-key"                 // an x-api-key field came
	SawLocalKey      Violation = "local key"                 // a value beginning with omx_ came
	SawCookie        Violation = "cookie"                    // a Cookie field came, and not to a page
	SawForeign       Violation = "foreign header"            // a field of another provider, or of oauthmux itself
	SawForwarded     Violation = "forwarded header"          // X-Forwarded-*, Forwarded, Proxy-*, and what is for one connection
	ManyCredentials  Violation = "several credentials"       // more than one Authorization field
	MissingBeta      Violation = "missing beta"              // an OAuth token without its anthropic-beta
	UnknownToken     Violation = "unknown token"             // a bearer token that was never issued
	NoCredential     Violation = "no credential"             //nolint:gosec // G101: a word. A place that needs one got none
	WrongHost        Violation = "wrong host"                // the Host field names somebody else
	BadBody          Violation = "bad body"                  // a body that fails validation
	BadRequest       Violation = "bad request"               // wrong method, content type or parameter
	UnknownPlace     Violation = "unknown place"             // a credential came to a path that does not exist
	Duplicate        Violation = "duplicate generation"      // two answers generated for one marker
	StrayCredential  Violation = "stray credential"          //nolint:gosec // G101: a word. A bearer token at the token endpoint, or on a page
	Replayable       Violation = "replayable"                // an Idempotency-Key at the token endpoint (SAFETY 0.6)
	Overlapping      Violation = "overlapping presentations" // a refresh token came while another of its family was being answered (SAFETY I1)
	ForgedConsent    Violation = "forged consent"            // a page's answer without its session, its CSRF token or its organisation, or a second time
	UnknownRefresh   Violation = "unknown refresh token"
	WrongScope       Violation = "wrong scope"
	UnknownCode      Violation = "unknown code" // wrong, used or expired
	WrongVerifier    Violation = "wrong verifier"
	WrongRedirectURI Violation = "wrong redirect_uri"
)

// Counts is what happened so far: a copy.
type Counts struct {
	Requests  map[string]map[string]int // by user ("": nobody known) and path
	Logins    map[string]int            // codes exchanged, by user
	Refreshes map[string]int            // refresh tokens presented that were good, by user

	// Reuse counts presentations of a refresh token that was spent already,
	// whatever the policy made of them.
	Reuse int
	// SupersededPresented counts those of them where the client had shown before
	// that it held a newer token of the family: it had used one.
	SupersededPresented int

	// What happened on the pages (Options.Pages).
	PageViews map[Page]int   // pages served, those that were cut included
	Clicks    map[Page]int   // clicks on a page, on whatever was there
	Labels    map[string]int // the same clicks by page and what was clicked: "challenge: Verify you are human"
	Posts     map[Page]int   // forms sent from a page, however that was done
	SignIns   int            // sessions begun: password and one-time code were right
	Consents  int            // codes issued to a page
	Declines  int            // requests declined on a page

	Violations map[Violation]int
	Faults     map[Kind]int // faults that happened
	Statuses   map[int]int  // answers by status; 0: cut

	Generations int // Messages answered with 200
	InFlight    int
	Cancelled   int            // requests whose client went before the answer was whole
	Cancels     []Cancellation // the latest of them, oldest first
}

// Cancellation is one request whose client went away.
type Cancellation struct {
	User, Path string
	At         time.Time     // when it was noticed
	After      time.Duration // since the request came
}

// Total is the number of requests to a path, whoever sent them.
func (c Counts) Total(path string) int {
	n := 0
	for _, byPath := range c.Requests {
		n += byPath[path]
	}
	return n
}

// TotalRefreshes is the number of good presentations, whoever made them.
func (c Counts) TotalRefreshes() int {
	n := 0
	for _, k := range c.Refreshes {
		n += k
	}
	return n
}

// TotalViolations is the number of violations of every kind.
func (c Counts) TotalViolations() int {
	n := 0
	for _, k := range c.Violations {
		n += k
	}
	return n
}

// Touched is how often something was done on a page: clicks, and forms sent.
func (c Counts) Touched(p Page) int { return c.Clicks[p] + c.Posts[p] }

// keptCancels is how many cancellations are kept in full.
const keptCancels = 100

// keptMarkers is how many markers are remembered at least.
const keptMarkers = 100_000

// tally counts. What happens with every request is atomic, what is rare is not.
type tally struct {
	nobody      [pathCount]atomic.Int64 // requests without a known user
	inFlight    atomic.Int64
	generations atomic.Int64

	mu          sync.Mutex // guards what follows
	reuse       int
	superseded  int
	pageViews   map[Page]int
	clicks      map[Page]int
	labels      map[string]int
	posts       map[Page]int
	signIns     int
	consents    int
	declines    int
	violations  map[Violation]int
	faults      map[Kind]int
	statuses    map[int]int
	cancelled   int
	cancels     []Cancellation
	markers     map[string]struct{}
	markersPrev map[string]struct{} // the batch before, so that memory stays bounded
}

func (t *tally) init() {
	t.pageViews = make(map[Page]int)
	t.clicks = make(map[Page]int)
	t.labels = make(map[string]int)
	t.posts = make(map[Page]int)
	t.violations = make(map[Violation]int)
	t.faults = make(map[Kind]int)
	t.statuses = make(map[int]int)
	t.markers = make(map[string]struct{})
}

// Counts returns what happened so far.
func (s *Server) Counts() Counts {
	t := &s.tally
	t.mu.Lock()
	c := Counts{
		Requests:            make(map[string]map[string]int),
		Logins:              make(map[string]int),
		Refreshes:           make(map[string]int),
		Reuse:               t.reuse,
		SupersededPresented: t.superseded,
		PageViews:           maps.Clone(t.pageViews),
		Clicks:              maps.Clone(t.clicks),
		Labels:              maps.Clone(t.labels),
		Posts:               maps.Clone(t.posts),
		SignIns:             t.signIns,
		Consents:            t.consents,
		Declines:            t.declines,
		Violations:          maps.Clone(t.violations),
		Faults:              maps.Clone(t.faults),
		Statuses:            maps.Clone(t.statuses),
		Generations:         int(t.generations.Load()),
		InFlight:            int(t.inFlight.Load()),
		Cancelled:           t.cancelled,
		Cancels:             slices.Clone(t.cancels),
	}
	t.mu.Unlock()
	c.add("", &t.nobody)
	for _, a := range s.users.all() {
		c.add(a.name, &a.counts)
		c.Logins[a.name] = int(a.logins.Load())
		c.Refreshes[a.name] = int(a.renewed.Load())
	}
	return c
}

func (c Counts) add(user string, counts *[pathCount]atomic.Int64) {
	byPath := make(map[string]int)
	for p := range counts {
		if n := counts[p].Load(); n > 0 {
			byPath[place(p).String()] = int(n)
		}
	}
	c.Requests[user] = byPath
}

// InFlight is how many requests of a user are being answered.
func (s *Server) InFlight(user string) int {
	a := s.users.get(user)
	if a == nil {
		return 0
	}
	return int(a.flight.Load())
}

func (t *tally) violate(v Violation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.violations[v]++
}

func (t *tally) viewed(p Page) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pageViews[p]++
}

// clicked counts a click that a page reports of itself; one that was never served
// reports nothing.
func (t *tally) clicked(p Page, label string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pageViews[p] == 0 {
		return
	}
	t.clicks[p]++
	t.labels[string(p)+": "+label]++
}

// posted counts a form of a page, likewise.
func (t *tally) posted(p Page) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pageViews[p] > 0 {
		t.posts[p]++
	}
}

func (t *tally) signedIn() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.signIns++
}

// answered counts the answer to a consent page.
func (t *tally) answered(granted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if granted {
		t.consents++
	} else {
		t.declines++
	}
}

func (t *tally) fault(k Kind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults[k]++
}

func (t *tally) reused(superseded bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reuse++
	if superseded {
		t.superseded++
	}
}

// generated counts one generation, and whether its marker had one already.
func (t *tally) generated(marker string) {
	t.generations.Add(1)
	if marker == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	_, now := t.markers[marker]
	_, before := t.markersPrev[marker]
	if now || before {
		t.violations[Duplicate]++
		return
	}
	if len(t.markers) >= keptMarkers {
		t.markers, t.markersPrev = make(map[string]struct{}), t.markers
	}
	t.markers[marker] = struct{}{}
}

// ended counts an answer, and the client that did not wait for it.
func (t *tally) ended(status int, c *Cancellation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.statuses[status]++
	if c == nil {
		return
	}
	t.cancelled++
	if len(t.cancels) == keptCancels {
		t.cancels = append(t.cancels[:0], t.cancels[1:]...)
	}
	t.cancels = append(t.cancels, *c)
}
