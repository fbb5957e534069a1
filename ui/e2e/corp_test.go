//go:build unix

package e2e

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// corp is a provider of somebody's own: RFC 6749 with RFC 7636, an id_token, and
// an API that takes a bearer token. It says no to whatever is not exactly right,
// and remembers that it did.
type corp struct {
	*httptest.Server

	mu      sync.Mutex // guards what follows
	home    *home      // whose secrets these are; nil: not known yet
	codes   map[string]corpCode
	access  map[string]bool // live or not
	refresh map[string]bool // spent or not
	life    int             // seconds, of the tokens issued from now on
	asks    bool            // a page asks the person before a code is issued
	over    bool            // refresh tokens are refused: the login has ended
	grants  []string        // grant types that were good
	faults  []string        // what the client did wrong
	things  []string        // requests to the API that were good: method, path, query, body
}

type corpCode struct{ challenge, redirectURI string }

const corpClient = "oauthmux-at-corp"

func newCorp(t *testing.T) *corp {
	t.Helper()
	c := &corp{codes: map[string]corpCode{}, access: map[string]bool{}, refresh: map[string]bool{}, life: 3600}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", c.authorize)
	mux.HandleFunc("POST /decide", c.decide)
	mux.HandleFunc("POST /token", c.token)
	mux.HandleFunc("/v1/", c.thing)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { c.wrong(w, "a request to "+r.URL.Path) })
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	return c
}

// table is its place in config.toml.
func (c *corp) table() string {
	return fmt.Sprintf(`[providers.mycorp]
name = "My Corp"
authorize_url = "%[1]s/authorize"
token_url = "%[1]s/token"
token_encoding = "form"
client_id = "%[2]s"
scopes = ["openid", "offline_access"]
redirect = "loopback"
upstream = "%[1]s"
paths = ["/v1/"]
env = { base_url = "MYCORP_BASE_URL", token = "MYCORP_TOKEN" }`, c.URL, corpClient)
}

func (c *corp) wrong(w http.ResponseWriter, what string) {
	c.mu.Lock()
	c.faults = append(c.faults, what)
	c.mu.Unlock()
	http.Error(w, `{"error":"invalid_request"}`, http.StatusBadRequest)
}

// belongs says in whose home the search looks for its secrets. The server runs
// already.
func (c *corp) belongs(h *home) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.home = h
}

// ask has a page ask the person from now on.
func (c *corp) ask() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asks = true
}

// issue makes something secret, which the home's search looks for. c.mu is not held.
func (c *corp) issue() string {
	secret := rand.Text() + rand.Text()
	c.mu.Lock()
	home := c.home
	c.mu.Unlock()
	home.seen.add(secret)
	return secret
}

func (c *corp) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	u, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case err != nil || u.Scheme != "http" || u.Hostname() != "127.0.0.1" || u.Path != "/callback":
		c.wrong(w, "redirect_uri "+q.Get("redirect_uri"))
		return
	case q.Get("client_id") != corpClient || q.Get("response_type") != "code" || q.Get("scope") != "openid offline_access":
		c.wrong(w, "authorization request "+r.URL.RawQuery)
		return
	case q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("state")) < 22:
		c.wrong(w, "authorization request without PKCE or state")
		return
	}
	c.mu.Lock()
	asks := c.asks
	c.mu.Unlock()
	if asks && r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "text/html;charset=UTF-8")
		_, _ = fmt.Fprintf(w, `<!DOCTYPE html><title>Access to your account</title><link rel="icon" href="data:,"><p>May oauthmux have access?
<form method="post" action="/decide?%s"><button name="answer" value="no">Deny</button> <button name="answer" value="yes">Allow</button></form>`,
			html.EscapeString(r.URL.RawQuery))
		return
	}
	code := c.issue()
	c.mu.Lock()
	c.codes[code] = corpCode{q.Get("code_challenge"), q.Get("redirect_uri")}
	c.mu.Unlock()
	u.RawQuery = url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {c.URL}}.Encode() // RFC 9207
	http.Redirect(w, r, u.String(), http.StatusFound)
}

// decide takes the person's answer.
func (c *corp) decide(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("answer") != "yes" {
		c.wrong(w, "the answer "+r.PostFormValue("answer"))
		return
	}
	c.authorize(w, r)
}

// end ends every login there is, or those to come are good again.
func (c *corp) end(over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = over
	for token := range c.access {
		c.access[token] = false
	}
}

func (c *corp) token(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.ParseForm() != nil || r.Header.Get("Authorization") != "" {
		c.wrong(w, "a token request of another form")
		return
	}
	f := r.PostForm
	c.mu.Lock()
	over := c.over && f.Get("grant_type") == "refresh_token"
	refusal := ""
	if !over {
		refusal = c.redeem(f)
	}
	c.mu.Unlock()
	if over {
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		return
	}
	if refusal != "" {
		c.wrong(w, refusal)
		return
	}
	access, refresh := c.issue(), c.issue()
	c.mu.Lock()
	c.access[access], c.refresh[refresh] = true, false
	c.grants = append(c.grants, f.Get("grant_type"))
	life := c.life
	c.mu.Unlock()
	part := func(v any) string {
		b, _ := json.Marshal(v) // maps of strings
		return base64.RawURLEncoding.EncodeToString(b)
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"access_token": access, "refresh_token": refresh, "token_type": "bearer", "expires_in": life,
		"id_token": part(map[string]string{"alg": "RS256"}) + "." + part(map[string]string{"iss": c.URL, "sub": "u-1", "email": "me@corp.example"}) + "." + c.issue(),
	})
}

// redeem spends what is presented, or says what is wrong. c.mu is held.
func (c *corp) redeem(f url.Values) (refusal string) {
	if f.Get("client_id") != corpClient {
		return "token request of client " + f.Get("client_id")
	}
	switch f.Get("grant_type") {
	case "authorization_code":
		code, ok := c.codes[f.Get("code")]
		delete(c.codes, f.Get("code"))
		verified := sha256.Sum256([]byte(f.Get("code_verifier")))
		if !ok || code.redirectURI != f.Get("redirect_uri") || base64.RawURLEncoding.EncodeToString(verified[:]) != code.challenge {
			return "a code that is not good"
		}
	case "refresh_token":
		spent, ok := c.refresh[f.Get("refresh_token")]
		if !ok || spent {
			return fmt.Sprintf("a refresh token that is spent: %v", spent)
		}
		c.refresh[f.Get("refresh_token")] = true
	default:
		return "grant_type " + f.Get("grant_type")
	}
	for token := range c.access { // a new grant ends the token before it
		c.access[token] = false
	}
	return ""
}

func (c *corp) thing(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c.mu.Lock()
	live, known := c.access[token]
	c.mu.Unlock()
	switch {
	case err != nil || !ok || !known || r.Header.Get("X-Api-Key") != "":
		c.wrong(w, "a request to the API without a token of ours")
		return
	case !live:
		http.Error(w, `{"error":"invalid_token"}`, http.StatusUnauthorized)
		return
	}
	c.mu.Lock()
	c.things = append(c.things, r.Method+" "+r.URL.EscapedPath()+"?"+r.URL.RawQuery+" "+string(body))
	c.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, "a thing")
}

// seen returns what has happened so far.
func (c *corp) seen() (grants, things, faults []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.grants...), append([]string(nil), c.things...), append([]string(nil), c.faults...)
}

func (c *corp) setLife(seconds int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.life = seconds
}
