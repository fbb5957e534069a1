package rotation

import (
	"net"
	"net/http"
	"strconv"
	"strings"
)

// A web page can make a browser send requests to this machine: directly, which
// the browser marks with Origin and Sec-Fetch-Site, or under a name of its own
// that it points at 127.0.0.1 (DNS rebinding), which then stands in Host. Both
// are refused before anything else is looked at (SAFETY, T01 and T02).

// localHost reports whether a Host field names this machine in one of the three
// ways that `env` and people use, with exactly that port. Everything else that
// would also reach a loopback listener (0.0.0.0, 127.1, a mapped IPv6 address,
// a trailing dot) is somebody's trick or a mistake.
func localHost(host, port string) bool {
	colon := strings.LastIndexByte(host, ':')
	if colon < 0 || port == "" || host[colon+1:] != port {
		return false
	}
	switch host[:colon] {
	case "127.0.0.1", "[::1]", "localhost":
		return true
	}
	return false
}

// localPort returns the port that a request came in on; "" when it came by
// anything but a listener of net/http, and then no Host is right.
func localPort(r *http.Request) string {
	switch addr := r.Context().Value(http.LocalAddrContextKey).(type) {
	case *net.TCPAddr:
		return strconv.Itoa(addr.Port)
	case net.Addr:
		_, port, err := net.SplitHostPort(addr.String())
		if err != nil {
			return ""
		}
		return port
	}
	return ""
}

// fromPage reports whether a browser sent the request on behalf of a page. No
// client that is meant to be here sends these fields, so there is no list of
// exceptions: an empty or repeated field counts too.
func fromPage(h http.Header) bool {
	if _, origin := h["Origin"]; origin {
		return true
	}
	site, told := h["Sec-Fetch-Site"]
	return told && (len(site) != 1 || site[0] != "none") // "none": the person typed the address
}
