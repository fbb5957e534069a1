package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// knownScopes are the scopes that the client may ask for (PROTOCOL 1.2.1).
var knownScopes = []string{
	"org:create_api_key", "user:profile", "user:inference", "user:sessions:claude_code",
	"user:mcp_servers", "user:file_upload", "user:plugins",
}

// defaultScopes are those of a login that Grant makes.
const defaultScopes = "user:profile user:inference user:sessions:claude_code user:mcp_servers user:file_upload"

// minState is the shortest state that the page takes: 128 bits in base64url.
const minState = 22

// pageError is what the authorization page says instead of asking for consent.
type pageError string

func (e pageError) Error() string { return "invalid OAuth request: " + string(e) }

func unknownUserError(name string) error { return fmt.Errorf("simulator: no user %q", name) }

// authorizationRequest is a request that has passed every check.
type authorizationRequest struct {
	redirectURI, scope, state, challenge string
	hint, orgUUID                        string
}

// hosted reports whether the answer goes to a page that shows the code.
func (q authorizationRequest) hosted() bool {
	return q.redirectURI == HostedCallback || q.redirectURI == HostedCallbackOld
}

// checkAuthorization reads the parameters of an authorization URL as strictly as
// the page does (PROTOCOL 1.2, 1.3).
func checkAuthorization(rawQuery string) (authorizationRequest, error) {
	var q authorizationRequest
	v, err := url.ParseQuery(rawQuery)
	if err != nil {
		return q, pageError("malformed query")
	}
	for name, values := range v {
		if len(values) > 1 {
			return q, pageError("Repeated parameter: " + name)
		}
	}
	q = authorizationRequest{
		redirectURI: v.Get("redirect_uri"), scope: v.Get("scope"), state: v.Get("state"),
		challenge: v.Get("code_challenge"), hint: v.Get("login_hint"), orgUUID: v.Get("orgUUID"),
	}
	switch {
	case v.Get("client_id") != ClientID:
		return q, pageError("Unknown client_id")
	case q.redirectURI == "":
		return q, pageError("Missing redirect_uri")
	case !supportedRedirect(q.redirectURI):
		return q, pageError("Redirect URI " + q.redirectURI + " is not supported by client.")
	case v.Get("response_type") != "code":
		return q, pageError("Unsupported response_type")
	case v.Get("code") != "true":
		return q, pageError("Missing code=true")
	case v.Get("code_challenge_method") != "S256":
		return q, pageError("code_challenge_method must be S256")
	case !isChallenge(q.challenge):
		return q, pageError("Invalid code_challenge")
	case len(q.state) < minState:
		return q, pageError("state is too short")
	case strings.TrimSpace(q.scope) == "":
		return q, pageError("Missing scope")
	}
	for scope := range strings.FieldsSeq(q.scope) {
		if !slices.Contains(knownScopes, scope) {
			return q, pageError("Unknown scope: " + scope)
		}
	}
	return q, nil
}

// supportedRedirect reports whether a redirect URI is one of the client's: a
// hosted page, or http://localhost:PORT/callback and nothing like it.
func supportedRedirect(raw string) bool {
	if raw == HostedCallback || raw == HostedCallbackOld {
		return true
	}
	port, ok := strings.CutPrefix(raw, "http://localhost:")
	if !ok {
		return false
	}
	port, ok = strings.CutSuffix(port, "/callback")
	if !ok {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == port
}

// isChallenge reports whether c can be an S256 challenge (RFC 7636, section 4.2).
func isChallenge(c string) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(c)
	return err == nil && len(raw) == sha256.Size
}

// challengeOf is the S256 challenge of a verifier; "" of what cannot be one
// (RFC 7636, section 4.1).
func challengeOf(verifier string) string {
	if len(verifier) < 43 || len(verifier) > 128 || strings.Trim(verifier,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") != "" {
		return ""
	}
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// consent is what the person a does with the request: the redirect that the
// browser follows.
func (s *Server) consent(q authorizationRequest, a *account) (redirect, code, state string) {
	if a.get().Deny {
		return q.denied(), "", q.state
	}
	code = s.issueCode(q, a)
	return q.granted(code), code, q.state
}

// granted is where the browser is sent with a code.
func (q authorizationRequest) granted(code string) string {
	return q.redirectURI + "?" + url.Values{"state": {q.state}, "code": {code}}.Encode()
}

// denied is where it is sent without one.
func (q authorizationRequest) denied() string {
	return q.redirectURI + "?" + url.Values{
		"state": {q.state}, "error": {"access_denied"}, "error_description": {"The user denied the request"},
	}.Encode()
}

func (s *Server) issueCode(q authorizationRequest, a *account) string {
	s.grants.mu.Lock()
	defer s.grants.mu.Unlock()
	return s.grants.addCodeLocked(&code{
		account: a, redirectURI: q.redirectURI, challenge: q.challenge, state: q.state,
		scope: q.scope, ends: s.o.Now().Add(s.o.CodeLife),
	})
}

// Authorize opens an authorization URL as that user would, consents, and
// returns where the browser is sent: the redirect URI with code and state, or
// with an error when the user declines. The error is what the page would say.
func (s *Server) Authorize(authURL, user string) (redirect string, err error) {
	u, err := url.Parse(authURL)
	if err != nil {
		return "", fmt.Errorf("simulator: authorization URL: %w", err)
	}
	if u.Path != PathAuthorize && u.Path != PathAuthorizeCAI {
		return "", fmt.Errorf("simulator: no page at %q", u.Path)
	}
	a := s.users.get(user)
	if a == nil {
		return "", unknownUserError(user)
	}
	q, err := checkAuthorization(u.RawQuery)
	if err != nil {
		s.tally.violate(BadRequest)
		return "", err
	}
	redirect, _, _ = s.consent(q, a)
	return redirect, nil
}
