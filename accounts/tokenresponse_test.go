package accounts

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/vault"
)

var receivedAt = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

func TestExpiresIn(t *testing.T) {
	for wire, want := range map[string]time.Duration{
		`28800`:     8 * time.Hour,
		`"3600"`:    time.Hour,
		`3600.5`:    time.Hour + 500*time.Millisecond,
		`" 60 "`:    time.Minute,
		`2`:         2 * time.Second,
		`0`:         defaultTokenLife,
		`-1`:        defaultTokenLife,
		`null`:      defaultTokenLife,
		`""`:        defaultTokenLife,
		`"soon"`:    defaultTokenLife,
		`"NaN"`:     defaultTokenLife,
		`"Inf"`:     defaultTokenLife,
		`"-Inf"`:    defaultTokenLife,
		`{}`:        defaultTokenLife,
		`[1]`:       defaultTokenLife,
		`true`:      defaultTokenLife,
		`1e18`:      longestTokenLife,
		`1e400`:     longestTokenLife,
		`31536000`:  longestTokenLife,
		`"1e18"`:    longestTokenLife,
		`2592000`:   longestTokenLife,
		`2591999.5`: longestTokenLife - 500*time.Millisecond,
	} {
		got, err := parseTokenResponse([]byte(`{"access_token":"a","expires_in":`+wire+`}`), receivedAt)
		if err != nil || got.Expiry.Sub(receivedAt) != want {
			t.Errorf("expires_in %s is %s, %v; want %s", wire, got.Expiry.Sub(receivedAt), err, want)
		}
	}
	got, err := parseTokenResponse([]byte(`{"access_token":"a"}`), receivedAt)
	if err != nil || got.Expiry.Sub(receivedAt) != defaultTokenLife {
		t.Errorf("without expires_in the token lives %s, %v", got.Expiry.Sub(receivedAt), err)
	}
}

func TestTokenResponse(t *testing.T) {
	for wire, want := range map[string]Token{
		`{"access_token":"a","refresh_token":"r","token_type":"Bearer","scope":"x y","id_token":"i"}`: {AccessToken: "a", RefreshToken: "r", IDToken: "i", Scope: "x y"},
		`{"access_token":"a","token_type":"bearer"}`:                                                  {AccessToken: "a"},
		`{"access_token":"a","token_type":"","refresh_token":""}`:                                     {AccessToken: "a"},
		`{"access_token":"a","token_type":null,"refresh_token":null,"scope":null}`:                    {AccessToken: "a"},
		`{"access_token":"a","scope":["x"],"id_token":7,"account":7,"extra":{"b":[1]}}`:               {AccessToken: "a"},
		"\xef\xbb\xbf {\"access_token\":\"a\"}\n":                                                     {AccessToken: "a"},
		`{"access_token":"a","refresh_token":"` + strings.Repeat("r", 64<<10) + `"}`:                  {AccessToken: "a", RefreshToken: Secret(strings.Repeat("r", 64<<10))},
	} {
		got, err := parseTokenResponse([]byte(wire), receivedAt)
		want.TokenType, want.ReceivedAt, want.Expiry = "Bearer", receivedAt, receivedAt.Add(defaultTokenLife)
		if err != nil || got != want {
			t.Errorf("%.80s is not read as it should be: %v", wire, err)
		}
		if refresh, granted := looksGranted([]byte(wire)); !granted || refresh != want.RefreshToken.Reveal() {
			t.Errorf("%.80s does not look granted", wire)
		}
	}
}

func TestTokenResponsesThatCannotBeUsed(t *testing.T) {
	for wire, kept := range map[string]bool{ // whether it must be kept: there may be a token in it
		``:                                   false,
		`null`:                               false,
		`[]`:                                 false,
		`"access_token"`:                     true,
		`<html>sign in to the hotel</html>`:  false,
		`{}`:                                 false,
		`{"error":"invalid_grant"}`:          false,
		`{"access_token":null,"error":"x"}`:  false,
		`{"access_token":""}`:                true,
		`{"access_token":7}`:                 true,
		`{"access_token":["a"]}`:             true,
		`{"access_token":"a b"}`:             true,
		`{"access_token":"a\r\nX-Other: 1"}`: true,
		`{"access_token":"é"}`:               true,
		`{"access_token":"a","token_type":"mac"}`:                                              true,
		`{"access_token":"a","token_type":"DPoP"}`:                                             true,
		`{"access_token":"a","refresh_token":7}`:                                               true,
		`{"access_token":"a","refresh_token":{}}`:                                              true,
		`{"access_token":"a","refresh_token":"r\n"}`:                                           true,
		`{"refresh_token":"r"}`:                                                                true,
		`{"access_token":"a","refresh_token":"r"`:                                              true,
		`{"access_token":"` + strings.Repeat("a", longestToken+1) + `"}`:                       true,
		`{"access_token":"a","x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`: true,
	} {
		_, err := parseTokenResponse([]byte(wire), receivedAt)
		if _, ok := errors.AsType[*UnreadableError](err); !ok || !errors.Is(err, vault.ErrUnreadable) {
			t.Errorf("%.60s: %v, want unreadable", wire, err)
		}
		if _, granted := looksGranted([]byte(wire)); granted != kept {
			t.Errorf("%.60s looks granted: %v, want %v", wire, granted, kept)
		}
	}
}

func TestRefusals(t *testing.T) {
	for body, want := range map[string]TokenError{
		`{"error":"invalid_grant","error_description":"Refresh token not found or invalid"}`:                                      {ErrorCode: "invalid_grant", ErrorDescription: "Refresh token not found or invalid"},
		`{"type":"error","error":{"type":"invalid_request_error","message":"Invalid request format"},"request_id":"req_example"}`: {ErrorCode: "invalid_request_error", ErrorDescription: "Invalid request format"},
		`{"error":{"type":"rate_limit_error","message":"Rate limited. Please try again later."}}`:                                 {ErrorCode: "rate_limit_error", ErrorDescription: "Rate limited. Please try again later."},
		`{"error":7}`:              {},
		`{"error":"a\u001b[31mb"}`: {},
		`{"error":"x","error_description":"a\u001b]8;;evil\u0007b\u202ec\nd"}`:  {ErrorCode: "x", ErrorDescription: "a]8;;evilbcd"},
		`{"error":"x","error_description":"` + strings.Repeat("y", 1000) + `"}`: {ErrorCode: "x", ErrorDescription: strings.Repeat("y", 200)},
		`{"error":"x","error_description":{"a":1}}`:                             {ErrorCode: "x"},
		`<html>`: {},
		``:       {},
		`{"error":"x","error_description":"you sent s3cret-refresh-token"}`: {ErrorCode: "x"},
		`{"error":"x","error_description":"you sent cret-refresh-"}`:        {ErrorCode: "x"},
		`{"error":"s3cret-refresh-token"}`:                                  {},
	} {
		want.StatusCode = 400
		got := readRefusal(400, http.Header{}, []byte(body), receivedAt, []string{"s3cret-refresh-token", ""})
		if *got != want {
			t.Errorf("%.80s is read as %+v, want %+v", body, *got, want)
		}
	}
	for field, want := range map[string]time.Duration{"": 0, "3": 3 * time.Second, "0": time.Second, "1000000": time.Hour, "soon": 0, "Mon, 04 May 2026 03:02:11 GMT": 10 * time.Second} {
		h := http.Header{}
		if field != "" {
			h.Set("Retry-After", field)
		}
		if got := readRefusal(429, h, nil, receivedAt, nil); got.RetryAfter != want || !got.Temporary() {
			t.Errorf("Retry-After %q is %s, want %s", field, got.RetryAfter, want)
		}
	}
}

func FuzzTokenResponse(f *testing.F) {
	for _, seed := range []string{
		`{"token_type":"Bearer","access_token":"a","refresh_token":"r","expires_in":28800,"scope":"x","account":{"uuid":"1"},"organization":{"uuid":"2"}}`,
		`{"access_token":"a"}`, `{"access_token":"a","expires_in":"3600"}`, `{"access_token":"a","expires_in":3600.5}`, `{"access_token":"a","expires_in":-1}`,
		`{"access_token":"a","expires_in":0}`, `{"access_token":"a","expires_in":1e18}`, `{"access_token":"a","expires_in":1e999}`, `{"access_token":"a","expires_in":NaN}`,
		`{"access_token":"a","expires_in":"NaN"}`, `{"access_token":"a","expires_in":"0x10p5"}`, `{"access_token":"a","expires_in":null}`, `{"access_token":"a","expires_in":"1_000"}`,
		`{"access_token":"a","refresh_token":""}`, `{"access_token":"a","refresh_token":null}`, `{"access_token":"a","refresh_token":7}`, `{"access_token":"a","refresh_token":"r\n"}`,
		`{"access_token":"a","refresh_token":"\u0000"}`, `{"access_token":"a","refresh_token":"\ud800"}`, `{"refresh_token":"r"}`, `{"access_token":"","refresh_token":"r"}`,
		`{"access_token":"a b"}`, `{"access_token":"a\r\nb"}`, `{"access_token":"é"}`, `{"access_token":7}`, `{"access_token":null}`, `{"access_token":"a","token_type":"mac"}`,
		`{"access_token":"a","token_type":7}`, `{"access_token":"a","access_token":"b"}`, `{"error":"invalid_grant"}`, `{"error":{"type":"x","message":"y"}}`, `{"error":"x","access_token":"a"}`,
		`<html></html>`, ``, `null`, `[]`, `{}`, `"x"`, `{"access_token":"a"`, `{"access_token":"a"}}`, "\xef\xbb\xbf{\"access_token\":\"a\"}", "\xff\xfe{", `{"a":{"b":{"c":{}}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := string(raw)
		token, err := parseTokenResponse(raw, receivedAt)
		refresh, granted := looksGranted(raw)
		record := vault.Record{Generation: 3, RefreshToken: "old"}
		next, ok := grantedRecord(Account{}, &Provider{}, record, tokenAnswer{status: 200, body: raw, at: receivedAt})
		switch {
		case string(raw) != before:
			t.Fatal("the answer was changed")
		case ok != granted, err == nil && !granted:
			t.Fatalf("%q: granted %v, kept %v, %v", raw, granted, ok, err)
		case ok && (next.Generation != 4 || next.RefreshToken == "" || string(next.Raw) != before):
			t.Fatalf("%q becomes generation %d with %d bytes", raw, next.Generation, len(next.Raw))
		}
		_ = readRefusal(400, http.Header{}, raw, receivedAt, []string{refresh})
		if err != nil {
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
				t.Fatalf("the error %q", err)
			}
			return
		}
		life := token.Expiry.Sub(receivedAt)
		if !headerSafe(token.AccessToken.Reveal()) || token.AccessToken == "" || life <= 0 && life != 0 || life > longestTokenLife {
			t.Fatalf("%q is a token that lives %s", raw, life)
		}
		if strings.ContainsAny(token.RefreshToken.Reveal(), "\r\n\x00") {
			t.Fatalf("%q has a refresh token with a line break", raw)
		}
	})
}

// FuzzRefusal: a server may repeat what it was sent, in whatever words; no
// recognisable part of a secret is among those that are kept.
func FuzzRefusal(f *testing.F) {
	const secret = "s3cret-refresh-token_of.this/account+0123456789"
	for n := range 20 {
		part := secret[n:min(n+8+n%8, len(secret))]
		f.Add([]byte(`{"error":"invalid_grant","error_description":"` + part + ` is not known"}`))
		f.Add([]byte(`{"error":{"type":"` + part + `","message":"you sent ` + part[:4] + `\u200b` + part[4:] + `"}}`))
	}
	for _, seed := range []string{
		`{"error":"` + secret + `"}`, `{"error_description":"` + secret + `"}`, `{"error":{"message":"\u0073\u0033cret-refresh-token"}}`, `{"error":"x","error_description":"` + strings.Repeat("y", 190) + secret + `"}`,
		`{"error":"x","Error_Description":"` + secret + `"}`, `{"error":"x","error_description":"S3CRET-REFRESH-TOKEN"}`, `{"error":["` + secret + `"]}`, secret, `"` + secret + `"`, ``, `{`, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		te := readRefusal(400, http.Header{}, body, receivedAt, []string{secret, "short"})
		for _, text := range []string{te.ErrorCode, te.ErrorDescription, te.Error()} {
			for i := 0; i+12 <= len(text); i++ {
				if strings.Contains(secret, text[i:i+12]) {
					t.Fatalf("%q keeps %q of the secret", body, text[i:i+12])
				}
			}
			if strings.Contains(text, "short") || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Fatalf("%q is read as %q", body, text)
			}
		}
	})
}
