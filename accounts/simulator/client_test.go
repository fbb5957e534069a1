package simulator_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

const (
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636, appendix B
	state    = "a-state-that-is-long-enough-for-the-page"
	loopback = "http://localhost:53692/callback"
	scopes   = "user:profile user:inference"
)

// clock is a clock that only the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 5, 13, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// start runs a server with the user "ada" until the test ends.
func start(t *testing.T, o simulator.Options) *simulator.Server {
	t.Helper()
	s := simulator.New(o)
	s.AddUser(simulator.User{Name: "ada", FiveHour: simulator.Limit{Requests: 1000}, SevenDay: simulator.Limit{Requests: 10000}})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
	err    error // of the connection, or in the middle of the body
}

func (r reply) json(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatalf("the answer is not JSON: %v in %q", err, r.body)
	}
	return v
}

// message is the message of an error document.
func (r reply) message(t *testing.T) string {
	t.Helper()
	detail, _ := r.json(t)["error"].(map[string]any)
	text, _ := detail["message"].(string)
	return text
}

// do sends one request on a connection of its own, and follows no redirect.
func do(t *testing.T, r *http.Request) reply {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	resp, err := client.Do(r)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, body, err}
}

func request(t *testing.T, method, target, contentType, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// authorizeURL is a right authorization URL, with changes: "" takes a parameter out.
func authorizeURL(s *simulator.Server, redirect string, changes map[string]string) string {
	q := map[string]string{
		"code": "true", "client_id": simulator.ClientID, "response_type": "code", "redirect_uri": redirect,
		"scope": scopes, "code_challenge": challenge(), "code_challenge_method": "S256", "state": state,
	}
	maps.Copy(q, changes)
	v := url.Values{}
	for name, value := range q {
		if value != "" {
			v.Set(name, value)
		}
	}
	return s.URL() + simulator.PathAuthorize + "?" + v.Encode()
}

// codeFor lets a user consent, and returns the code.
func codeFor(t *testing.T, s *simulator.Server, user string) string {
	t.Helper()
	redirect, err := s.Authorize(authorizeURL(s, loopback, nil), user)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(redirect)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("code")
}

// fields of a token request.
type fields map[string]string

func exchange(code string) fields {
	return fields{
		"grant_type": "authorization_code", "code": code, "state": state, "redirect_uri": loopback,
		"client_id": simulator.ClientID, "code_verifier": verifier,
	}
}

func refresh(token string) fields {
	return fields{"grant_type": "refresh_token", "refresh_token": token, "client_id": simulator.ClientID}
}

// with returns the fields with one changed, or taken out.
func (f fields) with(name, value string) fields {
	f = maps.Clone(f)
	f[name] = value
	if value == "" {
		delete(f, name)
	}
	return f
}

// post sends a token request as JSON.
func post(t *testing.T, s *simulator.Server, f fields) reply {
	t.Helper()
	body, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, request(t, http.MethodPost, s.URL()+simulator.PathToken, "application/json", string(body)))
}

// tokens is what a token answer grants.
type tokens struct {
	Access    string `json:"access_token"`
	Refresh   string `json:"refresh_token"`
	Type      string `json:"token_type"`
	Scope     string `json:"scope"`
	ExpiresIn int    `json:"expires_in"`
	Account   *struct {
		UUID  string `json:"uuid"`
		Email string `json:"email_address"`
	} `json:"account"`
	Organization *struct {
		UUID string `json:"uuid"`
		Name string `json:"name"`
	} `json:"organization"`
}

func (r reply) tokens(t *testing.T) tokens {
	t.Helper()
	if r.err != nil || r.status != http.StatusOK {
		t.Fatalf("no tokens: %d %s %v", r.status, r.body, r.err)
	}
	return parseTokens(t, r.body)
}

func parseTokens(t *testing.T, raw []byte) tokens {
	t.Helper()
	var got tokens
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// login is a user's first tokens.
func login(t *testing.T, s *simulator.Server, user string) tokens {
	t.Helper()
	raw, err := s.Grant(user)
	if err != nil {
		t.Fatal(err)
	}
	return parseTokens(t, raw)
}

// prompt is a Messages body.
func prompt(model string, stream bool) string {
	body, _ := json.Marshal(map[string]any{
		"model": model, "max_tokens": 100, "stream": stream, "messages": []map[string]string{{"role": "user", "content": "hello"}},
	})
	return string(body)
}

// call is a right API request.
func call(t *testing.T, s *simulator.Server, method, path, token, body string) *http.Request {
	t.Helper()
	r := request(t, method, s.URL()+path, "application/json", body)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Anthropic-Beta", "context-1m-2025-08-07, "+simulator.BetaName)
	r.Header.Set("Anthropic-Version", "2023-06-01")
	return r
}

// say sends a Messages request that is not streamed.
func say(t *testing.T, s *simulator.Server, token, model string) reply {
	t.Helper()
	return do(t, call(t, s, http.MethodPost, simulator.PathMessages, token, prompt(model, false)))
}

const (
	sonnet = "claude-sonnet-4-5"
	opus   = "claude-opus-4-5"
)

func wantStatus(t *testing.T, r reply, want int) {
	t.Helper()
	if r.err != nil {
		t.Fatalf("no whole answer: %v", r.err)
	}
	if r.status != want {
		t.Fatalf("status = %d, want %d; body %s", r.status, want, bytes.TrimSpace(r.body))
	}
}

func wantViolations(t *testing.T, s *simulator.Server, want map[simulator.Violation]int) {
	t.Helper()
	if got := s.Counts().Violations; !maps.Equal(got, want) {
		t.Errorf("violations = %v, want %v", got, want)
	}
}
