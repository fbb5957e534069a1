//go:build unix

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// client is a program on this machine that uses the proxy.
type client struct {
	t    *testing.T
	base string // with the provider's segment
	key  string
	http *http.Client
}

// client returns one that was told what `env` says.
func (h *home) client() client {
	h.t.Helper()
	var env struct {
		BaseURL string `json:"base_url"`
		Key     string `json:"key"`
	}
	decode(h.t, h.ok("env", "--json"), &env)
	return newClient(h.t, env.BaseURL, env.Key)
}

func newClient(t *testing.T, base, key string) client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 128, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return client{t: t, base: base, key: key, http: &http.Client{Transport: transport, Timeout: commandLimit}}
}

const question = `{"model":"claude-sonnet-4-5","max_tokens":8,"messages":[{"role":"user","content":"hi"}]}`

// request is a POST to the Messages API, with the key as bearer token.
func (c client) request(ctx context.Context, body string) *http.Request {
	c.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+simulator.PathMessages+"?beta=true", strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.key)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Anthropic-Version", "2023-06-01")
	return r
}

// answer is what came back, whole.
type answer struct {
	status   int
	header   http.Header
	body     []byte
	account  string // id
	attempts string
}

func (a answer) String() string {
	return fmt.Sprintf("%d after %s attempts: %.500s", a.status, a.attempts, a.body)
}

func (a answer) sum() string { return sum(a.body) }

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// send sends a request and reads the answer to its end.
func (c client) send(r *http.Request) (answer, error) {
	resp, err := c.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(resp.Body)
	return answer{
		status: resp.StatusCode, header: resp.Header, body: body,
		account: resp.Header.Get("Oauthmux-Account"), attempts: resp.Header.Get("Oauthmux-Attempts"),
	}, err
}

// ask sends one ordinary request.
func (c client) ask() (answer, error) {
	return c.send(c.request(c.t.Context(), question))
}

// served sends one ordinary request, which must succeed.
func (c client) served() answer {
	c.t.Helper()
	a, err := c.ask()
	if err != nil {
		c.t.Fatal(err)
	}
	if a.status != http.StatusOK || !bytes.Contains(a.body, []byte(`"type":"message"`)) {
		c.t.Fatalf("the answer is %v", a)
	}
	return a
}

// last is the latest request of a path that the provider has seen to its end,
// once there are n of them.
func (p *provider) last(t *testing.T, path string, n int) simulator.Request {
	t.Helper()
	var last simulator.Request
	eventually(t, fmt.Sprintf("%d requests to %s", n, path), 10*time.Second, func() bool {
		seen := 0
		for _, r := range p.Requests() {
			if r.Path == path {
				last = r
				seen++
			}
		}
		return seen >= n
	})
	return last
}
