package rotation

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// behind serves a proxy in front of a real HTTP server.
func behind(tb testing.TB, h http.HandlerFunc, change ...func(*Proxy)) *door {
	tb.Helper()
	up := httptest.NewServer(h)
	tb.Cleanup(up.Close)
	base := NewUpstream(nil)
	tb.Cleanup(base.CloseIdleConnections)
	return openTo(tb, up.URL, base, change...)
}

// Events in every shape that an event stream may have (SAFETY 3.4): none is read
// here, so none may change.
var events = []string{
	"event: message_start\ndata: {\"type\":\"message_start\"}\n\n",
	": a comment\n\n", "\n", "\r\n", "data: crlf\r\n\r\n", "data: cr\r\r", "data:no space\n\n", "\ufeffdata: bom\n\n",
	"data: \xc3", "\xa9 split\n\n", "data: \x00 nul\n\n", "event: ping\ndata: {}\n\n", "data: [DONE]\n\n", "data: after\n\n",
	"data: " + strings.Repeat("x", 100<<10) + "\n\n", "event: error\ndata: {\"type\":\"error\"}\n\n", "data: no end",
}

func TestEventsArriveOneByOneAndUnchanged(t *testing.T) {
	next := make(chan struct{}, 1)
	d := behind(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, e := range events {
			<-next
			_, _ = io.WriteString(w, e)
			_ = http.NewResponseController(w).Flush()
		}
		<-next
	})
	next <- struct{}{} // the head comes with the first event
	resp, err := client(t).Do(d.request(t, "POST", "/mycorp/v1/x", strings.NewReader("{}")))
	if err != nil {
		t.Fatal(err)
	}
	defer shut(resp.Body)
	for i, want := range events {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(resp.Body, got); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		if string(got) != want {
			t.Fatalf("event %d: got %.60q, want %.60q", i, got, want)
		}
		next <- struct{}{} // only now may the next one leave
	}
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
		t.Errorf("after the last event: %q, %v", rest, err)
	}
}

func TestTheHeadDoesNotWaitForALateBody(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for name, length := range map[string]string{"stream": "", "known length": "4"} {
		d := behind(t, func(w http.ResponseWriter, _ *http.Request) {
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-release
		})
		got := make(chan error, 1)
		go func() {
			resp, err := client(t).Do(d.request(t, "POST", "/mycorp/v1/x", nil))
			if err == nil {
				shut(resp.Body)
			}
			got <- err
		}()
		select {
		case err := <-got:
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("%s: the head did not come before the body", name)
		}
	}
}

// golang/go#40747: fast answers used to break the connection to the upstream
// under the next request.
func TestFastStreamsAreNotCut(t *testing.T) {
	total := int64(20_000)
	if testing.Short() {
		total = 2_000
	}
	up := httptest.NewServer(http.HandlerFunc(fastStream))
	defer up.Close()
	asManyStreams(t, &door{addr: ours(t, up.URL)}, total)
}

func fastStream(w http.ResponseWriter, _ *http.Request) { // does not read the body: that is what makes it fast
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range 3 {
		_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
		_ = http.NewResponseController(w).Flush()
	}
}

const fastStreamText = "data: 0\n\ndata: 1\n\ndata: 2\n\n"

func asManyStreams(t *testing.T, d *door, total int64) {
	t.Helper()
	c := client(t)
	var done, cut atomic.Int64
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			for i := done.Add(1); i <= total; i = done.Add(1) {
				body := bytes.Repeat([]byte("b"), int(i%7)*3000) // in one packet, in several, none
				r := d.request(t, "POST", messages, bytes.NewReader(body))
				r.Header.Set("Authorization", "Bearer "+benchKey)
				resp, err := c.Do(r)
				if err != nil {
					cut.Add(1)
					t.Log(err)
					continue
				}
				text, err := io.ReadAll(resp.Body)
				shut(resp.Body)
				if err != nil || resp.StatusCode != http.StatusOK || string(text) != fastStreamText {
					cut.Add(1)
					t.Logf("%d %q %v", resp.StatusCode, text, err)
				}
			}
		})
	}
	clients.Wait()
	if n := cut.Load(); n > 0 {
		t.Errorf("%d of %d streams were cut", n, total)
	}
}

func TestInterimAnswersStayHere(t *testing.T) {
	d := behind(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</x>; rel=preload")
		w.Header().Set("Set-Cookie", "a=b")
		for range 20 {
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.Header().Del("Set-Cookie")
		w.WriteHeader(http.StatusAccepted)
	})
	if status, _ := d.raw(t, rawRequest("POST", "/mycorp/v1/x", "localhost:"+d.port)); status != http.StatusAccepted {
		t.Errorf("the first answer is %d, want 202", status)
	}
}

// TestT16: a head that has no end must not be kept.
func TestT16_HugeHeadsOfAnswersAreRefused(t *testing.T) {
	d := behind(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("a", 1<<20))
	})
	if status, _ := d.raw(t, rawRequest("POST", "/mycorp/v1/x", "localhost:"+d.port)); status != http.StatusBadGateway {
		t.Errorf("got %d, want 502", status)
	}
}

// A client that asks first whether its body is wanted (RFC 9110, section 10.1.1)
// is told, the whole way, and may keep it.
func TestClientsMayAskBeforeTheySendABody(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Expect") != "100-continue" {
			http.Error(w, "nobody asked", http.StatusTeapot)
			return
		}
		if r.Header.Get("X-Unwanted") != "" {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n)
	}))
	defer up.Close()
	d := &door{addr: ours(t, up.URL)}
	c := client(t)
	for _, size := range []int{100, 5 << 20} {
		for _, unwanted := range []string{"", "1"} {
			r := d.request(t, "POST", messages, bytes.NewReader(make([]byte, size)))
			r.Header.Set("Authorization", "Bearer "+benchKey)
			r.Header.Set("Expect", "100-continue")
			want := strconv.Itoa(size)
			if unwanted != "" {
				r.Header.Set("X-Unwanted", unwanted)
				want = "too large\n"
			}
			resp, err := c.Do(r)
			if err != nil {
				t.Errorf("%d bytes, unwanted %q: %v", size, unwanted, err)
				continue
			}
			text, err := io.ReadAll(resp.Body)
			shut(resp.Body)
			if err != nil || string(text) != want {
				t.Errorf("%d bytes, unwanted %q: got %d %q, %v", size, unwanted, resp.StatusCode, text, err)
			}
		}
	}
}

func TestRedirectsAreHandedOn(t *testing.T) {
	var asked atomic.Int64
	d := behind(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(w, r, "/v1/elsewhere", http.StatusTemporaryRedirect)
	})
	resp, err := client(t).Do(d.request(t, "POST", "/mycorp/v1/x", strings.NewReader("{}")))
	if err != nil {
		t.Fatal(err)
	}
	shut(resp.Body)
	if resp.StatusCode != http.StatusTemporaryRedirect || asked.Load() != 1 {
		t.Errorf("got %d after %d requests, want 307 after one", resp.StatusCode, asked.Load())
	}
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}
