package simulator_test

import (
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// browser is a client that keeps cookies, and follows redirects as long as they
// stay on the simulator.
type browser struct {
	t      *testing.T
	s      *simulator.Server
	client *http.Client
	agent  string // User-Agent
	accept string // Accept-Language
}

func browse(t *testing.T, s *simulator.Server) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: t, s: s, client: &http.Client{
		Transport: transport, Jar: jar,
		CheckRedirect: func(next *http.Request, _ []*http.Request) error {
			if "http://"+next.URL.Host != s.URL() {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}}
}

// page is what the browser shows, or where it was sent away to.
type page struct {
	reply
	path string
	kind simulator.Page
	away *url.URL // the redirect that left the simulator; nil: none
}

var (
	kindOf   = regexp.MustCompile(`data-page="([^"]*)"`)
	formOf   = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	hiddenOf = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

func (b *browser) do(r *http.Request) page {
	b.t.Helper()
	if b.agent != "" {
		r.Header.Set("User-Agent", b.agent)
	}
	if b.accept != "" {
		r.Header.Set("Accept-Language", b.accept)
	}
	resp, err := b.client.Do(r)
	if err != nil {
		return page{reply: reply{err: err}}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	p := page{reply: reply{resp.StatusCode, resp.Header, body, err}, path: resp.Request.URL.Path}
	if m := kindOf.FindSubmatch(body); m != nil {
		p.kind = simulator.Page(m[1])
	}
	if resp.StatusCode == http.StatusFound {
		p.away, err = url.Parse(resp.Header.Get("Location"))
		if err != nil {
			b.t.Fatal(err)
		}
	}
	return p
}

// open goes to an address.
func (b *browser) open(target string) page {
	b.t.Helper()
	return b.do(request(b.t, http.MethodGet, target, "", ""))
}

// authorize begins an authorization.
func (b *browser) authorize(changes map[string]string) page {
	b.t.Helper()
	return b.open(authorizeURL(b.s, simulator.HostedCallback, changes))
}

// fields are the hidden fields of a page's form.
func (p page) fields() map[string]string {
	fields := make(map[string]string)
	for _, m := range hiddenOf.FindAllSubmatch(p.body, -1) {
		fields[string(m[1])] = html.UnescapeString(string(m[2]))
	}
	return fields
}

// action is where a page's form goes.
func (p page) action(t *testing.T) string {
	t.Helper()
	m := formOf.FindSubmatch(p.body)
	if m == nil {
		t.Fatalf("no form on the page %q: %s", p.kind, p.body)
	}
	return html.UnescapeString(string(m[1]))
}

// send posts a form.
func (b *browser) send(action string, fields map[string]string) page {
	b.t.Helper()
	v := url.Values{}
	for name, value := range fields {
		v.Set(name, value)
	}
	return b.do(request(b.t, http.MethodPost, b.s.URL()+action, "application/x-www-form-urlencoded", v.Encode()))
}

// answer sends the form of a page with one more field.
func (b *browser) answer(p page, name, value string) page {
	b.t.Helper()
	fields := p.fields()
	if name != "" {
		fields[name] = value
	}
	return b.send(p.action(b.t), fields)
}

// signIn goes through the sign-in pages that p begins, as a user.
func (b *browser) signIn(p page, user string) page {
	b.t.Helper()
	u, _ := b.s.User(user)
	p = b.answer(b.want(p, simulator.PageSignIn), "email", u.Email)
	p = b.answer(b.want(p, simulator.PagePassword), "password", u.Password)
	if u.OneTimeCode != "" {
		p = b.answer(b.want(p, simulator.PageCode), "code", u.OneTimeCode)
	}
	return p
}

// signedIn is a browser in which a user has signed in.
func signedIn(t *testing.T, s *simulator.Server, user string) *browser {
	t.Helper()
	b := browse(t, s)
	b.want(b.signIn(b.open(s.URL()+simulator.PathLogin), user), simulator.PageElsewhere)
	return b
}

func (b *browser) want(p page, kind simulator.Page) page {
	b.t.Helper()
	if p.err != nil || p.kind != kind {
		b.t.Fatalf("the page is %q, want %q: %d %v %s", p.kind, kind, p.status, p.err, p.body)
	}
	return p
}

// grants presses the button that grants, and returns whom the code is for.
func (b *browser) grants(p page) string {
	b.t.Helper()
	p = b.answer(p, "decision", "grant")
	if p.away == nil {
		b.t.Fatalf("no redirect: %d %s", p.status, p.body)
	}
	q := p.away.Query()
	if !strings.HasPrefix(p.away.String(), simulator.HostedCallback+"?") || q.Get("state") != state || q.Get("code") == "" {
		b.t.Fatalf("the redirect is %s", p.away)
	}
	granted := post(b.t, b.s, exchange(q.Get("code")).with("redirect_uri", simulator.HostedCallback)).tokens(b.t)
	user, _ := b.s.Owner(granted.Access)
	return user
}

func TestABrowserSignsInConsentsAndRemembers(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	s.AddUser(simulator.User{Name: "eve", Password: "quite secret", OneTimeCode: "123456"})
	b := browse(t, s)
	p := b.authorize(nil)
	if p.path != simulator.PathLogin {
		t.Errorf("signing in is at %s", p.path)
	}
	if user := b.grants(b.want(b.signIn(p, "eve"), simulator.PageConsent)); user != "eve" {
		t.Errorf("%q has consented", user)
	}
	if user := b.grants(b.want(b.authorize(nil), simulator.PageConsent)); user != "eve" {
		t.Errorf("%q has consented the second time", user)
	}
	got := s.Counts()
	wantViolations(t, s, map[simulator.Violation]int{})
	if got.SignIns != 1 || got.Consents != 2 || got.Declines != 0 || got.Logins["eve"] != 2 {
		t.Errorf("%d signed in, %d consented, %d declined, %d logged in", got.SignIns, got.Consents, got.Declines, got.Logins["eve"])
	}
	views := map[simulator.Page]int{simulator.PageSignIn: 1, simulator.PagePassword: 1, simulator.PageCode: 1, simulator.PageConsent: 2}
	if !maps.Equal(got.PageViews, views) || !maps.Equal(got.Posts, views) {
		t.Errorf("served %v, posted %v, want %v", got.PageViews, got.Posts, views)
	}
}
