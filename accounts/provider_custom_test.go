package accounts

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func customProvider(t *testing.T, change func(*Settings)) *Provider {
	t.Helper()
	s := mycorp()
	change(&s)
	set, err := NewSet(map[ProviderID]Settings{"mycorp": s})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := set.Get("mycorp")
	return p
}

func TestCustomIdentity(t *testing.T) {
	token := func(claims string) string {
		return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	}
	p := customProvider(t, func(*Settings) {})
	for _, tt := range []struct {
		name, idToken string
		want          Identity
	}{
		{"who it is", token(`{"sub":"u-1","email":"me@mycorp.example","iss":"https://login.mycorp.example"}`), Identity{Key: "u-1", Email: "me@mycorp.example"}},
		{"no e-mail", token(`{"sub":"u-1"}`), Identity{Key: "u-1"}},
		{"with padding", "e30." + base64.URLEncoding.EncodeToString([]byte(`{"sub":"u-12"}`)) + ".", Identity{Key: "u-12"}},
		{"no sub", token(`{"email":"me@mycorp.example"}`), Identity{Email: "me@mycorp.example"}},
		{"a sub that is a number", token(`{"sub":5,"email":"me@mycorp.example"}`), Identity{Email: "me@mycorp.example"}},
		{"a sub too long to keep", token(`{"sub":"` + strings.Repeat("x", 300) + `"}`), Identity{}},
		{"not signed", "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"u-1"}`)), Identity{}},
		{"not base64", "a.*.c", Identity{}},
		{"not claims", token(`[]`), Identity{}},
		{"opaque", "opaque", Identity{}},
		{"none", "", Identity{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw, err := json.Marshal(map[string]string{"access_token": "x", "id_token": tt.idToken})
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Identity(raw); got != tt.want {
				t.Errorf("Identity = %+v, want %+v", got, tt.want)
			}
		})
	}
	if got := p.Identity([]byte("<html>")); got != (Identity{}) {
		t.Errorf("Identity of a page = %+v", got)
	}
}

func TestCustomProfile(t *testing.T) {
	status := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/me" || r.Header.Get("Authorization") != "Bearer sk-ant-oat01-EXAMPLE" {
			t.Errorf("asked %s with %q", r.URL.Path, r.Header.Get("Authorization"))
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"sub":"u-1","email":"me@mycorp.example"}`))
	}))
	defer srv.Close()
	p := customProvider(t, func(s *Settings) { s.UserinfoURL = srv.URL + "/me" })
	got, err := p.Profile(t.Context(), http.DefaultClient, testToken)
	if want := (Identity{Key: "u-1", Email: "me@mycorp.example"}); err != nil || got != want {
		t.Errorf("Profile = %+v, %v, want %+v", got, err, want)
	}
	status = http.StatusInternalServerError
	if got, err := p.Profile(t.Context(), http.DefaultClient, testToken); err == nil || got != (Identity{}) {
		t.Errorf("Profile = %+v, %v, want an error", got, err)
	}
}

func TestCustomAbilities(t *testing.T) {
	p := customProvider(t, func(s *Settings) { s.UserinfoURL = "" })
	if p.Profile != nil || p.Revoke != nil || p.Usage != nil || p.Ping != nil || p.Windows != nil {
		t.Error("it claims an ability that nothing was said of")
	}
	var form url.Values
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ = url.ParseQuery(string(body))
	}))
	defer srv.Close()
	p = customProvider(t, func(s *Settings) { s.RevokeURL = srv.URL + "/revoke" })
	if err := p.Revoke(t.Context(), http.DefaultClient, testToken); err != nil {
		t.Fatal(err)
	}
	if got, want := form.Encode(), "client_id=oauthmux&token=sk-ant-ort01-EXAMPLE&token_type_hint=refresh_token"; got != want {
		t.Errorf("form = %s, want %s", got, want)
	}
}

func TestCustomAuthorize(t *testing.T) {
	p := customProvider(t, func(*Settings) {})
	for address, want := range map[string]string{
		"https://api.mycorp.example/v1/things":   "Bearer sk-ant-oat01-EXAMPLE",
		"https://login.mycorp.example/v1/things": "",
	} {
		r, err := http.NewRequest(http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer omx_local")
		p.Authorize(r, Account{}, testToken)
		if got := r.Header.Get("Authorization"); got != want {
			t.Errorf("%s gets %q, want %q", address, got, want)
		}
	}
}

func TestCustomJudge(t *testing.T) {
	p := customProvider(t, func(*Settings) {})
	in := anthropicNow.Add
	for _, tt := range []struct {
		status     int
		retryAfter string
		want       Verdict
	}{
		{200, "", Verdict{}},
		{400, "", Verdict{}},
		{500, "", Verdict{}},
		{503, "5", Verdict{}},
		{401, "", Verdict{Kind: Unauthorized, Evidence: "401"}},
		{403, "", Verdict{Kind: Forbidden, Evidence: "403"}},
		{429, "", Verdict{Kind: Throttled, Evidence: "throttled (429)"}},
		{429, "soon", Verdict{Kind: Throttled, Evidence: "throttled (429)"}},
		{429, "0", Verdict{Kind: Throttled, Until: in(time.Second), Evidence: "throttled (429)"}},
		{429, "60", Verdict{Kind: Throttled, Until: in(time.Minute), Evidence: "throttled (429)"}},
		{429, "7200", Verdict{Kind: Limited, Until: in(2 * time.Hour), Evidence: "limit reached (429)"}},
		{429, "31536000", Verdict{Kind: Limited, Until: in(8 * 24 * time.Hour), Evidence: "limit reached (429)"}},
	} {
		h := http.Header{}
		if tt.retryAfter != "" {
			h.Set("Retry-After", tt.retryAfter)
		}
		if got := p.Judge(&http.Response{StatusCode: tt.status, Header: h}, nil, anthropicNow); got != tt.want {
			t.Errorf("%d, Retry-After %q: %+v, want %+v", tt.status, tt.retryAfter, got, tt.want)
		}
	}
}

func TestCustomErrorBody(t *testing.T) {
	p := customProvider(t, func(*Settings) {})
	if got, want := string(p.ErrorBody(429, `all "cooling"`)), `{"error":{"code":429,"message":"all \"cooling\""}}`; got != want {
		t.Errorf("ErrorBody = %s, want %s", got, want)
	}
}
