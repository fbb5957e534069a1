package accounts

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"
)

const (
	connectLimit = 30 * time.Second // until a request can be written
	answerWait   = 60 * time.Second // from its first byte to the last of the answer
	dialLimit    = 15 * time.Second
	grantLimit   = 256 << 10 // bytes of a token endpoint's answer
	headLimit    = 64 << 10  // bytes of an answer's head
)

// UserAgent is what requests of our own call themselves.
func UserAgent(version string) string {
	if version == "" {
		return "oauthmux"
	}
	return "oauthmux/" + version
}

// StrictClient returns a client for the questions that are asked with an access
// token: usage, profile, revocation, ping. One call is one presentation (SAFETY
// 0.6): HTTP/1.1 on a connection of its own, no redirect followed, nothing
// repeated; and it speaks to the endpoints of p and to no other host. Requests
// are limited in time by their context, and call themselves userAgent where they
// do not say it.
func StrictClient(p *Provider, networkProxy func(*http.Request) (*url.URL, error), userAgent string) *http.Client {
	return strictClient(networkProxy, userAgent, p.Upstream, p.OAuth.UserinfoURL, p.OAuth.RevokeURL, p.OAuth.TokenURL)
}

// tokenClient returns a client that speaks to the token endpoint's host only.
func tokenClient(p *Provider, networkProxy func(*http.Request) (*url.URL, error)) Doer {
	return strictClient(networkProxy, "", p.OAuth.TokenURL) // token requests name themselves
}

func strictClient(networkProxy func(*http.Request) (*url.URL, error), userAgent string, endpoints ...string) *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(true) // HTTP/2 would repeat a request on its own
	dialer := &net.Dialer{Timeout: dialLimit, KeepAlive: -1}
	return &http.Client{
		Transport: &pinned{origins: origins(endpoints), userAgent: userAgent, base: &http.Transport{
			Proxy:                  networkProxy,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    dialLimit,
			ResponseHeaderTimeout:  answerWait,
			MaxResponseHeaderBytes: headLimit,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			Protocols:              &protocols,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// pinned lets nothing through to a host that is not the provider's.
type pinned struct {
	origins   []string
	userAgent string // of requests that do not say it
	base      http.RoundTripper
}

func origins(endpoints []string) []string {
	var all []string
	for _, endpoint := range endpoints {
		if u, err := url.Parse(endpoint); err == nil && endpoint != "" {
			all = append(all, origin(u))
		}
	}
	return all
}

// RoundTrip sends r if its scheme, host and port are the provider's.
func (t *pinned) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.User != nil || !slices.Contains(t.origins, origin(r.URL)) || (r.Host != "" && r.Host != r.URL.Host) {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, fmt.Errorf("refused to send a credential to %s: it is not the provider's", origin(r.URL))
	}
	if t.userAgent != "" && r.Header.Get("User-Agent") == "" {
		r = r.Clone(r.Context()) // a RoundTripper leaves the request as it is
		r.Header.Set("User-Agent", t.userAgent)
	}
	return t.base.RoundTrip(r)
}

// tokenAnswer is a whole answer of the token endpoint.
type tokenAnswer struct {
	status int
	header http.Header
	body   []byte
	at     time.Time // when its last byte was here
}

func (a tokenAnswer) granted() bool { return a.status/100 == 2 }

// unansweredError is a token request that was sent, or may have been, and got
// no whole answer: what the server did is not known.
type unansweredError struct{ err error }

func (e *unansweredError) Error() string { return fmt.Sprintf("sent, but not answered: %v", e.err) }

func (e *unansweredError) Unwrap() error { return e.err }

// unsentError is a token request of which nothing was sent: it is as if it had
// not been made.
type unsentError struct{ err error }

func (e *unsentError) Error() string { return fmt.Sprintf("not sent: %v", e.err) }

func (e *unsentError) Unwrap() error { return e.err }

var (
	errConnectLimit = errors.New("no connection in time")
	errAnswerLimit  = errors.New("no answer in time")
	errGrantLimit   = errors.New("the answer is too long")
	errNotHTTP      = errors.New("the answer cannot be read")
)

// present sends a token request exactly once. first runs when the connection
// stands and nothing has been sent (see onceBody). The error is an *unsentError
// or an *unansweredError; any whole answer, whatever its status, is none.
func present(ctx context.Context, c Doer, o OAuth, g grantRequest, userAgent string, first func() error) (tokenAnswer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := time.AfterFunc(connectLimit, func() { cancel(errConnectLimit) })
	defer limit.Stop()
	var late *time.Timer
	r, body, err := g.httpRequest(ctx, o, userAgent, func() error {
		if first != nil {
			if err := first(); err != nil {
				return err
			}
		}
		limit.Stop()
		late = time.AfterFunc(answerWait, func() { cancel(errAnswerLimit) })
		return nil
	})
	if err != nil {
		return tokenAnswer{}, &unsentError{err}
	}
	a, err := receive(c, r)
	begun, refused := body.seal()
	if late != nil {
		late.Stop()
	}
	switch {
	case refused != nil:
		return tokenAnswer{}, &unsentError{refused}
	case err == nil:
		return a, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause // says more than "context canceled"
	}
	if begun {
		return tokenAnswer{}, &unansweredError{withoutAnswer(err)}
	}
	return tokenAnswer{}, &unsentError{err}
}

// withoutAnswer returns err if it cannot hold a part of the answer: net/http
// quotes a line that it cannot read, and tokens may be in it.
func withoutAnswer(err error) error {
	_, operation := errors.AsType[*net.OpError](err)
	timeout, isTimeout := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	switch {
	case operation, isTimeout && timeout.Timeout(),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, errConnectLimit), errors.Is(err, errAnswerLimit), errors.Is(err, errGrantLimit):
		return err
	}
	return errNotHTTP
}

// receive reads the answer to its end.
func receive(c Doer, r *http.Request) (tokenAnswer, error) {
	resp, err := c.Do(r)
	if err != nil {
		return tokenAnswer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, grantLimit+1))
	if err != nil {
		return tokenAnswer{}, err
	}
	if len(body) > grantLimit {
		return tokenAnswer{}, errGrantLimit
	}
	return tokenAnswer{status: resp.StatusCode, header: resp.Header, body: body, at: time.Now()}, nil
}
