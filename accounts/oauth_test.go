package accounts

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func TestTheAuthorizationURL(t *testing.T) {
	h := newHome(t, simulator.Options{})
	seen := map[string]bool{}
	for range 3 {
		flow, err := h.logins.Start(t.Context(), simulated, LoginPaste, "")
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(flow.URL)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		for _, name := range []string{"state", "code_challenge"} {
			if len(q.Get(name)) != 43 || seen[q.Get(name)] {
				t.Errorf("%s is %q", name, q.Get(name))
			}
			seen[q.Get(name)] = true
		}
		if q.Get("code") != "true" || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("client_id") != simulator.ClientID ||
			q.Get("redirect_uri") != simulator.HostedCallback || !strings.Contains(q.Get("scope"), "user:inference") {
			t.Errorf("the parameters are %v", q)
		}
	}
	if got := codeChallenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"); got != "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" { // RFC 7636, appendix B
		t.Errorf("the challenge is %s", got)
	}
}

func TestTokenRequests(t *testing.T) {
	o := OAuth{ClientID: "client", TokenURL: "https://host.example/token", Encoding: EncodingJSON}
	read := func(o OAuth, g grantRequest) (map[string]string, http.Header) {
		r, body, err := g.httpRequest(t.Context(), o, "oauthmux/test", nil)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(body)
		if err != nil || int64(len(raw)) != r.ContentLength || r.GetBody != nil || !r.Close || r.Header.Get("Idempotency-Key") != "" {
			t.Errorf("the request is %+v, %v", r, err)
		}
		fields := map[string]string{}
		if o.Encoding == EncodingForm {
			form, err := url.ParseQuery(string(raw))
			if err != nil {
				t.Fatal(err)
			}
			for name := range form {
				fields[name] = form.Get(name)
			}
		} else if err := json.Unmarshal(raw, &fields); err != nil {
			t.Fatal(err)
		}
		return fields, r.Header
	}
	odd := `a+b/c=&<é>"#`
	for _, encoding := range []string{EncodingJSON, EncodingForm} {
		o.Encoding = encoding
		fields, header := read(o, refreshRequest(o, odd))
		if len(fields) != 3 || fields["grant_type"] != "refresh_token" || fields["refresh_token"] != odd || fields["client_id"] != "client" {
			t.Errorf("%s: %v", encoding, fields)
		}
		if !strings.Contains(header.Get("Content-Type"), encoding) || header.Get("Accept") != "application/json" || header.Get("User-Agent") != "oauthmux/test" {
			t.Errorf("%s: %v", encoding, header)
		}
		fields, _ = read(o, codeRequest(o, odd, "https://x/cb?y=1", "st", "ver"))
		if len(fields) != 5 || fields["grant_type"] != "authorization_code" || fields["code"] != odd || fields["redirect_uri"] != "https://x/cb?y=1" || fields["code_verifier"] != "ver" {
			t.Errorf("%s: %v", encoding, fields)
		}
	}
	o.StateInExchange = true
	if fields, _ := read(o, codeRequest(o, "c", "r", "st", "ver")); fields["state"] != "st" {
		t.Errorf("with state: %v", fields)
	}
}
