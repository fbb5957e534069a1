package accounts

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// custom makes a provider of the person's own, before its settings are laid
// over it: any server that speaks RFC 6749 with RFC 7636, in front of an API
// that takes a bearer token and says no with plain status codes. Windows, usage
// and pings are particular to a vendor, so it has none.
func custom(id ProviderID) *Provider {
	p := &Provider{
		ID:   id,
		Name: string(id),
		OAuth: OAuth{
			Encoding:     EncodingForm,
			LoopbackHost: "127.0.0.1", // RFC 8252, section 7.3
			LoopbackPath: "/callback",
		},
		ErrorBody:     customError,
		Judge:         customJudge,
		LoginRequired: invalidGrant,
		Identity:      customIdentity,
		Login:         customPages(),
	}
	p.Authorize = func(r *http.Request, _ Account, t Token) { bearer(r, p.Upstream, t) }
	return p
}

// customPages are the pages that authorization servers of many makes have. A
// consent page is a form with one button that grants, wherever it is: each make
// has its own addresses and its own words.
func customPages() []PageRecipe {
	return []PageRecipe{
		{Kind: PageChallenge, Title: humanTitle, Words: "wants to see that a human is there"},
		{Kind: PageChallenge, Frame: humanFrames, Words: "wants to see that a human is there"},
		{Kind: PageChallenge, Text: humanWords, Words: "wants to see that a human is there"},
		{Kind: PageFailure, Text: windowWords, Words: "takes no browser without a window"},
		{Kind: PageSignIn, Selector: signInFields, Words: "asks to sign in"},
		{Kind: PageChoice, Selector: choiceFields, Words: "asks to choose"},
		{Kind: PageConsent, Press: `form button, form input[type="submit"]`, Grant: grantWords, Words: "asks whether to grant access"},
	}
}

// customAbilities gives p what its settings make possible.
func customAbilities(p *Provider) {
	if p.OAuth.UserinfoURL != "" {
		p.Profile = func(ctx context.Context, c Doer, t Token) (Identity, error) {
			return customProfile(ctx, c, p.OAuth.UserinfoURL, t)
		}
	}
	if p.OAuth.RevokeURL != "" {
		p.Revoke = func(ctx context.Context, c Doer, t Token) error {
			fields := map[string]string{"client_id": p.OAuth.ClientID}
			if t.RefreshToken != "" {
				fields["token_type_hint"] = "refresh_token" // RFC 7009, section 2.1
			}
			return revoke(ctx, c, p.OAuth.RevokeURL, p.OAuth.Encoding, t, fields)
		}
	}
}

// customThrottle is the longest wait that still looks like a throttle: a
// server that sends one away for longer speaks of a quota.
const customThrottle = time.Minute

func customJudge(resp *http.Response, _ []byte, now time.Time) Verdict {
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return Verdict{Kind: Unauthorized, Evidence: "401"}
	case http.StatusForbidden:
		return Verdict{Kind: Forbidden, Evidence: "403"}
	case http.StatusTooManyRequests:
	default:
		return Verdict{}
	}
	wait, ok := RetryAfter(resp.Header, now, minWait, maxQuotaWait)
	if !ok {
		return Verdict{Kind: Throttled, Evidence: "throttled (429)"}
	}
	if wait > customThrottle {
		return Verdict{Kind: Limited, Until: now.Add(wait), Evidence: "limit reached (429)"}
	}
	return Verdict{Kind: Throttled, Until: now.Add(wait), Evidence: "throttled (429)"}
}

func customError(status int, message string) []byte {
	body, err := json.Marshal(map[string]any{"error": map[string]any{"code": status, "message": message}})
	if err != nil {
		return nil // numbers and strings always encode
	}
	return body
}

// customWho is who signed in (OpenID Connect Core, section 5.1).
type customWho struct {
	Subject string `json:"sub"`
	Email   string `json:"email"`
}

func (w customWho) identity() Identity {
	return Identity{Key: identityKey(w.Subject), Email: plainText(w.Email)}
}

// customIdentity reads the id_token of a token response, if it has one. Its
// signature is not checked, and need not be: it came from the token endpoint
// itself over TLS (OpenID Connect Core, section 3.1.3.7, item 6), and it decides
// nothing but under which account the token is kept.
func customIdentity(raw []byte) Identity {
	var response struct {
		IDToken string `json:"id_token"`
	}
	if decodeObject(raw, &response) != nil {
		return Identity{}
	}
	_, rest, _ := strings.Cut(response.IDToken, ".")
	claims, _, signed := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(claims, "="))
	if err != nil || !signed {
		return Identity{}
	}
	var who customWho
	if decodeObject(text, &who) != nil {
		return Identity{}
	}
	return who.identity()
}

// customProfile asks the userinfo endpoint, which the settings name as a place
// for the token although it need not be the upstream.
func customProfile(ctx context.Context, c Doer, address string, t Token) (Identity, error) {
	u, err := url.Parse(address)
	if err != nil {
		return Identity{}, fmt.Errorf("ask for the profile: %w", err)
	}
	r, err := question(ctx, address)
	if err != nil {
		return Identity{}, fmt.Errorf("ask for the profile: %w", err)
	}
	bearer(r, origin(u), t)
	a, err := ask(c, r)
	if err != nil {
		return Identity{}, fmt.Errorf("ask for the profile: %w", err)
	}
	if a.status != http.StatusOK {
		return Identity{}, fmt.Errorf("userinfo endpoint answered %d", a.status)
	}
	var who customWho
	if err := decodeObject(a.body, &who); err != nil {
		return Identity{}, fmt.Errorf("read the profile: %w", err)
	}
	return who.identity(), nil
}
