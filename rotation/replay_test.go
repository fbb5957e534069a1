package rotation

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

// once is a client's body: it must not be touched after its end, nor be read by
// two at a time.
type once struct {
	t    *testing.T
	data []byte
	err  error // in place of io.EOF
	mu   sync.Mutex
	over bool
}

func (o *once) Read(p []byte) (int, error) {
	if !o.mu.TryLock() {
		o.t.Error("two readers at the source")
		return 0, errors.New("two readers")
	}
	defer o.mu.Unlock()
	if o.over {
		o.t.Error("the source was touched after its end")
	}
	if len(o.data) == 0 {
		o.over = true
		if o.err != nil {
			return 0, o.err
		}
		return 0, io.EOF
	}
	n := copy(p, o.data)
	o.data = o.data[n:]
	return n, nil
}

func replayOf(src io.Reader, length, limit int64) *replay {
	r := new(replay)
	r.init(src, length, limit)
	return r
}

func (r *replay) opened() *replayBody {
	b := new(replayBody)
	r.open(b)
	return b
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

func TestABodyIsReadOnceAndReplayedWhole(t *testing.T) {
	for _, size := range []int{1, 100, smallChunk, smallChunk + 1, largeChunk, largeChunk + 1, 5*largeChunk + 17} {
		for _, known := range []bool{true, false} {
			body := noise(size)
			length := int64(-1)
			if known {
				length = int64(size)
			}
			r := replayOf(&once{t: t, data: body}, length, 1<<20)
			for attempt := range 3 {
				b := r.opened()
				got, err := io.ReadAll(b)
				if err != nil || !bytes.Equal(got, body) {
					t.Fatalf("%d bytes (length known: %v), attempt %d: %d bytes, %v", size, known, attempt, len(got), err)
				}
				if n, err := b.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
					t.Errorf("after the end: %d, %v", n, err)
				}
				_ = b.Close()
			}
			r.release()
			if r.chunks != nil {
				t.Error("chunks are held after the end")
			}
		}
	}
}

func TestABodyOfKnownLengthEndsByItself(t *testing.T) {
	// The source has more to give, and would say so: nobody may ask it.
	src := &once{t: t, data: noise(100)}
	r := replayOf(src, 60, 1<<20)
	b := r.opened()
	got, err := io.ReadAll(b)
	if err != nil || len(got) != 60 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if len(src.data) != 40 {
		t.Errorf("%d bytes left at the source, want 40", len(src.data))
	}
	// The end comes with the last byte.
	r = replayOf(strings.NewReader("hello"), 5, 10)
	if n, err := r.opened().Read(make([]byte, 10)); n != 5 || !errors.Is(err, io.EOF) {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestAnAttemptGivenUpHandsOverInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := noise(3*largeChunk + 5)
		from, to := io.Pipe()
		r := replayOf(from, int64(len(body)), 1<<20)
		first := r.opened()
		stuck := make(chan error, 1)
		go func() { // the transport's goroutine, which reads on after its answer came
			_, err := io.Copy(io.Discard, first)
			stuck <- err
		}()
		if _, err := to.Write(body[:largeChunk+100]); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // it waits at the source for more
		_ = first.Close()
		second := r.opened()
		all := make(chan []byte, 1)
		go func() {
			got, _ := io.ReadAll(second)
			all <- got
		}()
		synctest.Wait()
		if _, err := to.Write(body[largeChunk+100:]); err != nil {
			t.Fatal(err)
		}
		if got := <-all; !bytes.Equal(got, body) {
			t.Errorf("the second attempt got %d bytes, want %d", len(got), len(body))
		}
		if err := <-stuck; !errors.Is(err, errBodyClosed) {
			t.Errorf("the first attempt read on: %v", err)
		}
		_ = second.Close()
		r.release()
		if r.chunks != nil {
			t.Error("chunks are held")
		}
	})
}

func TestClosingWakesWhoWaitsForAnotherReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := io.Pipe()
		r := replayOf(from, 100, 1<<20)
		first, second := r.opened(), r.opened()
		errs := make(chan error, 2)
		for _, b := range []*replayBody{first, second} {
			go func() {
				_, err := b.Read(make([]byte, 10))
				errs <- err
			}()
			synctest.Wait()
		}
		_ = second.Close()
		if err := <-errs; !errors.Is(err, errBodyClosed) {
			t.Errorf("got %v", err)
		}
		_ = first.Close()
		r.release()
		if r.chunks == nil {
			t.Error("a chunk was freed while the source still writes to it")
		}
		_ = to.Close()
		if err := <-errs; !errors.Is(err, errBodyClosed) {
			t.Errorf("got %v", err)
		}
		if r.chunks != nil {
			t.Error("chunks are held")
		}
	})
}

func TestABodyOverTheLimitIsSentOnceWithoutBeingKept(t *testing.T) {
	const limit = 2 * largeChunk
	for _, known := range []bool{true, false} {
		body := noise(20 * largeChunk)
		length := int64(-1)
		if known {
			length = int64(len(body))
		}
		r := replayOf(&once{t: t, data: body}, length, limit)
		if !r.rewindable() {
			t.Error("not rewindable before its first byte was read")
		}
		b := r.opened()
		var got bytes.Buffer
		held := 0
		for buf := make([]byte, 10_000); ; {
			n, err := b.Read(buf)
			got.Write(buf[:n])
			held = max(held, countChunks(r))
			if err != nil {
				break
			}
		}
		if !bytes.Equal(got.Bytes(), body) {
			t.Errorf("known %v: %d bytes", known, got.Len())
		}
		if r.rewindable() {
			t.Errorf("known %v: rewindable", known)
		}
		if most := limit/largeChunk + 2; held > most || known && held > 0 {
			t.Errorf("known %v: %d chunks were held", known, held)
		}
		if n := countChunks(r); n > 1 {
			t.Errorf("known %v: %d chunks are held at the end", known, n)
		}
	}
}

func countChunks(r *replay) (n int) {
	for _, c := range r.chunks {
		if c != nil {
			n++
		}
	}
	return n
}

func TestTheHeadCanBeLookedAtFirst(t *testing.T) {
	for _, limit := range []int64{1 << 20, 1000} {
		body := noise(50_000)
		r := replayOf(&once{t: t, data: body}, int64(len(body)), limit)
		var seen []byte
		r.head(func(b io.Reader) { seen, _ = io.ReadAll(io.LimitReader(b, 2000)) })
		if want := min(limit, 2000); !bytes.Equal(seen, body[:want]) {
			t.Errorf("limit %d: saw %d bytes", limit, len(seen))
		}
		b := r.opened()
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("limit %d: sent %d bytes, %v", limit, len(got), err)
		}
		if r.rewindable() != (limit > int64(len(body))) {
			t.Errorf("limit %d: rewindable is %v", limit, r.rewindable())
		}
		_ = b.Close()
		called := false
		r.head(func(io.Reader) { called = true })
		if called != r.rewindable() {
			t.Errorf("limit %d: looked at a beginning that is gone", limit)
		}
		r.release()
	}
}

func TestAClientThatBreaksOffIsNotAWholeBody(t *testing.T) {
	gone := errors.New("gone")
	r := replayOf(&once{t: t, data: []byte("abc"), err: gone}, 10, 100)
	if _, err := io.ReadAll(r.opened()); !errors.Is(err, gone) || !errors.Is(r.failed(), gone) {
		t.Errorf("got %v, failed %v", err, r.failed())
	}
	r = replayOf(&once{t: t, data: []byte("abc")}, 10, 100)
	if _, err := io.ReadAll(r.opened()); !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(r.failed(), io.ErrUnexpectedEOF) {
		t.Errorf("cut short: %v, failed %v", err, r.failed())
	}
	r = replayOf(iotest.OneByteReader(strings.NewReader("abc")), -1, 100)
	if got, err := io.ReadAll(r.opened()); string(got) != "abc" || err != nil || r.failed() != nil {
		t.Errorf("whole: %q, %v, failed %v", got, err, r.failed())
	}
}

// A body must not cost much more memory than its length (DESIGN 8).
func TestKeepingABodyCostsLittleMoreThanTheBody(t *testing.T) {
	const size = 5 << 20
	body := noise(size)
	allocated := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.TotalAlloc
	}
	before := allocated()
	r := replayOf(bytes.NewReader(body), size, 32<<20)
	b := r.opened()
	if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{b}, make([]byte, 32<<10)); n != size || err != nil {
		t.Fatal(n, err)
	}
	if used := allocated() - before; used > size*11/10+1<<20 {
		t.Errorf("%d bytes were allocated for %d", used, size)
	}
	_ = b.Close()
	r.release()
}

// Chunks are lent to one body after the other: none may be lent again while
// somebody still reads it or reads into it.
func TestManyBodiesAtOnceStayApart(t *testing.T) {
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(worker)))
			for range 25 {
				body := make([]byte, 1+rng.IntN(3*largeChunk))
				for i := range body {
					body[i] = byte(worker)
				}
				r := replayOf(&slow{data: body, step: 1 + rng.IntN(20_000)}, int64(len(body)), 1<<20)
				for range rng.IntN(3) { // attempts that are given up in the middle
					b, begun := r.opened(), make(chan struct{})
					all.Go(func() {
						buf := make([]byte, 1+rand.IntN(30_000))
						_, _ = b.Read(buf)
						close(begun)
						for {
							if n, err := b.Read(buf); err != nil || bytes.IndexFunc(buf[:n], func(c rune) bool { return c != rune(worker) }) >= 0 {
								if err == nil {
									t.Error("another body's bytes")
								}
								return
							}
						}
					})
					<-begun
					_ = b.Close()
				}
				last := r.opened()
				if rng.IntN(2) == 0 {
					r.release()
				}
				if got, err := io.ReadAll(last); err != nil || !bytes.Equal(got, body) {
					t.Errorf("%d bytes of %d, %v", len(got), len(body), err)
				}
				_ = last.Close()
			}
		})
	}
	all.Wait()
}

// slow gives a few bytes at a time, and lets others run in between.
type slow struct {
	data []byte
	step int
}

func (s *slow) Read(p []byte) (int, error) {
	runtime.Gosched()
	n := copy(p, s.data[:min(s.step, len(s.data))])
	s.data = s.data[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func FuzzAttemptsGetTheSameBytes(f *testing.F) {
	f.Add(uint16(10), uint16(3), true, uint32(1000))
	f.Add(uint16(60000), uint16(40000), false, uint32(30000))
	f.Fuzz(func(t *testing.T, size, cut uint16, known bool, limit uint32) {
		body := noise(int(size) * 4)
		length := int64(-1)
		if known {
			length = int64(len(body))
		}
		if length == 0 {
			return
		}
		r := replayOf(&once{t: t, data: body}, length, int64(limit))
		first := r.opened()
		part, err := io.ReadAll(io.LimitReader(first, int64(cut)*4))
		if err != nil || !bytes.HasPrefix(body, part) {
			t.Fatalf("first attempt: %d bytes, %v", len(part), err)
		}
		again := r.rewindable()
		if again != (int64(limit) >= length && known) && known && len(part) > 0 {
			t.Errorf("rewindable is %v", again)
		}
		_ = first.Close()
		if again {
			got, err := io.ReadAll(r.opened())
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("second attempt: %d bytes of %d, %v", len(got), len(body), err)
			}
		}
		r.release()
	})
}
