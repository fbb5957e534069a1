package rotation

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// smallBody is the largest request body that is put together before it is sent.
const smallBody = 6 << 10

// Upstream sends requests, under Transport: it follows nothing, decodes nothing,
// adds nothing.
type Upstream struct{ http.Transport }

// RoundTrip implements http.RoundTripper. net/http sends the head of a request on
// its own when the body may be slow to come, which is every body that is not in
// memory. A small one is there in no time: taken into memory first, it travels in
// one packet with its head, and upstream wakes up once.
func (u *Upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.ContentLength <= 0 || r.ContentLength > smallBody || r.Header["Expect"] != nil {
		return u.Transport.RoundTrip(r)
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	_ = r.Body.Close() // its owner knows better what became of it
	if err != nil {
		return nil, fmt.Errorf("read the request's body: %w", err)
	}
	whole := *r
	whole.Body = io.NopCloser(bytes.NewReader(body)) // the one shape that net/http knows to be in memory
	return u.Transport.RoundTrip(&whole)
}

// NewUpstream returns the transport to the upstreams: what sends, under
// Transport. network says which forward proxy to take; nil: none.
//
// HTTP/2 is spoken where the upstream offers it. It costs a little more per
// request than HTTP/1.1, but a warm connection is always there: no request and no
// failover waits for another TLS handshake. And an upstream that closes a
// connection says which requests it has not seen, where HTTP/1.1 leaves a request
// that crossed with the close in doubt, and one in doubt must not be sent again.
func NewUpstream(network func(*http.Request) (*url.URL, error)) *Upstream {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &Upstream{http.Transport{
		Proxy:             network,
		DialContext:       dialer.DialContext,
		ForceAttemptHTTP2: true, // a DialContext of one's own switches it off
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			ClientSessionCache: tls.NewLRUClientSessionCache(32), // a second connection costs half a handshake
		},
		TLSHandshakeTimeout:    10 * time.Second,
		DisableCompression:     true,             // what a client asked for is what it gets
		MaxIdleConnsPerHost:    256,              // clients come in bursts; MaxIdleConns stays without limit
		IdleConnTimeout:        55 * time.Second, // before a server that allows a minute closes under a request
		ResponseHeaderTimeout:  10 * time.Minute, // an answer that is not streamed comes when it is complete
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		WriteBufferSize:        8 << 10, // a head and a small body
		HTTP2: &http.HTTP2Config{
			// A connection that died in a suspend answers no ping: find out before a
			// request has waited for long.
			SendPingTimeout:           15 * time.Second,
			PingTimeout:               10 * time.Second,
			MaxReceiveBufferPerStream: 1 << 20, // what a slow client can make us hold
		},
	}}
}
