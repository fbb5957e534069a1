package accounts

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// errorWord is what a server may call an error (RFC 6749, section 5.2).
var errorWord = regexp.MustCompile(`^[a-zA-Z0-9_.:-]{1,64}$`)

// randomWord is 256 random bits in 43 characters: good as a code_verifier (RFC
// 7636, section 4.1) and as a state.
func randomWord() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: the program ends where there is no randomness
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// codeChallenge is the S256 challenge of a verifier (RFC 7636, section 4.2).
func codeChallenge(codeVerifier string) string {
	sum := sha256.Sum256([]byte(codeVerifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// authorizationURL is where a person signs in (RFC 6749, section 4.1.1).
func authorizationURL(o OAuth, redirectURI, state, codeVerifier string) (string, error) {
	u, err := url.Parse(o.AuthorizeURL)
	if err != nil {
		return "", fmt.Errorf("authorization endpoint: %w", err)
	}
	q := u.Query()
	for name, value := range o.AuthorizeParams {
		q.Set(name, value)
	}
	q.Set("client_id", o.ClientID)
	q.Set("response_type", "code")
	q.Set("redirect_uri", redirectURI)
	if len(o.Scopes) > 0 {
		q.Set("scope", strings.Join(o.Scopes, " "))
	}
	q.Set("code_challenge", codeChallenge(codeVerifier))
	q.Set("code_challenge_method", "S256")
	q.Set("state", state)
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// grantRequest is what is asked of the token endpoint. It holds secrets.
type grantRequest map[string]string

// codeRequest asks for the tokens of an authorization code (RFC 6749, section
// 4.1.3). redirectURI must be the very bytes of the authorization request.
func codeRequest(o OAuth, code, redirectURI, state, codeVerifier string) grantRequest {
	g := grantRequest{
		"grant_type":    "authorization_code",
		"code":          code,
		"redirect_uri":  redirectURI,
		"client_id":     o.ClientID,
		"code_verifier": codeVerifier,
	}
	if o.StateInExchange {
		g["state"] = state
	}
	return g
}

// refreshRequest asks for new tokens (RFC 6749, section 6). It names no scope:
// that keeps the granted one.
func refreshRequest(o OAuth, refreshToken string) grantRequest {
	return grantRequest{
		"grant_type":    "refresh_token",
		"refresh_token": refreshToken,
		"client_id":     o.ClientID,
	}
}

// secrets are the values that must not come back in an error.
func (g grantRequest) secrets() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(g)) {
		switch name {
		case "code", "code_verifier", "refresh_token", "state":
			all = append(all, g[name])
		}
	}
	return all
}

func (g grantRequest) encode(encoding string) (contentType string, body []byte, err error) {
	if encoding == EncodingForm {
		form := make(url.Values, len(g))
		for name, value := range g {
			form.Set(name, value)
		}
		return "application/x-www-form-urlencoded", []byte(form.Encode()), nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(g); err != nil {
		return "", nil, err
	}
	return "application/json", bytes.TrimSpace(b.Bytes()), nil
}

// httpRequest builds the POST. Its body can be read once, and cannot be had
// again (GetBody is nil), so that nothing below can send it twice.
func (g grantRequest) httpRequest(ctx context.Context, o OAuth, userAgent string, first func() error) (*http.Request, *onceBody, error) {
	contentType, raw, err := g.encode(o.Encoding)
	if err != nil {
		return nil, nil, fmt.Errorf("token request: %w", err)
	}
	body := &onceBody{rest: raw, first: first}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.TokenURL, body)
	if err != nil {
		return nil, nil, fmt.Errorf("token request: %w", err)
	}
	r.ContentLength = int64(len(raw))
	r.GetBody = nil
	r.Close = true // no connection is kept
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", userAgent)
	return r, body, nil
}
