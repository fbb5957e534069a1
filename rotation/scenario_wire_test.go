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
	resp, err := s.client.Do(s.request(t.Context(), line{stream: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var body strings.Builder
	events, spread, last := 0, 0, time.Now()
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
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if events != 6 || spread < 4 {
		t.Errorf("%d events, %d of them by themselves", events, spread)
	}
	if got := s.messages()[1]; got.AnswerSHA256 != sha(body.String()) || resp.Header.Get(FieldAttempts) != "2" {
		t.Errorf("%d bytes arrived of %d, after %s attempts", body.Len(), got.AnswerBytes, resp.Header.Get(FieldAttempts))
	}
	_ = resp.Body.Close()
	s.clean()
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
			s := play(t, o, named("work", "home")...)
			ctx, cancel := context.WithCancel(t.Context())
			left := make(chan time.Time, 1)
			time.AfterFunc(300*time.Millisecond, func() { left <- time.Now(); cancel() })
			resp, err := s.client.Do(s.request(ctx, line{stream: true}))
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v", err)
			}
			gone := <-left
			for s.server.Counts().Cancelled == 0 || s.pool.InFlight() > 0 {
				if time.Since(gone) > time.Second {
					t.Fatalf("after a second: %d cancelled, %d in flight", s.server.Counts().Cancelled, s.pool.InFlight())
				}
				time.Sleep(5 * time.Millisecond)
			}
			if n := s.server.Counts().Total(simulator.PathMessages); n != 1 {
				t.Errorf("%d requests", n)
			}
			s.wantUntouched("work", "home")
			s.clean()
		})
	}
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
