package rotation

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// behindTLS serves a proxy in front of a server that speaks HTTP/2.
func behindTLS(tb testing.TB, h http.HandlerFunc, network func(*http.Request) (*url.URL, error), change ...func(*Proxy)) *door {
	tb.Helper()
	up := httptest.NewUnstartedServer(h)
	up.EnableHTTP2 = true
	up.StartTLS()
	tb.Cleanup(up.Close)
	base := NewUpstream(network)
	base.TLSClientConfig.RootCAs = x509.NewCertPool()
	base.TLSClientConfig.RootCAs.AddCert(up.Certificate())
	tb.Cleanup(base.CloseIdleConnections)
	return openTo(tb, up.URL, base, change...)
}

func TestUpstreamSpeaksHTTP2(t *testing.T) {
	gone := make(chan struct{})
	upstream := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.ProtoMajor != 2 {
			http.Error(w, "want HTTP/2", http.StatusTeapot)
			return
		}
		switch r.URL.Path {
		case "/v1/echo":
			_, _ = w.Write(body)
		case "/v1/cut":
			_, _ = io.WriteString(w, "data: 1\n\n")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler) // RST_STREAM
		case "/v1/hold":
			_, _ = io.WriteString(w, "data: 1\n\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			gone <- struct{}{}
		}
	}
	d, c := behindTLS(t, upstream, nil), client(t)
	for _, size := range []int{0, 10, 2 << 10, 116 << 10, 5 << 20} {
		want := bytes.Repeat([]byte("e"), size)
		resp, err := c.Do(d.request(t, "POST", "/mycorp/v1/echo", bytes.NewReader(want)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		shut(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: got %d with %d bytes, %v", size, resp.StatusCode, len(got), err)
		}
	}
	d = behindTLS(t, upstream, nil, func(p *Proxy) { p.stallLimit = 200 * time.Millisecond })
	for _, path := range []string{"/mycorp/v1/cut", "/mycorp/v1/hold"} { // a stall is found in a stream too
		resp, err := c.Do(d.request(t, "POST", path, strings.NewReader("{}")))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%s: %q looks whole", path, text)
		}
		shut(resp.Body)
	}
	select {
	case <-gone:
	case <-time.After(20 * time.Second):
		t.Error("the upstream does not learn that its stalled answer was given up")
	}
}

func TestT08_TheForwardProxySeesNothingButTheHost(t *testing.T) {
	var connects atomic.Int64
	forward := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
			return
		}
		connects.Add(1)
		if h := r.Header; h.Get("Authorization") != "" || h.Get("X-Api-Key") != "" {
			t.Error("the forward proxy saw a credential")
		}
		up, err := net.Dial("tcp", r.Host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer shut(up)
		w.WriteHeader(http.StatusOK)
		down, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer shut(down)
		go func() {
			_, _ = io.Copy(up, buffered)
			shut(up)
		}()
		_, _ = io.Copy(down, up)
	}))
	defer forward.Close()
	to, err := url.Parse(forward.URL)
	if err != nil {
		t.Fatal(err)
	}
	d := behindTLS(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "through") }, http.ProxyURL(to))
	resp, err := client(t).Do(d.request(t, "POST", "/mycorp/v1/x", strings.NewReader("{}")))
	if err != nil {
		t.Fatal(err)
	}
	defer shut(resp.Body)
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "through" || connects.Load() != 1 {
		t.Errorf("got %q, %v after %d CONNECTs", text, err, connects.Load())
	}
}

func TestUpstreamsWithoutATrustedCertificateGetNothing(t *testing.T) {
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the upstream was asked") }))
	up.Config.ErrorLog = quietServer()
	up.StartTLS()
	defer up.Close()
	base := NewUpstream(nil)
	d := openTo(t, up.URL, base)
	resp, err := client(t).Do(d.request(t, "POST", "/mycorp/v1/x", strings.NewReader("{}")))
	if err != nil {
		t.Fatal(err)
	}
	defer shut(resp.Body)
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusBadGateway || !bytes.Contains(text, []byte("certificate")) {
		t.Errorf("got %d %s, want 502 that speaks of the certificate", resp.StatusCode, text)
	}
	if base.TLSClientConfig.MinVersion < tls.VersionTLS12 {
		t.Error("TLS below 1.2 is allowed")
	}
}

func TestT12_GiantBodiesAreNotHeld(t *testing.T) {
	total := int64(512 << 20)
	if testing.Short() {
		total = 128 << 20
	}
	const limit = 32 << 20 // proxy.replay_limit
	for name, length := range map[string]int64{"known length": total, "unknown length": -1} {
		before := heap()
		var most, got int64
		up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			buf := make([]byte, 256<<10)
			for {
				n, err := r.Body.Read(buf)
				if got/(16<<20) != (got+int64(n))/(16<<20) {
					runtime.GC()
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					most = max(most, int64(m.HeapAlloc+m.StackInuse))
				}
				got += int64(n)
				if err != nil {
					return
				}
			}
		}))
		addr := ours(t, up.URL)
		r := (&door{addr: addr}).request(t, "POST", messages, io.LimitReader(neverEnding('x'), total))
		r.ContentLength = length
		r.Header.Set("Authorization", "Bearer "+benchKey)
		c := client(t)
		c.Timeout = time.Minute
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		shut(resp.Body)
		up.Close()
		if got != total || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d of %d bytes arrived, status %d", name, got, total, resp.StatusCode)
		}
		if rise := most - before; rise > limit+16<<20 {
			t.Errorf("%s: %d MiB more in use, want at most 48", name, rise>>20)
		}
	}
}
