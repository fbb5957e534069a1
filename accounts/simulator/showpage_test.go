package simulator_test

import (
	"context"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func TestPagesInPlaceOfTheConsentPage(t *testing.T) {
	t.Parallel()
	for kind, test := range map[simulator.Page]struct {
		status int
		path   string
		says   []string
		press  bool // one button leads on to the consent page
	}{
		simulator.PageChallenge:    {http.StatusForbidden, simulator.PathAuthorize, []string{"<title>Just a moment...</title>", "Verify you are human", "<iframe "}, false},
		simulator.PageInvite:       {http.StatusOK, simulator.PathAuthorize, []string{">Accept invite</button>"}, true},
		simulator.PageUnknownScope: {http.StatusBadRequest, simulator.PathAuthorize, []string{"Invalid OAuth Request", "Unknown scope"}, false},
		simulator.PagePlan:         {http.StatusOK, simulator.PathAuthorize, []string{"Max or Pro account required"}, false},
		simulator.PageServerError:  {http.StatusInternalServerError, simulator.PathAuthorize, []string{"Internal server error"}, false},
		simulator.PageUnknown:      {http.StatusOK, "/legal/terms", []string{">Allow</button>"}, true},
		simulator.PageTerms:        {http.StatusOK, simulator.PathAuthorize, []string{">I agree</button>"}, true},
		simulator.PageOrganization: {http.StatusOK, simulator.PathAuthorize, []string{`type="radio"`}, false},
		simulator.PageElsewhere:    {http.StatusOK, simulator.PathSite, nil, false},
		simulator.PageSignIn:       {http.StatusOK, simulator.PathLogin, []string{`type="email"`}, false},
		simulator.PageBadRequest:   {http.StatusBadRequest, simulator.PathAuthorize, []string{"Invalid OAuth Request"}, false},
		simulator.PagePopUp:        {http.StatusOK, simulator.PathAuthorize, []string{"data-open="}, false},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := start(t, simulator.Options{Pages: true})
			b := signedIn(t, s, "ada")
			before := s.Counts().PageViews[kind]
			s.ShowPage("ada", kind, 1)
			p := b.want(b.authorize(nil), kind)
			if p.status != test.status || p.path != test.path {
				t.Errorf("%d at %s, want %d at %s", p.status, p.path, test.status, test.path)
			}
			for _, text := range test.says {
				if !strings.Contains(string(p.body), text) {
					t.Errorf("the page does not say %q: %s", text, p.body)
				}
			}
			switch {
			case test.press:
				p = b.answer(p, "", "")
			case kind == simulator.PageSignIn:
				p = b.signIn(p, "ada")
			default:
				p = b.authorize(nil)
			}
			b.grants(b.want(p, simulator.PageConsent))
			if n := s.Counts().PageViews[kind] - before; n != 1 {
				t.Errorf("served %d times", n)
			}
			wantViolations(t, s, map[simulator.Violation]int{})
		})
	}
}

func TestStrangeConsentPages(t *testing.T) {
	t.Parallel()
	const grant = `name="decision" value="grant"`
	for kind, test := range map[simulator.Page]struct {
		count map[string]int // what is on the page how often
	}{
		simulator.PageCookieBanner: {map[string]int{grant: 1, `class="cookies beside"`: 1}},
		simulator.PageCookieWall:   {map[string]int{grant: 1, `class="cookies wall"`: 1}},
		simulator.PageSlow:         {map[string]int{grant: 1}},
		simulator.PageLate:         {map[string]int{grant: 1, `<template data-delay="30">`: 1}},
		simulator.PageTwoButtons:   {map[string]int{grant: 2, ">Authorize<": 1, ">Allow<": 1}},
		simulator.PageDisabled:     {map[string]int{grant + " disabled>": 1}},
		simulator.PageHidden:       {map[string]int{`class="main unseen" type="submit" ` + grant: 1}},
		simulator.PageConsent:      {map[string]int{grant: 1, "<iframe": 0, "<template": 0, `class="cookies`: 0, `" disabled>`: 0, "main unseen": 0}},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			const delay = 30 * time.Millisecond
			s := start(t, simulator.Options{Pages: true, PageDelay: delay})
			b := signedIn(t, s, "ada")
			s.ShowPage("", kind, 1)
			began := time.Now()
			p := b.want(b.authorize(nil), kind)
			if took := time.Since(began); kind == simulator.PageSlow && took < delay {
				t.Errorf("the slow page took %v", took)
			}
			for text, want := range test.count {
				if got := strings.Count(string(p.body), text); got != want {
					t.Errorf("%q is there %d times, want %d: %s", text, got, want, p.body)
				}
			}
			b.grants(p)
			if got := s.Counts(); got.Posts[kind] != 1 || got.Consents != 1 {
				t.Errorf("posted %v, %d consents", got.Posts, got.Consents)
			}
		})
	}
}

func TestConsentInAPopUp(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	b := signedIn(t, s, "ada")
	s.ShowPage("ada", simulator.PagePopUp, -1)
	_, opens, _ := strings.Cut(string(b.authorize(nil).body), `data-open="`)
	opens, _, _ = strings.Cut(opens, `"`)
	p := b.open(s.URL() + html.UnescapeString(opens))
	b.grants(b.want(p, simulator.PagePopUp))
	if got := s.Counts(); got.PageViews[simulator.PagePopUp] != 1 || got.Touched(simulator.PagePopUp) != 1 {
		t.Errorf("served %v, posted %v", got.PageViews, got.Posts)
	}
}

func TestAnotherPersonConsents(t *testing.T) {
	t.Parallel()
	for want, others := range map[string][]simulator.User{
		"somebody-else": nil,
		"eve":           {{Name: "ada at work", Email: "ada@example.org", Org: "Acme"}, {Name: "eve"}},
	} {
		s := start(t, simulator.Options{Pages: true})
		for _, u := range others {
			s.AddUser(u)
		}
		b := signedIn(t, s, "ada")
		s.ShowPage("ada", simulator.PageWrongUser, 1)
		hint := map[string]string{"login_hint": "ada"}
		if user := b.grants(b.want(b.authorize(hint), simulator.PageWrongUser)); user != want {
			t.Errorf("%q has consented, want %q", user, want)
		}
		if user := b.grants(b.want(b.authorize(hint), simulator.PageConsent)); user != "ada" {
			t.Errorf("%q has consented, want ada again", user)
		}
		wantViolations(t, s, map[simulator.Violation]int{})
	}
}

func TestPagesThatAreNone(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	b := signedIn(t, s, "ada")

	s.ShowPage("", simulator.PageCut, 1)
	for range 3 { // a browser tries again by itself
		if p := b.authorize(map[string]string{"state": state + "-cut"}); p.err == nil {
			t.Errorf("cut: %d %s", p.status, p.body)
		}
	}
	s.ShowPage("", simulator.PageHalf, 1)
	p := b.authorize(nil)
	if p.kind != simulator.PageHalf || !strings.Contains(string(p.body), "asks for access") || strings.Contains(string(p.body), "<button") {
		t.Errorf("half: %d %s", p.status, p.body)
	}
	s.ShowPage("", simulator.PageDownload, 1)
	p = b.authorize(nil)
	if p.status != http.StatusOK || !strings.HasPrefix(p.header.Get("Content-Disposition"), "attachment;") {
		t.Errorf("download: %d %v", p.status, p.header)
	}
	got := s.Counts().PageViews
	for _, kind := range []simulator.Page{simulator.PageCut, simulator.PageHalf, simulator.PageDownload} {
		if got[kind] != 1 {
			t.Errorf("%s was counted %d times", kind, got[kind])
		}
	}
	b.want(b.authorize(nil), simulator.PageConsent)
}

func TestAnEndlessPageEndsWithTheServerOrTheClient(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	b := browse(t, s)
	s.ShowPage("", simulator.PageEndless, 2)
	for _, end := range []func(context.CancelFunc){
		func(leave context.CancelFunc) { leave() },
		func(context.CancelFunc) { s.Close() },
	} {
		ctx, leave := context.WithCancel(t.Context())
		resp, err := b.client.Do(request(t, http.MethodGet, authorizeURL(s, loopback, nil), "", "").WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		end(leave)
		body, err := io.ReadAll(resp.Body)
		if err == nil {
			t.Errorf("the page ended: %s", body)
		}
		_ = resp.Body.Close()
		leave()
	}
}

func TestARedirectOffTheList(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	b := browse(t, s)
	s.ShowPage("", simulator.PageOffList, 1)
	p := b.authorize(nil)
	if p.away == nil || p.away.Hostname() != "localhost" || p.away.Path != simulator.PathAuthorize {
		t.Fatalf("it leads to %v", p.away)
	}
	// The page there looks like ours, and gives nothing.
	p = b.want(b.open("http://"+strings.Replace(p.away.Host, "localhost", "127.0.0.1", 1)+p.away.RequestURI()), simulator.PageOffList)
	if !strings.Contains(string(p.body), ">Authorize</button>") {
		t.Errorf("the page there is %s", p.body)
	}
	wantStatus(t, b.answer(p, "decision", "grant").reply, http.StatusForbidden)
	if got := s.Counts(); got.PageViews[simulator.PageOffList] != 1 || got.Touched(simulator.PageOffList) != 1 || got.Consents != 0 {
		t.Errorf("served %v, posted %v, %d consents", got.PageViews, got.Posts, got.Consents)
	}

	s = start(t, simulator.Options{Pages: true, OffList: "https://off.example/"})
	s.ShowPage("", simulator.PageOffList, 1)
	if p := browse(t, s).authorize(nil); p.away == nil || p.away.String() != "https://off.example/" {
		t.Errorf("it leads to %v", p.away)
	}
}

func TestAHeadlessBrowserIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	b := signedIn(t, s, "ada")
	s.ShowPage("ada", simulator.PageHeadless, 1)
	b.want(b.authorize(nil), simulator.PageConsent)
	b.agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36"
	b.want(b.authorize(nil), simulator.PageHeadless)
	b.want(b.authorize(nil), simulator.PageConsent)
}

func TestWhomAPageIsShownTo(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	s.AddUser(simulator.User{Name: "eve"})
	ada, eve, nobody := signedIn(t, s, "ada"), signedIn(t, s, "eve"), browse(t, s)

	s.ShowPage("eve", simulator.PagePlan, -1)
	ada.want(ada.authorize(nil), simulator.PageConsent)
	for range 3 {
		eve.want(eve.authorize(nil), simulator.PagePlan)
	}
	s.ClearPages()
	eve.want(eve.authorize(nil), simulator.PageConsent)

	s.ShowPage("", simulator.PageInvite, 1) // is about somebody
	s.ShowPage("", simulator.PageChallenge, 2)
	nobody.want(nobody.authorize(nil), simulator.PageChallenge)
	ada.want(ada.authorize(nil), simulator.PageInvite)
	eve.want(eve.authorize(nil), simulator.PageChallenge)
	nobody.want(nobody.authorize(nil), simulator.PageSignIn)

	s.ShowPage("ada", simulator.PageTerms, -1)
	p := ada.want(ada.authorize(nil), simulator.PageTerms)
	ada.want(ada.answer(p, "", ""), simulator.PageConsent) // not the same question again
	ada.want(ada.authorize(nil), simulator.PageTerms)
}

func TestClicksAreCounted(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	s.ShowPage("", simulator.PageChallenge, 1)
	b := browse(t, s)
	p := b.want(b.authorize(nil), simulator.PageChallenge)
	click := func(kind simulator.Page, label string) {
		t.Helper()
		wantStatus(t, b.send("/simulator/click", fields{"page": string(kind), "label": label}).reply, http.StatusNoContent)
	}
	click(simulator.PageChallenge, "I am human")
	click(simulator.PageChallenge, strings.Repeat("ä", 500))
	click(simulator.PageConsent, "Authorize") // was never served
	got := s.Counts()
	want := map[string]int{"challenge: I am human": 1, "challenge: " + strings.Repeat("ä", 80): 1}
	if !maps.Equal(got.Labels, want) || got.Clicks[simulator.PageChallenge] != 2 || len(got.Clicks) != 1 {
		t.Errorf("clicks %v, labels %v", got.Clicks, got.Labels)
	}
	if got.Touched(simulator.PageChallenge) != 2 || got.Touched(simulator.PageConsent) != 0 {
		t.Errorf("touched %d and %d times", got.Touched(simulator.PageChallenge), got.Touched(simulator.PageConsent))
	}

	policy := p.header.Get("Content-Security-Policy")
	_, nonce, _ := strings.Cut(policy, "script-src 'nonce-")
	nonce, _, _ = strings.Cut(nonce, "'")
	if nonce == "" || !strings.HasPrefix(policy, "default-src 'self'; ") ||
		strings.Count(string(p.body), `<script nonce="`+nonce+`">`) != 1 || strings.Count(string(p.body), `<style nonce="`+nonce+`">`) != 1 {
		t.Errorf("the policy %q does not let the page's own script run: %s", policy, p.body)
	}
	frame := b.want(b.open(s.URL()+"/simulator/frame"), simulator.PageChallenge)
	if !strings.Contains(string(frame.body), ">I am human</button>") || s.Counts().PageViews[simulator.PageChallenge] != 1 {
		t.Errorf("the frame is %s", frame.body)
	}
}

func TestTheTermsElsewhereAreForWhoeverIsSignedIn(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Pages: true})
	u, err := url.Parse(authorizeURL(s, loopback, nil))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/legal/terms"
	b := browse(t, s)
	b.want(b.open(u.String()), simulator.PageSignIn)
}
