package accounts

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// authorized begins a login that comes back to a receiver, and has ada sign in. It
// returns where the browser is sent then.
func (h *home) authorized(t *testing.T, label string) (LoginFlow, string) {
	t.Helper()
	flow, err := h.logins.Start(t.Context(), simulated, LoginLoopback, label)
	if err != nil {
		t.Fatal(err)
	}
	redirect, err := h.sim.Authorize(flow.URL, "ada")
	if err != nil {
		t.Fatal(err)
	}
	return flow, redirect
}

func TestALoginByLoopback(t *testing.T) {
	h := newHome(t, simulator.Options{})
	flow, redirect := h.authorized(t, "work")
	u, err := url.Parse(redirect)
	if err != nil {
		t.Fatal(err)
	}
	if u.Scheme != "http" || u.Hostname() != "localhost" || u.Path != "/callback" {
		t.Errorf("the redirect is %s", redirect)
	}
	resp, page := browse(t, redirect)
	if resp.StatusCode != http.StatusOK || page != pageReceived {
		t.Errorf("the browser is shown %d %s", resp.StatusCode, page)
	}
	for field, want := range map[string]string{
		"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Content-Type": "text/html; charset=utf-8",
	} {
		if got := resp.Header.Get(field); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	done, err := h.logins.Wait(t.Context(), flow.ID)
	if err != nil || done.State != FlowDone {
		t.Fatalf("%+v, %v", done, err)
	}
	if a, _ := h.registry.Get(done.Account); a.Label != "work" {
		t.Errorf("the account is %+v", a)
	}
	if conn, err := net.Dial("tcp", u.Host); err == nil {
		_ = conn.Close()
		t.Error("the receiver still listens")
	}
	h.checkClean(t)
}

// A person may paste what the page shows, and get it wrong: the browser's own answer
// is still taken after it, and a better paste is.
func TestAPasteThatIsRefusedLeavesTheReceiverWaiting(t *testing.T) {
	for _, better := range []string{"redirect", "paste"} {
		h := newHome(t, simulator.Options{})
		flow, err := h.logins.Start(t.Context(), simulated, LoginLoopback, "")
		if err != nil {
			t.Fatal(err)
		}
		got, err := h.logins.Code(t.Context(), flow.ID, "not-a-code-of-this-provider")
		if err != nil || got.State != FlowWaiting || !strings.Contains(got.Problem, "refused") || got.Hint == "" {
			t.Fatalf("a wrong paste: %+v, %v", got, err)
		}
		redirect, err := h.sim.Authorize(flow.URL, "ada")
		if err != nil {
			t.Fatal(err)
		}
		if better == "redirect" {
			if resp, page := browse(t, redirect); resp.StatusCode != http.StatusOK || page != pageReceived {
				t.Errorf("the browser is shown %d %s", resp.StatusCode, page)
			}
		} else if _, err := h.logins.Code(t.Context(), flow.ID, redirect); err != nil {
			t.Error(err)
		}
		done, err := h.logins.Wait(t.Context(), flow.ID)
		if err != nil || done.State != FlowDone || done.Problem != "" {
			t.Errorf("%s: %+v, %v", better, done, err)
		}
		u, err := url.Parse(redirect)
		if err != nil {
			t.Fatal(err)
		}
		if conn, err := net.Dial("tcp", u.Host); err == nil {
			_ = conn.Close()
			t.Errorf("%s: the receiver still listens", better)
		}
	}
}

// The browser's answer may come while a wrong paste is being exchanged: it is not to
// be lost with that.
func TestTheBrowsersAnswerWaitsForAPasteToBeRefused(t *testing.T) {
	h := newHome(t, simulator.Options{})
	flow, redirect := h.authorized(t, "")
	h.sim.Inject(simulator.Fault{Kind: simulator.Slow, Path: simulator.PathToken, Delay: 500 * time.Millisecond})
	pasted := make(chan LoginFlow, 1)
	go func() {
		f, _ := h.logins.Code(t.Context(), flow.ID, "not-a-code-of-this-provider")
		pasted <- f
	}()
	for {
		if f, err := h.logins.Flow(flow.ID); err != nil || f.State == FlowExchanging {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if resp, page := browse(t, redirect); resp.StatusCode != http.StatusOK || page != pageReceived {
		t.Errorf("the browser is shown %d %s", resp.StatusCode, page)
	}
	if done, err := h.logins.Wait(t.Context(), flow.ID); err != nil || done.State != FlowDone {
		t.Errorf("%+v, %v", done, err)
	}
	<-pasted
}

// browse follows a redirect as a browser would that resolves localhost to 127.0.0.1.
func browse(t *testing.T, address string) (*http.Response, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	host := u.Host
	u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	return request(t, http.MethodGet, u.String(), host)
}

func request(t *testing.T, method, address, host string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Host, r.Close = host, true
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(page)
}

func TestT19_TheReceiverTakesOneAnswerFromTheRightPlace(t *testing.T) {
	h := newHome(t, simulator.Options{})
	flow, good := h.authorized(t, "")
	u, err := url.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	base, code, state := "http://127.0.0.1:"+u.Port(), u.Query().Get("code"), u.Query().Get("state")
	wrong := "x" + state[1:]
	if wrong == state { // one in 64 begins so
		wrong = "y" + state[1:]
	}
	const script = "%3Cscript%3Ealert(1)%3C/script%3E"
	for name, attack := range map[string]struct {
		method, path, host string
	}{
		"another host":           {"GET", "/callback?code=" + code + "&state=" + state, "evil.example:" + u.Port()},
		"another port":           {"GET", "/callback?code=" + code + "&state=" + state, "localhost:1"},
		"no port":                {"GET", "/callback?code=" + code + "&state=" + state, "localhost"},
		"another path":           {"GET", "/callback/?code=" + code + "&state=" + state, u.Host},
		"root":                   {"GET", "/?code=" + code + "&state=" + state, u.Host},
		"POST":                   {"POST", "/callback?code=" + code + "&state=" + state, u.Host},
		"HEAD":                   {"HEAD", "/callback?code=" + code + "&state=" + state, u.Host},
		"no state":               {"GET", "/callback?code=" + code, u.Host},
		"empty state":            {"GET", "/callback?code=" + code + "&state=", u.Host},
		"wrong state":            {"GET", "/callback?code=" + code + "&state=" + wrong, u.Host},
		"longer state":           {"GET", "/callback?code=" + code + "&state=" + state + "x", u.Host},
		"two states":             {"GET", "/callback?code=" + code + "&state=" + state + "&state=" + state, u.Host},
		"two codes":              {"GET", "/callback?code=" + code + "&code=x&state=" + state, u.Host},
		"no code":                {"GET", "/callback?state=" + state, u.Host},
		"another issuer":         {"GET", "/callback?code=" + code + "&state=" + state + "&iss=https://evil.example", u.Host},
		"script":                 {"GET", "/callback?error=" + script + "&error_description=" + script + "&state=" + script, u.Host},
		"error without state":    {"GET", "/callback?error=access_denied", u.Host},
		"error with wrong state": {"GET", "/callback?error=access_denied&state=x", u.Host},
		"broken query":           {"GET", "/callback?code=%zz&state=" + state, u.Host},
	} {
		resp, page := request(t, attack.method, base+attack.path, attack.host)
		if resp.StatusCode < 400 || (page != pageForeign && page != "") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, page)
		}
		if resp.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: the headers are %v", name, resp.Header)
		}
	}
	if now := h.logins.All(); len(now) != 1 || now[0].State != FlowWaiting {
		t.Fatalf("after the attacks the flow is %+v", now)
	}
	if got := h.sim.Counts().Total(simulator.PathToken); got != 0 {
		t.Errorf("the attacks led to %d token requests", got)
	}
	if resp, _ := browse(t, good+"&iss="+url.QueryEscape(h.sim.URL())); resp.StatusCode != http.StatusOK {
		t.Errorf("the real answer: %d", resp.StatusCode)
	}
	if done, err := h.logins.Wait(t.Context(), flow.ID); err != nil || done.State != FlowDone {
		t.Errorf("the flow is %+v, %v", done, err)
	}
}

func TestARefusalInTheBrowserEndsTheLogin(t *testing.T) {
	h := newHome(t, simulator.Options{})
	h.sim.Deny("ada", true)
	flow, redirect := h.authorized(t, "")
	browse(t, redirect)
	done, err := h.logins.Wait(t.Context(), flow.ID)
	if err != nil || done.State != FlowFailed || !strings.Contains(done.Problem, "access_denied") {
		t.Errorf("the flow is %+v, %v", done, err)
	}
	if len(h.registry.All()) != 0 || len(vaulted(t, h)) != 0 {
		t.Error("something was stored")
	}
}
