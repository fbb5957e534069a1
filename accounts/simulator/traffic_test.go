package simulator_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// front stands where the proxy will: it swaps the local key for a token.
func front(t *testing.T, s *simulator.Server, key, token string) string {
	t.Helper()
	target, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.URL.Path = simulator.PathMessages
			// A body that the server has closed when the transport looks for its end
			// cuts fast answers off (golang/go#40747): take it whole.
			body, err := io.ReadAll(r.In.Body)
			if err != nil {
				t.Error(err)
			}
			r.Out.Body = io.NopCloser(bytes.NewReader(body))
			if r.In.Header.Get("Authorization") == "Bearer "+key {
				r.Out.Header.Set("Authorization", "Bearer "+token)
			}
			r.Out.Header.Set("Anthropic-Beta", simulator.BetaName)
		},
		ModifyResponse: func(r *http.Response) error {
			r.Header.Set("Oauthmux-Account", "ada")
			r.Header.Set("Oauthmux-Attempts", "2")
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	return server.URL + "/anthropic"
}

func runUntil(t *testing.T, traffic *simulator.Traffic, enough func(simulator.TrafficCounts) bool) simulator.TrafficCounts {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- traffic.Run(ctx) }()
	for began := time.Now(); !enough(traffic.Counts()); time.Sleep(time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Errorf("after 20 s: %+v", traffic.Counts())
			break
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v", err)
	}
	return traffic.Counts()
}

func TestTrafficPlaysClientsThatBehave(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{StreamEvents: 2})
	traffic := &simulator.Traffic{
		BaseURL: front(t, s, "omx_local", login(t, s, "ada").Access), Key: "omx_local",
		SessionLength: 3, StreamShare: 0.5, Pace: time.Millisecond,
	}
	got := runUntil(t, traffic, func(c simulator.TrafficCounts) bool { return c.Good >= 60 && c.Streams >= 10 })
	if got.Failed != 0 || got.Limited != 0 || got.Refused != 0 || got.ByAccount["ada"] != got.Good || got.Attempts != 2*got.Good || got.Failovers != got.Good {
		t.Errorf("counts = %+v", got)
	}
	wantViolations(t, s, map[simulator.Violation]int{})
	s.Close()
	models, sessions := map[string]bool{}, map[string]int{}
	for _, q := range s.Requests() {
		if q.Status != http.StatusOK || q.RawQuery != "beta=true" {
			t.Errorf("request = %+v", q)
		}
		models[q.Model] = true
		sessions[q.Header.Get("X-Claude-Code-Session-Id")]++
	}
	if len(models) != 2 || len(sessions) < 10 {
		t.Errorf("models %v, %d sessions", models, len(sessions))
	}
	for session, n := range sessions {
		if n > 3 {
			t.Errorf("session %s has %d requests", session, n)
		}
	}
}

func TestTrafficCountsWhatGoesWrong(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{StreamEvents: 2})
	traffic := &simulator.Traffic{
		BaseURL: front(t, s, "omx_local", login(t, s, "ada").Access), Key: "omx_local", StreamShare: 1, Pace: time.Millisecond,
	}
	for _, kind := range []simulator.Kind{simulator.Throttle, simulator.Overloaded, simulator.CutStream} {
		s.Inject(simulator.Fault{Kind: kind})
	}
	got := runUntil(t, traffic, func(c simulator.TrafficCounts) bool {
		return c.Limited > 0 && c.Refused > 0 && c.Failed > 0 && c.Good > 0
	})
	if got.Limited != 1 || got.Refused != 1 || got.Failed != 1 {
		t.Errorf("counts = %+v", got)
	}
}
