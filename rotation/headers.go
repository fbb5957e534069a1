package rotation

import (
	"net/http"
	"slices"
	"strings"
)

// Fields pass as they came, in both directions, but for those that Connection
// names (RFC 9110, section 7.6.1) and those that are named here (SAFETY, T09).

// upstreamDrops are the fields of a request that end here: credentials of the
// client, what describes its connection to us, and what would make the upstream
// speak another protocol.
var upstreamDrops = map[string]bool{
	"Authorization":     true,
	"Connection":        true,
	"Cookie":            true,
	"Forwarded":         true,
	"Http2-Settings":    true,
	"Keep-Alive":        true,
	"Te":                true,
	"Trailer":           true,
	"Transfer-Encoding": true,
	"Upgrade":           true,
	"X-Api-Key":         true,
}

// forUpstream returns the fields of a client's request that an upstream may see;
// their values are h's own. A field that tells a key of ours under another name
// stays here too, whichever key was presented: it is worth nothing there, and
// nobody's business. So do fields of our own, which only answers carry.
func forUpstream(h http.Header, keys *verifier) http.Header {
	out := make(http.Header, len(h)+2) // and the credential
	for name, values := range h {
		if !upstreamDrops[name] && !strings.HasPrefix(name, "X-Forwarded-") && !strings.HasPrefix(name, "Proxy-") &&
			!strings.HasPrefix(name, "Oauthmux-") && !slices.ContainsFunc(values, keys.toldIn) {
			out[name] = values
		}
	}
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			out.Del(strings.TrimSpace(name))
		}
	}
	return out
}

// clientDrops are the fields of an answer that end here: what a browser would
// act upon for all of this host's ports, and what describes the connection.
var clientDrops = map[string]bool{
	"Alt-Svc":            true,
	"Connection":         true,
	"Keep-Alive":         true,
	"Proxy-Authenticate": true,
	"Proxy-Connection":   true,
	"Set-Cookie":         true,
	"Set-Cookie2":        true,
	"Te":                 true,
	"Trailer":            true,
	"Transfer-Encoding":  true,
	"Upgrade":            true,
}

// dropForClient takes off h what must not reach a client. No answer allows
// another origin anything.
func dropForClient(h http.Header) {
	for name := range h {
		if droppedForClient(name) {
			delete(h, name)
		}
	}
}

func droppedForClient(name string) bool {
	return clientDrops[name] || strings.HasPrefix(name, "Access-Control-")
}
