package accounts

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/oauthmux/oauthmux/usage"
)

// Doer sends a request. *http.Client is one.
type Doer interface {
	Do(r *http.Request) (*http.Response, error)
}

// Path is a place of the upstream that may get a credential.
type Path struct {
	Method string // "": every method
	Path   string // exact, or a prefix when it ends in "/"
}

// Match reports whether a request's method and clean path are this place.
func (p Path) Match(method, path string) bool {
	if p.Method != "" && p.Method != method {
		return false
	}
	if n := len(p.Path); n > 0 && p.Path[n-1] == '/' {
		return len(path) >= n && path[:n] == p.Path
	}
	return path == p.Path
}

// Encodings of a token request.
const (
	EncodingJSON = "json"
	EncodingForm = "form"
)

// OAuth is how a provider's authorization server wants to be spoken to
// (RFC 6749, 7636, 8252).
type OAuth struct {
	ClientID     string
	AuthorizeURL string
	TokenURL     string
	RevokeURL    string // "": none known
	UserinfoURL  string // "": none
	Encoding     string // EncodingJSON or EncodingForm
	Scopes       []string

	// RedirectURL is the hosted page that shows the code; "": none, loopback only.
	RedirectURL string
	// Callbacks are all hosted pages whose URL may be pasted, RedirectURL included.
	Callbacks []string
	// LoopbackHost and LoopbackPath make the redirect of the receiver on this
	// machine: http://LoopbackHost:PORT + LoopbackPath.
	LoopbackHost, LoopbackPath string

	// PageHosts are hosts, besides AuthorizeURL's, that the authorization server
	// shows its own pages on.
	PageHosts []string

	AuthorizeParams map[string]string // sent with every authorization request besides the RFC's own
	StateInExchange bool              // the token request repeats the state (PROTOCOL 1.5)
}

// EnvNames are the variables a client reads.
type EnvNames struct {
	BaseURL string // gets http://LISTEN/<provider id>
	Token   string // gets the local key
}

// Provider is everything that is particular to one provider. It lives in one
// file, provider_<id>.go. A nil func is an ability the provider does not have.
// Functions read p's own fields at call time, so a config override applies.
type Provider struct {
	ID       ProviderID
	Name     string
	Terms    string // the notice to accept before the first account; "": none
	Upstream string // scheme://host[:port], no path
	Paths    []Path // where a credential may go
	OAuth    OAuth
	// Login are the pages that an unattended sign-in may meet; none: every page
	// stops it. IdentityHosts are hosts of others where users of the provider prove
	// who they are.
	Login         []PageRecipe
	IdentityHosts []string

	LoginsURL string // page where a person sees and ends logins by hand; "": none known
	Env       EnvNames
	PingModel string   // the model of the minimal ping
	Overrides []string // names of the settings that a config file changed; shown on the screen

	// ErrorBody is an error document in the provider's shape (application/json).
	ErrorBody func(status int, message string) []byte
	// SessionKey reads from a request's head what keeps a conversation together; "" if nothing does.
	SessionKey func(http.Header) string
	// Scope reads the model family from a request's body; "" if it names none. It
	// reads no further than it must and never fails.
	Scope func(body io.Reader) string
	// Authorize puts the account's credential on a request that goes upstream, and
	// takes every other credential off.
	Authorize func(*http.Request, Account, Token)
	// Judge says what an answer means for the account. peek is the beginning of the
	// body (up to 64 KiB, decoded where the encoding is known), read only for
	// answers of 400 and more; the answer's own body is untouched.
	Judge func(resp *http.Response, peek []byte, now time.Time) Verdict
	// LoginRequired reports whether a refusal means that only a login helps.
	LoginRequired func(*TokenError) bool
	// Windows reads the limit windows from an answer's head; none if it has none. One
	// whose Scope is ScopeRequest is about the request's own model family.
	Windows func(http.Header, time.Time) []usage.Window
	// Identity reads who was authorized from a raw token response, as far as it says.
	Identity func(raw []byte) Identity

	// Usage, Profile, and Revoke speak to the provider with a token; Ping builds the
	// smallest request that counts as use, without credential.
	Usage   func(ctx context.Context, c Doer, a Account, t Token, now time.Time) (usage.Snapshot, error)
	Profile func(ctx context.Context, c Doer, t Token) (Identity, error)
	Revoke  func(ctx context.Context, c Doer, t Token) error
	Ping    func(ctx context.Context, model string) (*http.Request, error)
}

// Allows reports whether a credential may go to that place of the upstream.
func (p *Provider) Allows(method, path string) bool {
	for _, allowed := range p.Paths {
		if allowed.Match(method, path) {
			return true
		}
	}
	return false
}
