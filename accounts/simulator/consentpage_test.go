package simulator_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func TestDecliningOnThePage(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	b := signedIn(t, s, "ada")
	for _, callback := range []string{simulator.HostedCallback, loopback} {
		p := b.answer(b.want(b.open(authorizeURL(s, callback, nil)), simulator.PageConsent), "decision", "decline")
		if p.away == nil || !strings.HasPrefix(p.away.String(), callback+"?") {
			t.Fatalf("declining led to %v", p.away)
		}
		if q := p.away.Query(); q.Get("error") != "access_denied" || q.Get("state") != state || q.Has("code") {
			t.Errorf("declining answers %s", p.away)
		}
	}
	if got := s.Counts(); got.Declines != 2 || got.Consents != 0 || len(s.Secrets()) != 0 {
		t.Errorf("%d declined, %d consented, %d codes", got.Declines, got.Consents, len(s.Secrets()))
	}
	wantViolations(t, s, map[simulator.Violation]int{})
}

func TestTheConsentPageSpeaksManyLanguages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ user, server, accept, grant, decline string }{
		{"", "", "", "Authorize", "Decline"},
		{"", "", "fr-FR, fr;q=0.9, de-AT;q=0.8, en;q=0.5", "Autorisieren", "Ablehnen"},
		{"", "", "fr", "Authorize", "Decline"},
		{"", "pt", "de", "Autorizar", "Recusar"},
		{"vo", "pt", "de", "Dälön", "Refudön"},
		{"en", "de", "pt", "Authorize", "Decline"},
	} {
		s := start(t, simulator.Options{Pages: true, Language: test.server})
		s.AddUser(simulator.User{Name: "ada", Language: test.user})
		b := signedIn(t, s, "ada")
		b.accept = test.accept
		p := b.want(b.authorize(nil), simulator.PageConsent)
		for _, label := range []string{test.grant, test.decline} {
			if strings.Count(string(p.body), ">"+label+"</button>") != 1 {
				t.Errorf("%+v: no button %q in %s", test, label, p.body)
			}
		}
		if strings.Count(string(p.body), "<button") != 2 {
			t.Errorf("%+v: not two buttons in %s", test, p.body)
		}
		if user := b.grants(p); user != "ada" {
			t.Errorf("%+v: %q has consented", test, user)
		}
	}
}

func TestAPersonChoosesAnOrganization(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	home := s.AddUser(simulator.User{Name: "home", Email: "eve@example.org"})
	work := s.AddUser(simulator.User{Name: "work", Email: "eve@example.org", Org: "Acme"})
	b := signedIn(t, s, "home")
	for name, test := range map[string]struct {
		changes map[string]string
		choose  string
		want    string
	}{
		"by hand":                       {nil, work.OrgUUID, "work"},
		"by hand, with a vague hint":    {map[string]string{"login_hint": "eve@example.org"}, home.OrgUUID, "home"},
		"by hand, with another's hint":  {map[string]string{"login_hint": "ada"}, work.OrgUUID, "work"},
		"by hand, with a strange one":   {map[string]string{"orgUUID": "strange"}, home.OrgUUID, "home"},
		"by orgUUID":                    {map[string]string{"orgUUID": work.OrgUUID}, "", "work"},
		"by login_hint":                 {map[string]string{"login_hint": "home"}, "", "home"},
		"by orgUUID before a hint":      {map[string]string{"orgUUID": work.OrgUUID, "login_hint": "home"}, "", "work"},
		"by hand once more, from start": {nil, home.OrgUUID, "home"},
	} {
		p := b.authorize(test.changes)
		if test.choose != "" {
			p = b.answer(b.want(p, simulator.PageOrganization), "organization", test.choose)
		}
		if user := b.grants(b.want(p, simulator.PageConsent)); user != test.want {
			t.Errorf("%s: %q has consented, want %q", name, user, test.want)
		}
	}
	wantViolations(t, s, map[simulator.Violation]int{})
	b.want(b.answer(b.authorize(nil), "organization", "strange"), simulator.PageBadRequest)
	wantViolations(t, s, map[simulator.Violation]int{simulator.ForgedConsent: 1})
}

func TestForgedConsentIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	eve := s.AddUser(simulator.User{Name: "eve"})
	b, other := signedIn(t, s, "ada"), signedIn(t, s, "eve")
	p := b.want(b.authorize(nil), simulator.PageConsent)
	right := maps.Clone(fields(p.fields()))
	right["decision"] = "grant"
	refused := 0
	refuse := func(why string, got page) {
		t.Helper()
		refused++
		if got.status != http.StatusForbidden || got.away != nil {
			t.Errorf("%s: %d, %v", why, got.status, got.away)
		}
	}
	action := p.action(t)
	refuse("no session", browse(t, s).send(action, right))
	refuse("another's session", other.send(action, right))
	refuse("no token", b.send(action, right.with("csrf", "")))
	refuse("a wrong token", b.send(action, right.with("csrf", "guess")))
	refuse("another page", b.send(action, right.with("page", string(simulator.PageOrganization))))
	refuse("another way", b.send("/simulator/answer", right.with("page", string(simulator.PageTerms))))
	refuse("not a form", b.do(request(t, http.MethodPost, s.URL()+action, "application/json", "{}")))
	if got := b.send(action, right); got.away == nil || got.away.Query().Get("code") == "" {
		t.Fatalf("the right answer: %d %s", got.status, got.body)
	}
	refuse("a second time", b.send(action, right))

	p = b.authorize(nil)
	refuse("another organization", b.send(strings.Replace(action, orgOf(action), eve.OrgUUID, 1), fields(p.fields()).with("decision", "grant")))
	refuse("no decision", b.answer(b.authorize(nil), "", ""))
	wantViolations(t, s, map[simulator.Violation]int{simulator.ForgedConsent: refused})
	if got := s.Counts(); got.Consents != 1 || len(s.Secrets()) != 1 {
		t.Errorf("%d consents, %d codes", got.Consents, len(s.Secrets()))
	}
}

// orgOf is the organization that the answer to a consent page names.
func orgOf(action string) string {
	return strings.TrimSuffix(strings.TrimPrefix(action, "/v1/oauth/"), "/authorize")
}

func TestTheHostedPageShowsTheCode(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	b := browse(t, s)
	p := b.want(b.open(s.URL()+simulator.PathCallback+"?code=C0dE&state=St4te"), simulator.PageCallback)
	if !strings.Contains(string(p.body), "<code>C0dE#St4te</code>") {
		t.Errorf("the page is %s", p.body)
	}
	p = b.want(b.open(s.URL()+simulator.PathCallback+"?error=access_denied&state=St4te"), simulator.PageCallback)
	if !strings.Contains(string(p.body), "Access denied") || strings.Contains(string(p.body), "<code>") {
		t.Errorf("the page is %s", p.body)
	}
	for _, r := range s.Requests() {
		if strings.Contains(r.RawQuery, "C0dE") {
			t.Error("a code is kept in the journal")
		}
	}
}

func TestPagesOfABadRequest(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	p := browse(t, s).authorize(map[string]string{"scope": "user:everything"})
	wantStatus(t, p.reply, http.StatusBadRequest)
	if body := string(p.body); p.kind != simulator.PageBadRequest ||
		!strings.Contains(body, "Invalid OAuth Request") || !strings.Contains(body, "Unknown scope: user:everything") {
		t.Errorf("the page is %s", body)
	}
	wantViolations(t, s, map[simulator.Violation]int{simulator.BadRequest: 1})
}

func TestWhatAPageMayBeSent(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	b := signedIn(t, s, "ada")
	r := request(t, http.MethodGet, authorizeURL(s, loopback, nil), "", "")
	r.Header.Set("Authorization", "Bearer "+login(t, s, "ada").Access)
	b.do(r)
	wantViolations(t, s, map[simulator.Violation]int{simulator.StrayCredential: 1})
	b.open(s.URL() + simulator.PathProfile)
	wantViolations(t, s, map[simulator.Violation]int{
		simulator.StrayCredential: 1, simulator.SawCookie: 1, simulator.NoCredential: 1,
	})
}

func TestPagesAreNotThereUnlessAsked(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{DefaultUser: "ada"})
	b := browse(t, s)
	for _, path := range []string{
		simulator.PathLogin, simulator.PathSite, simulator.PathCallback, "/simulator/click", "/favicon.ico", "/v1/oauth/x/authorize",
	} {
		wantStatus(t, b.open(s.URL()+path).reply, http.StatusNotFound)
	}
	if p := b.authorize(nil); p.status != http.StatusOK || p.kind != "" {
		t.Errorf("the authorization page is %d %s", p.status, p.body)
	}
}

func TestAuthorizeNeedsNoPages(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	post(t, s, exchange(codeFor(t, s, "ada"))).tokens(t)
	s.Deny("ada", true)
	redirect, err := s.Authorize(authorizeURL(s, loopback, nil), "ada")
	if u, _ := url.Parse(redirect); err != nil || u.Query().Get("error") != "access_denied" {
		t.Errorf("Authorize = %q, %v", redirect, err)
	}
	b := signedIn(t, s, "ada") // Deny is said to Authorize alone
	b.grants(b.want(b.authorize(nil), simulator.PageConsent))
}
