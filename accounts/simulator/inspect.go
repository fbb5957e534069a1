package simulator

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// localKeyPrefix is how keys of the local proxy begin: none may ever leave the machine.
const localKeyPrefix = "omx_"

// foreign are fields that belong to another provider.
var foreign = map[string]bool{
	"Chatgpt-Account-Id":     true,
	"Copilot-Integration-Id": true,
	"Openai-Beta":            true,
	"Openai-Organization":    true,
	"Openai-Project":         true,
	"X-Goog-Api-Key":         true,
	"X-Goog-User-Project":    true,
	"X-Github-Api-Version":   true,
}

// inspect counts what no client of ours may send, wherever it sends it.
func (x *exchange) inspect() {
	violate := x.s.tally.violate
	for name, values := range x.r.Header {
		switch {
		case name == "X-Api-Key":
			violate(SawAPIKey)
		case name == "Cookie" && (!x.s.o.Pages || !x.place.isPage()):
			violate(SawCookie)
		case name == "Authorization" && len(values) > 1:
			violate(ManyCredentials)
		case foreign[name], strings.HasPrefix(name, "Oauthmux-"):
			violate(SawForeign)
		case isForwarded(name):
			violate(SawForwarded)
		}
		if slices.ContainsFunc(values, holdsLocalKey) {
			violate(SawLocalKey)
		}
	}
	if holdsLocalKey(x.r.URL.RawQuery) {
		violate(SawLocalKey)
	}
}

func holdsLocalKey(v string) bool { return strings.Contains(v, localKeyPrefix) }

// isForwarded reports whether a field tells of a proxy on the way, or is meant
// for one connection only (SAFETY T09).
func isForwarded(name string) bool {
	switch name {
	case "Forwarded", "Upgrade", "Te", "Keep-Alive":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "Proxy-")
}

// hostIsRight reports whether the Host field names this server. A server that
// only lends its handler knows no name of its own, unless Options.Hosts says one.
func (x *exchange) hostIsRight() bool {
	hosts := x.s.hosts.Load()
	return hosts == nil || slices.Contains(*hosts, x.r.Host)
}

// knownHosts are the Host values that are right for a listener.
func knownHosts(addr string, more []string) []string {
	hosts := slices.Clone(more)
	if addr != "" {
		_, port, err := net.SplitHostPort(addr)
		if err == nil {
			hosts = append(hosts, addr, "127.0.0.1:"+port, "localhost:"+port, "[::1]:"+port)
		}
	}
	return hosts
}

// bearer is the token of the one Authorization field; "" if there is none.
func bearer(h http.Header) string {
	values := h["Authorization"]
	if len(values) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

// lists reports whether a comma-separated field, over all its lines, holds a name.
func lists(h http.Header, field, name string) bool {
	for _, line := range h[field] {
		for item := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(item) == name {
				return true
			}
		}
	}
	return false
}
