package rotation

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"
)

// BenchmarkBody5MB is one client that sends 5 MB and waits for the answer. The
// proxy keeps the body for another attempt; memory is what it holds while the
// upstream has all of it and has not answered.
func BenchmarkBody5MB(b *testing.B) {
	const size = 5 << 20
	up := benchUpstream(b, benchAnswer(2<<10))
	benchLatency(b, up, size)

	release := make(chan struct{})
	held := serveBench(b, func(ctx context.Context, l net.Listener) {
		acceptBench(ctx, l, func(c net.Conn) { holdBody(ctx, c, release) })
	})
	c := newBenchClient(b, ours(b, "http://"+held), size)
	before := heap()
	done := make(chan error, 1)
	go func() { done <- c.do() }()
	release <- struct{}{} // the whole body is there
	during := heap()
	release <- struct{}{}
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(during-before)/size, "memory/body")
}

// holdBody reads a request, says so, and answers when it is told to.
func holdBody(_ context.Context, c net.Conn, release chan struct{}) {
	if skipMessage(bufio.NewReaderSize(c, 64<<10)) != nil {
		return
	}
	<-release
	<-release
	_, _ = c.Write(benchAnswer(2))
}

// heap returns the bytes in use after what is unused has gone.
func heap() int64 {
	runtime.GC()
	runtime.GC() // pools give up what they kept only the second time
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

func acceptBench(ctx context.Context, l net.Listener, serve func(net.Conn)) {
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
			defer stop()
			defer shut(c)
			serve(c)
		})
	}
	conns.Wait()
}

const (
	benchStreamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	benchEvent      = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n"
)

// benchStream is an open stream: what the upstream writes comes out at the client.
type benchStream struct {
	from net.Conn // the upstream's end
	to   *bufio.Reader
}

// BenchmarkEventDelay is the time from an event's write by the upstream to its
// arrival at the client.
func BenchmarkEventDelay(b *testing.B) {
	opened := make(chan net.Conn)
	up := streamUpstream(b, opened)
	streams := []*benchStream{
		openStream(b, up, opened), openStream(b, baseline(b, "http://"+up), opened), openStream(b, ours(b, "http://"+up), opened),
	}
	chunk := []byte(chunkOf(benchEvent))
	var took [3]latencies
	for b.Loop() {
		for i, s := range streams {
			start := time.Now()
			if _, err := s.from.Write(chunk); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(s.to, make([]byte, len(chunk))); err != nil { // chunks come out as they went in
				b.Fatal(err)
			}
			took[i] = append(took[i], time.Since(start))
		}
	}
	direct, base, mine := took[0].at(0.5), took[1].at(0.5), took[2].at(0.5)
	b.ReportMetric(float64((base-direct).Nanoseconds())/1e3, "base-p50-us")
	b.ReportMetric(float64((mine-direct).Nanoseconds())/1e3, "ours-p50-us")
	b.ReportMetric(float64(mine-direct)/float64(base-direct), "p50-ratio")
}

// streamUpstream hands over each connection once it has sent a head and one event.
func streamUpstream(tb testing.TB, opened chan net.Conn) string {
	tb.Helper()
	return serveBench(tb, func(ctx context.Context, l net.Listener) {
		acceptBench(ctx, l, func(c net.Conn) {
			if skipMessage(bufio.NewReaderSize(c, 512)) != nil {
				return
			}
			if _, err := io.WriteString(c, benchStreamHead+chunkOf(benchEvent)); err != nil {
				return
			}
			opened <- c
			<-ctx.Done()
		})
	})
}

func openStream(tb testing.TB, addr string, opened chan net.Conn) *benchStream {
	tb.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { shut(c) })
	if _, err := c.Write(benchRequest(addr, 200)); err != nil {
		tb.Fatal(err)
	}
	s := &benchStream{from: <-opened, to: bufio.NewReaderSize(c, 512)}
	if err := s.begun(); err != nil {
		tb.Fatal(err)
	}
	return s
}

// begun reads the head and the first event.
func (s *benchStream) begun() error {
	for {
		line, err := s.to.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			break
		}
	}
	first := make([]byte, len(chunkOf(benchEvent)))
	if _, err := io.ReadFull(s.to, first); err != nil {
		return err
	}
	if !bytes.Contains(first, []byte(benchEvent)) {
		return errors.New("the first event is another one")
	}
	return nil
}

func chunkOf(text string) string {
	return chunked([]byte(text))[:len(chunked([]byte(text)))-len("0\r\n\r\n")]
}

// BenchmarkHeldStream is the memory of a stream that is open, client and upstream
// not counted.
func BenchmarkHeldStream(b *testing.B) {
	const streams = 200
	opened := make(chan net.Conn)
	up := streamUpstream(b, opened)
	cost := func(addr string) float64 {
		before := heap()
		for range streams {
			openStream(b, addr, opened)
		}
		return float64(heap()-before) / streams / 1024
	}
	baseAddr, ourAddr := baseline(b, "http://"+up), ours(b, "http://"+up)
	for b.Loop() { // there is nothing to repeat: memory does not vary
	}
	direct := cost(up)
	b.ReportMetric(cost(baseAddr)-direct, "base-KiB")
	b.ReportMetric(cost(ourAddr)-direct, "ours-KiB")
}

// BenchmarkProxyFailover is what a change of account adds to a request, besides the
// round trip that found out: the first account is limited each time anew.
func BenchmarkProxyFailover(b *testing.B) {
	limited := []byte("HTTP/1.1 429 Too Many Requests\r\nAnthropic-Ratelimit-Unified-Status: rejected\r\nContent-Length: 2\r\n\r\n{}")
	good := benchAnswer(2 << 10)
	up := serveBench(b, func(ctx context.Context, l net.Listener) {
		acceptBench(ctx, l, func(c net.Conn) {
			r := bufio.NewReaderSize(c, 64<<10)
			for {
				head, _ := r.Peek(512)
				answer := good
				if bytes.Contains(head, []byte("Bearer a-1")) {
					answer = limited
				}
				if skipMessage(r) != nil {
					return
				}
				if _, err := c.Write(answer); err != nil {
					return
				}
			}
		})
	})
	plainUp := benchUpstream(b, good)
	anew := []byte("X-Claude-Code-Session-Id: s\r\n") // a session would stay with the second account
	addr, pool := oursAndPool(b, "http://"+up)
	clients := []*benchClient{newBenchClient(b, plainUp, 2<<10), newBenchClient(b, ours(b, "http://"+plainUp), 2<<10), newBenchClient(b, addr, 2<<10)}
	for _, c := range clients {
		c.request = bytes.Replace(c.request, anew, nil, 1)
	}
	var took [3]latencies
	for b.Loop() {
		for i, c := range clients {
			pool.mu.Lock()
			pool.setCooldowns(pool.seats["a"], nil)
			pool.mu.Unlock()
			start := time.Now()
			if err := c.do(); err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], time.Since(start))
		}
	}
	direct, plain, over := took[0].at(0.5), took[1].at(0.5), took[2].at(0.5)
	b.ReportMetric(float64((over-plain-direct).Nanoseconds())/1e3, "beyond-round-trip-us")
	b.ReportMetric(float64((over-plain).Nanoseconds())/1e3, "failover-us")
}
