package rotation

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

var (
	errRefused = errors.New("connection refused")
	errGone    = errors.New("the client has gone")
)

// wrote has net/http's hooks say that the request went out.
func wrote(r *http.Request, reused bool) {
	trace := httptrace.ContextClientTrace(r.Context())
	trace.GotConn(httptrace.GotConnInfo{Reused: reused})
	trace.WroteHeaders()
}

func TestNothingWrittenIsTriedAgainOnTheSameAccountOnce(t *testing.T) {
	fails := 1
	k := newKit(t, func(_ string, r *http.Request) (*http.Response, error) {
		if fails > 0 {
			fails--
			return nil, errRefused
		}
		body, err := io.ReadAll(r.Body)
		return must(reply(200, string(body))), err
	}, "a", "b")
	if resp, body := k.send("hi"); resp.StatusCode != http.StatusOK || body != "hi" || resp.Header.Get(FieldAttempts) != "2" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	k.wantTokens("a-1", "a-1")
	fails = 10
	resp, body := k.send("hi")
	if resp.StatusCode != http.StatusBadGateway || resp.Header.Get(FieldAttempts) != "2" || !strings.Contains(body, `"status":502`) {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if fails != 8 {
		t.Errorf("%d tries", 10-fails)
	}
	k.wantUntouched("a", "b")
	if m := k.pool.Members(house)[0]; m.LastError == "" {
		t.Error("the failure left no trace")
	}
}

func TestARequestThatWasWrittenIsNeverSentAgain(t *testing.T) {
	k := newKit(t, func(_ string, r *http.Request) (*http.Response, error) {
		wrote(r, true)
		return nil, io.ErrUnexpectedEOF
	}, "a", "b")
	if resp, _ := k.send("hi"); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("got %d", resp.StatusCode)
	}
	k.wantTokens("a-1")
	k.wantUntouched("a", "b")
}

func TestConnectionsThatDiedAtRestCostNoAttempt(t *testing.T) {
	dead := 5
	k := newKit(t, func(_ string, r *http.Request) (*http.Response, error) {
		if dead--; dead >= 0 {
			httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{Reused: true})
			return nil, io.EOF
		}
		return reply(200, "")
	}, "a")
	if resp, _ := k.send("hi"); resp.StatusCode != http.StatusOK || resp.Header.Get(FieldAttempts) != "1" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}

func TestAClientThatLeavesPunishesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, func(_ string, r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, "a", "b")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := k.transport.RoundTrip(k.request(ctx, "hi")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		k.wantTokens("a-1")
		k.wantUntouched("a", "b")
		if n := k.pool.InFlight(); n != 0 {
			t.Errorf("%d in flight", n)
		}
		if d := k.pool.Decisions("a"); len(d) != 1 || d[0].Status != 0 || d[0].Steps[0].Outcome != OutcomeLeft {
			t.Errorf("decisions %+v", d)
		}
	})
}

func TestARequestThatCannotBeReadIsNobodysFault(t *testing.T) {
	k := newKit(t, func(_ string, r *http.Request) (*http.Response, error) {
		_, err := io.Copy(io.Discard, r.Body)
		return nil, err
	}, "a")
	r := k.request(t.Context(), "hi")
	r.Body, r.ContentLength = io.NopCloser(&once{t: t, err: errGone}), 10
	if _, err := k.transport.RoundTrip(r); !errors.Is(err, errGone) {
		t.Errorf("got %v", err)
	}
	k.wantTokens("a-1")
	k.wantUntouched("a")
}

func TestTheAccountIsLeasedUntilTheBodyCloses(t *testing.T) {
	k := newKit(t, byAccount(nil), "a")
	resp, err := k.transport.RoundTrip(k.request(t.Context(), "hi"))
	if err != nil {
		t.Fatal(err)
	}
	if n := k.pool.InFlight(); n != 1 || k.pool.Members(house)[0].InFlight != 1 {
		t.Errorf("%d in flight while the answer runs", n)
	}
	_ = resp.Body.Close()
	_ = resp.Body.Close()
	if n := k.pool.InFlight(); n != 0 || k.pool.Members(house)[0].InFlight != 0 {
		t.Errorf("%d in flight after it", n)
	}
}

func TestT07_ACredentialGoesToItsUpstreamOnly(t *testing.T) {
	k := newKit(t, byAccount(nil), "a")
	for _, address := range []string{
		"http://api.house.test/v1/x", "https://api.house.test:444/v1/x", "https://api.house.test.evil.example/v1/x",
		"https://evil.example/v1/x", "https://sub.api.house.test/v1/x", "https://user@api.house.test/v1/x",
		"https://api.house.test:443@evil.example/", "https://api.hoUſe.test/v1/x", "https://api.house.test./v1/x",
	} {
		r, err := http.NewRequestWithContext(WithRoute(t.Context(), Route{Provider: k.provider}), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := k.transport.RoundTrip(r); err == nil {
			t.Errorf("%s was asked: %d", address, resp.StatusCode)
			_ = resp.Body.Close()
		}
	}
	if n := len(k.tokens()); n != 0 {
		t.Errorf("%d requests left", n)
	}
	for _, address := range []string{"https://api.house.test:443/v1/x", "https://API.house.test/v1/x"} {
		r, _ := http.NewRequestWithContext(WithRoute(t.Context(), Route{Provider: k.provider}), http.MethodGet, address, nil)
		if resp, _ := k.do(r); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", address, resp.StatusCode)
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.house.test/", nil)
	if _, err := k.transport.RoundTrip(r); err == nil {
		t.Error("a request without a route was sent")
	}
}

// net/http repeats what it takes to be harmless: it must never take a request of
// a client for that.
func TestNetHTTPHasNoGroundsToRepeatAPost(t *testing.T) {
	k := newKit(t, func(_ string, r *http.Request) (*http.Response, error) {
		if r.GetBody != nil || r.Body == nil || r.Body == http.NoBody {
			t.Errorf("a POST with body %v and GetBody %v", r.Body, r.GetBody != nil)
		}
		if r.Host != "" {
			t.Errorf("the client's Host goes out: %s", r.Host)
		}
		return reply(200, "")
	}, "a")
	for _, body := range []string{"hi", ""} {
		r := k.request(t.Context(), body)
		r.Header.Set("Idempotency-Key", "k")
		r.GetBody = func() (io.ReadCloser, error) { return http.NoBody, nil }
		if body == "" {
			r.Body = http.NoBody
		}
		k.do(r)
	}
}

func TestAnAttemptThatWasGivenUpCanReadNoMore(t *testing.T) {
	var first io.Reader
	k := newKit(t, nil, "a", "b")
	k.transport.base = upstreamFunc(func(r *http.Request) (*http.Response, error) {
		if first == nil { // answered early: net/http goes on sending, and closes the body later
			first = r.Body
			return reply(429, "", "Reset-In", "1h")
		}
		if _, err := first.Read(make([]byte, 1)); !errors.Is(err, errBodyClosed) {
			t.Errorf("the first attempt reads on: %v", err)
		}
		body, err := io.ReadAll(r.Body)
		return must(reply(200, string(body))), err
	})
	if _, body := k.send("hi"); body != "hi" {
		t.Errorf("%q", body)
	}
}

func TestTheClientsRequestStaysAsItIs(t *testing.T) {
	k := newKit(t, byAccount(map[string]int{"a": 429}, "Reset-In", "1h"), "a", "b")
	r := k.request(t.Context(), "hi")
	r.Header.Set("X-Own", "1")
	before := r.Header.Clone()
	k.do(r)
	if len(r.Header) != len(before) || r.Header.Get("Authorization") != "" || r.Host != "127.0.0.1:4747" {
		t.Errorf("changed to %v", r.Header)
	}
}

func TestErrorsAreJudgedDecodedAndHandedOnAsTheyCame(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(`{"error":{"message":"the words"}}`))
	_ = z.Close()
	var judged string
	k := newKit(t, func(string, *http.Request) (*http.Response, error) {
		return reply(400, zipped.String(), "Content-Encoding", "gzip")
	}, "a")
	judge := k.provider.Judge
	k.provider.Judge = func(resp *http.Response, peek []byte, now time.Time) accounts.Verdict {
		judged = string(peek)
		return judge(resp, peek, now)
	}
	if _, body := k.send("hi"); body != zipped.String() {
		t.Errorf("the client got %q", body)
	}
	if judged != `{"error":{"message":"the words"}}` {
		t.Errorf("judged %q", judged)
	}
}

func TestALongErrorIsNotHeldInMemory(t *testing.T) {
	const size = 10 * peekLimit
	k := newKit(t, func(string, *http.Request) (*http.Response, error) {
		return reply(500, strings.Repeat("x", size))
	}, "a")
	if _, body := k.send("hi"); len(body) != size {
		t.Errorf("%d bytes", len(body))
	}
}

// stall is a body that never comes. Closing it ends the wait, as net/http's does.
type stall struct{ closed chan struct{} }

func (s stall) Read([]byte) (int, error) { <-s.closed; return 0, errors.New("closed") }

func (s stall) Close() error {
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	return nil
}

func TestAnErrorWhoseBodyStallsIsJudgedByItsHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, func(token string, _ *http.Request) (*http.Response, error) {
			resp, err := reply(200, "fine")
			if token == "a-1" {
				resp, err = reply(429, "", "Reset-In", "1h")
				resp.Body = stall{make(chan struct{})}
			}
			return resp, err
		}, "a", "b")
		began := time.Now()
		if _, body := k.send("hi"); body != "fine" || time.Since(began) > peekWait {
			t.Errorf("%q after %v", body, time.Since(began))
		}
	})
}
