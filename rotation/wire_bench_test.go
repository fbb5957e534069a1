package rotation

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/oauthmux/oauthmux/accounts"
)

// benched is the built-in provider, which has the most to read in an answer.
const benched accounts.ProviderID = "anthropic"

// benchKit is a transport whose upstream answers at once, and every time alike.
func benchKit(tb testing.TB, answer func(token string, r *http.Request) *http.Response, ids ...accounts.ID) (*Transport, *Pool) {
	tb.Helper()
	b := newBook(ids...)
	for i := range b.all {
		b.all[i].Provider = benched
	}
	pool, _ := poolOf(tb, b)
	refresher := NewRefresher(RefresherOptions{Accounts: b, Tokens: newPurse(ids...), Pool: pool, Settings: houseSettings})
	return NewTransport(TransportOptions{
		Pool: pool, Refresher: refresher, Settings: houseSettings,
		Base: upstreamFunc(func(r *http.Request) (*http.Response, error) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return nil, err
			}
			token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			return answer(token, r), r.Body.Close()
		}),
	}), pool
}

// BenchmarkRoundTrip is what choosing, authorizing, keeping the body and judging
// cost a request of 2 KB, without any network.
func BenchmarkRoundTrip(b *testing.B) {
	header := make(http.Header)
	for _, field := range []string{
		"Content-Type: application/json", "Request-Id: req_1", "Date: Mon, 05 Jan 2026 18:00:00 GMT",
		"Anthropic-Ratelimit-Unified-Status: allowed", "Anthropic-Ratelimit-Unified-5h-Status: allowed",
		"Anthropic-Ratelimit-Unified-5h-Utilization: 0.37", "Anthropic-Ratelimit-Unified-5h-Reset: 4000000000",
		"Anthropic-Ratelimit-Unified-7d-Status: allowed", "Anthropic-Ratelimit-Unified-7d-Utilization: 0.61",
		"Anthropic-Ratelimit-Unified-7d-Reset: 4000000000", "Anthropic-Ratelimit-Unified-Representative-Claim: five_hour",
	} {
		name, value, _ := strings.Cut(field, ": ")
		header.Set(name, value)
	}
	transport, _ := benchKit(b, func(string, *http.Request) *http.Response {
		return &http.Response{StatusCode: http.StatusOK, Header: header.Clone(), Body: http.NoBody}
	}, "a", "b")
	set, err := accounts.NewSet(nil)
	if err != nil {
		b.Fatal(err)
	}
	p, _ := set.Get(benched)
	body := noise(2 << 10)
	fields := make(http.Header)
	for _, name := range []string{"Accept", "Accept-Encoding", "User-Agent", "Content-Type", "Anthropic-Version", "Anthropic-Beta", "X-A", "X-B", "X-C", "X-D"} {
		fields.Set(name, "some value")
	}
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequestWithContext(WithRoute(b.Context(), Route{Provider: p, Session: "s"}), http.MethodPost, p.Upstream+"/v1/x", http.NoBody)
		if err != nil {
			b.Fatal(err)
		}
		r.Header, r.Body, r.ContentLength = fields, io.NopCloser(bytes.NewReader(body)), int64(len(body))
		resp, err := transport.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		_ = resp.Body.Close()
	}
}

// BenchmarkFailover is what a request pays here when its first account is
// limited, without the round trip that found out: choosing again, the notes and
// a second attempt.
func BenchmarkFailover(b *testing.B) {
	for _, n := range []int{2, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			ids := make([]accounts.ID, n)
			for i := range ids {
				ids[i] = accounts.ID(fmt.Sprintf("a%03d", i))
			}
			transport, pool := benchKit(b, func(token string, _ *http.Request) *http.Response {
				if strings.HasPrefix(token, "a000-") {
					return must(reply(429, "{}", "Reset-In", "1h"))
				}
				return must(reply(200, "{}"))
			}, ids...)
			p := houseProvider()
			p.ID = benched
			for b.Loop() {
				pool.mu.Lock()
				pool.setCooldowns(pool.seats[ids[0]], nil)
				pool.mu.Unlock()
				r, err := http.NewRequestWithContext(WithRoute(b.Context(), Route{Provider: p}), http.MethodPost, p.Upstream+"/v1/x", strings.NewReader("{}"))
				if err != nil {
					b.Fatal(err)
				}
				resp, err := transport.RoundTrip(r)
				if err != nil || resp.Header.Get(FieldAttempts) != "2" {
					b.Fatal(resp, err)
				}
				_ = resp.Body.Close()
			}
		})
	}
}
