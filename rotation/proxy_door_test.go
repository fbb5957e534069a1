package rotation

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// testKey is the local key of these tests.
const testKey = "omx_0123456789abcdefghijklmnopqrstuvwxyzABCDEF"

// upstreamFunc plays Transport and everything behind it.
type upstreamFunc func(*http.Request) (*http.Response, error)

func (f upstreamFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// asked is an upstream that answers 200 and remembers what it was asked.
type asked struct {
	mu       sync.Mutex
	requests []*http.Request
	routes   []Route
	bodies   [][]byte
}

func (a *asked) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, r)
	a.bodies = append(a.bodies, body)
	if route, ok := r.Context().Value(routeKey{}).(*Route); ok {
		a.routes = append(a.routes, *route)
	}
	return answer(r, http.StatusOK, "ok"), nil
}

func (a *asked) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.requests)
}

func (a *asked) last() *http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.requests[len(a.requests)-1]
}

func answer(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        http.Header{"Content-Type": {"text/plain"}},
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
	}
}

// door is a proxy that is served.
type door struct {
	*Proxy
	addr string
	port string
}

// open serves a proxy before rt until the test ends. Its providers are the
// built-in ones and "mycorp", which allows /v1/ at http://127.0.0.1:9.
func open(tb testing.TB, rt http.RoundTripper, change ...func(*Proxy)) *door {
	tb.Helper()
	return openTo(tb, "http://127.0.0.1:9", rt, change...)
}

func openTo(tb testing.TB, upstream string, rt http.RoundTripper, change ...func(*Proxy)) *door {
	tb.Helper()
	set, err := accounts.NewSet(map[accounts.ProviderID]accounts.Settings{"mycorp": {
		Name: "My Corp", AuthorizeURL: "https://login.mycorp.example/a", TokenURL: "https://login.mycorp.example/t", ClientID: "c",
		Upstream: upstream, Paths: []string{"/v1/", "POST /exact"},
	}})
	if err != nil {
		tb.Fatal(err)
	}
	p := NewProxy(ProxyOptions{
		Providers: set,
		Transport: rt,
		LocalKey:  func() (string, error) { return testKey, nil },
		Log:       slog.New(slog.DiscardHandler),
	})
	for _, f := range change {
		f(p)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- p.Serve(ctx, l) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			tb.Errorf("Serve: %v", err)
		}
	})
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return &door{Proxy: p, addr: l.Addr().String(), port: port}
}

// client is an http.Client whose connections end with the test.
func client(tb testing.TB) *http.Client {
	tb.Helper()
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, ExpectContinueTimeout: 5 * time.Second}
	tb.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// request returns one that carries the local key.
func (d *door) request(tb testing.TB, method, path string, body io.Reader) *http.Request {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), method, "http://"+d.addr+path, body)
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+testKey)
	return r
}

// raw sends bytes as they are, and returns the head's first line and everything
// that comes until the connection closes or the first answer is complete.
func (d *door) raw(tb testing.TB, request string) (status int, body string) {
	tb.Helper()
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		tb.Fatal(err)
	}
	defer shut(c)
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		tb.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err.Error() // closed without an answer
	}
	defer shut(resp.Body)
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// shut closes what a test is done with.
func shut(c io.Closer) { _ = c.Close() }

const messages = "/anthropic/v1/messages"

func rawRequest(method, target, host string, more ...string) string {
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: " + host, "Authorization: Bearer " + testKey}, more...)
	return strings.Join(lines, "\r\n") + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
}

func mustSet(tb testing.TB) *accounts.Set {
	tb.Helper()
	set, err := accounts.NewSet(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

func chunked(body []byte) string {
	var b strings.Builder
	for len(body) > 0 {
		n := min(len(body), 7001)
		b.WriteString(strconv.FormatInt(int64(n), 16) + "\r\n" + string(body[:n]) + "\r\n")
		body = body[n:]
	}
	return b.String() + "0\r\n\r\n"
}
