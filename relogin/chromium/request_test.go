package chromium

import (
	"net/url"
	"testing"
)

const request = "https://claude.ai/oauth/authorize?client_id=me&state=s1&redirect_uri=https%3A%2F%2Fr.example%2Fcb&code_challenge=c1&scope=x"

func TestAPageAsksAboutOurRequestOnly(t *testing.T) {
	a := authorizationOf(request)
	for address, want := range map[string]bool{
		request: true,
		"https://claude.ai/oauth/authorize?client_id=me&state=s1":                        true,
		"https://claude.ai/oauth/authorize?client_id=me&state=s1&org=7":                  true,
		"https://claude.ai/oauth/authorize?client_id=me":                                 false,
		"https://claude.ai/oauth/authorize?state=s1":                                     false,
		"https://claude.ai/oauth/authorize":                                              false,
		"https://claude.ai/oauth/authorize?client_id=evil&state=s1":                      false,
		"https://claude.ai/oauth/authorize?client_id=me&state=s2":                        false,
		"https://claude.ai/oauth/authorize?client_id=me&state=s1&redirect_uri=x":         false,
		"https://claude.ai/oauth/authorize?client_id=me&state=s1&code_challenge=":        false,
		"https://claude.ai/oauth/authorize?client_id=me&state=s1&state=s1":               false,
		"https://claude.ai/oauth/authorize?client_id=me&client_id=evil&state=s1":         false,
		"https://claude.ai/oauth/authorize?client_id=me&state=s1&state=%zz":              false,
		"https://claude.ai/consent":                                                      true,
		"https://claude.ai/consent?ticket=7":                                             true,
		"https://claude.ai/consent?client_id=me":                                         true,
		"https://claude.ai/consent?client_id=evil":                                       false,
		"https://claude.ai/consent?redirect_uri=https://evil.example":                    false,
		"https://claude.ai/consent?redirect_uri=https%3A%2F%2Fr.example%2Fcb&state=s1":   true,
		"https://claude.ai/consent?client_id=me&state=s1;redirect_uri=https://evil.test": false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.asks(u); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}

func TestT17_ARedirectAnswersOurRequestOnly(t *testing.T) {
	a := authorizationOf(request)
	for address, want := range map[string]bool{
		"https://r.example/cb?code=c&state=s1":              true,
		"https://r.example/cb?error=access_denied&state=s1": true,
		"https://r.example/cb?code=c":                       false,
		"https://r.example/cb":                              false,
		"https://r.example/cb?code=c&state=":                false,
		"https://r.example/cb?code=c&state=s2":              false,
		"https://r.example/cb?code=c&state=s1&state=s2":     false,
		"https://r.example/cb?error=access_denied":          false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.answers(u); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}
