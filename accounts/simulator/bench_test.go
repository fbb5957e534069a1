package simulator_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// BenchmarkMessages is how fast the simulator answers when nothing is recorded:
// it must never be what a benchmark of the proxy measures.
func BenchmarkMessages(b *testing.B) {
	for _, bench := range []struct {
		name   string
		body   string
		record int
	}{
		{"2KB", prompt(sonnet, false) + strings.Repeat(" ", 2<<10), -1},
		{"2KB-recorded", prompt(sonnet, false) + strings.Repeat(" ", 2<<10), 1000},
		{"5MB", strings.Replace(prompt(sonnet, false), "hello", strings.Repeat("hello, world. ", 5<<20/14), 1), -1},
		{"stream", prompt(sonnet, true), -1},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s := simulator.New(simulator.Options{Record: bench.record})
			s.AddUser(simulator.User{Name: "ada"})
			if err := s.Start(); err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			raw, err := s.Grant("ada")
			if err != nil {
				b.Fatal(err)
			}
			_, rest, _ := strings.Cut(string(raw), `"access_token":"`)
			token, _, _ := strings.Cut(rest, `"`)
			transport := &http.Transport{MaxIdleConnsPerHost: 64}
			defer transport.CloseIdleConnections()
			b.SetBytes(int64(len(bench.body)))
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r, _ := http.NewRequest(http.MethodPost, s.URL()+simulator.PathMessages, strings.NewReader(bench.body))
					r.Header.Set("Authorization", "Bearer "+token)
					r.Header.Set("Anthropic-Beta", simulator.BetaName)
					r.Header.Set("Anthropic-Version", "2023-06-01")
					r.Header.Set("Content-Type", "application/json")
					resp, err := transport.RoundTrip(r)
					if err != nil {
						b.Error(err)
						return
					}
					_, err = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					if err != nil || resp.StatusCode != http.StatusOK {
						b.Errorf("%d, %v", resp.StatusCode, err)
						return
					}
				}
			})
		})
	}
}
