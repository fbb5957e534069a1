package simulator_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func TestCredentialsAreJudgedInTheProvidersWords(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, simulator.Options{Now: c.Now})
	expired := login(t, s, "ada").Access
	c.advance(8 * time.Hour)
	live := login(t, s, "ada").Access
	s.AddUser(simulator.User{Name: "bob"})
	revoked := login(t, s, "bob").Access
	s.Revoke("bob")

	beta := func(h http.Header) { h.Set("Anthropic-Beta", "context-1m-2025-08-07") }
	for _, test := range []struct {
		name, token string
		change      func(http.Header)
		says        string
		violation   simulator.Violation
	}{
		{"expired", expired, nil, "OAuth token has expired. Please obtain a new token or refresh your existing token.", ""},
		{"revoked", revoked, nil, "OAuth access token has been revoked.", ""},
		{"unknown", "sk-ant-oat01-never", nil, "Invalid bearer token", simulator.UnknownToken},
		{"without beta", live, beta, "OAuth authentication is currently not supported.", simulator.MissingBeta},
		{"x-api-key beside", live, func(h http.Header) { h.Set("X-Api-Key", "sk-ant-api03-x") }, "invalid x-api-key", simulator.SawAPIKey},
		{"nothing", live, func(h http.Header) { h.Del("Authorization") }, "x-api-key header is required", simulator.NoCredential},
		{"basic", live, func(h http.Header) { h.Set("Authorization", "Basic "+live) }, "Invalid bearer token", simulator.UnknownToken},
	} {
		for _, place := range []struct{ method, path string }{
			{http.MethodPost, simulator.PathMessages},
			{http.MethodPost, simulator.PathCountTokens},
			{http.MethodGet, simulator.PathModels},
			{http.MethodGet, simulator.PathUsage},
		} {
			before := s.Counts().Violations[test.violation]
			r := call(t, s, place.method, place.path, test.token, prompt(sonnet, false))
			if test.change != nil {
				test.change(r.Header)
			}
			got := do(t, r)
			if got.status != http.StatusUnauthorized || got.message(t) != test.says {
				t.Errorf("%s at %s: %d %s", test.name, place.path, got.status, got.body)
			}
			if got.header.Get("Anthropic-Ratelimit-Unified-Status") != "" {
				t.Errorf("%s at %s: a 401 speaks of limits", test.name, place.path)
			}
			if test.violation != "" && s.Counts().Violations[test.violation] != before+1 {
				t.Errorf("%s at %s was not counted", test.name, place.path)
			}
		}
	}
	two := call(t, s, http.MethodGet, simulator.PathModels, live, "")
	two.Header.Add("Authorization", "Bearer "+live)
	wantStatus(t, do(t, two), http.StatusUnauthorized)
	if s.Counts().Violations[simulator.ManyCredentials] != 1 {
		t.Error("two credentials were not counted")
	}
	noBeta := call(t, s, http.MethodGet, simulator.PathProfile, live, "")
	noBeta.Header.Del("Anthropic-Beta")
	wantStatus(t, do(t, noBeta), http.StatusOK) // the profile works without (PROTOCOL 2.5)
}

func TestAnAnswerNamesRequestAndOrganization(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	got := say(t, s, login(t, s, "ada").Access, sonnet)
	wantStatus(t, got, http.StatusOK)
	user, _ := s.User("ada")
	if id := got.header.Get("Request-Id"); !strings.HasPrefix(id, "req_") {
		t.Errorf("request-id = %q", id)
	}
	if org := got.header.Get("Anthropic-Organization-Id"); org != user.OrgUUID {
		t.Errorf("anthropic-organization-id = %q, want %q", org, user.OrgUUID)
	}
	doc := got.json(t)
	if doc["type"] != "message" || doc["model"] != sonnet || doc["stop_reason"] != "end_turn" {
		t.Errorf("the message is %v", doc)
	}
	refused := say(t, s, login(t, s, "ada").Access, "gpt-5")
	wantStatus(t, refused, http.StatusNotFound)
	if doc := refused.json(t); doc["type"] != "error" || doc["request_id"] != refused.header.Get("Request-Id") {
		t.Errorf("the error document is %v", doc)
	}
}

func TestMessagesAreValidated(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	token := login(t, s, "ada").Access
	right := `{"model":"` + sonnet + `","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}`
	bad := 0
	for name, test := range map[string]struct {
		body, says string
	}{
		"empty":            {"", "The request body is not valid JSON"},
		"cut":              {right[:len(right)-1], "The request body is not valid JSON"},
		"something behind": {right + "x", "The request body is not valid JSON"},
		"two objects":      {right + right, "The request body is not valid JSON"},
		"an array":         {"[" + right + "]", "The request body is not valid JSON"},
		"wrong brackets":   {`{"messages":[{"a":1]}}`, "The request body is not valid JSON"},
		"no colon":         {`{"model" "x"}`, "The request body is not valid JSON"},
		"too deep":         {`{"messages":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, "The request body is not valid JSON"},
		"no model":         {strings.Replace(right, "model", "mode", 1), "model: Field required"},
		"no messages":      {strings.Replace(right, "messages", "message", 1), "messages: Field required"},
		"empty messages":   {`{"model":"` + sonnet + `","max_tokens":1,"messages":[ ]}`, "messages: Field required"},
		"no max_tokens":    {strings.Replace(right, "max_tokens", "max", 1), "max_tokens: Field required"},
		"max_tokens 0":     {strings.Replace(right, `s":1`, `s":0`, 1), "max_tokens: Field required"},
	} {
		bad++
		got := do(t, call(t, s, http.MethodPost, simulator.PathMessages, token, test.body))
		if got.status != http.StatusBadRequest || got.message(t) != test.says {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	for name, change := range map[string]func(http.Header){
		"no version":         func(h http.Header) { h.Del("Anthropic-Version") },
		"no content type":    func(h http.Header) { h.Del("Content-Type") },
		"wrong content type": func(h http.Header) { h.Set("Content-Type", "text/plain") },
	} {
		r := call(t, s, http.MethodPost, simulator.PathMessages, token, right)
		change(r.Header)
		if got := do(t, r); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	wantStatus(t, do(t, call(t, s, http.MethodPost, simulator.PathMessages+"?beta=true", token, "\n "+right+" \n")), http.StatusOK)
	long := strings.Replace(right, `"hi"`, `"`+strings.Repeat("a \\\" b", 6<<20)+`"`, 1)
	wantStatus(t, do(t, call(t, s, http.MethodPost, simulator.PathMessages, token, long)), http.StatusRequestEntityTooLarge)
	wantViolations(t, s, map[simulator.Violation]int{simulator.BadBody: bad + 1, simulator.BadRequest: 3})
	if got := s.Counts().Generations; got != 1 {
		t.Errorf("%d generations", got)
	}
}

func TestCountTokensModelsAndProfileAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	s.AddUser(simulator.User{Name: "max", Plan: simulator.Max20x, Email: "max@example.org", FiveHour: simulator.Limit{Requests: 1, Used: 1}})
	token := login(t, s, "max").Access

	got := do(t, call(t, s, http.MethodPost, simulator.PathCountTokens, token, `{"model":"`+sonnet+`","messages":["x"]}`))
	wantStatus(t, got, http.StatusOK) // it has limits of its own
	if n, _ := got.json(t)["input_tokens"].(float64); n < 1 || got.header.Get("Anthropic-Ratelimit-Unified-5h-Status") != "rejected" {
		t.Errorf("count_tokens: %s %v", got.body, got.header)
	}
	got = do(t, call(t, s, http.MethodGet, simulator.PathModels+"?limit=1000", token, ""))
	wantStatus(t, got, http.StatusOK)
	if list, _ := got.json(t)["data"].([]any); len(list) < 2 {
		t.Errorf("models: %s", got.body)
	}
	got = do(t, call(t, s, http.MethodGet, simulator.PathProfile, token, ""))
	wantStatus(t, got, http.StatusOK)
	account, _ := got.json(t)["account"].(map[string]any)
	organization, _ := got.json(t)["organization"].(map[string]any)
	if account["email"] != "max@example.org" || account["has_claude_max"] != true ||
		organization["organization_type"] != "claude_max" || organization["rate_limit_tier"] != "default_claude_max_20x" {
		t.Errorf("profile: %s", got.body)
	}
}

func TestAPlaceWantsItsScope(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	granted := func(scope string) string {
		redirect, err := s.Authorize(authorizeURL(s, loopback, map[string]string{"scope": scope}), "ada")
		if err != nil {
			t.Fatal(err)
		}
		code, _, _ := strings.Cut(strings.TrimPrefix(redirect, loopback+"?code="), "&")
		return post(t, s, exchange(code)).tokens(t).Access
	}
	got := do(t, call(t, s, http.MethodGet, simulator.PathUsage, granted("user:inference"), ""))
	wantStatus(t, got, http.StatusForbidden)
	if got.message(t) != "OAuth token does not meet scope requirement user:profile" {
		t.Errorf("body = %s", got.body)
	}
	wantStatus(t, say(t, s, granted("user:profile"), sonnet), http.StatusForbidden)
}

func TestWhatMayNeverArriveIsCounted(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	token := login(t, s, "ada").Access
	for name, test := range map[string]struct {
		header, value string
		violation     simulator.Violation
	}{
		"local key":         {"X-Custom", "omx_abc.def", simulator.SawLocalKey},
		"cookie":            {"Cookie", "a=b", simulator.SawCookie},
		"another provider":  {"OpenAI-Organization", "org-1", simulator.SawForeign},
		"oauthmux's own":    {"Oauthmux-Account", "a", simulator.SawForeign},
		"forwarded":         {"X-Forwarded-For", "127.0.0.1", simulator.SawForwarded},
		"forwarded by name": {"Forwarded", "for=127.0.0.1", simulator.SawForwarded},
		"proxy":             {"Proxy-Authorization", "Basic x", simulator.SawForwarded},
	} {
		before := s.Counts().Violations[test.violation]
		r := call(t, s, http.MethodPost, simulator.PathMessages, token, prompt(sonnet, false))
		r.Header.Set(test.header, test.value)
		wantStatus(t, do(t, r), http.StatusOK)
		if got := s.Counts().Violations[test.violation] - before; got != 1 {
			t.Errorf("%s: counted %d times", name, got)
		}
	}
	wantStatus(t, do(t, call(t, s, http.MethodPost, simulator.PathMessages+"?key=omx_abc", token, prompt(sonnet, false))), http.StatusOK)
	wantStatus(t, do(t, call(t, s, http.MethodPost, "/v1/complete", token, "{}")), http.StatusNotFound)
	wantStatus(t, do(t, call(t, s, http.MethodGet, simulator.PathMessages, token, "")), http.StatusMethodNotAllowed)
	elsewhere := call(t, s, http.MethodPost, simulator.PathMessages, token, prompt(sonnet, false))
	elsewhere.Host = "api.example.org"
	wantStatus(t, do(t, elsewhere), http.StatusMisdirectedRequest)
	wantViolations(t, s, map[simulator.Violation]int{
		simulator.SawLocalKey: 2, simulator.SawCookie: 1, simulator.SawForeign: 2, simulator.SawForwarded: 3,
		simulator.UnknownPlace: 1, simulator.BadRequest: 1, simulator.WrongHost: 1,
	})
}

func TestTwoAnswersForOneMarkerAreADuplicate(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	token := login(t, s, "ada").Access
	marked := func(marker string) reply {
		r := call(t, s, http.MethodPost, simulator.PathMessages, token, prompt(sonnet, false))
		r.Header.Set(simulator.MarkerHeader, marker)
		return do(t, r)
	}
	first := marked("a1")
	wantStatus(t, marked("a2"), http.StatusOK)
	s.Inject(simulator.Fault{Kind: simulator.Overloaded})
	wantStatus(t, marked("a3"), 529)
	wantStatus(t, marked("a3"), http.StatusOK) // a refusal generated nothing
	wantViolations(t, s, map[simulator.Violation]int{})
	second := marked("a1")
	if string(first.body) != string(second.body) {
		t.Errorf("one marker, two answers: %s and %s", first.body, second.body)
	}
	s.Inject(simulator.Fault{Kind: simulator.CutBefore})
	marked("a4")
	wantStatus(t, marked("a4"), http.StatusOK) // for all its client knew, the first was generated
	wantViolations(t, s, map[simulator.Violation]int{simulator.Duplicate: 2})
}
