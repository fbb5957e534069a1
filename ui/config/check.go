package config

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// Strategies of the [rotation] table. Those that are not built are refused
// rather than half obeyed.
// Words of network.proxy.
const (
	ProxyEnv  = "env"  // HTTPS_PROXY and NO_PROXY
	ProxyNone = "none" // straight out
)

// lookupTimeout is how long a resolver may take for the name in proxy.listen.
const lookupTimeout = 2 * time.Second

// check looks at values that need more than their own kind to be judged.
func (l *loader) check(ctx context.Context) error {
	listen, err := loopbackListen(ctx, l.config.Proxy.Listen, l.sources.Lookup)
	if err != nil {
		return l.blame("proxy.listen", err, "the proxy listens on this machine only: 127.0.0.1:4747, [::1]:4747 or 127.0.0.1:0")
	}
	l.config.Proxy.Listen = listen
	if err := checkProxy(l.config.Network.Proxy); err != nil {
		return l.blame("network.proxy", err, `write "env", "none" or an address such as "http://proxy.example:3128"`)
	}
	if _, err := accounts.NewSet(l.config.Settings()); err != nil {
		if se, ok := errors.AsType[*accounts.SettingsError](err); ok {
			path := []string{"providers", string(se.Provider)}
			if se.Key != "" {
				path = append(path, strings.Split(se.Key, ".")...)
			}
			return l.mistake(path, se.Problem, misspelt(se.Provider))
		}
		return &Error{File: l.sources.File, Key: "providers", Problem: err.Error()}
	}
	return nil
}

// misspelt is the hint for a provider of one's own whose name is nearly that of a
// built-in one; "": it is not.
func misspelt(id accounts.ProviderID) string {
	builtin, err := accounts.NewSet(nil)
	if err != nil {
		return ""
	}
	if _, known := builtin.Get(id); known {
		return ""
	}
	var names []string
	for _, p := range builtin.All() {
		names = append(names, string(p.ID))
	}
	if near := nearest(string(id), names); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// blame is an Error that names the source of the key's value.
func (l *loader) blame(key string, problem error, hint string) error {
	e := l.origins[key]
	e.Key, e.Problem, e.Hint = key, problem.Error(), hint
	return &e
}

// loopbackListen returns listen with an IP address in place of a name, so that
// nobody resolves it a second time and gets another answer. Every address a name
// has must be loopback (SAFETY T05).
func loopbackListen(ctx context.Context, listen string, lookup func(context.Context, string) ([]string, error)) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("%s is not an address with a port", quote(listen))
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("%s has no port from 0 to 65535", quote(listen))
	}
	switch {
	case host == "": // ":0" would be every interface; here it means this machine
		host = "127.0.0.1"
	case strings.EqualFold(host, "localhost"): // RFC 6761, section 6.3: always loopback, no resolver is asked
		host = "127.0.0.1"
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if !ip.Unmap().IsLoopback() {
			return "", fmt.Errorf("%s is not a loopback address", quote(host))
		}
		return net.JoinHostPort(ip.Unmap().String(), port), nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	found, err := lookup(ctx, host)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%s has no address", quote(host))
	}
	addresses := make([]netip.Addr, len(found))
	for i, address := range found {
		ip, err := netip.ParseAddr(address)
		if err != nil || !ip.Unmap().IsLoopback() {
			return "", fmt.Errorf("%s is %s, which is not a loopback address", quote(host), quote(address))
		}
		addresses[i] = ip.Unmap()
	}
	first := slices.MinFunc(addresses, netip.Addr.Compare) // IPv4 before IPv6
	return net.JoinHostPort(first.String(), port), nil
}

// checkProxy does not repeat the value, which may hold a password.
func checkProxy(s string) error {
	if s == ProxyEnv || s == ProxyNone {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
		return errors.New("is neither env, none nor the address of a proxy")
	}
	return nil
}
