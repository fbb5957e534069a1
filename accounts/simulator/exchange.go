package simulator

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// exchange is one request and its answer.
type exchange struct {
	s     *Server
	w     http.ResponseWriter
	r     *http.Request
	place place
	began time.Time

	account *account // nil: nobody known
	model   string
	family  string
	marker  string

	read    int64 // bytes of the request's body
	torn    bool  // the body did not come whole
	readSum hash.Hash

	fields   []string // values of the answer's head, in one piece of memory
	id       string   // request-id
	status   int      // 0: nothing answered
	written  int64
	writeSum hash.Hash
	whole    bool // the answer is complete
}

func (s *Server) begin(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{
		s: s, w: w, r: r, place: placeOf(r.URL.Path, s.o.Pages), began: s.o.Now(),
		marker: r.Header.Get(MarkerHeader),
		id:     "req_" + number(s.seq.Add(1)),
	}
	if s.journal.on() {
		x.readSum, x.writeSum = sha256.New(), sha256.New()
	}
	s.tally.inFlight.Add(1)
	x.put("Request-Id", x.id)
	if s.clocked {
		x.put("Date", x.began.UTC().Format(http.TimeFormat))
	}
	return x
}

// number is n as the tail of an id.
func number(n uint64) string {
	digits := strconv.FormatUint(n, 36)
	return "00000000000000"[:max(14-len(digits), 0)] + digits
}

// is says who sent the request.
func (x *exchange) is(a *account) {
	x.account = a
	a.counts[x.place].Add(1)
	a.flight.Add(1)
}

// end counts and records the exchange. It runs when the answer is cut, too.
func (x *exchange) end() {
	s := x.s
	s.tally.inFlight.Add(-1)
	name := ""
	if x.account != nil {
		x.account.flight.Add(-1)
		name = x.account.name
	} else {
		s.tally.nobody[x.place].Add(1)
	}
	now := s.o.Now()
	gone := !x.whole && (x.torn || x.r.Context().Err() != nil) && !s.isClosed()
	var c *Cancellation
	if gone {
		c = &Cancellation{User: name, Path: x.r.URL.Path, At: now, After: now.Sub(x.began)}
	}
	s.tally.ended(x.status, c)
	if !s.journal.on() {
		return
	}
	s.journal.add(Request{
		At: x.began, User: name, Method: x.r.Method, Path: x.r.URL.Path, RawQuery: x.query(),
		Header: redacted(x.r.Header), Model: x.model, Marker: x.marker,
		Bytes: x.read, SHA256: hex.EncodeToString(x.readSum.Sum(nil)),
		Status: x.status, AnswerBytes: x.written, AnswerSHA256: hex.EncodeToString(x.writeSum.Sum(nil)),
		Took: now.Sub(x.began), Cancelled: gone,
	})
}

// query is the query as it may be kept: that of a callback holds a code.
func (x *exchange) query() string {
	if x.place == placeCallback && x.r.URL.RawQuery != "" {
		return "[redacted]"
	}
	return x.r.URL.RawQuery
}

func (x *exchange) header() http.Header { return x.w.Header() }

// put sets a field of the answer's head; its name is canonical already.
func (x *exchange) put(name, value string) {
	if len(x.fields) == cap(x.fields) {
		x.fields = make([]string, 0, 24)
	}
	x.fields = append(x.fields, value)
	n := len(x.fields)
	x.header()[name] = x.fields[n-1 : n : n]
}

// pause lets the client wait for d. It reports whether client and server are
// still there then.
func (x *exchange) pause(d time.Duration) bool {
	if d <= 0 {
		return x.r.Context().Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-x.r.Context().Done():
	case <-x.s.done:
	}
	return false
}

// cut ends the connection without another byte.
func (x *exchange) cut() { panic(http.ErrAbortHandler) }

// chunks are buffers for reading bodies.
var chunks = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// readBody reads the request's body to its end, through each. It reports whether
// the whole body came and was at most limit bytes.
func (x *exchange) readBody(limit int64, each func([]byte)) bool {
	chunk := chunks.Get().(*[]byte)
	defer chunks.Put(chunk)
	for {
		n, err := x.r.Body.Read(*chunk)
		x.read += int64(n)
		if x.readSum != nil {
			x.readSum.Write((*chunk)[:n])
		}
		if x.read <= limit {
			each((*chunk)[:n])
		}
		switch {
		case err == io.EOF:
			return x.read <= limit
		case err != nil:
			x.torn = true
			return false
		}
	}
}

// Content types of answers.
const (
	typeJSON = "application/json"
	typeHTML = "text/html; charset=utf-8"
	typeText = "text/plain; charset=utf-8"
)

// send answers with a whole body.
func (x *exchange) send(status int, contentType string, body []byte) {
	x.put("Content-Type", contentType)
	if x.gzipped() {
		x.put("Content-Encoding", "gzip")
		x.put("Vary", "Accept-Encoding")
		x.head(status)
		z := gzip.NewWriter(x)
		_, _ = z.Write(body) // the client may be gone
		_ = z.Close()
	} else {
		x.put("Content-Length", strconv.Itoa(len(body)))
		x.head(status)
		_, _ = x.Write(body)
	}
	x.whole = true
}

// sendJSON answers with a document.
func (x *exchange) sendJSON(status int, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		panic(err) // our own types
	}
	x.send(status, typeJSON, body)
}

// fail answers with the error document of PROTOCOL 3.2.
func (x *exchange) fail(status int, kind, message string) {
	x.send(status, typeJSON, errorDocument(kind, message, x.id))
}

func (x *exchange) head(status int) {
	x.status = status
	x.w.WriteHeader(status)
}

// Write writes a part of the answer's body as it goes over the wire.
func (x *exchange) Write(b []byte) (int, error) {
	n, err := x.w.Write(b)
	x.written += int64(n)
	if x.writeSum != nil {
		x.writeSum.Write(b[:n])
	}
	return n, err
}

// gzipped reports whether the answer is to be compressed.
func (x *exchange) gzipped() bool {
	if !x.s.o.Gzip {
		return false
	}
	for name := range strings.SplitSeq(x.r.Header.Get("Accept-Encoding"), ",") {
		if strings.TrimSpace(name) == "gzip" {
			return true
		}
	}
	return false
}

type errorDetail struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// errorDocument is the error envelope of PROTOCOL 3.2.
func errorDocument(kind, message, requestID string) []byte {
	body, _ := json.Marshal(struct { // strings always marshal
		Type      string      `json:"type"`
		Error     errorDetail `json:"error"`
		RequestID string      `json:"request_id"`
	}{"error", errorDetail{kind, message}, requestID})
	return body
}
