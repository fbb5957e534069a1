package accounts

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// doerFunc is a client made of one function.
type doerFunc func(*http.Request) (*http.Response, error)

func (f doerFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

func answerOf(status int, body io.Reader) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body)}
}

func presentTo(t *testing.T, address string, first func() error) (tokenAnswer, error) {
	t.Helper()
	p := &Provider{OAuth: OAuth{TokenURL: address, ClientID: "c", Encoding: EncodingJSON}}
	return present(t.Context(), tokenClient(p, nil), p.OAuth, refreshRequest(p.OAuth, "the-refresh-token"), "oauthmux/test", first)
}

func TestATokenRequestIsWhatItShouldBe(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("said"))
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	p := &Provider{OAuth: OAuth{TokenURL: server.URL + "/token", Encoding: EncodingJSON}}
	client := tokenClient(p, nil).(*http.Client)
	client.Transport.(*pinned).base.(*http.Transport).TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	begun := false
	a, err := present(t.Context(), client, p.OAuth, refreshRequest(p.OAuth, "r"), "oauthmux/test", func() error { begun = true; return nil })
	if err != nil || a.status != http.StatusTeapot || string(a.body) != "said" || a.granted() || !begun {
		t.Fatalf("the answer is %+v, %v", a, err)
	}
	if got.Proto != "HTTP/1.1" || !got.Close || got.Method != http.MethodPost || got.ContentLength != int64(len(body)) || got.Header.Get("Accept-Encoding") != "" || got.UserAgent() != "oauthmux/test" {
		t.Errorf("the request is %s %s, close %v, %v", got.Method, got.Proto, got.Close, got.Header)
	}
	if got.TLS == nil || got.TLS.Version < tls.VersionTLS12 {
		t.Error("the connection is not TLS 1.2 or newer")
	}
}

func TestT07_NothingGoesToAnotherHost(t *testing.T) {
	var strangers atomic.Int32
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers.Add(1) }))
	defer stranger.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		var requests atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			to := stranger.URL
			if r.URL.Path == "/same" {
				to = "/other"
			}
			http.Redirect(w, r, to, status)
		}))
		for _, path := range []string{"/token", "/same"} {
			a, err := presentTo(t, server.URL+path, nil)
			if err != nil || a.status != status {
				t.Errorf("%d: %+v, %v", status, a, err)
			}
		}
		server.Close()
		if requests.Load() != 2 {
			t.Errorf("%d: %d requests, want one each", status, requests.Load())
		}
	}
	if strangers.Load() != 0 {
		t.Errorf("%d requests followed a redirect", strangers.Load())
	}
	pinnedTo := StrictClient(&Provider{Upstream: "https://api.host.example", OAuth: OAuth{TokenURL: "https://login.host.example/token", UserinfoURL: "https://who.example:8443/me"}}, nil, "oauthmux/test")
	for address, allowed := range map[string]bool{
		"https://api.host.example/v1": true, "https://API.host.example:443/v1": true, "https://login.host.example/v1/revoke": true, "https://who.example:8443/": true,
		"http://api.host.example/": false, "https://api.host.example:8443/": false, "https://host.example/": false, "https://x.api.host.example/": false, "https://api.host.example.evil.example/": false,
		"https://who.example/": false, "https://api.host.example@evil.example/": false, "https://u:p@api.host.example/": false, "https://apiXhost.example/": false, stranger.URL: false,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		reached := false
		pinnedTo.Transport.(*pinned).base = roundTripFunc(func(*http.Request) (*http.Response, error) {
			reached = true
			return answerOf(200, strings.NewReader("")), nil
		})
		if resp, err := pinnedTo.Do(r); err == nil {
			_ = resp.Body.Close()
		}
		if reached != allowed {
			t.Errorf("%s is reached: %v, want %v", address, reached, allowed)
		}
	}
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// rawServer answers each connection with what speak does to it.
func rawServer(t *testing.T, speak func(net.Conn)) (address string, connections func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int32
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			serving.Go(func() {
				defer func() { _ = conn.Close() }()
				speak(conn)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	return "http://" + l.Addr().String() + "/token", func() int { return int(n.Load()) }
}

func readRequest(conn net.Conn) {
	buffer := make([]byte, 4096)
	var got []byte
	for !bytes.Contains(got, []byte("the-refresh-token")) {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		got = append(got, buffer[:n]...)
	}
}

func TestOneCallIsOnePresentation(t *testing.T) {
	for name, c := range map[string]struct {
		speak func(net.Conn)
		says  string
	}{
		"closed after it": {readRequest, "EOF"},
		"reset":           {func(c net.Conn) { readRequest(c); _ = c.(*net.TCPConn).SetLinger(0) }, ""},
		"head cut":        {func(c net.Conn) { readRequest(c); _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Le") }, ""},
		"body cut": {func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
		}, "unexpected EOF"},
		"bad chunk": {func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
		}, "cannot be read"},
		"not HTTP": {func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, `{"access_token":"c4nary-4nd-m0re"}`+"\r\n\r\n")
		}, "cannot be read"},
		"too long": {func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"+strings.Repeat("x", 300000))
		}, "too long"},
		"endless head": {func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+strings.Repeat("X: y\r\n", 20000)+"\r\n")
		}, ""},
		"endless interim": {func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, strings.Repeat("HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n", 5000))
		}, ""},
		"half of the chunk": {func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{")
		}, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			address, connections := rawServer(t, c.speak)
			begun := 0
			_, err := presentTo(t, address, func() error { begun++; return nil })
			_, lost := errors.AsType[*unansweredError](err)
			if begun != 1 || !lost || connections() != 1 {
				t.Errorf("%d presentations over %d connections, %v", begun, connections(), err)
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "c4nary") {
				t.Errorf("it says %v", err)
			}
		})
	}
}

func TestNothingIsSentBeforeItIsWrittenDown(t *testing.T) {
	sent := make(chan int, 1)
	address, _ := rawServer(t, func(c net.Conn) {
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		raw, _ := io.ReadAll(c)
		sent <- strings.Count(string(raw), "the-refresh-token")
	})
	refused := errors.New("no room for the note")
	_, err := presentTo(t, address, func() error { return refused })
	if _, unsent := errors.AsType[*unsentError](err); !unsent || !errors.Is(err, refused) {
		t.Errorf("the error is %v", err)
	}
	if n := <-sent; n != 0 {
		t.Error("the refresh token was sent")
	}
	if _, err = presentTo(t, address, func() error { panic("disk") }); err == nil || !strings.Contains(err.Error(), "not sent: panic") || strings.Contains(err.Error(), "disk") {
		t.Errorf("a panic while writing it down: %v", err)
	}
	<-sent
}

func TestAConnectionThatFailsSendsNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	unknown := httptest.NewUnstartedServer(http.NotFoundHandler())
	unknown.Config.ErrorLog = log.New(io.Discard, "", 0)
	unknown.StartTLS()
	defer unknown.Close()
	for name, address := range map[string]string{
		"nobody listens":      "http://" + l.Addr().String(),
		"TLS to a plain port": strings.Replace(plain.URL, "http:", "https:", 1),
		"unknown certificate": unknown.URL,
		"no such host":        "http://host.invalid.",
	} {
		begun := false
		_, err := presentTo(t, address, func() error { begun = true; return nil })
		if _, unsent := errors.AsType[*unsentError](err); !unsent || begun {
			t.Errorf("%s: begun %v, %v", name, begun, err)
		}
	}
}

func TestTheLimitsOfATokenRequest(t *testing.T) {
	o := OAuth{TokenURL: "https://host.example/token"}
	waits := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := present(t.Context(), doerFunc(waits), o, grantRequest{}, "", nil)
		if _, unsent := errors.AsType[*unsentError](err); !unsent || !errors.Is(err, errConnectLimit) || time.Since(start) != connectLimit {
			t.Errorf("without a connection it ends after %s with %v", time.Since(start), err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := present(t.Context(), doerFunc(func(r *http.Request) (*http.Response, error) {
			time.Sleep(20 * time.Second) // the connection comes late, and has its time
			_, _ = io.Copy(io.Discard, r.Body)
			return waits(r)
		}), o, grantRequest{}, "", nil)
		if _, lost := errors.AsType[*unansweredError](err); !lost || !errors.Is(err, errAnswerLimit) || time.Since(start) != 20*time.Second+answerWait {
			t.Errorf("without an answer it ends after %s with %v", time.Since(start), err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := present(ctx, doerFunc(waits), o, grantRequest{}, "", nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without time it ends with %v", err)
		}
	})
}

// TestAnAbandonedRequestSendsNothingLater covers the transport that has not
// noticed yet that its request was given up.
func TestAnAbandonedRequestSendsNothingLater(t *testing.T) {
	var late io.Reader
	_, err := present(t.Context(), doerFunc(func(r *http.Request) (*http.Response, error) {
		late = r.Body
		return nil, errors.New("given up")
	}), OAuth{TokenURL: "https://host.example/token", Encoding: EncodingJSON}, refreshRequest(OAuth{}, "the-refresh-token"), "", func() error {
		t.Error("it was written down")
		return nil
	})
	if _, unsent := errors.AsType[*unsentError](err); !unsent {
		t.Errorf("the error is %v", err)
	}
	if raw, err := io.ReadAll(late); len(raw) != 0 || err == nil {
		t.Errorf("later %d bytes are sent, %v", len(raw), err)
	}
}

func TestAnAnswerBeforeTheBodyIsOne(t *testing.T) {
	a, err := present(t.Context(), doerFunc(func(*http.Request) (*http.Response, error) {
		return answerOf(http.StatusRequestEntityTooLarge, strings.NewReader("")), nil
	}), OAuth{TokenURL: "https://host.example/token"}, grantRequest{}, "", nil)
	if err != nil || a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestTheNetworkProxyIsUsed(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Host)
		http.Error(w, "no", http.StatusForbidden)
	}))
	defer proxy.Close()
	through := func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	p := &Provider{OAuth: OAuth{TokenURL: "https://login.host.example/token"}}
	begun := false
	_, err := present(t.Context(), tokenClient(p, through), p.OAuth, grantRequest{}, "", func() error { begun = true; return nil })
	if _, unsent := errors.AsType[*unsentError](err); !unsent || begun || len(asked) != 1 || asked[0] != "CONNECT login.host.example:443" {
		t.Errorf("the proxy was asked %v, %v", asked, err)
	}
}

func TestUserAgent(t *testing.T) {
	if UserAgent("") != "oauthmux" || UserAgent("1.2.3") != "oauthmux/1.2.3" {
		t.Errorf("%q, %q", UserAgent(""), UserAgent("1.2.3"))
	}
}

func TestAQuestionSaysWhoAsks(t *testing.T) {
	var agents []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { agents = append(agents, r.UserAgent()) }))
	defer server.Close()
	client := StrictClient(&Provider{Upstream: server.URL}, nil, "oauthmux/test")
	for _, agent := range []string{"", "somebody/1"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/usage", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if agent != "" {
			r.Header.Set("User-Agent", agent)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	if len(agents) != 2 || agents[0] != "oauthmux/test" || agents[1] != "somebody/1" {
		t.Errorf("the requests called themselves %q", agents)
	}
}
