package chromium

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/oauthmux/oauthmux/relogin"
)

// places are where a visit may go.
type places struct {
	redirects []string // without query, normalized
	hosts     []string // normalized
	consent   []string // normalized
}

func placesOf(v relogin.Visit) places {
	var p places
	for _, redirect := range v.Redirects {
		if u, err := url.Parse(redirect); err == nil {
			p.redirects = append(p.redirects, bare(u))
		}
	}
	for _, host := range v.Hosts {
		p.hosts = append(p.hosts, strings.ToLower(host))
	}
	for _, host := range v.Consent {
		p.consent = append(p.consent, strings.ToLower(host))
	}
	return p
}

// ends reports whether a page at u is a redirect that ends the visit.
func (p places) ends(u *url.URL) bool { return u.User == nil && slices.Contains(p.redirects, bare(u)) }

// allows reports whether a page may be at u: on one of the hosts, and not where
// others can read or change it on its way.
func (p places) allows(u *url.URL) bool {
	return (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())) && onOneOf(p.hosts, u)
}

// grants reports whether something may be granted on a page at u.
func (p places) grants(u *url.URL) bool { return p.allows(u) && onOneOf(p.consent, u) }

// onOneOf compares the host and the port. A port that the scheme implies may be
// written or not.
func onOneOf(hosts []string, u *url.URL) bool {
	host := hostOf(u)
	if slices.Contains(hosts, host) {
		return true
	}
	port := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]
	return u.Host != "" && u.Port() == "" && slices.Contains(hosts, host+port)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// hostOf is the host of an address, with its port unless the scheme implies it.
func hostOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		return strings.TrimSuffix(host, ":443")
	case "http":
		return strings.TrimSuffix(host, ":80")
	}
	return host
}

// bare is an address without what differs from one visit to the next, written as
// a browser does.
func bare(u *url.URL) string {
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return strings.ToLower(u.Scheme) + "://" + hostOf(u) + path
}

// place names, for a person, where an address leads: its host, or else its scheme.
// Nothing else of it is ever shown.
func place(u *url.URL) string {
	const limit = 100
	name := hostOf(u)
	if name == "" {
		name = "an address of the kind " + u.Scheme
	}
	return printable(name, limit)
}

// printable is a text that a page may have chosen, short and on one line.
func printable(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit])
	}
	return strings.TrimSpace(text)
}
