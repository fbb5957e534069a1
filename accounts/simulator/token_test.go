package simulator_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func TestAWholeLoginGivesTokensThatWork(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	got := post(t, s, exchange(codeFor(t, s, "ada"))).tokens(t)
	user, _ := s.User("ada")
	switch {
	case got.Type != "Bearer", got.ExpiresIn != 28800, got.Scope != scopes:
		t.Errorf("answer = %+v", got)
	case !strings.HasPrefix(got.Access, "sk-ant-oat01-"), !strings.HasPrefix(got.Refresh, "sk-ant-ort01-"):
		t.Error("the tokens do not have the prefixes of their kinds")
	case got.Account == nil || got.Account.UUID != user.AccountUUID || got.Account.Email != user.Email:
		t.Errorf("account = %+v, want %+v", got.Account, user)
	case got.Organization == nil || got.Organization.UUID != user.OrgUUID:
		t.Errorf("organization = %+v, want %+v", got.Organization, user)
	}
	wantStatus(t, say(t, s, got.Access, sonnet), http.StatusOK)
	if c := s.Counts(); c.Logins["ada"] != 1 || c.TotalViolations() != 0 {
		t.Errorf("counts = %+v", c)
	}
}

func TestTokenRequestsAreTakenLiterally(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	for _, test := range []struct {
		name   string
		change func(fields) fields
	}{
		{"missing state", func(f fields) fields { return f.with("state", "") }},
		{"missing client_id", func(f fields) fields { return f.with("client_id", "") }},
		{"missing redirect_uri", func(f fields) fields { return f.with("redirect_uri", "") }},
		{"missing code_verifier", func(f fields) fields { return f.with("code_verifier", "") }},
		{"unknown grant", func(f fields) fields { return f.with("grant_type", "password") }},
		{"expires_in", func(f fields) fields { return f.with("expires_in", "31536000") }},
		{"unknown field", func(f fields) fields { return f.with("resource", "x") }},
	} {
		got := post(t, s, test.change(exchange(codeFor(t, s, "ada"))))
		if got.status != http.StatusBadRequest || got.message(t) != "Invalid request format" {
			t.Errorf("%s: %d %s", test.name, got.status, got.body)
		}
	}
	right := `"grant_type":"refresh_token","client_id":"` + simulator.ClientID + `","refresh_token":"` + login(t, s, "ada").Refresh + `"`
	for name, test := range map[string]struct{ contentType, body string }{
		"form":              {"application/x-www-form-urlencoded", "grant_type=refresh_token"},
		"no content type":   {"", "{" + right + "}"},
		"text":              {"text/plain", "{" + right + "}"},
		"a name twice":      {"application/json", "{" + right + `,"client_id":"` + simulator.ClientID + `"}`},
		"something behind":  {"application/json", "{" + right + "} {}"},
		"cut":               {"application/json", "{" + right},
		"an array":          {"application/json", "[{" + right + "}]"},
		"a number":          {"application/json", "{" + right + `,"scope":1}`},
		"a nested object":   {"application/json", "{" + right + `,"scope":{}}`},
		"other case":        {"application/json", "{" + strings.Replace(right, "client_id", "Client_ID", 1) + "}"},
		"longer than 64 KB": {"application/json", "{" + right + `,"scope":"` + strings.Repeat("x", 70<<10) + `"}`},
	} {
		got := do(t, request(t, http.MethodPost, s.URL()+simulator.PathToken, test.contentType, test.body))
		if got.status != http.StatusBadRequest || got.message(t) != "Invalid request format" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	wantViolations(t, s, map[simulator.Violation]int{simulator.BadBody: 18})
	got := do(t, request(t, http.MethodPost, s.URL()+simulator.PathToken, "application/json; charset=utf-8", "{"+right+"}"))
	wantStatus(t, got, http.StatusOK) // and none of those had spent it
}

func TestAFormIsTakenWhereConfigured(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{AcceptForm: true})
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {simulator.ClientID}, "refresh_token": {login(t, s, "ada").Refresh}}
	post := func(body string) reply {
		return do(t, request(t, http.MethodPost, s.URL()+simulator.PathToken, "application/x-www-form-urlencoded", body))
	}
	wantStatus(t, post(form.Encode()+"&client_id=again"), http.StatusBadRequest)
	wantStatus(t, post(form.Encode()), http.StatusOK)
}

func TestACodeIsGoodOnceForTheRequestItWasMadeFor(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, simulator.Options{Now: c.Now})
	for name, test := range map[string]struct {
		field, value, says string
		violation          simulator.Violation
	}{
		"another state":        {"state", strings.Repeat("x", 30), "Invalid 'code' in request.", simulator.UnknownCode},
		"another code":         {"code", "nobody-issued-this", "Invalid 'code' in request.", simulator.UnknownCode},
		"another redirect_uri": {"redirect_uri", simulator.HostedCallback, "Redirect URI " + simulator.HostedCallback + " is not supported by client.", simulator.WrongRedirectURI},
		"another verifier":     {"code_verifier", strings.Repeat("v", 43), "", simulator.WrongVerifier},
		"a short verifier":     {"code_verifier", strings.Repeat("v", 42), "", simulator.WrongVerifier},
	} {
		before := s.Counts().Violations[test.violation]
		code := codeFor(t, s, "ada")
		got := post(t, s, exchange(code).with(test.field, test.value))
		if got.status != http.StatusBadRequest || got.message(t) != test.says {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		if n := s.Counts().Violations[test.violation] - before; n != 1 {
			t.Errorf("%s: counted %d times", name, n)
		}
		if test.field != "code" { // the code was named, and is used up
			wantStatus(t, post(t, s, exchange(code)), http.StatusBadRequest)
		}
	}
	late := codeFor(t, s, "ada")
	c.advance(10 * time.Minute)
	wantStatus(t, post(t, s, exchange(late)), http.StatusBadRequest)
}

func TestASecondUseOfACodeEndsWhatTheFirstGranted(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	code := codeFor(t, s, "ada")
	got := post(t, s, exchange(code)).tokens(t)
	wantStatus(t, post(t, s, exchange(code)), http.StatusBadRequest)
	wantStatus(t, say(t, s, got.Access, sonnet), http.StatusUnauthorized)
	wantStatus(t, post(t, s, refresh(got.Refresh)), http.StatusBadRequest)
}

func TestAnUnknownClientOrTokenIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	got := post(t, s, refresh("sk-ant-ort01-never"))
	wantStatus(t, got, http.StatusBadRequest)
	if doc := got.json(t); doc["error"] != "invalid_grant" || doc["error_description"] != "Refresh token not found or invalid" {
		t.Errorf("the string envelope is %v", doc)
	}
	token := login(t, s, "ada").Refresh
	got = post(t, s, refresh(token).with("client_id", "somebody-else"))
	wantStatus(t, got, http.StatusUnauthorized)
	if got.json(t)["error"] != "invalid_client" {
		t.Errorf("body = %s", got.body)
	}
	got = post(t, s, refresh(token).with("scope", "user:profile user:plugins"))
	wantStatus(t, got, http.StatusBadRequest)
	if got.json(t)["error"] != "invalid_scope" {
		t.Errorf("body = %s", got.body)
	}
	post(t, s, refresh(token).with("scope", "user:profile")).tokens(t) // neither had spent it
	wantViolations(t, s, map[simulator.Violation]int{
		simulator.UnknownRefresh: 1, simulator.BadBody: 1, simulator.WrongScope: 1,
	})
}

func TestEveryRefusalCanBeAnErrorObject(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{ObjectErrors: true})
	got := post(t, s, refresh("sk-ant-ort01-never"))
	detail, _ := got.json(t)["error"].(map[string]any)
	if got.status != http.StatusBadRequest || detail["type"] != "invalid_grant" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestTheTokenEndpointCountsWhatDoesNotBelongThere(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	got := login(t, s, "ada")
	body := `{"grant_type":"refresh_token","client_id":"` + simulator.ClientID + `","refresh_token":"` + got.Refresh + `"}`
	r := request(t, http.MethodPost, s.URL()+simulator.PathToken, "application/json", body)
	r.Header.Set("Authorization", "Bearer "+got.Access)
	r.Header.Set("Idempotency-Key", "1")
	r.Header.Set("Cookie", "sessionKey=1")
	wantStatus(t, do(t, r), http.StatusOK)
	wantStatus(t, do(t, request(t, http.MethodGet, s.URL()+simulator.PathToken, "", "")), http.StatusMethodNotAllowed)
	wantStatus(t, do(t, request(t, http.MethodPost, s.URL()+simulator.PathToken+"?a=b", "application/json", body)), http.StatusBadRequest)
	wantViolations(t, s, map[simulator.Violation]int{
		simulator.StrayCredential: 1, simulator.Replayable: 1, simulator.SawCookie: 1, simulator.BadRequest: 1, simulator.BadBody: 1,
	})
}

func TestARevokedTokenIsRevokedWithItsFamily(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	got := login(t, s, "ada")
	other := login(t, s, "ada")
	revoke := func(contentType, body string) reply {
		return do(t, request(t, http.MethodPost, s.URL()+simulator.PathRevoke, contentType, body))
	}
	wantStatus(t, revoke("application/json", `{"token":"`+got.Refresh+`","client_id":"`+simulator.ClientID+`"}`), http.StatusOK)
	wantStatus(t, revoke("application/x-www-form-urlencoded", "token=unknown"), http.StatusOK)
	wantStatus(t, revoke("application/json", "{}"), http.StatusBadRequest)
	refused := say(t, s, got.Access, sonnet)
	wantStatus(t, refused, http.StatusUnauthorized)
	if refused.message(t) != "OAuth access token has been revoked." {
		t.Errorf("body = %s", refused.body)
	}
	wantStatus(t, say(t, s, other.Access, sonnet), http.StatusOK)
}
