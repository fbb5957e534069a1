package rotation

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// fieldRow is a field that a client or an upstream sends.
type fieldRow struct {
	name, value string
	passes      bool
}

var requestFields = []fieldRow{
	// What clients say passes as it is.
	{"Accept", "application/json", true},
	{"Accept-Encoding", "gzip, deflate, br, zstd", true},
	{"Accept-Language", "*", true},
	{"Anthropic-Version", "2026-10-21", true},
	{"Anthropic-Beta", "a-2025-01-01,b-2025-02-02", true},
	{"Anthropic-Dangerous-Direct-Browser-Access", "true", true},
	{"Anthropic-Anything-New", "x", true},
	{"X-Claude-Code-Session-Id", "0b4a", true},
	{"X-Stainless-Retry-Count", "0", true},
	{"X-Stainless-Lang", "js", true},
	{"X-App", "cli", true},
	{"User-Agent", "claude-cli/2.0", true},
	{"Content-Type", "application/json; charset=utf-8", true},
	{"Content-Encoding", "gzip", true},
	{"Cache-Control", "no-cache", true},
	{"Pragma", "no-cache", true},
	{"Idempotency-Key", "k1", true},
	{"X-Idempotency-Key", "k2", true},
	{"If-None-Match", `"e"`, true},
	{"Range", "bytes=0-1", true},
	{"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true},
	{"Baggage", "a=b", true},
	{"Openai-Beta", "x", true},
	{"Referer", "http://somewhere.example/", true},
	{"Via", "1.1 another", true},
	{"X-Request-Id", "r", true},
	{"X-Real-Ip", "10.0.0.1", true},
	{"Dnt", "1", true},
	{"Priority", "u=1", true},
	{"Empty", "", true},
	{"X-With-Commas", "a, b,,c", true},
	{"X-Latin", "caf\xe9", true},
	{"X-Upgrade", "no", true},
	{"Forwarded-Not", "x", true},
	{"X-Forward", "x", true},
	{"Proxyish", "x", true},
	{"X-Api-Key-Id", "x", true},
	{"Authorization-Hint", "x", true},
	// Credentials, what describes the connection, and what a proxy would say.
	{"Authorization", "Bearer " + testKey, false},
	{"Oauthmux-Account", "a", false},
	{"X-Other", "k=" + testKey, false},
	{"X-Session", SessionKey(testKey, Claims{Session: "s"}), false},
	{"X-Quoted", `"` + SessionKey(testKey, Claims{Account: "a"}) + `".`, false},
	{"X-Not-Ours", SessionKey("another key", Claims{Session: "s"}), true},
	{"X-Word", "omx_ is a prefix", true},
	{"X-Api-Key", "sk-client", false},
	{"Cookie", "a=b", false},
	{"Proxy-Authorization", "Basic eDp5", false},
	{"Proxy-Authenticate", "Basic", false},
	{"Proxy-Connection", "keep-alive", false},
	{"Proxy-Anything", "x", false},
	{"Forwarded", "for=10.0.0.1", false},
	{"X-Forwarded-For", "10.0.0.1", false},
	{"X-Forwarded-Host", "evil.example", false},
	{"X-Forwarded-Proto", "https", false},
	{"X-Forwarded-Port", "443", false},
	{"X-Forwarded-Prefix", "/x", false},
	{"X-Forwarded-Server", "x", false},
	{"X-Forwarded-Ssl", "on", false},
	{"X-Forwarded-User", "root", false},
	{"Te", "trailers, deflate", false},
	{"Keep-Alive", "timeout=5", false},
	{"Upgrade", "h2c", false},
	{"Http2-Settings", "AAMAAABkAAQAAP__", false},
	{"Trailer", "X-Late", false},
	{"X-Named-By-Connection", "x", false},
	{"Api-Key", testKey, false}, // the local key under a name of the client's own
	{"X-Custom-Auth", "Token " + testKey, false},
}

func TestT09_RequestFields(t *testing.T) {
	var up asked
	d := open(t, &up)
	var head strings.Builder
	head.WriteString("POST " + messages + " HTTP/1.1\r\nHost: localhost:" + d.port + "\r\nConnection: close, X-Named-By-Connection, Upgrade, HTTP2-Settings\r\n")
	for _, f := range requestFields {
		head.WriteString(f.name + ": " + f.value + "\r\n")
	}
	if status, body := d.raw(t, head.String()+"Content-Length: 2\r\n\r\n{}"); status != 200 {
		t.Fatalf("got %d %s", status, body)
	}
	sent := up.last().Header
	for _, f := range requestFields {
		values, there := sent[f.name]
		switch {
		case f.passes && !slices.Equal(values, []string{f.value}):
			t.Errorf("%s: %q arrived, want %q", f.name, values, f.value)
		case !f.passes && there:
			t.Errorf("%s: %q arrived, want nothing", f.name, values)
		}
	}
	for name := range sent {
		known := name == "Content-Length" || slices.ContainsFunc(requestFields, func(f fieldRow) bool { return f.passes && f.name == name })
		if !known {
			t.Errorf("%s: %q was added", name, sent[name])
		}
	}
}

// Connection names fields for the next hop to drop (RFC 9110, section 7.6.1); it
// must not be able to name the credential that is put on later.
func TestT09_ConnectionCannotStripTheCredential(t *testing.T) {
	var credentials []string
	d := open(t, upstreamFunc(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer upstream") // as Provider.Authorize does
		credentials = r.Header["Authorization"]
		return answer(r, 200, ""), nil
	}))
	for _, named := range []string{"Authorization", "authorization, x-api-key", "close, AUTHORIZATION"} {
		if status, _ := d.raw(t, rawRequest("POST", messages, "localhost:"+d.port, "Connection: "+named)); status != 200 {
			t.Fatalf("got %d", status)
		}
		if !slices.Equal(credentials, []string{"Bearer upstream"}) {
			t.Errorf("Connection: %s: %q went upstream, want exactly one", named, credentials)
		}
	}
}

func TestNothingIsInvented(t *testing.T) {
	var up asked
	d := open(t, &up)
	if status, _ := d.raw(t, rawRequest("POST", messages, "localhost:"+d.port)); status != 200 {
		t.Fatalf("got %d", status)
	}
	for name, values := range up.last().Header {
		if name == "Content-Length" || name == "User-Agent" && slices.Equal(values, []string{""}) { // "": net/http sends none
			continue
		}
		t.Errorf("%s: %q was added", name, values)
	}
}

var answerFields = []fieldRow{
	{"Content-Type", "text/event-stream; charset=utf-8", true},
	{"Content-Encoding", "br", true},
	{"Cache-Control", "no-cache", true},
	{"Date", "Mon, 05 Jan 2026 18:00:00 GMT", true},
	{"Server", "edge", true},
	{"Request-Id", "req_1", true},
	{"Retry-After", "17", true},
	{"X-Should-Retry", "true", true},
	{"Anthropic-Ratelimit-Unified-Status", "allowed", true},
	{"Anthropic-Organization-Id", "o", true},
	{"Www-Authenticate", `Bearer error="invalid_token"`, true},
	{"Location", "https://elsewhere.example/", true},
	{"Etag", `"e"`, true},
	{"Vary", "Origin", true},
	{"Via", "1.1 edge", true},
	{"Cf-Ray", "8f", true},
	{"Strict-Transport-Security", "max-age=1", true},
	{"X-Empty", "", true},
	{"X-Set-Cookie", "x", true},
	{"Set-Cookie", "__cf_bm=1; path=/", false},
	{"Set-Cookie2", "a=b", false},
	{"Alt-Svc", `h3=":443"`, false},
	{"Connection", "keep-alive, X-Hop", false},
	{"X-Hop", "x", false},
	{"Keep-Alive", "timeout=5", false},
	{"Proxy-Authenticate", "Basic", false},
	{"Proxy-Connection", "close", false},
	{"Te", "x", false},
	{"Upgrade", "h2c", false},
	{"Access-Control-Allow-Origin", "*", false},
	{"Access-Control-Allow-Credentials", "true", false},
	{"Access-Control-Expose-Headers", "x", false},
}

func TestT09_AnswerFields(t *testing.T) {
	d := open(t, upstreamFunc(func(r *http.Request) (*http.Response, error) {
		resp := answer(r, 200, "body")
		resp.Header = make(http.Header)
		for _, f := range answerFields {
			resp.Header.Add(f.name, f.value)
		}
		resp.Header.Add("X-Twice", "1")
		resp.Header.Add("X-Twice", "2")
		resp.Trailer = http.Header{"Set-Cookie": nil, "X-Late": nil}
		resp.ContentLength = -1
		resp.Body = &trailingBody{Reader: strings.NewReader("body"), end: func() {
			resp.Trailer.Set("Set-Cookie", "late=1")
			resp.Trailer.Set("Alt-Svc", "late")
			resp.Trailer.Set("X-Late", "yes")
		}}
		return resp, nil
	}))
	resp, err := client(t).Do(d.request(t, "POST", messages, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer shut(resp.Body)
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "body" {
		t.Errorf("body %q, %v", body, err)
	}
	for _, f := range answerFields {
		values, there := resp.Header[f.name]
		switch {
		case f.passes && !slices.Equal(values, []string{f.value}):
			t.Errorf("%s: got %q, want %q", f.name, values, f.value)
		case !f.passes && there:
			t.Errorf("%s: got %q, want nothing", f.name, values)
		}
	}
	if got := resp.Header["X-Twice"]; !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("X-Twice: got %q", got)
	}
	if got := resp.Trailer; got.Get("X-Late") != "yes" || got["Set-Cookie"] != nil || got["Alt-Svc"] != nil {
		t.Errorf("trailer %v, want X-Late alone", got)
	}
}

type trailingBody struct {
	io.Reader
	end func()
}

func (b *trailingBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

func (b *trailingBody) Close() error { return nil }

func TestAnswersWithoutATypeGetNone(t *testing.T) {
	d := open(t, upstreamFunc(func(r *http.Request) (*http.Response, error) {
		resp := answer(r, 200, "<html>")
		resp.Header = make(http.Header)
		return resp, nil
	}))
	resp, err := client(t).Do(d.request(t, "POST", messages, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer shut(resp.Body)
	if got, there := resp.Header["Content-Type"]; there {
		t.Errorf("Content-Type %q was guessed", got)
	}
}

func FuzzOneCredentialAtMost(f *testing.F) {
	f.Add("Authorization", "Bearer x", "X-Forwarded-For", "a")
	f.Add("X-Api-Key", testKey, "Api-Key", testKey)
	for _, row := range requestFields {
		f.Add(row.name, row.value, "Connection", "close, "+row.name)
	}
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string) {
		h := make(http.Header)
		h.Add(name1, value1)
		h.Add(name2, value2)
		var hops []string // none, not one without a name, where there is no Connection
		for _, list := range h["Connection"] {
			hops = append(hops, strings.Split(list, ",")...)
		}
		for name, values := range forUpstream(h, newVerifier(testKey)) {
			if upstreamDrops[http.CanonicalHeaderKey(name)] || bytes.Contains([]byte(strings.Join(values, "")), []byte(testKey)) {
				t.Errorf("%s: %q passed", name, values)
			}
			if slices.ContainsFunc(hops, func(hop string) bool { return http.CanonicalHeaderKey(strings.TrimSpace(hop)) == name }) {
				t.Errorf("%s is for the next hop, and passed", name)
			}
		}
	})
}
