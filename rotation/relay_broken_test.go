package rotation

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// cutter is an upstream that breaks an answer off, or falls silent in it.
func cutter(tb testing.TB, head string, body []byte, stop func(net.Conn)) string {
	tb.Helper()
	return serveBench(tb, func(ctx context.Context, l net.Listener) {
		var conns sync.WaitGroup
		stopAccept := context.AfterFunc(ctx, func() { _ = l.Close() })
		defer stopAccept()
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			conns.Go(func() {
				defer shut(c)
				if skipMessage(bufio.NewReader(c)) != nil {
					return
				}
				_, _ = c.Write(append([]byte(head), body...))
				stop(c)
			})
		}
		conns.Wait()
	})
}

func TestT14_ABrokenAnswerIsSeenToBeBroken(t *testing.T) {
	const size = 3000
	whole := bytes.Repeat([]byte("a"), size)
	reset := func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }
	end := func(net.Conn) {}
	silent := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) } // until the proxy hangs up
	shapes := map[string]struct{ head, body string }{
		"known length": {"HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(size) + "\r\n\r\n", string(whole)},
		"chunked":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunked(whole)},
		"stream":       {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n", chunked(whole)},
	}
	for shape, s := range shapes {
		for how, stop := range map[string]func(net.Conn){"end": end, "reset": reset, "silence": silent} {
			for range 12 {
				at := rand.IntN(len(s.body) - 5)
				up := cutter(t, s.head, []byte(s.body[:at]), stop)
				base := NewUpstream(nil)
				d := openTo(t, "http://"+up, base, func(p *Proxy) { p.stallLimit = 100 * time.Millisecond })
				resp, err := client(t).Do(d.request(t, "POST", "/mycorp/v1/x", strings.NewReader("{}")))
				if err != nil {
					continue // not even the head came: seen
				}
				text, err := io.ReadAll(resp.Body)
				shut(resp.Body)
				if err == nil {
					t.Errorf("%s, %s at byte %d: %d bytes with status %d look whole", shape, how, at, len(text), resp.StatusCode)
				}
				base.CloseIdleConnections()
			}
		}
	}
}

func TestT14_AnUpstreamThatNeverAnswersIsGivenUp(t *testing.T) {
	up := cutter(t, "", nil, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	base := NewUpstream(nil)
	defer base.CloseIdleConnections()
	if base.ResponseHeaderTimeout <= 0 {
		t.Error("there is no limit by default")
	}
	base.ResponseHeaderTimeout = 100 * time.Millisecond
	d := openTo(t, "http://"+up, base)
	if status, text := d.raw(t, rawRequest("POST", "/mycorp/v1/x", "localhost:"+d.port)); status != http.StatusBadGateway || !strings.Contains(text, "no answer in time") {
		t.Errorf("got %d %s, want 502 that says so", status, text)
	}
}

// A client of HTTP/1.0 knows the end of an answer by the end of the connection.
func TestT14_ABrokenAnswerIsSeenByOldClients(t *testing.T) {
	up := cutter(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", []byte("5\r\nhello\r\n"), func(net.Conn) {})
	base := NewUpstream(nil)
	defer base.CloseIdleConnections()
	d := openTo(t, "http://"+up, base)
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(c)
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(c, "POST /mycorp/v1/x HTTP/1.0\r\nHost: localhost:"+d.port+"\r\nX-Api-Key: "+testKey+"\r\nContent-Length: 0\r\n\r\n")
	if text, err := io.ReadAll(c); err == nil {
		t.Errorf("got %q and a clean end", text)
	}
}

func TestAnUpstreamThatCannotBeReachedIsSaid(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := "http://" + l.Addr().String()
	_ = l.Close()
	base := NewUpstream(nil)
	d := openTo(t, gone, base)
	resp, err := client(t).Do(d.request(t, "POST", "/mycorp/v1/x", strings.NewReader("{}")))
	if err != nil {
		t.Fatal(err)
	}
	defer shut(resp.Body)
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusBadGateway || !bytes.Contains(text, []byte("connection refused")) || !bytes.Contains(text, []byte(`"error"`)) {
		t.Errorf("got %d %s, want 502 that says why", resp.StatusCode, text)
	}
}

func TestT13_UpstreamEndsWhenTheClientLeaves(t *testing.T) {
	for name, sendFirst := range map[string]bool{"before the head": false, "in the stream": true} {
		took := time.Hour
		for try := 0; try < 5 && took > time.Second; try++ { // the machine may have been busy: the best counts
			took = goesOn(t, sendFirst)
		}
		if took > time.Second {
			t.Errorf("%s: the upstream went on for %v, at best", name, took)
		}
	}
}

// goesOn is how long an upstream works for a client that has left.
func goesOn(t *testing.T, sendFirst bool) time.Duration {
	t.Helper()
	started, ended := make(chan struct{}), make(chan time.Time, 1)
	d := behind(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does this server see a client leave
		if sendFirst {
			_, _ = io.WriteString(w, "data: 1\n\n")
			_ = http.NewResponseController(w).Flush()
		}
		close(started)
		<-r.Context().Done()
		ended <- time.Now()
	})
	ctx, cancel := context.WithCancel(t.Context())
	r := d.request(t, "POST", "/mycorp/v1/x", strings.NewReader("{}")).WithContext(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := client(t).Do(r); err == nil {
			_, _ = io.ReadAll(resp.Body)
			shut(resp.Body)
		}
	}()
	<-started
	left := time.Now()
	cancel()
	defer func() { <-done }()
	select {
	case at := <-ended:
		return at.Sub(left)
	case <-time.After(20 * time.Second):
		t.Fatal("the upstream goes on")
		return 0
	}
}

func TestT13_LeavingAtAnyByteLeaksNothing(t *testing.T) {
	n := 3_000
	if testing.Short() {
		n = 500
	}
	const size = 64 << 10
	var open, most atomic.Int64
	d := behind(t, func(w http.ResponseWriter, _ *http.Request) {
		defer open.Add(-1)
		most.Store(max(most.Load(), open.Add(1)))
		for range 16 {
			if _, err := w.Write(make([]byte, size/16)); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	})
	work := make(chan int)
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			for at := range work {
				c, err := net.Dial("tcp", d.addr)
				if err != nil {
					t.Error(err)
					return
				}
				if at%3 == 0 {
					_ = c.(*net.TCPConn).SetLinger(0)
				}
				_, _ = io.WriteString(c, rawRequest("POST", "/mycorp/v1/x", "localhost:"+d.port))
				_, _ = io.CopyN(io.Discard, c, int64(at))
				_ = c.Close()
			}
		})
	}
	for range n {
		work <- rand.IntN(size)
	}
	close(work)
	clients.Wait()
	waitFor(t, func() bool {
		d.underway.mu.Lock()
		defer d.underway.mu.Unlock()
		d.guests.mu.Lock()
		defer d.guests.mu.Unlock()
		return open.Load() == 0 && d.underway.n == 0 && len(d.guests.clients) == 0 && d.guests.strangers.Len() == 0
	})
	if most.Load() == 0 {
		t.Error("the upstream was never asked")
	}
}

// An upstream that answers before it has the whole body is heard.
func TestAnEarlyAnswerIsHeard(t *testing.T) {
	d := behind(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	})
	r := d.request(t, "POST", "/mycorp/v1/x", io.LimitReader(neverEnding('x'), 64<<20))
	r.ContentLength = 64 << 20
	resp, err := client(t).Do(r)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		return // the answer may be lost while the client still sends (RFC 9112, section 9.5)
	}
	defer shut(resp.Body)
	if resp.StatusCode != http.StatusRequestEntityTooLarge && resp.StatusCode != http.StatusBadGateway {
		t.Errorf("got %d, want 413", resp.StatusCode)
	}
}
