//go:build unix

package e2e

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// serving is an engine with the accounts "work", which is preferred, and "home".
func serving(t *testing.T, o simulator.Options) (*engine, *provider) {
	t.Helper()
	p := newProvider(t, o, people("work", "home")...)
	h := newHome(t, p)
	h.login("work", "home")
	h.ok("switch", "work")
	return h.serve(), p
}

// marked returns what the provider saw of the request with that marker, once
// there are n attempts of it.
func (p *provider) marked(t *testing.T, marker string, n int) []simulator.Request {
	t.Helper()
	var seen []simulator.Request
	eventually(t, "the provider has seen "+marker, 10*time.Second, func() bool {
		seen = nil
		for _, r := range p.Requests() {
			if r.Marker == marker {
				seen = append(seen, r)
			}
		}
		return len(seen) >= n
	})
	return seen
}

// bodyOf is a Messages request of about that many bytes.
func bodyOf(size int) string {
	random := rand.New(rand.NewPCG(1, uint64(size)))
	var b strings.Builder
	b.WriteString(`{"model":"claude-sonnet-4-5", "max_tokens" : 8,"messages":[{"role":"user","content":"`)
	for b.Len() < size {
		b.WriteByte("abcdefghijklmnopqrstuvwxyz0123456789 "[random.IntN(37)])
	}
	b.WriteString("\"}]}\n \t")
	return b.String()
}

func TestARequestArrivesAsItWasSent(t *testing.T) {
	t.Parallel()
	e, p := serving(t, simulator.Options{})
	const odd = `{ "messages":[{"content":"\u00e4\ud83d\ude00\/ \\n é😀","role":"user"}],"max_tokens":8,"zzz":1e400,"model":"claude-sonnet-4-5","zzz":-0 }`
	for name, c := range map[string]struct {
		body, query string
		chunked     bool
	}{
		"short":             {question, "beta=true", false},
		"odd JSON":          {odd + " \r\n", "beta=true&x=%2f%2F+%20&y&z=&&;a=b", false},
		"no query":          {question, "", false},
		"an empty query":    {question, "x=", false},
		"as long as a turn": {bodyOf(116 << 10), "beta=true", false},
		"in chunks":         {bodyOf(300 << 10), "beta=true", true},
	} {
		r := e.client.request(t.Context(), c.body)
		r.URL.RawQuery = c.query
		if c.chunked {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(c.body)), -1
		}
		marker := strings.ReplaceAll(name, " ", "-")
		r.Header.Set(simulator.MarkerHeader, marker)
		r.Header.Set("User-Agent", "somebody/1.0 (x; y)")
		r.Header.Set("Accept-Encoding", "gzip, br, zstd")
		r.Header.Set("X-Stainless-Arch", "arm64")
		r.Header.Set("Anthropic-Version", "2026-10-21")
		a, err := e.client.send(r)
		if err != nil || a.status != http.StatusOK || a.attempts != "1" {
			t.Errorf("%s: %v, error %v", name, a, err)
			continue
		}
		got := p.marked(t, marker, 1)[0]
		if got.SHA256 != sum([]byte(c.body)) || got.Bytes != int64(len(c.body)) {
			t.Errorf("%s: the body came as %d bytes with another hash, and was %d", name, got.Bytes, len(c.body))
		}
		if got.RawQuery != c.query {
			t.Errorf("%s: the query came as %q, and was %q", name, got.RawQuery, c.query)
		}
		for field, want := range map[string]string{
			"User-Agent": "somebody/1.0 (x; y)", "Accept-Encoding": "gzip, br, zstd", "X-Stainless-Arch": "arm64",
			"Anthropic-Version": "2026-10-21", "Content-Type": "application/json", "Authorization": "[redacted]",
		} {
			if values := got.Header.Values(field); len(values) != 1 || values[0] != want {
				t.Errorf("%s: %s came as %q", name, field, values)
			}
		}
		if a.sum() != got.AnswerSHA256 {
			t.Errorf("%s: the answer is not what the provider sent", name)
		}
	}
	p.noViolations(t)
}

// The OAuth beta is added to the client's own list, in whatever form that comes.
func TestTheBetaIsAppendedToTheClientsList(t *testing.T) {
	t.Parallel()
	e, p := serving(t, simulator.Options{})
	for name, c := range map[string]struct{ sent, want []string }{
		"none":           {nil, []string{simulator.BetaName}},
		"one":            {[]string{"context-1m-2025-08-07"}, []string{"context-1m-2025-08-07", simulator.BetaName}},
		"several":        {[]string{"a-1,b-2, c-3"}, []string{"a-1", "b-2", "c-3", simulator.BetaName}},
		"two lines":      {[]string{"a-1", "b-2"}, []string{"a-1", "b-2", simulator.BetaName}},
		"there already":  {[]string{"a-1," + simulator.BetaName + ",b-2"}, []string{"a-1", simulator.BetaName, "b-2"}},
		"an empty field": {[]string{""}, []string{simulator.BetaName}},
	} {
		r := e.client.request(t.Context(), question)
		marker := strings.ReplaceAll(name, " ", "-")
		r.Header.Set(simulator.MarkerHeader, marker)
		r.Header["Anthropic-Beta"] = c.sent
		if a, err := e.client.send(r); err != nil || a.status != http.StatusOK {
			t.Errorf("%s: %v, error %v", name, a, err)
			continue
		}
		var got []string
		for item := range strings.SplitSeq(strings.Join(p.marked(t, marker, 1)[0].Header.Values("Anthropic-Beta"), ","), ",") {
			if item = strings.TrimSpace(item); item != "" {
				got = append(got, item)
			}
		}
		if strings.Join(got, ",") != strings.Join(c.want, ",") {
			t.Errorf("%s: the list came as %q, want %q", name, got, c.want)
		}
	}
	p.noViolations(t)
}

// The local key is taken in either field, or both, and in neither does it go on.
func TestTheLocalKeyGoesNoFurther(t *testing.T) {
	t.Parallel()
	e, p := serving(t, simulator.Options{})
	key := e.client.key
	for name, fields := range map[string]map[string]string{
		"as bearer":           {"Authorization": "Bearer " + key},
		"as x-api-key":        {"X-Api-Key": key},
		"in both":             {"Authorization": "Bearer " + key, "X-Api-Key": key},
		"beside another":      {"Authorization": "Bearer " + key, "X-Api-Key": "sk-ant-api03-of-somebody"},
		"and in other fields": {"Authorization": "Bearer " + key, "X-Custom": "it is " + key, "Proxy-Authorization": "Basic " + key, "Cookie": "k=" + key, "X-Forwarded-For": "10.0.0.1", "Connection": "X-Gone, Authorization", "X-Gone": "1"},
	} {
		r := e.client.request(t.Context(), question)
		r.Header.Del("Authorization")
		for field, value := range fields {
			r.Header.Set(field, value)
		}
		if a, err := e.client.send(r); err != nil || a.status != http.StatusOK {
			t.Errorf("%s: %v, error %v", name, a, err)
		}
	}
	asked := p.Counts().Total(simulator.PathMessages)
	for name, value := range map[string]string{
		"none": "", "another": "Bearer omx_" + strings.Repeat("A", 43), "a longer one": "Bearer " + key + "x", "the start of it": "Bearer " + key[:20], "basic": "Basic " + key,
	} {
		r := e.client.request(t.Context(), question)
		r.Header.Del("Authorization")
		if value != "" {
			r.Header.Set("Authorization", value)
		}
		a, err := e.client.send(r)
		if err != nil || a.status != http.StatusUnauthorized || !strings.Contains(string(a.body), `"authentication_error"`) {
			t.Errorf("with %s key: %v, error %v", name, a, err)
		}
	}
	if n := p.Counts().Total(simulator.PathMessages); n != asked {
		t.Errorf("%d refused requests reached the provider", n-asked)
	}
	p.noViolations(t)
}

const streamed = `{"model":"claude-sonnet-4-5","max_tokens":8,"stream":true,"messages":[{"role":"user","content":"hi"}]}`

func TestAStreamArrivesByteByByteAsItComes(t *testing.T) {
	t.Parallel()
	const events, pace = 12, 60 * time.Millisecond
	for name, encoding := range map[string]string{"plain": "identity", "compressed": "gzip"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, p := serving(t, simulator.Options{StreamEvents: events, StreamDelay: pace, Gzip: encoding == "gzip"})
			// Held back and sent in one piece it would come all at its end, each time. A
			// reader that a busy machine lets wait finds several events in one piece.
			asItComes := false
			var arrivals []time.Duration
			for try := 1; try <= 5 && !asItComes; try++ {
				var body []byte
				body, arrivals = e.client.arrivals(encoding)
				if got := p.last(t, simulator.PathMessages, try).AnswerSHA256; got != sum(body) {
					t.Error("the stream is not what the provider sent")
				}
				asItComes = len(arrivals) >= events && arrivals[0] <= time.Duration(events)*pace/2
			}
			if !asItComes {
				t.Errorf("%d events came in %d pieces, at %v", events, len(arrivals), arrivals)
			}
			p.noViolations(t)
		})
	}
}

// arrivals reads a stream in that encoding, and returns it with the times at which
// its pieces came.
func (c client) arrivals(encoding string) (body []byte, arrivals []time.Duration) {
	c.t.Helper()
	r := c.request(c.t.Context(), streamed)
	r.Header.Set("Accept-Encoding", encoding)
	resp, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	began := time.Now()
	for chunk := make([]byte, 64<<10); ; {
		n, err := resp.Body.Read(chunk)
		if n > 0 {
			body = append(body, chunk[:n]...)
			arrivals = append(arrivals, time.Since(began))
		}
		if errors.Is(err, io.EOF) {
			return body, arrivals
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
}

func TestACutStreamIsNoCleanEnd(t *testing.T) {
	t.Parallel()
	e, p := serving(t, simulator.Options{})
	p.Inject(simulator.Fault{Kind: simulator.CutStream})
	a, err := e.client.send(e.client.request(t.Context(), streamed))
	if err == nil || a.status != http.StatusOK || len(a.body) == 0 {
		t.Errorf("the cut stream came as %v, error %v", a, err)
	}
	p.Inject(simulator.Fault{Kind: simulator.CutStream})
	if a, err := e.client.ask(); err == nil {
		t.Errorf("the cut answer came as %v", a)
	}
	if n := p.Counts().Generations; n != 2 {
		t.Errorf("%d answers were generated for 2 requests", n)
	}
	p.noViolations(t)
}

func TestAClientThatLeavesEndsItsRequestUpstream(t *testing.T) {
	t.Parallel()
	e, p := serving(t, simulator.Options{StreamEvents: 1000, StreamDelay: 50 * time.Millisecond})
	took := time.Hour
	for n := 1; n <= 5 && took > time.Second; n++ { // the machine may have been busy: the best counts
		took = e.client.leaves(func() {
			eventually(t, "the provider notices", 20*time.Second, func() bool { return p.Counts().Cancelled == n })
		})
		eventually(t, "the account is free", 20*time.Second, func() bool { return e.h.account("work").InFlight == 0 })
	}
	if took > time.Second {
		t.Errorf("the provider noticed after %v, at best", took)
	}
	t.Logf("noticed after %v", took)
	if a := e.h.account("work"); len(a.Cooldowns) != 0 {
		t.Errorf("work was punished: %+v", a)
	}
	p.noViolations(t)
}

// leaves asks for a stream and goes away in the middle of it. It returns how long
// that took to be noticed.
func (c client) leaves(noticed func()) time.Duration {
	c.t.Helper()
	ctx, leave := context.WithCancel(c.t.Context())
	defer leave()
	resp, err := c.http.Do(c.request(ctx, streamed))
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it is left
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || !strings.HasPrefix(line, "event:") {
		c.t.Fatalf("%q, %v", line, err)
	}
	left := time.Now()
	leave()
	noticed()
	return time.Since(left)
}

// The same five megabytes go to the next account, also when the first says no
// before it has them all.
func TestABigBodyFailsOver(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]simulator.Fault{
		"after the body":  {Kind: simulator.QuotaFiveHour, User: "work", ResetsIn: time.Hour},
		"before the body": {Kind: simulator.Throttle, Path: simulator.PathMessages, RetryAfter: "600", Early: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, p := serving(t, simulator.Options{})
			p.Inject(fault)
			body := bodyOf(5 << 20)
			r := e.client.request(t.Context(), body)
			r.Header.Set(simulator.MarkerHeader, "big")
			a, err := e.client.send(r)
			if err != nil || a.status != http.StatusOK || a.attempts != "2" || a.account != e.h.account("home").ID {
				t.Fatalf("%v, error %v", a, err)
			}
			for _, attempt := range p.marked(t, "big", 2) {
				if attempt.Status == http.StatusOK && (attempt.SHA256 != sum([]byte(body)) || attempt.User != "home") {
					t.Errorf("the second attempt, of %s, had a body of %d bytes", attempt.User, attempt.Bytes)
				}
			}
			if w := e.h.account("work"); !w.Preferred || len(w.Cooldowns) != 1 {
				t.Errorf("work is %+v", w)
			}
			p.noViolations(t)
		})
	}
}

// What only a page of the web, or a client that takes this for another proxy,
// would send is refused before anything is looked at.
func TestRequestsThatNoClientSendsAreRefused(t *testing.T) {
	t.Parallel()
	e, p := serving(t, simulator.Options{})
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"another host":      {func(r *http.Request) { r.Host = "evil.example:80" }, http.StatusForbidden},
		"localhost's port":  {func(r *http.Request) { r.Host = "localhost:1" }, http.StatusForbidden},
		"an origin":         {func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1") }, http.StatusForbidden},
		"of a page":         {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, http.StatusForbidden},
		"another path":      {func(r *http.Request) { r.URL.Path += "/../../api/oauth/usage" }, http.StatusNotFound},
		"another place":     {func(r *http.Request) { r.URL.Path = "/" + simulator.Plays + simulator.PathUsage }, http.StatusNotFound},
		"another method":    {func(r *http.Request) { r.Method = http.MethodPut }, http.StatusNotFound},
		"no provider":       {func(r *http.Request) { r.URL.Path = "/nobody/v1/messages" }, http.StatusNotFound},
		"a provider's host": {func(r *http.Request) { r.URL.Path = "//api.example.com/v1/messages" }, http.StatusNotFound},
	} {
		r := e.client.request(t.Context(), question)
		c.change(r)
		a, err := e.client.send(r)
		if err != nil || a.status != c.status || a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v, error %v", name, a, err)
		}
	}
	if n := p.Counts().Total(simulator.PathMessages); n != 0 { // the engine itself reads usage
		t.Errorf("%d of them reached the provider", n)
	}
	p.noViolations(t)
}

// Fast answers, and refusals before them, are where a proxy cuts streams: the
// upstream has answered before it has read the request to its end (golang/go#40747).
func TestFastStreamsAreNotCut(t *testing.T) {
	t.Parallel()
	const streams, clients = 2000, 16
	e, p := serving(t, simulator.Options{StreamEvents: 1})
	p.Inject(simulator.Fault{Kind: simulator.Throttle, Path: simulator.PathMessages, RetryAfter: "1", Skip: 50, Times: 1, Early: true})
	body := strings.Replace(bodyOf(2<<10), `"max_tokens"`, `"stream":true,"max_tokens"`, 1)
	var next atomic.Int64
	atOnce(t, clients, func(int) {
		for next.Add(1) <= streams {
			a, err := e.client.send(e.client.request(t.Context(), body))
			if err != nil || a.status != http.StatusOK || !strings.HasSuffix(string(a.body), "{\"type\":\"message_stop\"}\n\n") {
				t.Errorf("%v, error %v", a, err)
				return
			}
		}
	})
	if n := p.Counts().Generations; n != streams {
		t.Errorf("%d answers were generated for %d requests", n, streams)
	}
	p.noViolations(t)
}

// A redirect is an answer like any other: it goes to the client, and no
// credential follows it (SAFETY T07).
func TestT07NoCredentialFollowsARedirect(t *testing.T) {
	t.Parallel()
	e, p := serving(t, simulator.Options{})
	var visits atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	defer evil.Close()
	p.elsewhere.Store(&evil.URL)
	e.client.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a, err := e.client.ask()
	if err != nil || a.status != http.StatusTemporaryRedirect || a.header.Get("Location") != evil.URL+simulator.PathMessages+"?beta=true" {
		t.Errorf("%v, error %v", a, err)
	}
	for _, args := range [][]string{{"refresh", "work"}, {"token", "home", "--fresh"}} {
		if r := e.h.run(args...); r.status != 1 || r.stdout != "" {
			t.Errorf("oauthmux %q: %v", args, r)
		}
	}
	e.h.run("usage", "--refresh") // whether there is a budget left for it is not the point
	e.h.signIn("work", "--label", "work")
	e.h.run("logout", "home", "--yes", "--revoke")
	if n := visits.Load(); n != 0 {
		t.Errorf("%d requests went where they were sent on to", n)
	}
	p.elsewhere.Store(nil)
	if a := e.h.account("work"); a.State == "login_needed" {
		t.Errorf("work is %+v", a)
	}
	p.noViolations(t)
}
