package rotation

import (
	"cmp"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

// maxStale bounds the connections that one request finds dead. There are no more
// in net/http's pool.
const maxStale = 256

// attempt is one time that the upstream is asked. net/http is done with its hooks
// before RoundTrip returns an error.
type attempt struct {
	body   replayBody
	reused bool        // the connection had carried requests before
	wrote  atomic.Bool // the head was written, so the upstream may have acted on it
}

// send asks the upstream with this token. When nothing of the request went out it
// tries again; a request that went out may have been acted on, and is never sent
// twice.
func (c *call) send(ctx context.Context, token accounts.Token) (*http.Response, error) {
	if c.heard != nil {
		// What was looked at was all of it, as a rule: its connection serves again.
		_ = c.heard.Body.Close()
	}
	for failures, stale := 0, 0; ; {
		out := c.open(ctx)
		c.provider.Authorize(out, *c.lease.Account, token)
		c.attempts++
		resp, err := c.transport.base.RoundTrip(out)
		if err == nil {
			c.heard = resp
			return resp, nil
		}
		if c.attempt.wrote.Load() || ctx.Err() != nil || !c.rewindable() || c.body != nil && c.body.failed() != nil {
			return nil, err
		}
		if c.attempt.reused && stale < maxStale {
			stale++
			c.attempts-- // a connection that had died at rest; the upstream was not there to be asked
			continue
		}
		if failures++; failures > c.settings.NetworkRetries {
			return nil, err
		}
	}
}

// open begins an attempt and returns the request to send: a copy, because a
// RoundTripper may still look at the last one, and with the client's body from its
// first byte.
func (c *call) open(ctx context.Context) *http.Request {
	c.closeAttempt()
	try := new(attempt)
	c.attempt = try
	out := c.req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:      func(info httptrace.GotConnInfo) { try.reused = info.Reused },
		WroteHeaders: func() { try.wrote.Store(true) },
	}))
	out.Header = maps.Clone(c.req.Header) // Authorize puts values in place of others, and changes none
	out.Host = ""                         // the upstream's own
	out.GetBody = nil
	switch {
	case c.body != nil:
		c.body.open(&try.body)
		out.Body = &try.body
	case mayResend(out):
		out.Body = emptyBody{}
	default:
		out.Body = nil
	}
	return out
}

// closeAttempt takes the body away from whoever still sends it.
func (c *call) closeAttempt() {
	if c.attempt != nil && c.body != nil {
		_ = c.attempt.body.Close()
	}
}

// mayResend reports whether net/http would send a request without body again by
// itself, although it is not the kind that changes nothing.
func mayResend(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, "":
		return false
	}
	return r.Header["Idempotency-Key"] != nil || r.Header["X-Idempotency-Key"] != nil
}

// emptyBody is a body that is empty, and that net/http does not know to be.
type emptyBody struct{}

func (emptyBody) Read([]byte) (int, error) { return 0, io.EOF }
func (emptyBody) Close() error             { return nil }

// rewindable reports whether the request can be sent again.
func (c *call) rewindable() bool { return c.body == nil || c.body.rewindable() }

// scope returns the request's model family, read from its body on first use; ""
// if it names none, or its beginning is gone.
func (c *call) scope() string {
	if !c.ask.ScopeKnown {
		c.ask.ScopeKnown = true
		if c.body != nil && c.provider.Scope != nil {
			c.body.head(func(body io.Reader) { c.ask.Scope = c.provider.Scope(body) })
		}
	}
	return c.ask.Scope
}

// withFamily puts the request's model family in place of ScopeRequest. Without a
// family such a window is nobody's, and left out.
func withFamily(windows []usage.Window, family func() string) []usage.Window {
	kept := windows[:0]
	for _, w := range windows {
		if w.Scope == accounts.ScopeRequest {
			if w.Scope = family(); w.Scope == "" {
				continue
			}
		}
		kept = append(kept, w)
	}
	return kept
}

// judge asks the provider what an answer means for its account, and notes it. Of
// a refusal it returns the upstream's words.
func (c *call) judge(resp *http.Response) (v accounts.Verdict, said string) {
	var document []byte
	if resp.StatusCode >= http.StatusBadRequest {
		document = peek(resp)
	}
	now := time.Now()
	a := seen{status: resp.StatusCode}
	if c.provider.Judge != nil {
		v = c.provider.Judge(resp, document, now)
	}
	if c.provider.Windows != nil {
		a.windows = withFamily(c.provider.Windows(resp.Header, now), c.scope)
	}
	if v.Kind == accounts.Unauthorized || v.Kind == accounts.Forbidden {
		said = words(document)
	}
	if v.Kind != accounts.Pass || resp.StatusCode >= http.StatusInternalServerError {
		a.problem = cmp.Or(v.Evidence, strconv.Itoa(resp.StatusCode)) // any other is the client's affair
	}
	c.lease.answered(a, now)
	v.Evidence = cmp.Or(v.Evidence, a.problem)
	c.step(v.Kind.String(), v.Evidence)
	return v, said
}
