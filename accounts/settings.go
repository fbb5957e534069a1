package accounts

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Settings is one [providers.NAME] table of the config file, as far as it says
// where a provider is and how it wants to be spoken to. For a built-in provider
// each key that is set overrides a fact; for one of the person's own it is the
// fact.
type Settings struct {
	Name          string      `toml:"name"`           // as it is shown; "": the table's name
	AuthorizeURL  string      `toml:"authorize_url"`  // authorization endpoint (RFC 6749, section 3.1)
	TokenURL      string      `toml:"token_url"`      // token endpoint (RFC 6749, section 3.2)
	TokenEncoding string      `toml:"token_encoding"` // "json" or "form"
	RevokeURL     string      `toml:"revoke_url"`     // revocation endpoint (RFC 7009)
	UserinfoURL   string      `toml:"userinfo_url"`   // says who signed in (OpenID Connect Core, section 5.3)
	ClientID      string      `toml:"client_id"`
	Scopes        []string    `toml:"scopes"`
	Redirect      string      `toml:"redirect"`     // "loopback", "hosted", or "": whichever there is
	RedirectURL   string      `toml:"redirect_url"` // the hosted page that shows the code
	Upstream      string      `toml:"upstream"`     // scheme://host[:port] of the API
	Paths         []string    `toml:"paths"`        // where a credential may go: "/v1/", "POST /v1/messages"
	LoginHosts    []string    `toml:"login_hosts"`  // where else its users sign in: "sso.example.org"
	Env           EnvSettings `toml:"env"`
}

// EnvSettings names the variables that a client of the provider reads.
type EnvSettings struct {
	BaseURL string `toml:"base_url"`
	Token   string `toml:"token"`
}

// Ways a code comes back (Settings.Redirect).
const (
	redirectLoopback = "loopback" // only to the receiver on this machine
	redirectHosted   = "hosted"   // only to the hosted page
)

// SettingsError is a setting that cannot be used. It does not repeat the value,
// which may hold a credential by mistake.
type SettingsError struct {
	Provider ProviderID
	Key      string // "": the table's own name
	Problem  string
}

func (e *SettingsError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("providers.%s: %s", e.Provider, e.Problem)
	}
	return fmt.Sprintf("providers.%s.%s: %s", e.Provider, e.Key, e.Problem)
}

// apply lays the settings that are set over p, and notes their names in
// p.Overrides.
func (s Settings) apply(p *Provider) error {
	for _, setting := range []struct {
		key   string
		value string
		check func(string) (string, error)
		to    *string
	}{
		{"name", s.Name, checkName, &p.Name},
		{"authorize_url", s.AuthorizeURL, checkEndpoint, &p.OAuth.AuthorizeURL},
		{"token_url", s.TokenURL, checkEndpoint, &p.OAuth.TokenURL},
		{"token_encoding", s.TokenEncoding, oneOf(EncodingJSON, EncodingForm), &p.OAuth.Encoding},
		{"revoke_url", s.RevokeURL, checkEndpoint, &p.OAuth.RevokeURL},
		{"userinfo_url", s.UserinfoURL, checkEndpoint, &p.OAuth.UserinfoURL},
		{"client_id", s.ClientID, checkClientID, &p.OAuth.ClientID},
		{"redirect_url", s.RedirectURL, checkEndpoint, &p.OAuth.RedirectURL},
		{"upstream", s.Upstream, checkUpstream, &p.Upstream},
		{"env.base_url", s.Env.BaseURL, checkEnvName, &p.Env.BaseURL},
		{"env.token", s.Env.Token, checkEnvName, &p.Env.Token},
	} {
		if setting.value == "" {
			continue
		}
		value, err := setting.check(setting.value)
		if err != nil {
			return &SettingsError{Provider: p.ID, Key: setting.key, Problem: err.Error()}
		}
		*setting.to = value
		p.Overrides = append(p.Overrides, setting.key)
	}
	if err := s.applyScopes(p); err != nil {
		return err
	}
	if err := s.applyPaths(p); err != nil {
		return err
	}
	if err := s.applyLoginHosts(p); err != nil {
		return err
	}
	return s.applyRedirect(p)
}

func (s Settings) applyLoginHosts(p *Provider) error {
	for _, host := range s.LoginHosts {
		u, err := parseEndpoint("https://" + host)
		if err != nil || u.Host != host || host != strings.ToLower(host) {
			return &SettingsError{Provider: p.ID, Key: "login_hosts", Problem: `must be lower-case names of hosts such as "sso.example.org", with a port where it is not 443`}
		}
		p.IdentityHosts = append(p.IdentityHosts, host)
	}
	return nil
}

func (s Settings) applyScopes(p *Provider) error {
	if len(s.Scopes) == 0 {
		return nil
	}
	if !slices.ContainsFunc(s.Scopes, func(scope string) bool { return !scopeToken.MatchString(scope) }) {
		p.OAuth.Scopes = slices.Clone(s.Scopes)
		p.Overrides = append(p.Overrides, "scopes")
		return nil
	}
	return &SettingsError{Provider: p.ID, Key: "scopes", Problem: "each scope is one word without spaces, quotes or backslashes (RFC 6749, section 3.3)"}
}

func (s Settings) applyPaths(p *Provider) error {
	if len(s.Paths) == 0 {
		return nil
	}
	paths := make([]Path, len(s.Paths))
	for i, text := range s.Paths {
		allowed, err := parsePath(text)
		if err != nil {
			return &SettingsError{Provider: p.ID, Key: "paths", Problem: err.Error()}
		}
		paths[i] = allowed
	}
	p.Paths = paths
	p.Overrides = append(p.Overrides, "paths")
	return nil
}

// applyRedirect settles where a code may come back to, after redirect_url.
func (s Settings) applyRedirect(p *Provider) error {
	if page := p.OAuth.RedirectURL; page != "" && !slices.Contains(p.OAuth.Callbacks, page) {
		p.OAuth.Callbacks = append(p.OAuth.Callbacks, page)
	}
	switch s.Redirect {
	case "":
		return nil
	case redirectLoopback:
		p.OAuth.RedirectURL, p.OAuth.Callbacks = "", nil
	case redirectHosted:
		if p.OAuth.RedirectURL == "" {
			return &SettingsError{Provider: p.ID, Key: "redirect", Problem: `"hosted" needs a redirect_url`}
		}
		p.OAuth.LoopbackHost, p.OAuth.LoopbackPath = "", ""
	default:
		return &SettingsError{Provider: p.ID, Key: "redirect", Problem: `must be "loopback" or "hosted"`}
	}
	p.Overrides = append(p.Overrides, "redirect")
	return nil
}

// complete reports what a provider of the person's own still lacks.
func complete(p *Provider) error {
	if !providerName.MatchString(string(p.ID)) {
		return &SettingsError{Provider: p.ID, Problem: "a provider's name is lower-case letters, digits and dashes, at most 32, and starts with a letter: it is part of an address"}
	}
	for _, need := range []struct {
		key     string
		missing bool
	}{
		{"authorize_url", p.OAuth.AuthorizeURL == ""},
		{"token_url", p.OAuth.TokenURL == ""},
		{"client_id", p.OAuth.ClientID == ""},
		{"upstream", p.Upstream == ""},
		{"paths", len(p.Paths) == 0},
	} {
		if need.missing {
			return &SettingsError{Provider: p.ID, Key: need.key, Problem: "is needed for a provider of your own"}
		}
	}
	return nil
}

var (
	providerName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	envName      = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	scopeToken   = regexp.MustCompile(`^[!#-\[\]-~]+$`)
	printable    = regexp.MustCompile(`^[ -~]+$`)
	methodToken  = regexp.MustCompile(`^[A-Z]+$`)
)

func checkName(s string) (string, error) {
	if s != plainText(s) {
		return "", errors.New("must be a short line of ordinary characters")
	}
	return s, nil
}

func checkClientID(s string) (string, error) {
	if !printable.MatchString(s) {
		return "", errors.New("must be printable ASCII (RFC 6749, appendix A.1)")
	}
	return s, nil
}

// checkEnvName is strict because the name is printed for a shell to evaluate.
func checkEnvName(s string) (string, error) {
	if !envName.MatchString(s) {
		return "", errors.New("must be the name of an environment variable")
	}
	return s, nil
}

func oneOf(words ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", fmt.Errorf("must be %q", words)
		}
		return s, nil
	}
}

// checkEndpoint wants an address that a credential may be sent to: https, and
// http only where it does not leave this machine.
func checkEndpoint(s string) (string, error) {
	_, err := parseEndpoint(s)
	return s, err
}

func parseEndpoint(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Opaque != "", u.Hostname() == "":
		return nil, errors.New("must be an address such as https://host/path")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("must begin with https://")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, errors.New("must be https: http:// is accepted for loopback hosts only")
	case u.User != nil:
		return nil, errors.New("must not hold a user name or password")
	case strings.Contains(s, "#"):
		return nil, errors.New("must not have a fragment")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("must have a port from 1 to 65535")
		}
	}
	return u, nil
}

// checkUpstream returns the origin in the one spelling that pinned compares.
func checkUpstream(s string) (string, error) {
	u, err := parseEndpoint(s)
	if err != nil {
		return "", err
	}
	if strings.Trim(u.Path, "/") != "" || strings.Contains(s, "?") {
		return "", errors.New("must be scheme://host[:port] without a path")
	}
	return origin(u), nil
}

// origin spells the scheme, host and port of u in one way: lower case, without
// the port that the scheme implies.
func origin(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if port := u.Port(); port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return scheme + "://" + host
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// parsePath reads "/v1/", a prefix, or "POST /v1/messages", an exact place.
func parsePath(text string) (Path, error) {
	method, place, found := strings.Cut(text, " ")
	if !found {
		method, place = "", text
	} else if !methodToken.MatchString(method) {
		return Path{}, errors.New(`must be like "/v1/" or "POST /v1/messages"`)
	}
	clean := path.Clean(place)
	if strings.HasSuffix(place, "/") && clean != "/" {
		clean += "/"
	}
	if !strings.HasPrefix(place, "/") || place != clean || strings.ContainsAny(place, "?#%\\ ") || !printable.MatchString(place) {
		return Path{}, errors.New(`must be clean paths such as "/v1/" or "POST /v1/messages"`)
	}
	return Path{Method: method, Path: place}, nil
}
