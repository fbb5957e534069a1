package rotation

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func TestScenarioALongBodyFailsOverUnchanged(t *testing.T) {
	for _, early := range []bool{false, true} {
		s := play(t, simulator.Options{}, named("work", "home")...)
		s.server.Inject(simulator.Fault{Kind: simulator.Throttle, Early: early})
		l := line{size: 5 << 20}
		s.want(s.say(l), 200, "home", "2")
		last := s.messages()[1]
		if last.SHA256 != sha(l.body()) || last.RawQuery != "beta=true" {
			t.Errorf("early %v: %d bytes arrived of %d, query %q", early, last.Bytes, len(l.body()), last.RawQuery)
		}
		s.clean()
	}
}

func TestScenarioABodyTooLongToKeepIsSentOnceAndTheAccountCools(t *testing.T) {
	for _, chunked := range []bool{false, true} {
		s := play(t, simulator.Options{}, named("work", "home")...)
		s.settings.ReplayLimit = 64 << 10
		s.server.Inject(simulator.Fault{Kind: simulator.QuotaFiveHour, User: "work", ResetsIn: time.Hour})
		l := line{size: 1 << 20}
		r := s.request(t.Context(), l)
		if chunked {
			r.ContentLength, r.Body = -1, io.NopCloser(strings.NewReader(l.body()))
		}
		resp, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get(FieldAttempts) != "1" || resp.Header.Get("Anthropic-Ratelimit-Unified-Status") != "rejected" {
			t.Errorf("chunked %v: %d %v", chunked, resp.StatusCode, resp.Header)
		}
		s.wantCooling("work", "", time.Now().Add(time.Hour))
		s.want(s.say(l), 200, "home", "1")
		if got := s.messages(); got[0].SHA256 != sha(l.body()) || got[1].SHA256 != sha(l.body()) {
			t.Errorf("chunked %v: a body was changed on its way", chunked)
		}
		s.clean()
	}
}

func TestScenarioAStreamArrivesByteByByteAndEventByEvent(t *testing.T) {
	s := play(t, simulator.Options{StreamEvents: 6, StreamDelay: 50 * time.Millisecond}, named("work", "home")...)
	s.server.Inject(simulator.Fault{Kind: simulator.Throttle, User: "work"})
	// Held back, all would come together each time. A reader that a busy machine lets
	// wait finds several events at once.
	spread := 0
	for try := 0; try < 5 && spread < 4; try++ {
		var body, attempts string
		var events int
		body, attempts, events, spread = s.stream()
		want := map[bool]string{true: "2", false: "1"}[try == 0]
		if got := s.messages()[try+1]; events != 6 || got.AnswerSHA256 != sha(body) || attempts != want {
			t.Errorf("%d events, %d bytes arrived of %d, after %s attempts", events, len(body), got.AnswerBytes, attempts)
		}
	}
	if spread < 4 {
		t.Errorf("%d events came by themselves", spread)
	}
	s.clean()
}

// stream reads a stream: its text, how many attempts it took, its events, and how
// many of those came by themselves.
func (s *scene) stream() (text, attempts string, events, spread int) {
	s.t.Helper()
	resp, err := s.client.Do(s.request(s.t.Context(), line{stream: true}))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var body strings.Builder
	last := time.Now()
	for in := bufio.NewReader(resp.Body); ; {
		text, err := in.ReadString('\n')
		body.WriteString(text)
		if strings.HasPrefix(text, "event: content_block_delta") {
			events++
			if time.Since(last) > 20*time.Millisecond {
				spread++
			}
			last = time.Now()
		}
		if errors.Is(err, io.EOF) {
			return body.String(), resp.Header.Get(FieldAttempts), events, spread
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestScenarioACutStreamIsAVisibleError(t *testing.T) {
	s := play(t, simulator.Options{}, named("work", "home")...)
	s.server.Inject(simulator.Fault{Kind: simulator.CutStream})
	if h, err := s.ask(line{stream: true}); err == nil {
		t.Errorf("a cut stream looks whole: %s", h.body)
	}
	if n := s.server.Counts().Total(simulator.PathMessages); n != 1 {
		t.Errorf("%d requests", n)
	}
	s.wantUntouched("work", "home")
	s.clean()
}

func TestScenarioAnUpstreamThatIsDownIsTriedAgainOnce(t *testing.T) {
	s := play(t, simulator.Options{}, named("work", "home")...)
	s.server.Close()
	h := s.say(line{})
	s.want(h, 502, "work", "2")
	if !strings.Contains(h.body, `"type":"error"`) {
		t.Errorf("body %s", h.body)
	}
	s.wantUntouched("work", "home")
}

func TestScenarioARequestThatWasWrittenIsNotSentAgain(t *testing.T) {
	s := play(t, simulator.Options{}, named("work", "home")...)
	s.want(s.say(line{}), 200, "work", "1") // its connection will be used again
	s.server.Inject(simulator.Fault{Kind: simulator.CutBefore, Times: -1})
	for _, key := range []string{"", "idempotency-key", "x-idempotency-key"} {
		r := s.request(t.Context(), line{marker: "cut" + key})
		if key != "" {
			r.Header.Set(key, "k") // net/http takes that for a leave to send twice
		}
		before := s.server.Counts().Total(simulator.PathMessages)
		resp, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadGateway || resp.Header.Get(FieldAttempts) != "1" {
			t.Errorf("%q: %d after %s attempts", key, resp.StatusCode, resp.Header.Get(FieldAttempts))
		}
		if n := s.server.Counts().Total(simulator.PathMessages) - before; n != 1 {
			t.Errorf("%q: sent %d times", key, n)
		}
	}
	s.wantUntouched("work", "home")
	s.clean()
}

func TestScenarioAClientThatLeavesEndsTheRequestUpstream(t *testing.T) {
	for _, when := range []string{"before the answer", "in the middle of the stream"} {
		t.Run(when, func(t *testing.T) {
			o := simulator.Options{StreamEvents: 1000, StreamDelay: 10 * time.Millisecond}
			if when == "before the answer" {
				o.Latency = 30 * time.Second
			}
			took := time.Hour
			for try := 0; try < 5 && took > time.Second; try++ { // the machine may have been busy: the best counts
				took = play(t, o, named("work", "home")...).leaves()
			}
			if took > time.Second {
				t.Errorf("the request went on for %v, at best", took)
			}
		})
	}
}

// leaves is a client that goes away as soon as the upstream has its request or, where
// that answers at once, the answer has begun. It returns how long the request went on.
func (s *scene) leaves() time.Duration {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	left := make(chan time.Time, 1)
	go func() {
		for s.server.Counts().Total(simulator.PathMessages) == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond) // into the stream
		left <- time.Now()
		cancel()
	}()
	resp, err := s.client.Do(s.request(ctx, line{stream: true}))
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	if !errors.Is(err, context.Canceled) {
		s.t.Fatalf("got %v", err)
	}
	gone := <-left
	for s.server.Counts().Cancelled == 0 || s.pool.InFlight() > 0 {
		if time.Since(gone) > 20*time.Second {
			s.t.Fatalf("in the end: %d cancelled, %d in flight", s.server.Counts().Cancelled, s.pool.InFlight())
		}
		time.Sleep(5 * time.Millisecond)
	}
	took := time.Since(gone)
	if n := s.server.Counts().Total(simulator.PathMessages); n != 1 {
		s.t.Errorf("%d requests", n)
	}
	s.wantUntouched("work", "home")
	s.clean()
	return took
}

func TestScenarioNoRedirectIsFollowed(t *testing.T) {
	s := play(t, simulator.Options{}, named("work")...)
	elsewhere := simulator.New(simulator.Options{})
	if err := elsewhere.Start(); err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, status := range []int{301, 302, 307, 308} {
		s.server.Inject(simulator.Fault{Kind: simulator.Answer, Status: status, Header: http.Header{"Location": {elsewhere.URL() + "/v1/messages"}}})
		s.want(s.say(line{}), status, "work", "1")
	}
	if n := len(elsewhere.Requests()); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
	s.clean()
}
