package rotation

import (
	"errors"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// ProxyOptions are what a proxy is made of.
type ProxyOptions struct {
	Providers *accounts.Set
	Transport http.RoundTripper      // gives each request its account: *Transport
	LocalKey  func() (string, error) // what clients show; asked for each request, so quick
	Ready     func() error           // why no credential can be had at all; nil func or error: it can
	Log       *slog.Logger
}

// Proxy is the door for clients on this machine. A request that may pass names a
// provider in its path's first segment; Transport does the rest. The answer comes
// back byte by byte as it arrives, and one that breaks off ends as broken.
type Proxy struct {
	transport http.RoundTripper
	providers map[string]upstream
	localKey  func() (string, error)
	ready     func() error
	log       *slog.Logger
	quietLog  *log.Logger // for what net/http says of clients that come and go

	stallLimit time.Duration
	bodyLimit  time.Duration
	relays     sync.Pool
	verifier   atomic.Pointer[verifier]
	guests     guests
	underway   underway

	endGrace   time.Duration
	cut        chan struct{} // closed: what is under way at the end has no time left
	cutOnce    sync.Once
	finish     chan struct{} // closed: nothing new is taken, and what is under way has all the time it needs
	finishOnce sync.Once
}

// upstream is a provider and where its requests go.
type upstream struct {
	provider *accounts.Provider
	url      *url.URL
}

// NewProxy makes a proxy. It starts nothing.
func NewProxy(o ProxyOptions) *Proxy {
	p := &Proxy{
		transport:  o.Transport,
		providers:  make(map[string]upstream),
		localKey:   o.LocalKey,
		ready:      o.Ready,
		log:        o.Log,
		quietLog:   slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
		stallLimit: stallLimit,
		bodyLimit:  bodyLimit,
		guests:     guests{writeLimit: writeLimit},
		endGrace:   EndGrace,
		cut:        make(chan struct{}),
		finish:     make(chan struct{}),
	}
	for _, provider := range o.Providers.All() {
		if u, err := url.Parse(provider.Upstream); err == nil {
			p.providers[string(provider.ID)] = upstream{provider, u}
		}
	}
	p.relays.New = func() any { return newRelay(p) }
	return p
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.underway.enter()
	defer p.underway.leave()
	defer p.guard()

	t, inOrigin := splitTarget(r.RequestURI)
	to, known := p.providers[t.first]
	refuse := func(status int, message string) { respond(w, to.provider, status, message) }
	switch {
	case r.Method == http.MethodConnect:
		refuse(http.StatusMethodNotAllowed, "this is not a forward proxy")
		return
	case !inOrigin:
		refuse(http.StatusBadRequest, "the request must name a path, not an address: this is not a forward proxy")
		return
	case !localHost(r.Host, localPort(r)):
		refuse(http.StatusForbidden, "the Host field must name this machine as 127.0.0.1, [::1] or localhost, with the port")
		return
	case fromPage(r.Header):
		refuse(http.StatusForbidden, "requests of web pages are refused")
		return
	case t.greeting(r.Method, known):
		greet(w) // without a key too: that somebody listens here is no news to who can connect
		return
	}

	claims, keys, status, message := p.authenticate(r)
	switch {
	case status != 0:
		refuse(status, message)
		return
	case tellsKey(r.URL.RawQuery, keys):
		refuse(http.StatusBadRequest, "the local key is in the address: it belongs in a header, and goes nowhere")
		return
	case !p.guests.admit(connOf(r), claims.Session):
		w.Header().Set("Connection", "close")
		w.Header().Set("Retry-After", "1")
		refuse(http.StatusServiceUnavailable, "too many connections of one client")
		return
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		refuse(http.StatusUpgradeRequired, "web sockets are not spoken here: use plain requests") // at 404 clients try again and again
		return
	case !known || !t.allowed(to.provider, r.Method):
		refuse(http.StatusNotFound, "nothing is served at this path and method")
		return
	}
	if p.ready != nil {
		if err := p.ready(); err != nil {
			refuse(http.StatusServiceUnavailable, err.Error())
			return
		}
	}
	p.relay(w, r, to, t, claims, keys)
}

// guard makes a panic one broken answer, and says what it was. ReverseProxy panics
// by itself to break an answer off.
func (p *Proxy) guard() {
	fault := recover()
	if fault == nil {
		return
	}
	if err, ok := fault.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
		p.log.Error("panic while answering a client", "panic", accounts.FaultWords(fault), "stack", string(debug.Stack()))
	}
	panic(http.ErrAbortHandler)
}

func (p *Proxy) relay(w http.ResponseWriter, r *http.Request, to upstream, t target, claims Claims, keys *verifier) {
	route := Route{Provider: to.provider, Session: claims.Session, Pin: claims.Account}
	if route.Session == "" && to.provider.SessionKey != nil {
		route.Session = to.provider.SessionKey(r.Header)
	}
	x, _ := p.relays.Get().(*relay)
	x.provider, x.upstream, x.target, x.keys = to.provider, to.url, t, keys
	x.run(w, r, route)
	x.forget()
	p.relays.Put(x) // not after a panic: then nobody knows who still holds it
}

// authenticate reads the key of a request. A status other than 0 refuses it.
func (p *Proxy) authenticate(r *http.Request) (c Claims, keys *verifier, status int, message string) {
	local, err := p.localKey()
	if err != nil {
		p.log.Error("local key cannot be read", "error", err)
		return Claims{}, nil, http.StatusServiceUnavailable, "the local key cannot be read"
	}
	v := p.verifier.Load()
	if v == nil || v.localKey != local {
		v = newVerifier(local)
		p.verifier.Store(v)
	}
	bearer, apiKey := presentedKeys(r.Header)
	for _, key := range [...]string{bearer, apiKey} {
		if c, ok := v.check(key); ok {
			return c, v, 0, ""
		}
	}
	if bearer == "" && apiKey == "" {
		return Claims{}, nil, http.StatusUnauthorized, "the local key is missing: `oauthmux env` prints what a client needs"
	}
	return Claims{}, nil, http.StatusUnauthorized, "this is not the local key: `oauthmux env` prints what a client needs"
}

// tellsKey reports whether a query holds a key of ours. A query goes upstream
// as it came, so such a request cannot.
func tellsKey(query string, keys *verifier) bool {
	if query == "" {
		return false
	}
	if keys.toldIn(query) {
		return true
	}
	plain, err := url.QueryUnescape(query)
	return err == nil && plain != query && keys.toldIn(plain)
}

func greet(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(`{"message":"oauthmux is here"}` + "\n")) // a client that has gone is nobody to tell
}
