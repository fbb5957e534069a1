package accounts

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// mycorp is the own provider of DESIGN 6.
func mycorp() Settings {
	return Settings{
		Name:          "My Corp",
		AuthorizeURL:  "https://login.mycorp.example/authorize",
		TokenURL:      "https://login.mycorp.example/token",
		TokenEncoding: "form",
		UserinfoURL:   "https://login.mycorp.example/me",
		ClientID:      "oauthmux",
		Scopes:        []string{"openid", "offline_access"},
		Redirect:      "loopback",
		Upstream:      "https://api.mycorp.example",
		Paths:         []string{"/v1/"},
		Env:           EnvSettings{BaseURL: "MYCORP_BASE_URL", Token: "MYCORP_TOKEN"},
	}
}

func TestNewSetWithoutSettings(t *testing.T) {
	set, err := NewSet(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := set.Get("anthropic")
	if !ok || p.Name != "Anthropic" || len(p.Overrides) > 0 {
		t.Errorf("Get = %+v, %v", p, ok)
	}
	if _, ok := set.Get("mycorp"); ok {
		t.Error("a provider nobody named is there")
	}
}

func TestNewSetWithAnOwnProvider(t *testing.T) {
	set, err := NewSet(map[ProviderID]Settings{"mycorp": mycorp(), "acme": func() Settings { s := mycorp(); s.Name = ""; return s }()})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range set.All() {
		names = append(names, p.Name)
	}
	if want := []string{"Anthropic", "My Corp", "acme"}; !slices.Equal(names, want) {
		t.Errorf("All = %q, want %q", names, want)
	}
	p, _ := set.Get("mycorp")
	if want := (OAuth{
		ClientID: "oauthmux", AuthorizeURL: "https://login.mycorp.example/authorize", TokenURL: "https://login.mycorp.example/token",
		UserinfoURL: "https://login.mycorp.example/me", Encoding: EncodingForm, Scopes: []string{"openid", "offline_access"},
		LoopbackHost: "127.0.0.1", LoopbackPath: "/callback",
	}); !reflect.DeepEqual(p.OAuth, want) {
		t.Errorf("OAuth = %+v\nwant    %+v", p.OAuth, want)
	}
	if p.Upstream != "https://api.mycorp.example" || p.Env != (EnvNames{BaseURL: "MYCORP_BASE_URL", Token: "MYCORP_TOKEN"}) {
		t.Errorf("Upstream, Env = %q, %+v", p.Upstream, p.Env)
	}
	if !p.Allows("GET", "/v1/things") || p.Allows("GET", "/v2/things") || p.Allows("GET", "/v1") {
		t.Errorf("Paths = %+v", p.Paths)
	}
}

func TestSettingsOverrideABuiltInProvider(t *testing.T) {
	set, err := NewSet(map[ProviderID]Settings{"anthropic": {
		TokenURL: "http://127.0.0.1:9/token", TokenEncoding: "form", Upstream: "HTTP://LocalHost:80/", RedirectURL: "https://sso.example/code",
		Scopes: []string{"user:profile"}, Paths: []string{"POST /v1/messages"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := set.Get("anthropic")
	if want := []string{"token_url", "token_encoding", "redirect_url", "upstream", "scopes", "paths"}; !slices.Equal(p.Overrides, want) {
		t.Errorf("Overrides = %q, want %q", p.Overrides, want)
	}
	if p.OAuth.TokenURL != "http://127.0.0.1:9/token" || p.OAuth.Encoding != EncodingForm || p.Upstream != "http://localhost" {
		t.Errorf("TokenURL, Encoding, Upstream = %q, %q, %q", p.OAuth.TokenURL, p.OAuth.Encoding, p.Upstream)
	}
	if p.OAuth.RedirectURL != "https://sso.example/code" || !slices.Contains(p.OAuth.Callbacks, "https://sso.example/code") || len(p.OAuth.Callbacks) != 3 {
		t.Errorf("RedirectURL, Callbacks = %q, %q", p.OAuth.RedirectURL, p.OAuth.Callbacks)
	}
	if p.OAuth.ClientID == "" || p.OAuth.AuthorizeURL == "" || p.Name != "Anthropic" {
		t.Error("what was not set did not stay")
	}
	if p.Allows("GET", "/v1/models") {
		t.Error("a path that was not set is still allowed")
	}
	again, err := NewSet(nil)
	if err != nil {
		t.Fatal(err)
	}
	if other, _ := again.Get("anthropic"); other.OAuth.TokenURL == p.OAuth.TokenURL || len(other.Overrides) > 0 {
		t.Error("an override lives on in the next set")
	}
}

func TestSettingsRedirect(t *testing.T) {
	const page = "https://login.mycorp.example/code"
	for _, tt := range []struct {
		name, redirect, page string
		wantPage, wantHost   string
	}{
		{"neither", "", "", "", "127.0.0.1"},
		{"a page", "", page, page, "127.0.0.1"},
		{"loopback", "loopback", "", "", "127.0.0.1"},
		{"loopback although there is a page", "loopback", page, "", "127.0.0.1"},
		{"hosted", "hosted", page, page, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := mycorp()
			s.Redirect, s.RedirectURL = tt.redirect, tt.page
			set, err := NewSet(map[ProviderID]Settings{"mycorp": s})
			if err != nil {
				t.Fatal(err)
			}
			p, _ := set.Get("mycorp")
			if p.OAuth.RedirectURL != tt.wantPage || p.OAuth.LoopbackHost != tt.wantHost || slices.Contains(p.OAuth.Callbacks, page) != (tt.wantPage != "") {
				t.Errorf("OAuth = %+v", p.OAuth)
			}
		})
	}
}

func TestSettingsRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		id     ProviderID
		key    string
		change func(*Settings)
		says   string
	}{
		{"no scheme", "mycorp", "token_url", func(s *Settings) { s.TokenURL = "login.mycorp.example/token" }, "https"},
		{"plain http", "mycorp", "token_url", func(s *Settings) { s.TokenURL = "http://login.mycorp.example/token" }, "loopback"},
		{"plain http to this network", "mycorp", "authorize_url", func(s *Settings) { s.AuthorizeURL = "http://192.168.1.2/authorize" }, "loopback"},
		{"a name that only looks like loopback", "mycorp", "upstream", func(s *Settings) { s.Upstream = "http://localhost.evil.example" }, "loopback"},
		{"an address that only looks like loopback", "mycorp", "upstream", func(s *Settings) { s.Upstream = "http://127.0.0.1.evil.example" }, "loopback"},
		{"every address", "mycorp", "upstream", func(s *Settings) { s.Upstream = "http://0.0.0.0:1" }, "loopback"},
		{"another scheme", "mycorp", "userinfo_url", func(s *Settings) { s.UserinfoURL = "file:///etc/passwd" }, "https"},
		{"opaque", "mycorp", "token_url", func(s *Settings) { s.TokenURL = "https:login.mycorp.example" }, "https"},
		{"a password", "mycorp", "token_url", func(s *Settings) { s.TokenURL = "https://me:hunter2@login.mycorp.example/token" }, "password"},
		{"a fragment", "mycorp", "redirect_url", func(s *Settings) { s.RedirectURL = "https://login.mycorp.example/#code" }, "fragment"},
		{"an empty fragment", "mycorp", "revoke_url", func(s *Settings) { s.RevokeURL = "https://login.mycorp.example/#" }, "fragment"},
		{"a port too high", "mycorp", "token_url", func(s *Settings) { s.TokenURL = "https://login.mycorp.example:70000/" }, "port"},
		{"port zero", "mycorp", "token_url", func(s *Settings) { s.TokenURL = "https://login.mycorp.example:0/" }, "port"},
		{"control characters", "mycorp", "token_url", func(s *Settings) { s.TokenURL = "https://login.mycorp.example/\n" }, "address"},
		{"no host", "mycorp", "token_url", func(s *Settings) { s.TokenURL = "https:///token" }, "address"},
		{"an upstream with a path", "mycorp", "upstream", func(s *Settings) { s.Upstream = "https://api.mycorp.example/v1" }, "path"},
		{"an upstream with a query", "mycorp", "upstream", func(s *Settings) { s.Upstream = "https://api.mycorp.example?x" }, "path"},
		{"an encoding of its own", "mycorp", "token_encoding", func(s *Settings) { s.TokenEncoding = "xml" }, "json"},
		{"a redirect of its own", "mycorp", "redirect", func(s *Settings) { s.Redirect = "paste" }, "loopback"},
		{"hosted without a page", "mycorp", "redirect", func(s *Settings) { s.Redirect = "hosted" }, "redirect_url"},
		{"a scope of two words", "mycorp", "scopes", func(s *Settings) { s.Scopes = []string{"openid", "a b"} }, "scope"},
		{"an empty scope", "mycorp", "scopes", func(s *Settings) { s.Scopes = []string{""} }, "scope"},
		{"a client id in two lines", "mycorp", "client_id", func(s *Settings) { s.ClientID = "a\nb" }, "ASCII"},
		{"a name that paints", "mycorp", "name", func(s *Settings) { s.Name = "My\x1b[31mCorp" }, "ordinary"},
		{"a variable that is a command", "mycorp", "env.token", func(s *Settings) { s.Env.Token = "X;rm -rf ~" }, "variable"},
		{"a variable in two lines", "mycorp", "env.base_url", func(s *Settings) { s.Env.BaseURL = "X\n" }, "variable"},
		{"a path without its slash", "mycorp", "paths", func(s *Settings) { s.Paths = []string{"v1/"} }, "clean"},
		{"a path that climbs", "mycorp", "paths", func(s *Settings) { s.Paths = []string{"/v1/../"} }, "clean"},
		{"a path with a query", "mycorp", "paths", func(s *Settings) { s.Paths = []string{"/v1?x"} }, "clean"},
		{"a path with an escape", "mycorp", "paths", func(s *Settings) { s.Paths = []string{"/v1%2f"} }, "clean"},
		{"a method in small letters", "mycorp", "paths", func(s *Settings) { s.Paths = []string{"post /v1/"} }, "POST"},
		{"no authorize_url", "mycorp", "authorize_url", func(s *Settings) { s.AuthorizeURL = "" }, "needed"},
		{"no token_url", "mycorp", "token_url", func(s *Settings) { s.TokenURL = "" }, "needed"},
		{"no client_id", "mycorp", "client_id", func(s *Settings) { s.ClientID = "" }, "needed"},
		{"no upstream", "mycorp", "upstream", func(s *Settings) { s.Upstream = "" }, "needed"},
		{"no paths", "mycorp", "paths", func(s *Settings) { s.Paths = nil }, "needed"},
		{"a table's name with a slash", "my/corp", "", func(*Settings) {}, "name"},
		{"a table's name in capitals", "MyCorp", "", func(*Settings) {}, "name"},
		{"a table without a name", "", "", func(*Settings) {}, "name"},
		{"userinfo where nobody asks for it", "anthropic", "userinfo_url", func(s *Settings) { *s = Settings{UserinfoURL: "https://me.example"} }, "not use"},
		{"plain http for a built-in one", "anthropic", "upstream", func(s *Settings) { *s = Settings{Upstream: "http://api.example"} }, "loopback"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := mycorp()
			tt.change(&s)
			_, err := NewSet(map[ProviderID]Settings{tt.id: s})
			se, ok := errors.AsType[*SettingsError](err)
			if !ok {
				t.Fatalf("error = %v, want a *SettingsError", err)
			}
			if se.Provider != tt.id || se.Key != tt.key || !strings.Contains(se.Error(), tt.says) {
				t.Errorf("error = %q, want providers.%s.%s and %q", se, tt.id, tt.key, tt.says)
			}
			if strings.Contains(se.Error(), "hunter2") {
				t.Errorf("error %q repeats the value", se)
			}
		})
	}
}

func TestSettingsAccepted(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Settings)
	}{
		{"http on 127.0.0.1", func(s *Settings) { s.TokenURL = "http://127.0.0.1:8080/token" }},
		{"http on 127.8.8.8", func(s *Settings) { s.TokenURL = "http://127.8.8.8/token" }},
		{"http on [::1]", func(s *Settings) { s.Upstream = "http://[::1]:8080" }},
		{"http on localhost", func(s *Settings) { s.Upstream = "http://localhost:8080" }},
		{"a query on an endpoint", func(s *Settings) { s.AuthorizeURL = "https://login.mycorp.example/authorize?tenant=1" }},
		{"the root as path", func(s *Settings) { s.Paths = []string{"/"} }},
		{"no environment", func(s *Settings) { s.Env = EnvSettings{} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := mycorp()
			tt.change(&s)
			if _, err := NewSet(map[ProviderID]Settings{"mycorp": s}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPlainText(t *testing.T) {
	for _, tt := range []struct{ s, want string }{
		{"", ""},
		{"Ada", "Ada"},
		{" Ada Ä 日本 ", "Ada Ä 日本"},
		{"a\x1b[31mb", "a[31mb"},
		{"a\x00b\x7fc\u0085d", "abcd"},
		{"a\u202eb\u2066c\u200bd", "abcd"},
		{"a\nb\tc", "abc"},
		{"a\u2028b", "ab"},
		{"\xff\xfea", "a"},
		{strings.Repeat("ä", 150), strings.Repeat("ä", 100)},
		{"x" + strings.Repeat("ä", 150), "x" + strings.Repeat("ä", 99)},
	} {
		if got := plainText(tt.s); got != tt.want {
			t.Errorf("plainText(%q) = %q, want %q", tt.s, got, tt.want)
		}
	}
}

func TestIdentityKey(t *testing.T) {
	longest := strings.Repeat("x", 255)
	for _, tt := range []struct{ s, want string }{
		{"sub-1", "sub-1"},
		{"a\x1bb", ""},
		{" a", ""},
		{longest, longest},
		{longest + "x", ""},
	} {
		if got := identityKey(tt.s); got != tt.want {
			t.Errorf("identityKey(%q) = %q, want %q", tt.s, got, tt.want)
		}
	}
}
