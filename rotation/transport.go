package rotation

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"

	"github.com/oauthmux/oauthmux/accounts"
)

// Fields that Transport adds to every answer.
const (
	FieldAccount  = "Oauthmux-Account"  // who was asked last; absent when nobody was
	FieldAttempts = "Oauthmux-Attempts" // how many times the upstream was asked
)

// Route is what the proxy knows of a request besides the request.
type Route struct {
	Provider *accounts.Provider
	Session  string      // what keeps a conversation together; "": nothing does
	Pin      accounts.ID // the only account that may serve it; "": any
}

type routeKey struct{}

// WithRoute returns a context for a request that takes this route. The request's
// URL must be the upstream's already.
func WithRoute(ctx context.Context, r Route) context.Context {
	return context.WithValue(ctx, routeKey{}, &r)
}

// TransportOptions are what a transport is made of.
type TransportOptions struct {
	Pool      *Pool
	Refresher *Refresher
	Base      http.RoundTripper // sends: NewUpstream
	Settings  func(accounts.ProviderID) Settings
	Log       *slog.Logger // nil: nothing is logged
}

// Transport is an http.RoundTripper that chooses the account, authorizes,
// judges the answer and goes on with the next account (DESIGN 3). Its errors
// mean that the client went away, or that its request could not be read; every
// other end is an answer.
type Transport struct {
	pool      *Pool
	refresher *Refresher
	base      http.RoundTripper
	settings  func(accounts.ProviderID) Settings
	log       *slog.Logger
}

// NewTransport makes a transport. It starts nothing.
func NewTransport(o TransportOptions) *Transport {
	t := &Transport{pool: o.Pool, refresher: o.Refresher, base: o.Base, settings: o.Settings, log: o.Log}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	return t
}

// errWrongPlace is a fault of whoever built the request, caught before a
// credential is on it.
var errWrongPlace = errors.New("the request does not go to its provider's upstream")

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	route, ok := req.Context().Value(routeKey{}).(*Route)
	if !ok || req.URL.User != nil || !atUpstream(req.URL, route.Provider.Upstream) {
		if req.Body != nil {
			_ = req.Body.Close() // nothing was read: there is no word of its end to lose
		}
		return nil, errWrongPlace
	}
	return newCall(t, req, route).run(req.Context())
}

// atUpstream reports whether u has exactly the upstream's scheme, host and port
// (SAFETY, T07).
func atUpstream(u *url.URL, upstream string) bool {
	if n := len(u.Scheme); len(upstream) == n+3+len(u.Host) && upstream[:n] == u.Scheme && upstream[n:n+3] == "://" && upstream[n+3:] == u.Host {
		return true // spelled alike, as good as always
	}
	home, err := url.Parse(upstream)
	return err == nil && home.Scheme == u.Scheme && hostPort(home) == hostPort(u)
}

// hostPort is the address that a URL without scheme is about: lower case, with
// the port spelled out.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(asciiLower(u.Hostname()), port)
}

// asciiLower lowers as DNS does. Other letters that look like those stay apart.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
