package simulator

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"time"
)

// pings is how many pings fill the silence of a Silent stream.
const pings = 10

// sse writes events of one stream, each flushed by itself.
type sse struct {
	x     *exchange
	out   io.Writer
	zip   *gzip.Writer // nil: not compressed
	flush *http.ResponseController
	buf   []byte
	sent  int // events
	cutAt int // after how many events the connection is cut; 0: never
	errAt int // after how many events an error comes; 0: never
	error string
	over  bool // it has come: an end as good as any
}

// stream answers with server-sent events in the provider's order (PROTOCOL 3.7).
func (x *exchange) stream(m message, f *Fault) {
	e := &sse{x: x, out: x, flush: http.NewResponseController(x.w)}
	x.put("Content-Type", "text/event-stream; charset=utf-8")
	x.put("Cache-Control", "no-cache")
	if x.gzipped() {
		x.put("Content-Encoding", "gzip")
		x.put("Vary", "Accept-Encoding")
		e.zip = gzip.NewWriter(x)
		e.out = e.zip
	}
	silence := time.Duration(0)
	if f != nil {
		switch f.Kind {
		case CutStream:
			e.cutAt = f.Event
		case StreamError:
			e.errAt, e.error = f.Event, orElse(f.Body, overloadedEvent)
		case Silent:
			silence = f.Delay
		default:
		}
	}
	x.head(http.StatusOK)
	if !e.play(m, silence) {
		return
	}
	if e.zip != nil {
		_ = e.zip.Close() // the client may be gone
	}
	x.whole = true
}

const overloadedEvent = `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`

// play sends the events. It reports whether the stream reached an end that was meant.
func (e *sse) play(m message, silence time.Duration) bool {
	if !e.event("message_start", m.start()) ||
		!e.event("content_block_start", []byte(`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)) ||
		!e.event("ping", pingData) ||
		!e.silence(silence) {
		return e.over
	}
	for i := range m.words {
		if !e.x.pause(e.x.s.o.StreamDelay) || !e.event("content_block_delta", m.delta(i)) {
			return e.over
		}
	}
	if !e.event("content_block_stop", []byte(`{"type":"content_block_stop","index":0}`)) ||
		!e.event("message_delta", m.end()) ||
		!e.event("message_stop", []byte(`{"type":"message_stop"}`)) {
		return e.over
	}
	if e.cutAt > 0 {
		e.x.cut() // there were fewer events than that
	}
	return true
}

var pingData = []byte(`{"type": "ping"}`)

// silence sends nothing but pings for d.
func (e *sse) silence(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	for range pings {
		if !e.x.pause(d/pings) || !e.event("ping", pingData) {
			return false
		}
	}
	return true
}

// event sends one event. It reports whether there are more to come.
func (e *sse) event(name string, data []byte) bool {
	switch {
	case e.cutAt > 0 && e.sent == e.cutAt:
		e.x.cut()
	case e.errAt > 0 && e.sent == e.errAt:
		e.over = e.write("error", []byte(e.error))
		return false
	}
	e.sent++
	return e.write(name, data)
}

func (e *sse) write(name string, data []byte) bool {
	e.buf = append(e.buf[:0], "event: "...)
	e.buf = append(e.buf, name...)
	e.buf = append(e.buf, "\ndata: "...)
	e.buf = append(e.buf, data...)
	e.buf = append(e.buf, "\n\n"...)
	if _, err := e.out.Write(e.buf); err != nil {
		return false
	}
	if e.zip != nil && e.zip.Flush() != nil {
		return false
	}
	return e.flush.Flush() == nil
}

func (m message) start() []byte {
	b := append([]byte(nil), `{"type":"message_start","message":{"id":"`...)
	b = append(b, m.id...)
	b = append(b, `","type":"message","role":"assistant","model":"`...)
	b = append(b, m.model...)
	b = append(b, `","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":`...)
	b = strconv.AppendInt(b, m.input, 10)
	return append(b, `,"output_tokens":1}}}`...)
}

func (m message) delta(i int) []byte {
	b := append([]byte(nil), `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`...)
	b = append(b, m.word(i)...)
	return append(b, `"}}`...)
}

func (m message) end() []byte {
	b := append([]byte(nil), `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":`...)
	b = strconv.AppendInt(b, int64(m.words), 10)
	return append(b, `}}`...)
}
