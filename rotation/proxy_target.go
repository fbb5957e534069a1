package rotation

import (
	"net/url"
	"strings"

	"github.com/oauthmux/oauthmux/accounts"
)

// target is where a request wants to go: the first segment of its path names a
// provider, and the rest is a path there. It is read from the request line as it
// came, because that is what the upstream will read too; nothing in it has a say
// in which host is dialled (SAFETY, T06).
type target struct {
	first string // the segment that names the provider, as it came
	raw   string // the path at the upstream, as it came: begins with "/"
	path  string // the same, decoded
}

// splitTarget cuts a request line's target. ok is false for a form that only a
// forward proxy would understand: absolute, authority, asterisk (RFC 9112,
// section 3.2).
func splitTarget(requestURI string) (t target, ok bool) {
	rest, ok := strings.CutPrefix(requestURI, "/")
	if !ok {
		return target{}, false
	}
	rest, _, _ = strings.Cut(rest, "?")
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		return target{first: rest, raw: "/", path: "/"}, true
	}
	t = target{first: rest[:slash], raw: rest[slash:]}
	t.path = t.raw
	if strings.IndexByte(t.raw, '%') >= 0 {
		t.path, _ = url.PathUnescape(t.raw) // "" if that cannot be: clean says so
	}
	return t, true
}

// clean reports whether everybody who reads the path reads the same one: no
// empty and no dot segments, no separator or dot in disguise, nothing encoded
// twice, and nothing that a URL would have to encode but does not.
func (t target) clean() bool {
	if strings.Contains(t.raw, "//") || strings.ContainsAny(t.path, "\\%\x00") ||
		strings.Count(t.raw, "/") != strings.Count(t.path, "/") || strings.Count(t.raw, ".") != strings.Count(t.path, ".") {
		return false
	}
	for segment := range strings.SplitSeq(t.path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return (&url.URL{Path: t.path, RawPath: t.raw}).EscapedPath() == t.raw
}

// allowed reports whether a credential may go there. A place that is named
// exactly must also be spelled exactly: the path is not decoded for it.
func (t target) allowed(p *accounts.Provider, method string) bool {
	return t.clean() && p.Allows(method, t.path) && (t.raw == t.path || prefixAllows(p, method, t.raw))
}

// prefixAllows reports whether the undecoded path lies below an allowed prefix.
func prefixAllows(p *accounts.Provider, method, raw string) bool {
	for _, allowed := range p.Paths {
		if strings.HasSuffix(allowed.Path, "/") && allowed.Match(method, raw) {
			return true
		}
	}
	return false
}

// greeting reports whether the request only asks whether somebody is here: some
// clients do before they send the first request.
func (t target) greeting(method string, provider bool) bool {
	if method != "GET" && method != "HEAD" {
		return false
	}
	if provider {
		return t.raw == "/" || t.raw == "/api/hello"
	}
	return t.first == "" && t.raw == "/" || t.first == "api" && t.raw == "/hello"
}
