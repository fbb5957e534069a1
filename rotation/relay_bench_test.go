package rotation

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// The benchmarks compare the proxy with the smallest one that could do the job,
// in the same run and against the same upstream, because only the ratio means
// something on another machine: baseline below is about thirty lines around
// httputil.ReverseProxy. Client and upstream speak raw HTTP/1.1 and cost next to
// nothing, so that what differs is the proxy.

// baseline serves a minimal reverse proxy to upstream on a loopback port.
func baseline(tb testing.TB, upstream string) string {
	tb.Helper()
	to, err := url.Parse(upstream)
	if err != nil {
		tb.Fatal(err)
	}
	rp := &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.URL.Path = pr.Out.URL.Path[len("/"+benchProvider):]
			pr.SetURL(to)
			pr.Out.Header.Set("Authorization", "Bearer upstream")
		},
		FlushInterval: -1,
		ErrorLog:      quietServer(),
		BufferPool:    baselineBuffers{},
		Transport: &http.Transport{
			MaxIdleConns:        512,
			MaxIdleConnsPerHost: 512,
			IdleConnTimeout:     time.Minute,
			DisableCompression:  true,
			WriteBufferSize:     32 << 10,
			ReadBufferSize:      32 << 10,
		},
	}
	return serveBench(tb, func(ctx context.Context, l net.Listener) {
		srv := &http.Server{Handler: rp, ReadHeaderTimeout: 5 * time.Second}
		stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
		defer stop()
		_ = srv.Serve(l) // until it is closed
	})
}

var baselinePool = sync.Pool{New: func() any { return new([32 << 10]byte) }}

type baselineBuffers struct{}

func (baselineBuffers) Get() []byte  { return baselinePool.Get().(*[32 << 10]byte)[:] }
func (baselineBuffers) Put(b []byte) { baselinePool.Put((*[32 << 10]byte)(b)) }

// ours serves the whole way of a request: proxy, pool, refresher, transport, and
// the built-in provider with the most to read in each request and answer.
func ours(tb testing.TB, upstream string) string {
	tb.Helper()
	addr, _ := oursAndPool(tb, upstream)
	return addr
}

func oursAndPool(tb testing.TB, upstream string) (string, *Pool) {
	tb.Helper()
	set, err := accounts.NewSet(map[accounts.ProviderID]accounts.Settings{benchProvider: {Upstream: upstream}})
	if err != nil {
		tb.Fatal(err)
	}
	all := newBook("a", "b")
	for i := range all.all {
		all.all[i].Provider = benchProvider
	}
	tokens := newPurse("a", "b")
	pool := NewPool(PoolOptions{Accounts: all, Bus: &all.bus, Journal: new(accounts.Journal)})
	settings := func(accounts.ProviderID) Settings {
		return Settings{NetworkRetries: 1, RateLimit: 30 * time.Second, AuthFailure: 5 * time.Minute, ReplayLimit: 32 << 20}
	}
	base := NewUpstream(nil)
	p := NewProxy(ProxyOptions{
		Providers: set,
		Transport: NewTransport(TransportOptions{
			Pool:      pool,
			Refresher: NewRefresher(RefresherOptions{Accounts: all, Tokens: tokens, Pool: pool, Settings: settings}),
			Base:      base, Settings: settings,
		}),
		LocalKey: func() (string, error) { return benchKey, nil },
		Log:      quiet(),
	})
	addr := serveBench(tb, func(ctx context.Context, l net.Listener) {
		var running sync.WaitGroup
		running.Go(func() { _ = pool.Run(ctx) })
		defer running.Wait()
		defer base.CloseIdleConnections()
		if err := p.Serve(ctx, l); err != nil {
			tb.Error(err)
		}
	})
	return addr, pool
}

const benchProvider accounts.ProviderID = "anthropic"

const benchKey = "omx_bench-0123456789abcdef0123456789abcdef"

func serveBench(tb testing.TB, serve func(context.Context, net.Listener)) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); serve(ctx, l) }()
	tb.Cleanup(func() { cancel(); <-done })
	return l.Addr().String()
}

// benchUpstream answers every request with answer, after it read the body.
func benchUpstream(tb testing.TB, answer []byte) string {
	tb.Helper()
	return serveBench(tb, func(ctx context.Context, l net.Listener) {
		var conns sync.WaitGroup
		stop := context.AfterFunc(ctx, func() { _ = l.Close() })
		defer stop()
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			conns.Go(func() {
				stop := context.AfterFunc(ctx, func() { _ = c.Close() })
				defer func() {
					stop()
					_ = c.Close()
				}()
				r := bufio.NewReaderSize(c, 64<<10)
				for {
					if err := skipMessage(r); err != nil {
						return
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			})
		}
		conns.Wait()
	})
}

// skipMessage reads one HTTP/1.1 message with a Content-Length, or without body.
func skipMessage(r *bufio.Reader) error {
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	_, err := r.Discard(length)
	return err
}

func benchAnswer(size int) []byte {
	return append(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nRequest-Id: req_1\r\n"+
		"Anthropic-Ratelimit-Unified-Status: allowed\r\nAnthropic-Ratelimit-Unified-5h-Status: allowed\r\nAnthropic-Ratelimit-Unified-5h-Utilization: 0.37\r\n"+
		"Anthropic-Ratelimit-Unified-5h-Reset: 4000000000\r\nAnthropic-Ratelimit-Unified-7d-Status: allowed\r\nAnthropic-Ratelimit-Unified-7d-Utilization: 0.61\r\n"+
		"Anthropic-Ratelimit-Unified-7d-Reset: 4000000000\r\nAnthropic-Ratelimit-Unified-Representative-Claim: five_hour\r\n"+
		"Date: Mon, 05 Jan 2026 18:00:00 GMT\r\nContent-Length: %d\r\n\r\n", size), bytes.Repeat([]byte("a"), size)...)
}

func benchRequest(host string, size int) []byte {
	return append(fmt.Appendf(nil, "POST /"+string(benchProvider)+"/v1/messages?beta=true HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nAnthropic-Version: 2023-06-01\r\nAnthropic-Beta: a-2025-01-01,b-2025-01-01\r\nUser-Agent: bench/1\r\n"+
		"Accept: application/json\r\nAccept-Encoding: gzip, br, zstd\r\nX-Claude-Code-Session-Id: s\r\nContent-Length: %d\r\n\r\n", host, benchKey, size), bytes.Repeat([]byte("b"), size)...)
}

// benchClient is one connection that asks the same thing again and again.
type benchClient struct {
	c       net.Conn
	r       *bufio.Reader
	request []byte
}

func newBenchClient(tb testing.TB, addr string, size int) *benchClient {
	tb.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return &benchClient{c, bufio.NewReaderSize(c, 64<<10), benchRequest(addr, size)}
}

func (b *benchClient) do() error {
	if _, err := b.c.Write(b.request); err != nil {
		return err
	}
	line, err := b.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
		rest, _ := io.ReadAll(io.LimitReader(b.r, 600))
		return fmt.Errorf("answer %q %q", line, rest)
	}
	return skipMessage(b.r)
}

type latencies []time.Duration

func (l latencies) at(q float64) time.Duration {
	slices.Sort(l)
	return l[min(int(float64(len(l))*q), len(l)-1)]
}

// BenchmarkLatency2KB is one client that waits for each answer.
func BenchmarkLatency2KB(b *testing.B) {
	up := benchUpstream(b, benchAnswer(2<<10))
	benchLatency(b, up, 2<<10)
}

func benchLatency(b *testing.B, up string, size int) {
	b.Helper()
	direct := newBenchClient(b, up, size)
	base := newBenchClient(b, baseline(b, "http://"+up), size)
	mine := newBenchClient(b, ours(b, "http://"+up), size)
	var took [3]latencies
	for i := range 50 { // warm
		for _, c := range []*benchClient{direct, base, mine} {
			if err := c.do(); err != nil {
				b.Fatal(i, err)
			}
		}
	}
	for b.Loop() {
		for i, c := range []*benchClient{direct, base, mine} {
			start := time.Now()
			if err := c.do(); err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], time.Since(start))
		}
	}
	for _, q := range []struct {
		name  string
		share float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		d, base, mine := took[0].at(q.share), took[1].at(q.share), took[2].at(q.share)
		b.ReportMetric(float64((base-d).Nanoseconds())/1e3, "base-"+q.name+"-us")
		b.ReportMetric(float64((mine-d).Nanoseconds())/1e3, "ours-"+q.name+"-us")
		b.ReportMetric(float64(mine-d)/float64(base-d), q.name+"-ratio")
	}
}

// BenchmarkThroughput2KB is 64 clients that never pause.
func BenchmarkThroughput2KB(b *testing.B) {
	const clients = 64
	up := benchUpstream(b, benchAnswer(2<<10))
	var groups [2][]*benchClient
	baseAddr, ourAddr := baseline(b, "http://"+up), ours(b, "http://"+up)
	for range clients {
		groups[0] = append(groups[0], newBenchClient(b, baseAddr, 2<<10))
		groups[1] = append(groups[1], newBenchClient(b, ourAddr, 2<<10))
	}
	burst := func(group []*benchClient, each int) time.Duration {
		var wg sync.WaitGroup
		start := time.Now()
		for _, c := range group {
			wg.Go(func() {
				for range each {
					if err := c.do(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		return time.Since(start)
	}
	burst(groups[0], 20)
	burst(groups[1], 20)
	const each = 10 // short bursts in turns: what else the machine does hits both
	var took [2]latencies
	var ratios []float64
	for b.Loop() {
		base, mine := burst(groups[0], each), burst(groups[1], each)
		took[0], took[1] = append(took[0], base), append(took[1], mine)
		ratios = append(ratios, base.Seconds()/mine.Seconds())
	}
	slices.Sort(ratios)
	b.ReportMetric(clients*each/took[0].at(0.5).Seconds(), "base-req/s")
	b.ReportMetric(clients*each/took[1].at(0.5).Seconds(), "ours-req/s")
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
}
