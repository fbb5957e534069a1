package simulator_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// events are the names of the events in an SSE body.
func events(body []byte) []string {
	var names []string
	for line := range strings.Lines(string(body)) {
		if name, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "event: "); ok {
			names = append(names, name)
		}
	}
	return names
}

func streamed(t *testing.T, s *simulator.Server, token string) reply {
	t.Helper()
	return do(t, call(t, s, http.MethodPost, simulator.PathMessages, token, prompt(sonnet, true)))
}

var wholeStream = []string{
	"message_start", "content_block_start", "ping", "content_block_delta", "content_block_delta",
	"content_block_stop", "message_delta", "message_stop",
}

func TestAStreamHasTheProvidersOrder(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{StreamEvents: 2})
	got := streamed(t, s, login(t, s, "ada").Access)
	wantStatus(t, got, http.StatusOK)
	if names := events(got.body); !slices.Equal(names, wholeStream) {
		t.Errorf("events = %v", names)
	}
	wantHeaders(t, got.header, map[string]string{"Content-Type": "text/event-stream; charset=utf-8", unified + "Status": "allowed"})
	if !bytes.Contains(got.body, []byte(`"text":"The "`)) || !bytes.HasSuffix(got.body, []byte("\n\n")) {
		t.Errorf("body = %s", got.body)
	}
}

func TestEveryEventIsFlushedByItself(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{StreamEvents: 2, StreamDelay: time.Hour})
	r := call(t, s, http.MethodPost, simulator.PathMessages, login(t, s, "ada").Access, prompt(sonnet, true))
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() && lines.Text() != "event: ping" {
	}
	if lines.Err() != nil || lines.Text() != "event: ping" {
		t.Fatalf("the events before the hour did not come: %v", lines.Err())
	}
	if got := s.InFlight("ada"); got != 1 || s.Counts().InFlight != 1 {
		t.Errorf("in flight = %d", got)
	}
	began := time.Now()
	s.Close() // ends the stream, visibly
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("a stream that was cut ended cleanly")
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("Close took %v", took)
	}
	if c := s.Counts(); c.InFlight != 0 || c.Cancelled != 0 {
		t.Errorf("after Close: %+v", c)
	}
}

func TestStreamsBreakOnDemand(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{StreamEvents: 2})
	token := login(t, s, "ada").Access

	s.Inject(simulator.Fault{Kind: simulator.CutStream, Event: 4})
	got := streamed(t, s, token)
	if !errors.Is(got.err, io.ErrUnexpectedEOF) || !slices.Equal(events(got.body), wholeStream[:4]) {
		t.Errorf("cut: %v after %v", got.err, events(got.body))
	}
	s.Inject(simulator.Fault{Kind: simulator.CutStream, Event: 100})
	if got = streamed(t, s, token); !errors.Is(got.err, io.ErrUnexpectedEOF) || !slices.Equal(events(got.body), wholeStream) {
		t.Errorf("cut after the last event: %v after %v", got.err, events(got.body))
	}
	s.Inject(simulator.Fault{Kind: simulator.StreamError, Event: 3})
	wantStatus(t, say(t, s, token, sonnet), http.StatusOK) // not for a request that does not stream
	got = streamed(t, s, token)
	wantStatus(t, got, http.StatusOK)
	if want := append(slices.Clone(wholeStream[:3]), "error"); !slices.Equal(events(got.body), want) {
		t.Errorf("error: %v", events(got.body))
	}
	if !bytes.Contains(got.body, []byte(`data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)) {
		t.Errorf("body = %s", got.body)
	}
	s.Inject(simulator.Fault{Kind: simulator.Silent, Delay: 20 * time.Millisecond})
	got = streamed(t, s, token)
	wantStatus(t, got, http.StatusOK)
	if want := slices.Insert(slices.Clone(wholeStream), 2, slices.Repeat([]string{"ping"}, 10)...); !slices.Equal(events(got.body), want) {
		t.Errorf("silent: %v", events(got.body))
	}
}

func TestAClientThatGoesIsNoticed(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{StreamDelay: time.Hour})
	token := login(t, s, "ada").Access
	r := call(t, s, http.MethodPost, simulator.PathMessages, token, prompt(sonnet, true))
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	left := time.Now()
	_ = resp.Body.Close()
	for s.Counts().Cancelled == 0 {
		if time.Since(left) > 10*time.Second {
			t.Fatal("the server did not notice")
		}
		time.Sleep(time.Millisecond)
	}
	c := s.Counts()
	if c.InFlight != 0 || len(c.Cancels) != 1 {
		t.Fatalf("counts = %+v", c)
	}
	if got := c.Cancels[0]; got.User != "ada" || got.Path != simulator.PathMessages || got.At.Before(left) || got.After <= 0 {
		t.Errorf("cancellation = %+v", got)
	}
	if q := s.Requests(); len(q) != 1 || !q[0].Cancelled {
		t.Errorf("requests = %+v", q)
	}
}

func TestAnswersAreCompressedForThoseWhoAcceptIt(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Gzip: true, StreamEvents: 2})
	token := login(t, s, "ada").Access
	for _, stream := range []bool{false, true} {
		r := call(t, s, http.MethodPost, simulator.PathMessages, token, prompt(sonnet, stream))
		r.Header.Set("Accept-Encoding", "br, gzip")
		got := do(t, r)
		wantStatus(t, got, http.StatusOK)
		if got.header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("stream %v: header %v", stream, got.header)
		}
		z, err := gzip.NewReader(bytes.NewReader(got.body))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(z)
		if err != nil || (stream && !slices.Equal(events(plain), wholeStream)) || (!stream && !bytes.Contains(plain, []byte(`"end_turn"`))) {
			t.Errorf("stream %v: %s, %v", stream, plain, err)
		}
	}
	if got := say(t, s, token, sonnet); got.header.Get("Content-Encoding") != "" {
		t.Error("compressed for a client that did not ask")
	}
}
