//go:build unix

package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// provider is the simulated provider behind a door of ours, which can hold what
// comes and change how long tokens say that they live.
type provider struct {
	*simulator.Server
	url string

	// echo is a path that refuses everything with a status, and repeats in the error
	// what it was sent: the body and the credential.
	echo atomic.Pointer[echo]

	// elsewhere is where every request is sent on to, with 307: the body and, for who
	// follows it blindly, the credential would go there.
	elsewhere atomic.Pointer[string]

	// life is what the tokens issued from now on say of their life; 0: the truth.
	life atomic.Int64

	mu   sync.Mutex
	held []*hold
}

type echo struct {
	path   string
	status int
}

// hold keeps requests to a path outside until it is released. One whose client
// has gone meanwhile never gets in.
type hold struct {
	path    string
	arrived chan struct{} // gets one value a request
	open    chan struct{}
	once    sync.Once
}

// wait returns when a request has come.
func (h *hold) wait(t *testing.T) {
	t.Helper()
	select {
	case <-h.arrived:
	case <-time.After(commandLimit):
		t.Fatalf("no request to %s has come", h.path)
	}
}

func (h *hold) release() { h.once.Do(func() { close(h.open) }) }

// newProvider starts a provider with these users.
func newProvider(t *testing.T, o simulator.Options, users ...simulator.User) *provider {
	t.Helper()
	o.Record = 10000
	p := &provider{Server: simulator.New(o)}
	for _, u := range users {
		p.AddUser(u)
	}
	door := httptest.NewServer(http.HandlerFunc(p.serve))
	p.url = door.URL
	t.Cleanup(func() {
		for _, h := range p.holds("") {
			h.release()
		}
		door.CloseClientConnections()
		door.Close()
		p.Close()
	})
	return p
}

// people are users without limits.
func people(names ...string) []simulator.User {
	var users []simulator.User
	for _, name := range names {
		users = append(users, simulator.User{Name: name})
	}
	return users
}

// hold begins to keep requests to a path outside.
func (p *provider) hold(path string) *hold {
	h := &hold{path: path, arrived: make(chan struct{}, 1000), open: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = append(p.held, h)
	return h
}

// holds returns those of a path; "" is every path.
func (p *provider) holds(path string) []*hold {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.held), func(h *hold) bool { return path != "" && h.path != path })
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	if holds := p.holds(r.URL.Path); len(holds) > 0 {
		// With the body read to its end net/http notices when the client goes.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		for _, h := range holds {
			h.arrived <- struct{}{}
			select {
			case <-h.open:
			case <-r.Context().Done():
			}
		}
		if r.Context().Err() != nil {
			panic(http.ErrAbortHandler)
		}
	}
	if to := p.elsewhere.Load(); to != nil {
		http.Redirect(w, r, *to+r.URL.RequestURI(), http.StatusTemporaryRedirect)
		return
	}
	if e := p.echo.Load(); e != nil && e.path == r.URL.Path {
		body, _ := io.ReadAll(r.Body) // what came of it is repeated
		said := "you said " + string(body) + " " + r.Header.Get("Authorization")
		document := map[string]any{"error": "invalid_request", "error_description": said}
		if e.path != simulator.PathToken {
			document = map[string]any{"type": "error", "error": map[string]string{"type": "permission_error", "message": said}}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(e.status)
		_ = json.NewEncoder(w).Encode(document) // the client may be gone
		return
	}
	life := time.Duration(p.life.Load())
	if life == 0 || r.URL.Path != simulator.PathToken {
		p.Handler().ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	p.Handler().ServeHTTP(answer, r)
	maps.Copy(w.Header(), answer.Header())
	body := answer.Body.Bytes()
	var document map[string]any
	if json.Unmarshal(body, &document) == nil && document["expires_in"] != nil {
		document["expires_in"] = int(life.Seconds())
		body, _ = json.Marshal(document) // it was JSON
	}
	w.Header().Del("Content-Length")
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body)
}

// shortLived makes the tokens issued from now on say that they live for a second.
func (p *provider) shortLived() { p.life.Store(int64(time.Second)) }

// longLived takes that back.
func (p *provider) longLived() { p.life.Store(0) }

// noViolations fails the test when the program did what no client may.
func (p *provider) noViolations(t *testing.T, but ...simulator.Violation) {
	t.Helper()
	counts := p.Counts()
	for v, n := range counts.Violations {
		if n > 0 && !slices.Contains(but, v) {
			t.Errorf("the provider saw %d times: %s", n, v)
		}
	}
	if counts.Reuse != 0 || counts.SupersededPresented != 0 {
		t.Errorf("spent refresh tokens were presented %d times, superseded ones %d times", counts.Reuse, counts.SupersededPresented)
	}
}
