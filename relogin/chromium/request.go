package chromium

import (
	"crypto/subtle"
	"net/url"
	"slices"
)

// What of an authorization request makes it this visit's (RFC 6749, section 4.1.1;
// RFC 7636, section 4.3).
var (
	bound  = []string{"client_id", "redirect_uri", "state", "code_challenge"}
	needed = []string{"client_id", "state"} // where the request itself is answered
)

// authorization is the request that a visit is for.
type authorization struct {
	path  string
	query url.Values
}

func authorizationOf(address string) authorization {
	u, err := url.Parse(address)
	if err != nil {
		return authorization{}
	}
	return authorization{path: u.Path, query: u.Query()}
}

// asks reports whether a page at u may be the one that asks about this request. A
// server may forget the request's parameters on its way; what it still names must
// be this one's.
func (a authorization) asks(u *url.URL) bool {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return false
	}
	for _, name := range bound {
		if !query.Has(name) && (u.Path != a.path || !slices.Contains(needed, name)) {
			continue
		}
		if !slices.Equal(query[name], a.query[name]) {
			return false
		}
	}
	return true
}

// answers reports whether a redirect to u answers this request: whoever sends one
// knows its state (SAFETY T17).
func (a authorization) answers(u *url.URL) bool {
	got, want := u.Query()["state"], a.query["state"]
	if len(got) != len(want) || len(want) > 1 {
		return false
	}
	return len(want) == 0 || subtle.ConstantTimeCompare([]byte(got[0]), []byte(want[0])) == 1
}
