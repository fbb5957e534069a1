package simulator_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func TestTheSessionCookieIsKeptByTheProfile(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true, SessionLife: time.Hour})
	b := browse(t, s)
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	p := b.open(s.URL() + simulator.PathLogin)
	p = b.answer(p, "email", "ada@example.org")
	p = b.answer(b.open(s.URL()+p.away.String()), "password", simulator.DefaultPassword)
	for _, line := range p.header["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatal(err)
		}
		if c.MaxAge < 0 { // the attempt is over
			continue
		}
		if c.MaxAge != 3600 || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
			t.Errorf("the cookie is %s", line)
		}
		return
	}
	t.Errorf("no session cookie in %q", p.header["Set-Cookie"])
}

func TestASessionEnds(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, simulator.Options{Pages: true, SessionLife: time.Hour, Now: c.Now})
	s.AddUser(simulator.User{Name: "ada at work", Email: "ada@example.org", Org: "Acme"})
	b := signedIn(t, s, "ada")
	hint := map[string]string{"login_hint": "ada"}

	c.advance(59 * time.Minute)
	open := b.want(b.authorize(hint), simulator.PageConsent)
	c.advance(time.Minute)
	b.want(b.answer(open, "decision", "grant"), simulator.PageSignIn)
	p := b.want(b.authorize(hint), simulator.PageSignIn)

	p = b.want(b.signIn(p, "ada"), simulator.PageConsent)
	s.SignOut("ada at work")
	b.want(b.answer(p, "decision", "grant"), simulator.PageSignIn)

	if n := s.Counts().Consents; n != 0 {
		t.Errorf("%d consents without a session", n)
	}
	wantViolations(t, s, map[simulator.Violation]int{}) // the pages were honestly come by
}

func TestWrongEntriesAreToldAndLock(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, simulator.Options{Pages: true, Now: c.Now})
	s.AddUser(simulator.User{Name: "eve", OneTimeCode: "123456"})
	b := browse(t, s)
	says := func(p page, status int, text string) {
		t.Helper()
		wantStatus(t, p.reply, status)
		if !strings.Contains(string(p.body), text) {
			t.Errorf("the page does not say %q: %s", text, p.body)
		}
	}
	p := b.authorize(nil)
	p = b.answer(p, "email", "nobody@example.org")
	says(b.want(p, simulator.PageSignIn), http.StatusUnauthorized, "There is no account with this e-mail address.")
	p = b.answer(p, "email", " EVE@example.org ")
	for range 2 {
		p = b.answer(b.want(p, simulator.PagePassword), "password", "open")
		says(p, http.StatusUnauthorized, "That is not the password.")
	}
	p = b.answer(p, "password", simulator.DefaultPassword)
	for range simulator.MaxTries - 2 {
		p = b.answer(b.want(p, simulator.PageCode), "code", "654321")
		says(p, http.StatusUnauthorized, "That is not the code.")
	}
	const locked = "Too many wrong entries."
	says(b.answer(p, "code", "123456"), http.StatusTooManyRequests, locked)
	other := browse(t, s)
	says(other.answer(other.authorize(nil), "email", "eve@example.org"), http.StatusTooManyRequests, locked)

	c.advance(simulator.LockedFor)
	b.want(b.answer(b.authorize(nil), "code", "123456"), simulator.PageConsent)
	if n := s.Counts().SignIns; n != 1 {
		t.Errorf("%d sign-ins", n)
	}
	wantViolations(t, s, map[simulator.Violation]int{})
}

func TestSigningInAgainAsSomebodyElse(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	s.AddUser(simulator.User{Name: "eve"})
	b := signedIn(t, s, "ada")
	p := b.want(b.authorize(map[string]string{"login_hint": "eve"}), simulator.PageConsent)
	if user := b.grants(p); user != "ada" {
		t.Errorf("a hint let %q consent in a browser of ada's", user)
	}
	to := url.Values{"again": {"yes"}, "returnTo": {strings.TrimPrefix(authorizeURL(s, simulator.HostedCallback, nil), s.URL())}}
	p = b.open(s.URL() + simulator.PathLogin + "?" + to.Encode())
	if user := b.grants(b.want(b.signIn(p, "eve"), simulator.PageConsent)); user != "eve" {
		t.Errorf("%q has consented after eve signed in", user)
	}
	wantViolations(t, s, map[simulator.Violation]int{})
}

func TestSigningInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	b := signedIn(t, s, "ada")
	for _, to := range []string{"", "https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "new"} {
		p := b.open(s.URL() + simulator.PathLogin + "?" + url.Values{"returnTo": {to}}.Encode())
		if p.away != nil {
			t.Errorf("returnTo=%q leads to %s", to, p.away)
		}
	}
}

func TestThePagesSayWhatToType(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true, ShowPassword: true})
	s.AddUser(simulator.User{Name: "eve", Email: "eve@home.example", Password: "it is eve", OneTimeCode: "123456"})
	s.AddUser(simulator.User{Name: "eve at work", Email: "eve@home.example", Org: "Acme"})
	b := browse(t, s)
	shows := func(p page, want ...string) page {
		t.Helper()
		_, line, _ := strings.Cut(string(p.body), `<p class="types">`)
		line, _, _ = strings.Cut(line, "</p>")
		for _, text := range want {
			if strings.Count(line, "<code>"+text+"</code>") != 1 || strings.Count(line, "<code>") != len(want) {
				t.Errorf("the page %q says %q, want %q", p.kind, line, want)
			}
		}
		return p
	}
	shows(b.authorize(nil), "ada@example.org", "eve@home.example")
	p := shows(b.authorize(map[string]string{"login_hint": "eve at work"}), "eve@home.example")
	p = shows(b.answer(p, "email", "eve@home.example"), "it is eve")
	p = shows(b.answer(p, "password", "it is eve"), "123456")
	b.want(b.answer(p, "code", "123456"), simulator.PageConsent)

	silent := start(t, simulator.Options{Pages: true})
	if body := string(browse(t, silent).authorize(nil).body); strings.Contains(body, "ada@") {
		t.Error("a page says what to type without being told to")
	}
}

func TestForgedSignIns(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	b := browse(t, s)
	p := b.authorize(nil)
	right := maps.Clone(p.fields())
	right["email"] = "ada@example.org"
	for _, got := range []page{
		browse(t, s).send(simulator.PathLogin, right),                    // no cookie
		b.send(simulator.PathLogin, fields(right).with("csrf", "")),      // no token
		b.send(simulator.PathLogin, fields(right).with("csrf", "guess")), // a wrong one
	} {
		wantStatus(t, got.reply, http.StatusForbidden)
	}
	wantViolations(t, s, map[simulator.Violation]int{simulator.ForgedConsent: 3})
	b.want(b.send(simulator.PathLogin, right), simulator.PagePassword)
	b.want(b.send(simulator.PathLogin, right), simulator.PagePassword) // the first page once more changes nothing
}
