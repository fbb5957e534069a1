//go:build unix

package e2e

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// browse runs `login` and is the browser of the person: it opens the address that
// the command prints, follows where that leads, and returns how the command ended
// and the last page.
func (h *home) browse(open func(address string) *http.Response, args ...string) (r result, page string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), commandLimit)
	defer cancel()
	args = append([]string{"login"}, append(args, "--no-open", "--accept-terms")...)
	cmd, stdout, stderr := h.command(ctx, args...)
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // the status says it
	}()
	if line, ok := stdout.line(ended); ok {
		resp := open(urlIn(line))
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			h.t.Error(err)
		}
		page = string(body)
	}
	<-ended
	r = result{stdout: stdout.String(), stderr: stderr.String(), status: cmd.ProcessState.ExitCode()}
	h.sane(args, r)
	return r, page
}

// browser is one that opens addresses, and remembers where it was sent last.
type browser struct {
	t      *testing.T
	client http.Client
	last   string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	b := &browser{t: t}
	b.client = http.Client{Transport: transport, Timeout: commandLimit, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		b.last = r.URL.String()
		return nil
	}}
	return b
}

func (b *browser) open(address string) *http.Response {
	b.t.Helper()
	resp, err := b.client.Get(address)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp
}

// checkPage fails the test unless the receiver's page is the static one, with the
// fields that keep the code from going anywhere (SAFETY T19).
func checkPage(t *testing.T, resp *http.Response) {
	t.Helper()
	for field, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"} {
		if got := resp.Header.Get(field); got != want {
			t.Errorf("the page's %s is %q", field, got)
		}
	}
	if !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the page's policy is %q", resp.Header.Get("Content-Security-Policy"))
	}
}

func TestALoginComesBackByItself(t *testing.T) {
	t.Parallel()
	p := newProvider(t, simulator.Options{}, people("work")...)
	h := newHome(t, p)
	b := newBrowser(t)
	r, page := h.browse(func(address string) *http.Response {
		resp := b.open(address + "&login_hint=work")
		checkPage(t, resp)
		return resp
	}, simulator.Plays, "--label", "work")
	if r.status != 0 || !strings.Contains(r.stdout, "work") || !strings.Contains(page, "close this window") {
		t.Errorf("login: %v, page %.300q", r, page)
	}
	h.seen.note("the page of the receiver", page)
	if user, live := p.Owner(h.token()); user != "work" || !live {
		t.Errorf("the token is that of %q, and live is %v", user, live)
	}
	if resp, err := b.client.Get(b.last); err == nil {
		_ = resp.Body.Close()
		t.Errorf("the receiver still answers: %s", resp.Status)
	}
	p.noViolations(t)
}

// Only the answer to this sign-in, from its own address, ends it. Whatever else
// comes to the port is turned away, and the person can go on.
func TestT17TheReceiverTakesNothingForeign(t *testing.T) {
	t.Parallel()
	p := newProvider(t, simulator.Options{}, people("work")...)
	h := newHome(t, p)
	b := newBrowser(t)
	const script = "<script>alert(1)</script>"
	r, _ := h.browse(func(address string) *http.Response {
		redirect, err := p.Authorize(address, "work")
		if err != nil {
			t.Fatal(err)
		}
		good, err := url.Parse(redirect)
		if err != nil {
			t.Fatal(err)
		}
		change := func(f func(*url.URL, url.Values)) string {
			u, q := *good, good.Query()
			f(&u, q)
			u.RawQuery = q.Encode()
			return u.String()
		}
		for name, foreign := range map[string]string{
			"another state": change(func(_ *url.URL, q url.Values) { q.Set("state", strings.Repeat("x", 43)) }),
			"no state":      change(func(_ *url.URL, q url.Values) { q.Del("state") }),
			"two states":    change(func(_ *url.URL, q url.Values) { q.Add("state", q.Get("state")) }),
			"two codes":     change(func(_ *url.URL, q url.Values) { q.Add("code", "x") }),
			"a foreign refusal": change(func(_ *url.URL, q url.Values) {
				q.Set("state", "x")
				q.Set("error", "access_denied")
				q.Set("error_description", script)
			}),
			"another issuer": change(func(_ *url.URL, q url.Values) { q.Set("iss", "https://evil.example") }),
			"another path":   change(func(u *url.URL, _ url.Values) { u.Path = "/callback/x" }),
		} {
			resp := b.open(foreign)
			body, _ := io.ReadAll(resp.Body) // a page that is cut short is not what is looked at
			_ = resp.Body.Close()
			checkPage(t, resp)
			if resp.StatusCode < http.StatusBadRequest || strings.Contains(string(body), "script>") {
				t.Errorf("%s: %s %s", name, resp.Status, body)
			}
		}
		rebound, err := http.NewRequestWithContext(t.Context(), http.MethodGet, good.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		rebound.Host = "evil.example:" + good.Port()
		resp, err := b.client.Do(rebound)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("under another name: %s", resp.Status)
		}
		if n := p.Counts().Total(simulator.PathToken); n != 0 {
			t.Errorf("%d token requests for what was foreign", n)
		}
		return b.open(good.String())
	}, simulator.Plays, "--label", "work")
	if r.status != 0 {
		t.Errorf("login: %v", r)
	}
	h.token("work")
	p.noViolations(t)
}

func TestALoginThatThePersonDeclinesStoresNothing(t *testing.T) {
	t.Parallel()
	p := newProvider(t, simulator.Options{}, people("work")...)
	h := newHome(t, p)
	p.Deny("work", true)
	b := newBrowser(t)
	r, _ := h.browse(func(address string) *http.Response { return b.open(address + "&login_hint=work") }, simulator.Plays)
	if r.status != 1 || !strings.Contains(r.stderr, "access_denied") {
		t.Errorf("login: %v", r)
	}
	if got := h.labels(); len(got) != 0 {
		t.Errorf("the accounts are %q", got)
	}
}

// A provider of somebody's own, from config.toml alone: sign in, token, requests,
// renewals, and beside it a built-in one.
func TestAProviderOfOnesOwnWorks(t *testing.T) {
	t.Parallel()
	c := newCorp(t)
	p := newProvider(t, simulator.Options{}, people("work")...)
	h := newHome(t, p, c.table())
	c.belongs(h)
	h.login("work")
	c.setLife(1)
	b := newBrowser(t)
	r, page := h.browse(b.open, "mycorp", "--label", "corp")
	if r.status != 0 || !strings.Contains(r.stdout, "corp, me@corp.example: added") {
		t.Fatalf("login: %v, page %.300q", r, page)
	}
	h.seen.note("the page of the receiver", page)
	if a := h.account("corp"); a.Provider != "mycorp" || a.Email != "me@corp.example" || a.State != "ready" || !a.Preferred || a.Order != 1 {
		t.Errorf("corp is %+v", a)
	}
	// The first token has ended by now: this one is renewed.
	time.Sleep(time.Until(*h.account("corp").TokenExpiresAt))
	c.setLife(3600)
	first := h.token("corp")

	e := h.serve()
	var env struct {
		BaseURL string            `json:"base_url"`
		Key     string            `json:"key"`
		Env     map[string]string `json:"env"`
	}
	decode(t, h.ok("env", "--provider", "mycorp", "--json"), &env)
	if env.Env["MYCORP_BASE_URL"] != "http://"+e.listen+"/mycorp" || env.Env["MYCORP_TOKEN"] != env.Key {
		t.Errorf("env names the address %s", env.BaseURL)
	}
	client := newClient(t, env.BaseURL, env.Key)
	ask := func(path, body string) answer {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, client.base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+client.key)
		a, err := client.send(r)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := ask("/v1/things/a%20b?x=%20&y", "body"); a.status != http.StatusOK || string(a.body) != "a thing" || a.account != h.account("corp").ID {
		t.Errorf("the answer is %v", a)
	}
	for _, path := range []string{"/token", "/v2/things", "/v1", "/v1/../token", "/v1/%2e%2e/token"} {
		if a := ask(path, ""); a.status != http.StatusNotFound {
			t.Errorf("%s: %v", path, a)
		}
	}
	// Its token ends before its time: one renewal, and the request goes through.
	c.mu.Lock()
	c.access[first] = false
	c.mu.Unlock()
	if a := ask("/v1/things", ""); a.status != http.StatusOK {
		t.Errorf("after its token was ended: %v", a)
	}
	h.ok("refresh", "corp")
	if a := ask("/v1/things", ""); a.status != http.StatusOK {
		t.Errorf("after a renewal: %v", a)
	}
	if got := h.token("corp"); got == first {
		t.Error("the token is still the first")
	}
	// Signing in again renews the account there is.
	if r, _ := h.browse(b.open, "mycorp"); r.status != 0 || !strings.Contains(r.stdout, "corp, me@corp.example: signed in again") {
		t.Errorf("login again: %v", r)
	}
	if a := ask("/v1/things", "again"); a.status != http.StatusOK {
		t.Errorf("after signing in again: %v", a)
	}
	e.client.served() // the built-in provider's account is not disturbed

	grants, things, faults := c.seen()
	if want := []string{"authorization_code", "refresh_token", "refresh_token", "refresh_token", "authorization_code"}; !slices.Equal(grants, want) {
		t.Errorf("the grants were %q, want %q", grants, want)
	}
	if want := []string{"PUT /v1/things/a%20b?x=%20&y body", "PUT /v1/things? ", "PUT /v1/things? ", "PUT /v1/things? again"}; !slices.Equal(things, want) {
		t.Errorf("the API got %q, want %q", things, want)
	}
	if len(faults) != 0 {
		t.Errorf("the provider refused: %q", faults)
	}
	p.noViolations(t)
}
