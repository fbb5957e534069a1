package accounts

import "net/http"

// credentialFields are the request fields that may carry somebody's credential.
var credentialFields = []string{"Authorization", "X-Api-Key", "Cookie", "Proxy-Authorization"}

// bearer takes every credential off r, and puts t's access token on it (RFC
// 6750, section 2.1) if r goes to exactly that scheme, host and port. It
// reports whether it did. The transport keeps to the upstream by itself; this
// is the last door, and it stays shut for a look-alike host.
func bearer(r *http.Request, home string, t Token) bool {
	for _, field := range credentialFields {
		r.Header.Del(field)
	}
	if t.AccessToken == "" || r.URL.User != nil || origin(r.URL) != home {
		return false
	}
	r.Header.Set("Authorization", "Bearer "+t.AccessToken.Reveal())
	return true
}
