package rotation

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestT11_SlowClientsKeepNobodyOut(t *testing.T) {
	var up asked
	d := open(t, &up)
	loris := 1000
	if testing.Short() {
		loris = 400
	}
	for i := range loris {
		c, err := net.Dial("tcp", d.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer shut(c)
		if i%2 == 0 { // half of them say something
			_, _ = io.WriteString(c, "POST "+messages+" HTTP/1.1\r\nHost: localhost:"+d.port+"\r\nX-")
		}
	}
	// A busy machine makes everybody wait: a proxy without slow clients, asked in
	// turns, says how long.
	quiet := open(t, new(asked))
	var took [2]latencies
	for range 200 {
		for i, d := range []*door{d, quiet} {
			start := time.Now()
			if status, _ := d.raw(t, rawRequest("POST", messages, "localhost:"+d.port)); status != http.StatusOK {
				t.Fatalf("got %d, want 200", status)
			}
			took[i] = append(took[i], time.Since(start))
		}
	}
	if p99, without := took[0].at(0.99), took[1].at(0.99); p99 > 100*time.Millisecond+without {
		t.Errorf("a normal request took %v (p99) beside %d slow ones and %v without, want under 100ms more", p99, loris, without)
	}
	d.guests.mu.Lock()
	defer d.guests.mu.Unlock()
	if n := d.guests.strangers.Len(); n > maxConns {
		t.Errorf("%d strangers are in, want at most %d", n, maxConns)
	}
}

func TestT11_HeadsAreLimited(t *testing.T) {
	var up asked
	d := open(t, &up)
	if status, _ := d.raw(t, rawRequest("POST", messages, "localhost:"+d.port, "X-Long: "+strings.Repeat("a", 60<<10))); status != http.StatusOK {
		t.Errorf("a head of 60 KiB: got %d, want 200", status)
	}
	if status, _ := d.raw(t, rawRequest("POST", messages, "localhost:"+d.port, "X-Long: "+strings.Repeat("a", 80<<10))); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a head of 80 KiB: got %d, want 431", status)
	}
	if testing.Short() {
		return
	}
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(c)
	start := time.Now()
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\n")
	_ = c.SetReadDeadline(start.Add(headerTimeout + 3*time.Second))
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("a head that never ends: %v, want the connection closed after %v", err, headerTimeout)
	}
}

func TestT11_ConnectionsOfOneClientAreLimited(t *testing.T) {
	release := make(chan struct{})
	var once sync.Once
	let := func() { once.Do(func() { close(release) }) }
	t.Cleanup(let)
	d := open(t, upstreamFunc(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-Hold") != "" {
			<-release
		}
		return answer(r, 200, ""), nil
	}))
	host := "localhost:" + d.port
	for range maxConns {
		c, err := net.Dial("tcp", d.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer shut(c)
		_, _ = io.WriteString(c, "POST "+messages+" HTTP/1.1\r\nHost: "+host+"\r\nX-Hold: 1\r\nX-Api-Key: "+testKey+"\r\nContent-Length: 0\r\n\r\n")
	}
	waitFor(t, func() bool {
		d.guests.mu.Lock()
		defer d.guests.mu.Unlock()
		return d.guests.clients[""] == maxConns
	})
	if status, _ := d.raw(t, rawRequest("POST", messages, host)); status != http.StatusServiceUnavailable {
		t.Errorf("one connection more: got %d, want 503", status)
	}
	other := SessionKey(testKey, Claims{Session: "other"})
	if status, _ := d.raw(t, "POST "+messages+" HTTP/1.1\r\nHost: "+host+"\r\nX-Api-Key: "+other+"\r\nContent-Length: 0\r\n\r\n"); status != http.StatusOK {
		t.Errorf("another client: got %d, want 200", status)
	}
	let()
	waitFor(t, func() bool { // those that are at rest count, those that are closed do not
		d.guests.mu.Lock()
		defer d.guests.mu.Unlock()
		return len(d.guests.clients) <= 1
	})
}

func TestT11_AClientThatDoesNotReadIsLeft(t *testing.T) {
	ended := make(chan error, 1)
	d := open(t, upstreamFunc(func(r *http.Request) (*http.Response, error) {
		resp := answer(r, 200, "")
		resp.ContentLength = -1
		resp.Body = &endless{ctx: r.Context(), ended: ended}
		return resp, nil
	}), func(p *Proxy) { p.guests.writeLimit = 300 * time.Millisecond })
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(c)
	_, _ = io.WriteString(c, rawRequest("POST", messages, "localhost:"+d.port))
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the stream ended before its client was given up")
		}
	case <-time.After(5 * time.Second):
		t.Error("the stream of a client that does not read goes on")
	}
}

// endless is a body that never ends by itself.
type endless struct {
	ctx   context.Context
	ended chan error
}

func (b *endless) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte("x"), len(p))), b.ctx.Err()
}

func (b *endless) Close() error { b.ended <- b.ctx.Err(); return nil }

func TestAClientThatStopsInItsBodyIsTold(t *testing.T) {
	failed := make(chan error, 1)
	d := open(t, upstreamFunc(func(r *http.Request) (*http.Response, error) {
		_, err := io.ReadAll(r.Body)
		failed <- err
		return nil, errors.New("no body")
	}), func(p *Proxy) { p.bodyLimit = 200 * time.Millisecond })
	status, _ := d.raw(t, "POST "+messages+" HTTP/1.1\r\nHost: localhost:"+d.port+"\r\nX-Api-Key: "+testKey+"\r\nContent-Length: 10\r\n\r\nhalf")
	if status != http.StatusRequestTimeout {
		t.Errorf("got %d, want 408", status)
	}
	if err := <-failed; err == nil {
		t.Error("half a body looked whole")
	}
}

// The deadline of a body must not outlive it: the server goes on reading the
// connection to see the client leave, and an answer may take long.
func TestALongAnswerOutlivesTheLimitOfItsRequest(t *testing.T) {
	d := open(t, upstreamFunc(func(r *http.Request) (*http.Response, error) {
		if _, err := io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		select {
		case <-time.After(500 * time.Millisecond):
			return answer(r, 200, "late"), nil
		case <-r.Context().Done():
			return nil, context.Cause(r.Context())
		}
	}), func(p *Proxy) { p.bodyLimit = 100 * time.Millisecond })
	resp, err := client(t).Do(d.request(t, "POST", messages, strings.NewReader("body")))
	if err != nil {
		t.Fatal(err)
	}
	defer shut(resp.Body)
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "late" {
		t.Errorf("got %q, %v", text, err)
	}
}

func waitFor(tb testing.TB, done func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(5 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatal("it did not come to pass within 5s")
		}
	}
}
