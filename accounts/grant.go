package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// invalidGrant reports whether the server said, in RFC 6749's own word (section
// 5.2) and with a status that means it, that the refresh token is no good. No
// other word ends a login: invalid_client, say, would be our fault.
func invalidGrant(te *TokenError) bool {
	switch te.StatusCode {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return te.ErrorCode == "invalid_grant"
	}
	return false
}

// revoke asks the server to forget the login behind t (RFC 7009, section 2.1).
// The refresh token stands for the whole grant; without one the access token is
// named. fields come besides the token.
func revoke(ctx context.Context, c Doer, address, encoding string, t Token, fields map[string]string) error {
	token := t.RefreshToken
	if token == "" {
		token = t.AccessToken
	}
	form, contentType := url.Values{}, "application/x-www-form-urlencoded"
	fields["token"] = token.Reveal()
	for name, value := range fields {
		form.Set(name, value)
	}
	body := form.Encode()
	if encoding == EncodingJSON {
		document, err := json.Marshal(fields)
		if err != nil {
			return err
		}
		body, contentType = string(document), "application/json"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Accept", "application/json")
	a, err := ask(c, r)
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	if a.status/100 != 2 {
		return fmt.Errorf("revocation endpoint answered %d", a.status)
	}
	return nil
}
