package rotation

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

const (
	// headDelay is how long the head of an answer waits for the first bytes of the
	// body, to leave with them in one packet. A stream's head never waits longer.
	headDelay = 2 * time.Millisecond
	// stallLimit is how long an upstream may be silent in the middle of an answer.
	// Clients give a silent stream up after the same time (PROTOCOL 3.7).
	stallLimit = 5 * time.Minute
	stallLooks = 5 // at an open answer, in that time: counting is cheaper than asking for the time
	// bodyLimit is how long a client may be silent in the middle of a request.
	bodyLimit = time.Minute
	// copySize is the size of the buffers that answers pass through. A held stream
	// keeps one, so it is not larger than what makes a difference.
	copySize = 8 << 10
)

// relay carries one request to the upstream and its answer back. It stands
// between httputil.ReverseProxy, which knows HTTP, and the server's
// ResponseWriter, to decide when bytes leave: at once, and not in more packets
// than they came in.
//
// ReverseProxy's own FlushInterval of -1 means the same, but costs each answer a
// timer, a goroutine and a packet that holds the head alone. Here the head leaves
// with the first bytes of the body, and the last bytes with the end of the answer;
// one timer looks after both an answer whose body is late and one that stalls.
//
// A relay is used again: its functions are bound once.
type relay struct {
	proxy   *Proxy
	reverse httputil.ReverseProxy
	watcher *time.Timer // runs watch; nil before its first use

	// Of the request at hand; set before it starts.
	provider *accounts.Provider
	upstream *url.URL
	target   target
	keys     *verifier   // what must not go upstream
	header   http.Header // what the client sent
	w        http.ResponseWriter
	control  *http.ResponseController
	sent     *requestBody // nil: the request has none
	answer   *http.Response
	body     io.ReadCloser // of the answer
	reads    atomic.Uint64 // of the body of an answer, so far

	mu      sync.Mutex // guards w against watch, and what follows
	open    bool       // the head went to w, and the answer has not ended
	flushed bool       // nothing that w was given waits in its buffers
	left    int64      // bytes of the body that are still to come; -1: not known
	seen    uint64     // reads, when watch looked last
	silent  int        // looks in a row that found nothing new
}

func newRelay(p *Proxy) *relay {
	x := &relay{proxy: p}
	x.reverse = httputil.ReverseProxy{
		Rewrite:        x.rewrite,
		Transport:      p.transport,
		BufferPool:     copyBuffers{},
		ModifyResponse: x.answered,
		ErrorHandler:   x.failed,
		ErrorLog:       p.quietLog,
	}
	return x
}

// run carries the request r. It panics with http.ErrAbortHandler, as
// ReverseProxy does, when the answer breaks off: a client must never take a part
// for the whole.
func (x *relay) run(w http.ResponseWriter, r *http.Request, route Route) {
	x.w, x.control, x.header = w, http.NewResponseController(w), r.Header
	whole := false
	defer func() {
		x.end()
		if !whole && !r.ProtoAtLeast(1, 1) {
			connOf(r).breakOff()
		}
	}()
	out := r.WithContext(WithRoute(r.Context(), route))
	out.Header = nil // rewrite makes the one that goes upstream: no need to copy and clean another
	if r.Body != nil && r.Body != http.NoBody {
		x.sent = &requestBody{ReadCloser: r.Body, from: connOf(r)}
		x.sent.from.awaitBody(x.proxy.bodyLimit)
		out.Body = x.sent
	}
	x.reverse.ServeHTTP(x, out)
	whole = true
	if x.answer != nil && len(x.answer.Trailer) > 0 {
		x.dropTrailers()
	}
}

// end closes w to watch.
func (x *relay) end() {
	if x.sent != nil {
		x.sent.from.awaitBody(0)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.open = false
	if x.watcher != nil {
		x.watcher.Stop()
	}
}

// forget lets go of the request, so that a relay at rest keeps nothing alive.
func (x *relay) forget() {
	x.provider, x.upstream, x.target, x.keys, x.header = nil, nil, target{}, nil, nil
	x.w, x.control, x.sent, x.answer, x.body = nil, nil, nil, nil, nil
}

// rewrite makes the request that goes upstream, but for the credential.
func (x *relay) rewrite(pr *httputil.ProxyRequest) {
	out := pr.Out
	out.Header = forUpstream(x.header, x.keys)
	out.Host, out.Trailer = "", nil
	out.URL = &url.URL{
		Scheme:     x.upstream.Scheme,
		Host:       x.upstream.Host,
		Path:       x.target.path,
		RawPath:    x.target.raw,
		RawQuery:   pr.In.URL.RawQuery, // ReverseProxy may have cleaned its own copy
		ForceQuery: pr.In.URL.ForceQuery,
	}
}

// answered looks at an answer before any of it goes to the client. It hands the
// fields over itself: ReverseProxy would copy them one by one.
func (x *relay) answered(resp *http.Response) error {
	h := x.w.Header()
	for name, values := range resp.Header {
		if !droppedForClient(name) {
			h[name] = values
		}
	}
	resp.Header = nil
	dropForClient(resp.Trailer)
	x.left = resp.ContentLength
	x.answer, x.body = resp, resp.Body
	resp.Body = (*answerBody)(x)
	return nil
}

// dropTrailers takes off the fields after the body what must not reach a client:
// their values come only at the end, and some are not announced.
func (x *relay) dropTrailers() {
	h := x.w.Header()
	for name := range h {
		if trailer, ok := strings.CutPrefix(name, http.TrailerPrefix); ok && droppedForClient(trailer) {
			delete(h, name)
		}
	}
}

// failed answers for an upstream that could not be asked, or gave no answer.
func (x *relay) failed(_ http.ResponseWriter, r *http.Request, err error) {
	switch {
	case x.sent != nil && x.sent.slow.Load():
		x.w.Header().Set("Connection", "close")
		respond(x.w, x.provider, http.StatusRequestTimeout, "the request's body did not come")
	case x.sent != nil && x.sent.broken.Load(): // nobody hears it if that is because the client left
		x.w.Header().Set("Connection", "close")
		respond(x.w, x.provider, http.StatusBadRequest, "the request's body cannot be read")
	case context.Cause(r.Context()) != nil:
		panic(http.ErrAbortHandler) // the client went away
	default:
		x.proxy.log.Warn("upstream request failed", "provider", x.provider.ID, "error", err)
		respond(x.w, x.provider, http.StatusBadGateway, "no answer from "+x.upstream.Host+": "+describe(err))
	}
}

// Header implements http.ResponseWriter.
func (x *relay) Header() http.Header { return x.w.Header() }

// WriteHeader implements http.ResponseWriter. Interim answers end here: an
// attempt that is given up may have sent some.
func (x *relay) WriteHeader(status int) {
	if status < http.StatusOK {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if h := x.w.Header(); h["Content-Type"] == nil {
		h["Content-Type"] = nil // the server would guess one
	}
	x.w.WriteHeader(status)
	x.open, x.flushed, x.silent = true, false, 0
	if x.left == 0 {
		return // it leaves with the end of the answer
	}
	if x.watcher == nil {
		x.watcher = time.AfterFunc(headDelay, x.watch)
	} else {
		x.watcher.Reset(headDelay)
	}
}

// Write implements io.Writer. Bytes leave at once, except the last ones of an
// answer of known length: the end of the answer takes them along.
func (x *relay) Write(b []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n, err := x.w.Write(b)
	if err != nil {
		return n, err
	}
	x.flushed = false
	if x.left > 0 {
		if x.left -= int64(n); x.left <= 0 {
			return n, nil
		}
	}
	return n, x.flush()
}

// FlushError is what ReverseProxy calls where it wants bytes out. They are, or
// will be soon.
func (x *relay) FlushError() error { return nil }

// flush sends what waits. The caller holds mu.
func (x *relay) flush() error {
	if x.flushed {
		return nil
	}
	x.flushed = true
	return x.control.Flush()
}

// watch runs while an answer is open: soon after its head went out, and again
// whenever the upstream may have been silent for too long.
func (x *relay) watch() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.open {
		return
	}
	_ = x.flush() // a client that has gone makes the next Write fail
	if reads := x.reads.Load(); reads != x.seen {
		x.seen, x.silent = reads, 0
	} else if x.silent++; x.silent > stallLooks {
		x.proxy.log.Warn("upstream fell silent in the middle of an answer", "provider", x.provider.ID, "for", x.proxy.stallLimit)
		_ = x.body.Close() // the next Read fails, and with it the answer
		return
	}
	x.watcher.Reset(x.proxy.stallLimit / stallLooks)
}

// answerBody is the answer's body as ReverseProxy reads it.
type answerBody relay

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.reads.Add(1)
	return n, err
}

func (b *answerBody) Close() error { return b.body.Close() }

// requestBody is the body that a client sends. A client that stops in the middle
// of it would hold an account's place and an upstream connection.
type requestBody struct {
	io.ReadCloser
	from *conn

	slow, broken atomic.Bool // why it ended before its end
}

func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		b.from.awaitBody(0)
	default:
		b.slow.Store(errors.Is(err, os.ErrDeadlineExceeded))
		b.broken.Store(true)
	}
	return n, err
}

// copyBuffers lends the buffers that answers pass through.
type copyBuffers struct{}

var copyBufferPool = sync.Pool{New: func() any { return new([copySize]byte) }}

func (copyBuffers) Get() []byte {
	b, _ := copyBufferPool.Get().(*[copySize]byte)
	return b[:]
}

func (copyBuffers) Put(b []byte) { copyBufferPool.Put((*[copySize]byte)(b)) }
