package rotation

import (
	"errors"
	"io"
	"sync"
)

// Sizes of the pieces that a kept body lies in. One buffer for a whole body
// would make large ones wait for the allocator.
const (
	smallChunk = 4 << 10
	largeChunk = 64 << 10
)

var (
	smallChunks = sync.Pool{New: func() any { return &chunk{data: make([]byte, smallChunk)} }}
	largeChunks = sync.Pool{New: func() any { return &chunk{data: make([]byte, largeChunk)} }}
)

// chunk is a piece of a kept body.
type chunk struct {
	data []byte
	n    int // bytes of data that are filled; all of them before the next chunk begins
}

func newChunk(size int) *chunk {
	pool := &largeChunks
	if size <= smallChunk {
		pool = &smallChunks
	}
	c := pool.Get().(*chunk)
	c.n = 0
	return c
}

func (c *chunk) free() {
	if len(c.data) == smallChunk {
		smallChunks.Put(c)
	} else {
		largeChunks.Put(c)
	}
}

var errBodyClosed = errors.New("request body read after it was closed")

// replay is a client's body that can be sent more than once. It is kept while
// the first attempt sends it, so nobody waits for the whole of it; a second
// attempt gets what was kept, and then what still comes.
//
// It ends by itself after length bytes, and never touches the client's body
// after that: a read past the end, after the server closed the body, makes
// net/http break the connection to the upstream (golang/go#40747).
//
// It is not closed here either: the server does that when the handler returns,
// and it would mean to wait for a client that still sends.
//
// The transport's goroutine may still read for an attempt that was given up
// while the next one starts. One reader at a time is at the source and its bytes
// are there for all; the owner closes an attempt before it opens the next; and no
// chunk is freed while somebody may still copy from it or read into it.
type replay struct {
	src    io.Reader
	length int64 // bytes that will come; -1: not known
	limit  int64 // bytes that are kept at most

	mu      sync.Mutex // guards what follows; not held while the source is read
	arrived sync.Cond  // a read of the source ended, or an attempt was closed
	chunks  []*chunk   // nil for those that were freed already
	filled  int64      // bytes that the source gave
	err     error      // how the source ended: io.EOF, or what went wrong
	keep    bool       // every byte so far is in chunks, and is to stay there
	pinned  bool       // someone looks at the beginning: the limit waits
	filling bool       // a reader is at the source
	holders int        // open attempts, and the owner
}

// init prepares r, which the caller holds until release.
func (r *replay) init(src io.Reader, length, limit int64) {
	r.src, r.length, r.limit = src, length, limit
	r.arrived.L = &r.mu
	r.keep = length <= limit
	r.holders = 1
}

// open starts b at the first byte, for one more attempt.
func (r *replay) open(b *replayBody) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b.r = r
	r.holders++
}

// rewindable reports whether another attempt would get the whole body.
func (r *replay) rewindable() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keep || r.filled == 0 && !r.filling
}

// failed returns what went wrong with the client's body; nil if nothing did.
func (r *replay) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(r.err, io.EOF) {
		return nil
	}
	return r.err
}

// head lets read look at the body from its first byte, before anything was
// sent. It may read as much as it likes, up to the limit.
func (r *replay) head(read func(io.Reader)) {
	r.mu.Lock()
	if !r.keep && (r.filled > 0 || r.filling) {
		r.mu.Unlock()
		return // its beginning is gone
	}
	kept := r.keep
	r.keep, r.pinned = true, true
	r.mu.Unlock()

	var b replayBody
	r.open(&b)
	read(io.LimitReader(&b, r.limit))
	_ = b.Close()

	r.mu.Lock()
	r.keep, r.pinned = kept && r.filled <= r.limit, false
	r.mu.Unlock()
}

// release ends the owner's hold: there will be no further attempt, and what the
// last one has sent need not be kept.
func (r *replay) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep = false
	r.drop()
}

// drop takes one holder away. r.mu is held.
func (r *replay) drop() {
	r.holders--
	r.sweep()
}

// sweep frees everything once nobody can read it any more. r.mu is held.
func (r *replay) sweep() {
	if r.holders > 0 || r.filling {
		return
	}
	for _, c := range r.chunks {
		if c != nil {
			c.free()
		}
	}
	r.chunks = nil
}

// replayBody is the body of one attempt.
type replayBody struct {
	r      *replay
	at     int   // the chunk to read from, guarded by r.mu like the rest
	pos    int   // where in that chunk
	off    int64 // bytes read
	closed bool
}

// Read implements io.Reader. One goroutine reads; another may close.
func (b *replayBody) Read(p []byte) (int, error) {
	r := b.r
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		switch {
		case b.closed:
			return 0, errBodyClosed
		case len(p) == 0:
			return 0, nil
		case b.off < r.filled:
			return b.copyKept(p)
		case r.err != nil:
			return 0, r.err
		case r.filling:
			r.arrived.Wait()
		case r.keep:
			r.fill()
		default:
			if n, err := b.pass(p); n > 0 || err != nil {
				return n, err
			}
		}
	}
}

// Close implements io.Closer.
func (b *replayBody) Close() error {
	r := b.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if !b.closed {
		b.closed = true
		r.drop()
		r.arrived.Broadcast()
	}
	return nil
}

// copyKept copies from the chunk at hand. r.mu is held.
func (b *replayBody) copyKept(p []byte) (int, error) {
	r := b.r
	c := r.chunks[b.at]
	n := copy(p, c.data[b.pos:c.n])
	b.pos += n
	b.off += int64(n)
	if b.pos == len(c.data) {
		b.at, b.pos = b.at+1, 0
		for i := b.at - 1; !r.keep && i >= 0 && r.chunks[i] != nil; i-- {
			r.chunks[i].free()
			r.chunks[i] = nil
		}
	}
	if b.off == r.filled {
		return n, r.err // the end comes with the last byte: nobody needs to probe for it
	}
	return n, nil
}

// fill reads once from the source into the last chunk. r.mu is held, and given
// up meanwhile.
func (r *replay) fill() {
	tail := r.tail()
	tail.n += r.take(tail.data[tail.n:])
	if r.filled > r.limit && !r.pinned {
		r.keep = false
	}
	r.left()
}

// pass reads once from the source without keeping anything. r.mu is held, and
// given up meanwhile.
func (b *replayBody) pass(p []byte) (int, error) {
	n := b.r.take(p)
	b.off += int64(n)
	b.r.left()
	return n, b.r.err
}

// take reads once from the source, with r.mu given up meanwhile. Nobody else
// comes to the source before left.
func (r *replay) take(p []byte) int {
	if r.length >= 0 {
		p = p[:min(int64(len(p)), r.length-r.filled)]
	}
	r.filling = true
	r.mu.Unlock()
	n, err := r.src.Read(p)
	r.mu.Lock()
	r.filled += int64(n)
	switch {
	case r.filled == r.length:
		r.err = io.EOF
	case errors.Is(err, io.EOF) && r.length >= 0:
		r.err = io.ErrUnexpectedEOF
	case err != nil:
		r.err = err
	}
	return n
}

// left makes way at the source.
func (r *replay) left() {
	r.filling = false
	r.sweep()
	r.arrived.Broadcast()
}

// tail returns a chunk with room.
func (r *replay) tail() *chunk {
	if n := len(r.chunks); n > 0 {
		if last := r.chunks[n-1]; last != nil && last.n < len(last.data) {
			return last
		}
	}
	size := largeChunk
	if r.length >= 0 && r.length <= smallChunk || r.length < 0 && len(r.chunks) == 0 {
		size = smallChunk
	}
	c := newChunk(size)
	r.chunks = append(r.chunks, c)
	return c
}
