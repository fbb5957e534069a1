package chromium

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/relogin"
)

func testPlaces() places {
	return placesOf(relogin.Visit{
		Redirects: []string{"https://platform.claude.com/oauth/code/callback", "http://localhost:1455/auth/callback", "https://bare.example"},
		Hosts:     []string{"claude.ai", "Accounts.example:443", "127.0.0.1:8080", "localhost", "plain.example"},
		Consent:   []string{"claude.ai"},
	})
}

func TestWhereAVisitMayGo(t *testing.T) {
	p := testPlaces()
	cases := map[string]string{ // what each address is: an end, or whether pages may be there and may grant
		"https://platform.claude.com/oauth/code/callback?code=x":      "end",
		"https://Platform.Claude.com:443/oauth/code/callback":         "end",
		"http://localhost:1455/auth/callback?error=access_denied#_":   "end",
		"https://bare.example/?code=x":                                "end",
		"https://platform.claude.com/oauth/code/callback/":            "no",
		"https://platform.claude.com/oauth/code/callback/../callback": "no",
		"http://platform.claude.com/oauth/code/callback":              "no",
		"https://platform.claude.com:8443/oauth/code/callback":        "no",
		"https://u@platform.claude.com/oauth/code/callback":           "no",
		"https://localhost:1455/auth/callback":                        "no",

		"https://claude.ai/oauth/authorize?x":     "grants",
		"https://CLAUDE.AI:443/":                  "grants",
		"https://accounts.example/":               "allowed",
		"http://127.0.0.1:8080/":                  "allowed",
		"http://localhost/":                       "allowed",
		"http://claude.ai/":                       "no",
		"http://plain.example/":                   "no",
		"https://claude.ai:444/":                  "no",
		"https://claude.ai.evil.example/":         "no",
		"https://evil.example/claude.ai":          "no",
		"https://claude.ai@evil.example/":         "no",
		"https://www.claude.ai/":                  "no",
		"http://127.0.0.1:8081/":                  "no",
		"ftp://claude.ai/":                        "no",
		"blob:https://claude.ai/7":                "no",
		"data:text/html,x":                        "no",
		"javascript:alert(1)":                     "no",
		"about:blank":                             "no",
		"file:///etc/passwd":                      "no",
		"chrome://settings":                       "no",
		"https:///path":                           "no",
		"https://claude.ai%2eevil.example/":       "no",
		"view-source:https://claude.ai/":          "no",
		"filesystem:https://claude.ai/temporary/": "no",
	}
	for address, want := range cases {
		got := "no"
		u, err := url.Parse(address)
		switch {
		case err != nil:
		case p.ends(u):
			got = "end"
		case p.grants(u):
			got = "grants"
		case p.allows(u):
			got = "allowed"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

func FuzzPlaces(f *testing.F) {
	f.Add("https://claude.ai/oauth/authorize?code=secret")
	f.Add("https://x\u202e.example:1/?secret")
	f.Add("weird:secret")
	p := testPlaces()
	f.Fuzz(func(t *testing.T, address string) {
		u, err := url.Parse(address)
		if err != nil {
			return
		}
		if p.allows(u) && u.Scheme != "https" && !loopback(u.Hostname()) {
			t.Errorf("%q may be gone to", address)
		}
		name := place(u)
		if !utf8.ValidString(name) || len([]rune(name)) > 100 || strings.ContainsAny(name, "\n\r\x1b?") {
			t.Errorf("the place of %q is called %q", address, name)
		}
	})
}

func TestJudgeGrantsNowhereElse(t *testing.T) {
	known, err := compile(recipes())
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]accounts.PageKind{
		"https://claude.ai/oauth/authorize":        accounts.PageConsent,
		"https://accounts.example/oauth/authorize": accounts.PageUnknown,
		"http://localhost/oauth/authorize":         accounts.PageUnknown,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		s := &sight{url: u, Selectors: make([]bool, len(known)), Labels: make([][]string, len(known))}
		s.Labels[len(known)-1] = []string{"Deny", "Authorize", "Authorize all"}
		j := judge(s, known, testPlaces())
		if j.kind != want || want == accounts.PageConsent && !slices.Equal(j.labels, []string{"Authorize"}) {
			t.Errorf("%s is taken for %q with %q, want %q", address, j.kind, j.labels, want)
		}
	}
}

func TestARecipeThatIsNoneIsRefused(t *testing.T) {
	_, err := new(Driver).Open(t.Context(), relogin.Visit{Recipes: []accounts.PageRecipe{{Kind: accounts.PageSignIn, Title: "("}}})
	if err == nil {
		t.Error("a recipe that is no expression was taken")
	}
	if holds(recipe{}, &sight{url: new(url.URL)}, true, false) {
		t.Error("a recipe that asks for nothing holds")
	}
}

func TestFlagsKeepWhatProtects(t *testing.T) {
	v := relogin.Visit{Profile: "/p", URL: "https://claude.ai/?secret", Proxy: "http://me:secret@proxy.example:8080"}
	got := append(flags(v), linuxFlags(v, 1000)...)
	for _, flag := range got {
		for _, bad := range []string{
			"secret", "claude.ai", "disable-site-isolation", "disable-web-security", "ignore-certificate", "remote-debugging",
			"mock-keychain", "password-store", "enable-automation", "user-agent", "load-extension", "remote-allow-origins",
		} {
			if strings.Contains(flag, bad) {
				t.Errorf("there is a flag %s", flag)
			}
		}
	}
	for _, want := range []string{"--user-data-dir=/p", "--headless=new", "--no-startup-window", "--proxy-server=http://proxy.example:8080"} {
		if !slices.Contains(got, want) {
			t.Errorf("there is no flag %s", want)
		}
	}
	if slices.Contains(linuxFlags(v, 1000), "--no-sandbox") || !slices.Contains(linuxFlags(v, 0), "--no-sandbox") {
		t.Error("the sandbox is left out for others than root, or not for root")
	}
	for proxy, want := range map[string]string{
		"": "", "none": "--no-proxy-server", "socks5://127.0.0.1:9": "--proxy-server=socks5://127.0.0.1:9",
		"me:secret@proxy.example:1": "--proxy-server=proxy.example:1", "http://me:se%zz@proxy.example:1": "--proxy-server=proxy.example:1",
	} {
		if got := strings.Join(proxyFlags(proxy), " "); got != want {
			t.Errorf("the flags for the proxy %q are %q, want %q", proxy, got, want)
		}
	}
}
