package rotation

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestT01_OnlyOurOwnNamesAreServed(t *testing.T) {
	var up asked
	d := open(t, &up)
	p := d.port
	for _, host := range []string{"127.0.0.1:" + p, "[::1]:" + p, "localhost:" + p} {
		if status, body := d.raw(t, rawRequest("POST", messages, host)); status != 200 {
			t.Errorf("Host %q: got %d %s, want 200", host, status, body)
		}
	}
	served := up.count()
	refused := []string{
		"", ":" + p, "127.0.0.1", "localhost", "[::1]", "::1", "::1:" + p, "127.0.0.1:", "localhost:",
		"127.0.0.1:1", "localhost:80", "localhost:0" + p, "localhost:" + p + "0",
		"127.0.0.1.:" + p, "localhost.:" + p, "LOCALHOST:" + p, "localhost.localdomain:" + p, "localhost.evil.example:" + p,
		"evil.example", "evil.example:" + p, "127.0.0.1.evil.example:" + p, "127.0.0.1.nip.io:" + p,
		"0.0.0.0:" + p, "0:" + p, "127.1:" + p, "127.0.1:" + p, "2130706433:" + p, "0x7f000001:" + p, "0177.0.0.1:" + p, "127.0.0.01:" + p,
		"127.0.0.2:" + p, "[::ffff:127.0.0.1]:" + p, "[::ffff:7f00:1]:" + p, "[0:0:0:0:0:0:0:1]:" + p, "[::]:" + p, "[::1%25lo]:" + p,
		"user@127.0.0.1:" + p, "user:pass@localhost:" + p, "127.0.0.1:" + p + "@evil.example", "127.0.0.1:" + p + ",evil.example", "127.0.0.1:" + p + " evil.example",
		"localhost:" + p + "/", "localhost:" + p + "#", "[::1]:" + p + "x", "169.254.169.254:" + p,
	}
	for _, host := range refused {
		status, _ := d.raw(t, rawRequest("POST", messages, host))
		if status != http.StatusForbidden && status != http.StatusBadRequest {
			t.Errorf("Host %q: got %d, want 403 or 400", host, status)
		}
	}
	for name, request := range map[string]string{
		"two Host lines":         rawRequest("POST", messages, "localhost:"+p, "Host: evil.example"),
		"two equal Host lines":   rawRequest("POST", messages, "localhost:"+p, "Host: localhost:"+p),
		"no Host":                "POST " + messages + " HTTP/1.1\r\nAuthorization: Bearer " + testKey + "\r\nContent-Length: 0\r\n\r\n",
		"no Host in HTTP/1.0":    "POST " + messages + " HTTP/1.0\r\nAuthorization: Bearer " + testKey + "\r\nContent-Length: 0\r\n\r\n",
		"absolute form mismatch": rawRequest("POST", "http://evil.example"+messages, "localhost:"+p),
		"absolute form":          rawRequest("POST", "http://localhost:"+p+messages, "localhost:"+p),
		"folded Host":            rawRequest("POST", messages, "localhost:"+p+"\r\n evil.example"),
	} {
		if status, _ := d.raw(t, request); status != http.StatusForbidden && status != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 403 or 400", name, status)
		}
	}
	if got := up.count(); got != served {
		t.Errorf("the upstream was asked %d times by names that are not ours", got-served)
	}
}

func TestT02_WebPagesAreRefused(t *testing.T) {
	var up asked
	d := open(t, &up)
	origins := []string{"http://evil.example", "null", "http://localhost:" + d.port, "http://127.0.0.1:" + d.port, ""}
	types := []string{"application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/octet-stream", ""}
	for _, method := range []string{"GET", "POST", "OPTIONS", "DELETE"} {
		for _, contentType := range types {
			for _, origin := range origins {
				d.refusesPage(t, method, contentType, "Origin", origin)
			}
			for _, site := range []string{"cross-site", "same-site", "same-origin", "", "None"} {
				d.refusesPage(t, method, contentType, "Sec-Fetch-Site", site)
			}
		}
	}
	if got := up.count(); got != 0 {
		t.Errorf("the upstream was asked %d times by pages", got)
	}
	r := d.request(t, "POST", messages, nil)
	r.Header.Set("Sec-Fetch-Site", "none") // an address that was typed
	resp, err := client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(resp.Body)
	if resp.StatusCode != http.StatusOK {
		t.Errorf("Sec-Fetch-Site none: got %d, want 200", resp.StatusCode)
	}
}

func (d *door) refusesPage(t *testing.T, method, contentType, field, value string) {
	t.Helper()
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(c)
	_, _ = io.WriteString(c, rawRequest(method, messages, "localhost:"+d.port, field+": "+value, "Content-Type: "+contentType))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(resp.Body)
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("%s %s %s=%q: got %d, want 403", method, contentType, field, value, resp.StatusCode)
	}
	for name := range resp.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s %s=%q: answered with %s", method, field, value, name)
		}
	}
}

func TestGreetingsAreAnsweredHere(t *testing.T) {
	var up asked
	d := open(t, &up)
	for _, path := range []string{"/", "/api/hello", "/anthropic", "/anthropic/", "/anthropic/api/hello", "/?x=1"} {
		for _, method := range []string{"GET", "HEAD"} {
			status, _ := d.raw(t, method+" "+path+" HTTP/1.1\r\nHost: localhost:"+d.port+"\r\nConnection: close\r\n\r\n")
			if status != http.StatusOK {
				t.Errorf("%s %s: got %d, want 200", method, path, status)
			}
		}
	}
	if status, _ := d.raw(t, "HEAD / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"); status != http.StatusForbidden {
		t.Errorf("HEAD / of another name: got %d, want 403", status)
	}
	if got := up.count(); got != 0 {
		t.Errorf("the upstream was asked %d times", got)
	}
}

func TestWhatIsNotServedIsSaidInTheProvidersShape(t *testing.T) {
	var up asked
	d := open(t, &up)
	for _, c := range []struct {
		method, path string
		header       http.Header
		status       int
		kind         string // error.type; "": the shape has none
	}{
		{"GET", messages, nil, 404, "not_found_error"},
		{"POST", "/anthropic/v1/messages/", nil, 404, "not_found_error"},
		{"POST", "/anthropic/v1/complete", nil, 404, "not_found_error"},
		{"DELETE", "/anthropic/", nil, 404, "not_found_error"},
		{"POST", messages, http.Header{"Authorization": {"Bearer no"}}, 401, "authentication_error"},
		{"POST", messages, http.Header{"Origin": {"null"}, "Authorization": {"Bearer " + testKey}}, 403, "permission_error"},
		{"POST", "/nobody/v1/messages", nil, 404, ""},
		{"POST", "/mycorp/v2/", nil, 404, ""},
		{"GET", messages, http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Authorization": {"Bearer " + testKey}}, 426, "invalid_request_error"},
	} {
		r := d.request(t, c.method, c.path, nil)
		if c.header != nil {
			r.Header = c.header
		}
		resp, err := client(t).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Error struct{ Type, Message string }
		}
		err = json.NewDecoder(resp.Body).Decode(&doc)
		shut(resp.Body)
		if err != nil || resp.StatusCode != c.status || doc.Error.Type != c.kind || doc.Error.Message == "" || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: got %d %+v %v, want %d %s", c.method, c.path, resp.StatusCode, doc, err, c.status, c.kind)
		}
	}
	if status, _ := d.raw(t, rawRequest("CONNECT", "api.anthropic.com:443", "localhost:"+d.port)); status != 405 {
		t.Errorf("CONNECT: got %d, want 405", status)
	}
	if got := up.count(); got != 0 {
		t.Errorf("the upstream was asked %d times", got)
	}
}

func TestAVaultWithoutItsKeyIsSaid(t *testing.T) {
	var up asked
	d := open(t, &up, func(p *Proxy) {
		p.ready = func() error { return errors.New("the keyring is locked") }
	})
	resp, err := client(t).Do(d.request(t, "POST", messages, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer shut(resp.Body)
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusServiceUnavailable || !bytes.Contains(body, []byte("the keyring is locked")) {
		t.Errorf("got %d %s, want 503 saying that the keyring is locked", resp.StatusCode, body)
	}
	if status, _ := d.raw(t, "HEAD / HTTP/1.1\r\nHost: localhost:"+d.port+"\r\nConnection: close\r\n\r\n"); status != http.StatusOK {
		t.Errorf("HEAD /: got %d, want 200: the proxy itself is well", status)
	}
	if got := up.count(); got != 0 {
		t.Errorf("the upstream was asked %d times", got)
	}
}

func TestBodyAndQueryArriveUnchanged(t *testing.T) {
	var up asked
	d := open(t, &up)
	queries := []string{"?beta=true", "?", "?a=1;b=2&c=%zz&d=%2F+%20", "?x=http://evil.example/&&=&#frag", "?" + strings.Repeat("q", 4000)}
	for _, size := range []int{0, 1, 2 << 10, 12<<10 + 1, 116 << 10, 5 << 20} {
		for i, query := range queries {
			body := bytes.Repeat([]byte{byte(i), 0xff, '\r', '\n'}, size/4+1)[:size]
			head := "POST " + messages + query + " HTTP/1.1\r\nHost: localhost:" + d.port + "\r\nX-Api-Key: " + testKey + "\r\nConnection: close\r\n"
			if i%2 == 0 {
				head += "Content-Length: " + strconv.Itoa(size) + "\r\n\r\n" + string(body)
			} else {
				head += "Transfer-Encoding: chunked\r\n\r\n" + chunked(body)
			}
			if status, text := d.raw(t, head); status != 200 {
				t.Fatalf("%d bytes, query %q: got %d %s", size, query, status, text)
			}
			got := up.last()
			sent := up.bodies[len(up.bodies)-1]
			if sha256.Sum256(sent) != sha256.Sum256(body) {
				t.Errorf("%d bytes, query %q: the body changed: %d bytes arrived", size, query, len(sent))
			}
			if uri := got.URL.RequestURI(); uri != "/v1/messages"+query {
				t.Errorf("query %q: %q went upstream", query, uri)
			}
			if i%2 == 0 && got.ContentLength != int64(size) {
				t.Errorf("%d bytes: Content-Length %d went upstream", size, got.ContentLength)
			}
		}
	}
}

func TestEndOfServeCutsWhatDoesNotEndByItself(t *testing.T) {
	t.Run("after the grace", func(t *testing.T) {
		if testing.Short() {
			t.Skip("waits for the grace to pass")
		}
		testEndOfServe(t, func(*Proxy) {}, EndGrace)
	})
	t.Run("at once", func(t *testing.T) {
		testEndOfServe(t, (*Proxy).Cut, 0)
	})
	t.Run("in the middle of the grace", func(t *testing.T) {
		testEndOfServe(t, func(p *Proxy) { time.AfterFunc(EndGrace/10, p.Cut) }, EndGrace/10)
	})
}

// testEndOfServe ends a proxy that a request waits on, and says so before.
func testEndOfServe(t *testing.T, before func(*Proxy), least time.Duration) {
	t.Helper()
	started := make(chan struct{})
	p := NewProxy(ProxyOptions{
		Providers: mustSet(t),
		Transport: upstreamFunc(func(r *http.Request) (*http.Response, error) {
			close(started)
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		}),
		LocalKey: func() (string, error) { return testKey, nil },
		Log:      slog.New(slog.DiscardHandler),
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- p.Serve(ctx, l) }()
	stranger, err := net.Dial("tcp", l.Addr().String()) // says nothing, and keeps nobody
	if err != nil {
		t.Fatal(err)
	}
	defer shut(stranger)
	d := &door{Proxy: p, addr: l.Addr().String()}
	failed := make(chan error, 1)
	go func() {
		resp, err := client(t).Do(d.request(t, "POST", messages, nil))
		if err == nil {
			shut(resp.Body)
		}
		failed <- err
	}()
	<-started
	begin := time.Now()
	before(p)
	cancel()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v, want nil", err)
	}
	if took := time.Since(begin); took < least || took > least+2*time.Second {
		t.Errorf("Serve ended after %v, want about %v", took, least)
	}
	if err := <-failed; err == nil {
		t.Error("the request that was cut off looked whole")
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the port is still open")
	}
}

func TestFinishLeavesAnAnswerItsTime(t *testing.T) {
	for name, tt := range map[string]struct {
		end   func(p *Proxy, cancel, answer func())
		whole bool
	}{
		"until it has ended": {func(_ *Proxy, _, answer func()) { answer() }, true},
		"until it is cut":    {func(p *Proxy, _, _ func()) { p.Cut() }, false},
		"until ctx ends":     {func(_ *Proxy, cancel, _ func()) { cancel() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			started, answers := make(chan struct{}), make(chan struct{})
			p := NewProxy(ProxyOptions{
				Providers: mustSet(t),
				Transport: upstreamFunc(func(r *http.Request) (*http.Response, error) {
					close(started)
					select {
					case <-answers:
						return answer(r, http.StatusOK, "ok"), nil
					case <-r.Context().Done():
						return nil, context.Cause(r.Context())
					}
				}),
				LocalKey: func() (string, error) { return testKey, nil },
				Log:      slog.New(slog.DiscardHandler),
			})
			p.endGrace = 0 // it is for an end in a hurry
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			served := make(chan error, 1)
			go func() { served <- p.Serve(ctx, l) }()
			d := &door{Proxy: p, addr: l.Addr().String()}
			failed := make(chan error, 1)
			go func() {
				resp, err := client(t).Do(d.request(t, "POST", messages, nil))
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					shut(resp.Body)
				}
				failed <- err
			}()
			<-started
			p.Finish()
			for {
				c, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					break // the port is closed, and the answer still under way
				}
				shut(c)
			}
			select {
			case err := <-failed:
				t.Fatalf("the answer did not get its time: %v", err)
			default:
			}
			tt.end(p, cancel, func() { close(answers) })
			if err := <-served; err != nil {
				t.Errorf("Serve: %v, want nil", err)
			}
			if err := <-failed; (err == nil) != tt.whole {
				t.Errorf("the request ended with %v", err)
			}
		})
	}
}

// injected is what a test panics with.
type injected string

func TestT40_APanicBreaksOneAnswer(t *testing.T) {
	var said bytes.Buffer
	d := open(t, upstreamFunc(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-Panic") != "" {
			panic(injected("of a secret"))
		}
		return answer(r, http.StatusOK, "ok"), nil
	}), func(p *Proxy) { p.log = slog.New(slog.NewTextHandler(&said, nil)) })
	host := "localhost:" + d.port
	if status, _ := d.raw(t, rawRequest("POST", messages, host, "X-Panic: 1")); status != 0 {
		t.Errorf("a panic answered %d, want a broken connection", status)
	}
	if status, _ := d.raw(t, rawRequest("POST", messages, host)); status != http.StatusOK {
		t.Errorf("after the panic: got %d, want 200", status)
	}
	if !strings.Contains(said.String(), "rotation.injected") || strings.Contains(said.String(), "of a secret") {
		t.Errorf("the log does not name the panic, or quotes it: %q", said.String())
	}
}
