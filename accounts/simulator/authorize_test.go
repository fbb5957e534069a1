package simulator_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func get(t *testing.T, target, accept string) reply {
	t.Helper()
	r := request(t, http.MethodGet, target, "", "")
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	return do(t, r)
}

func TestALoopbackAuthorizationRedirectsWithCodeAndState(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{DefaultUser: "ada"})
	got := get(t, authorizeURL(s, loopback, nil), "")
	wantStatus(t, got, http.StatusFound)
	u, err := url.Parse(got.header.Get("Location"))
	if err != nil || !strings.HasPrefix(u.String(), loopback+"?") || u.Query().Get("state") != state {
		t.Fatalf("Location = %q, %v", u, err)
	}
	post(t, s, exchange(u.Query().Get("code"))).tokens(t)
}

func TestAHostedAuthorizationShowsCodeAndState(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	for _, callback := range []string{simulator.HostedCallback, simulator.HostedCallbackOld} {
		target := authorizeURL(s, callback, map[string]string{"login_hint": "ada"})
		got := get(t, target, "")
		wantStatus(t, got, http.StatusOK)
		code, shown, found := strings.Cut(strings.TrimSpace(string(got.body)), "#")
		if !found || shown != state {
			t.Fatalf("the page shows %q", got.body)
		}
		post(t, s, exchange(code).with("redirect_uri", callback)).tokens(t)

		doc := get(t, target, "application/json").json(t)
		if redirect, _ := doc["redirect"].(string); !strings.HasPrefix(redirect, callback+"?code=") || doc["state"] != state {
			t.Errorf("the document is %v", doc)
		}
		if body := string(get(t, target, "text/html").body); !strings.Contains(body, "#"+state) || !strings.Contains(body, "<h1>") {
			t.Errorf("the page is %q", body)
		}
	}
}

func TestTheNewestAuthorizationPageRedirectsToTheOtherOne(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	target := strings.Replace(authorizeURL(s, loopback, nil), simulator.PathAuthorize, simulator.PathAuthorizeCAI, 1)
	got := get(t, target, "")
	wantStatus(t, got, http.StatusFound)
	if want := strings.TrimPrefix(authorizeURL(s, loopback, nil), s.URL()); got.header.Get("Location") != want {
		t.Errorf("Location = %q, want %q", got.header.Get("Location"), want)
	}
	if _, err := s.Authorize(target, "ada"); err != nil {
		t.Error(err)
	}
}

func TestTheAuthorizationPageSaysNo(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{DefaultUser: "ada"})
	cases := []struct{ name, value, says string }{
		{"client_id", "", "Unknown client_id"},
		{"client_id", "59637612-477b-4836-a601-b0589eda7704", "Unknown client_id"},
		{"response_type", "token", "Unsupported response_type"},
		{"code", "", "Missing code=true"},
		{"code_challenge", "", "Invalid code_challenge"},
		{"code_challenge", verifier[:42], "Invalid code_challenge"},
		{"code_challenge", challenge() + "=", "Invalid code_challenge"},
		{"code_challenge_method", "plain", "code_challenge_method must be S256"},
		{"code_challenge_method", "", "code_challenge_method must be S256"},
		{"state", "", "state is too short"},
		{"state", "short", "state is too short"},
		{"scope", "", "Missing scope"},
		{"scope", "user:profile user:infer ence", "Unknown scope: user:infer"},
		{"redirect_uri", "", "Missing redirect_uri"},
	}
	for _, uri := range []string{
		"http://127.0.0.1:53692/callback", "http://localhost/callback", "http://localhost:53692/other",
		"http://localhost:53692/callback/", "http://localhost:53692/callback?a=b", "https://localhost:53692/callback",
		"http://localhost:0/callback", "http://localhost:065/callback", "http://localhost:70000/callback",
		"http://localhost.evil.example:1/callback", "http://user@localhost:1/callback",
		simulator.HostedCallback + "/", "https://evil.example/oauth/code/callback",
	} {
		cases = append(cases, struct{ name, value, says string }{"redirect_uri", uri, "Redirect URI " + uri + " is not supported by client."})
	}
	for _, test := range cases {
		got := get(t, authorizeURL(s, loopback, map[string]string{test.name: test.value}), "")
		if got.status != http.StatusBadRequest || !strings.Contains(string(got.body), test.says) {
			t.Errorf("%s=%q: %d %q, want %q", test.name, test.value, got.status, got.body, test.says)
		}
	}
	got := get(t, authorizeURL(s, loopback, nil)+"&state=another-one-that-is-long-enough", "")
	wantStatus(t, got, http.StatusBadRequest)
	wantViolations(t, s, map[simulator.Violation]int{simulator.BadRequest: len(cases) + 1})
	if secrets := s.Secrets(); len(secrets) != 0 {
		t.Error("a refused request issued a code")
	}
	if _, err := s.Authorize(authorizeURL(s, loopback, map[string]string{"state": "short"}), "ada"); err == nil {
		t.Error("Authorize is less strict than the page")
	}
}

func TestAPersonCanDecline(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{DefaultUser: "ada"})
	s.Deny("ada", true)
	want := "error=access_denied&error_description=The+user+denied+the+request&state=" + state
	got := get(t, authorizeURL(s, loopback, nil), "")
	if location := got.header.Get("Location"); location != loopback+"?"+want {
		t.Errorf("Location = %q", location)
	}
	got = get(t, authorizeURL(s, simulator.HostedCallback, nil), "")
	if text := strings.TrimSpace(string(got.body)); text != simulator.HostedCallback+"?"+want {
		t.Errorf("the page shows %q", text)
	}
	s.Deny("ada", false)
	codeFor(t, s, "ada")
}

func TestWhoAuthorizesIsChosen(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	home := s.AddUser(simulator.User{Name: "home", Email: "eve@example.org"})
	work := s.AddUser(simulator.User{Name: "work", Email: "eve@example.org", Org: "Acme"})
	if home.AccountUUID != work.AccountUUID || home.OrgUUID == work.OrgUUID {
		t.Errorf("one person in two organisations is %+v and %+v", home, work)
	}
	for _, test := range []struct{ hint, org, want string }{
		{"work", "", "work"},
		{"home", "", "home"},
		{"eve@example.org", work.OrgUUID, "work"},
		{"eve@example.org", home.OrgUUID, "home"},
		{"work", home.OrgUUID, ""},
		{"nobody", "", ""},
	} {
		got := get(t, authorizeURL(s, loopback, map[string]string{"login_hint": test.hint, "orgUUID": test.org}), "")
		if test.want == "" {
			wantStatus(t, got, http.StatusBadRequest)
			continue
		}
		u, _ := url.Parse(got.header.Get("Location"))
		granted := post(t, s, exchange(u.Query().Get("code"))).tokens(t)
		if user, _ := s.Owner(granted.Access); user != test.want {
			t.Errorf("hint %q, organisation %q: %q authorized", test.hint, test.org, user)
		}
	}
	body := string(get(t, authorizeURL(s, loopback, nil), "text/html").body)
	for _, name := range []string{"ada", "home", "work"} {
		if !strings.Contains(body, "login_hint="+name) {
			t.Errorf("the page to choose on does not offer %s", name)
		}
	}
	if _, err := s.Grant("nobody"); err == nil {
		t.Error("a stranger got a grant")
	}
}
