package accounts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/oauthmux/oauthmux/accounts/vault"
)

const (
	defaultTokenLife = 5 * time.Minute     // where expires_in is missing or makes no sense
	longestTokenLife = 30 * 24 * time.Hour // what is honoured of it
	longestToken     = 16 << 10            // bytes of an access token: it must fit in a header
)

// UnreadableError says that what a token endpoint granted cannot be used as a
// token. The vault keeps the answer. It never repeats a part of it.
type UnreadableError struct{ Reason string }

func (e *UnreadableError) Error() string { return "the token response cannot be used: " + e.Reason }

// Is makes errors.Is(err, vault.ErrUnreadable) true: for who uses the account
// it comes to the same.
func (e *UnreadableError) Is(target error) bool { return target == vault.ErrUnreadable }

// tokenFrom returns the token of a vault record.
func tokenFrom(record vault.Record) (Token, error) {
	t, err := parseTokenResponse(record.Raw, record.ReceivedAt)
	if err != nil {
		return Token{}, err
	}
	t.RefreshToken = Secret(record.RefreshToken) // Raw lacks it where the old one stays in force
	t.LoggedInAt = record.LoggedInAt
	t.Generation = record.Generation
	return t, nil
}

// parseTokenResponse reads a token response (RFC 6749, section 5.1). One odd
// field that is not needed costs nothing; its errors are *UnreadableError.
func parseTokenResponse(raw []byte, receivedAt time.Time) (Token, error) {
	wire := readGrant(raw)
	if wire == nil {
		return Token{}, &UnreadableError{"it is not a JSON object"}
	}
	access, ok := stringField(wire["access_token"])
	switch {
	case !ok || access == "":
		return Token{}, &UnreadableError{"it has no access_token"}
	case !headerSafe(access):
		return Token{}, &UnreadableError{"its access_token does not fit in a header"}
	}
	refresh, ok := refreshField(wire["refresh_token"])
	if !ok {
		return Token{}, &UnreadableError{"its refresh_token is not one"}
	}
	kind, _ := stringField(wire["token_type"])
	if kind != "" && !strings.EqualFold(kind, "bearer") {
		return Token{}, &UnreadableError{"its token_type is not Bearer"}
	}
	idToken, _ := stringField(wire["id_token"])
	scope, _ := stringField(wire["scope"])
	return Token{
		AccessToken:  Secret(access),
		RefreshToken: Secret(refresh),
		IDToken:      Secret(idToken),
		TokenType:    "Bearer",
		Scope:        plainText(scope),
		ReceivedAt:   receivedAt,
		Expiry:       receivedAt.Add(tokenLife(wire["expires_in"])),
	}, nil
}

// looksGranted reports whether the body of a 2xx answer may hold tokens, in
// whatever state, and returns the refresh token in it if that can be read. What
// holds none, a portal's page say, must not take the place of a good record.
func looksGranted(raw []byte) (refresh string, granted bool) {
	defer func() {
		if recover() != nil { // whatever it is, it is kept
			refresh, granted = "", true
		}
	}()
	wire := readGrant(raw)
	if wire == nil {
		return "", bytes.Contains(raw, []byte(`"access_token"`)) || bytes.Contains(raw, []byte(`"refresh_token"`))
	}
	refresh, _ = refreshField(wire["refresh_token"])
	for _, name := range []string{"access_token", "refresh_token"} {
		if value := wire[name]; len(value) > 0 && string(value) != "null" {
			return refresh, true
		}
	}
	return "", false
}

// readGrant returns the fields of a JSON object; nil if it is not one.
func readGrant(raw []byte) fields {
	var wire fields
	if err := decodeObject(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")), &wire); err != nil {
		return nil
	}
	return wire
}

func stringField(raw json.RawMessage) (string, bool) {
	var s *string
	if len(raw) == 0 {
		return "", true
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", false
	}
	if s == nil {
		return "", true
	}
	return *s, true
}

// refreshField returns "" for a refresh token that is absent, null or empty:
// then the old one stays in force (RFC 6749, section 6).
func refreshField(raw json.RawMessage) (string, bool) {
	refresh, ok := stringField(raw)
	if !ok || strings.ContainsFunc(refresh, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", false
	}
	return refresh, true
}

// headerSafe reports whether a token can stand in an Authorization field.
func headerSafe(token string) bool {
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return false
		}
	}
	return len(token) <= longestToken
}

// tokenLife reads expires_in, which comes as a number or as a string of one.
func tokenLife(raw json.RawMessage) time.Duration {
	text := strings.TrimSpace(strings.Trim(string(raw), `"`))
	seconds, err := strconv.ParseFloat(text, 64)
	switch {
	case math.IsInf(seconds, 1) && text != "" && isDigits(text[:1]): // a number too large for a float
		return longestTokenLife
	case err != nil, math.IsNaN(seconds), math.IsInf(seconds, 0), seconds <= 0:
		return defaultTokenLife
	case seconds >= longestTokenLife.Seconds():
		return longestTokenLife
	}
	return time.Duration(seconds * float64(time.Second))
}

// readRefusal makes a *TokenError of a whole answer that grants nothing. Both
// envelopes of PROTOCOL 1.8 are read. sent are the secrets of the request: a
// description that repeats a part of one is dropped.
func readRefusal(status int, header http.Header, body []byte, now time.Time, sent []string) *TokenError {
	te := &TokenError{StatusCode: status}
	te.RetryAfter, _ = RetryAfter(header, now, minWait, maxThrottleWait)
	var plain struct {
		Error       json.RawMessage `json:"error"`
		Description string          `json:"error_description"`
	}
	if err := decodeObject(body, &plain); err != nil {
		return te
	}
	code, description := "", plain.Description
	if err := json.Unmarshal(plain.Error, &code); err != nil {
		var nested struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		}
		if decodeObject(plain.Error, &nested) == nil {
			code, description = nested.Type, nested.Message
		}
	}
	if errorWord.MatchString(code) && !repeats(code, sent) {
		te.ErrorCode = code
	}
	if description = plainText(description); !repeats(description, sent) {
		te.ErrorDescription = description
	}
	return te
}

// repeats reports whether text holds a recognisable part of a secret.
func repeats(text string, secrets []string) bool {
	const part = 12
	for _, secret := range secrets {
		if secret != "" && len(secret) < part && strings.Contains(text, secret) {
			return true
		}
		for i := 0; i+part <= len(secret); i++ {
			if strings.Contains(text, secret[i:i+part]) {
				return true
			}
		}
	}
	return false
}

// NoTokenError says that a whole answer came with a status that means success,
// and without a token: a portal's page, or an error that calls itself 200.
// Whether the server acted on the request is not known.
type NoTokenError struct {
	StatusCode int
	Refusal    *TokenError // what the answer says of an error; nil: nothing
}

func (e *NoTokenError) Error() string {
	if e.Refusal != nil && e.Refusal.ErrorCode != "" {
		return "the answer holds no token, but says " + e.Refusal.ErrorCode
	}
	return fmt.Sprintf("token endpoint answered %d without a token", e.StatusCode)
}
