package accounts

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/usage"
)

func TestAnthropicReadUsage(t *testing.T) {
	const five, seven = 5 * time.Hour, 7 * 24 * time.Hour
	at := func(day, hour, minute, second int) time.Time {
		return time.Date(2026, 1, day, hour, minute, second, 0, time.UTC)
	}
	for name, want := range map[string][]usage.Window{
		"usage_full.json": { // flat before limits[], which adds the family; jitter below a second is gone
			{Name: "5h", Used: 0.37, ResetsAt: at(5, 18, 0, 0), Length: five},
			{Name: "7d", Used: 0.61, ResetsAt: at(9, 5, 0, 0), Length: seven},
			{Name: "7d", Used: 0.04, Length: seven, Scope: "sonnet"},
			{Name: "7d", Used: 0.88, ResetsAt: at(9, 5, 0, 0), Length: seven, Scope: "fable"},
		},
		"usage_flat.json": {
			{Name: "5h", Used: 0.125, ResetsAt: at(5, 16, 30, 0), Length: five},
			{Name: "7d", Length: seven},
			{Name: "7d", Used: 0.03, ResetsAt: at(7, 9, 0, 0), Length: seven, Scope: "fable"},
			{Name: "7d", Used: 1, ResetsAt: at(7, 9, 0, 2), Length: seven, Scope: "opus"},
		},
		"usage_limits.json": { // of two entries for one family the fuller; nobody's and unknown kinds left out
			{Name: "5h", Used: 0.9, ResetsAt: at(5, 18, 0, 0), Length: five},
			{Name: "7d", Used: 0.42, Length: seven},
			{Name: "7d", Used: 0.7, ResetsAt: at(9, 5, 0, 0), Length: seven, Scope: "opus"},
		},
		"usage_mixed.json": { // a flat window without a number leaves the word to limits[]
			{Name: "7d", Used: 0.61, ResetsAt: at(9, 5, 0, 0), Length: seven},
			{Name: "5h", Used: 0.4, ResetsAt: at(5, 18, 0, 0), Length: five},
		},
		"usage_null.json": nil,
		"usage_odd.json": { // two spellings of one window, over 100 %, not a number, out of range, resets that cannot be
			{Name: "5h", Used: 0.07, Length: five, Scope: "haiku"},
			{Name: "7d", Used: 0.05, Length: seven, Scope: "haiku"},
			{Name: "5h", Used: 1.042, ResetsAt: at(5, 18, 0, 0), Length: five},
			{Name: "7d", Used: 0.51, Length: seven, Scope: "fable"},
			{Name: "7d", Used: 0.5, Length: seven, Scope: "sonnet"},
			{Name: "7d", Used: 0.2, Length: seven},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := anthropicReadUsage(anthropicFixture(t, name), anthropicNow)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("windows = %+v\nwant      %+v", got, want)
			}
		})
	}
}

func TestAnthropicReadUsageRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":         "",
		"a page":          "<html>sk-ant-oat01-EXAMPLE</html>",
		"null":            "null",
		"a list":          "[]",
		"half of it":      `{"five_hour": {"utilization": 37.0`,
		"more than it":    `{} {"sk-ant-oat01-EXAMPLE": 1}`,
		"NaN":             `{"five_hour": {"utilization": NaN}}`,
		"too deep a nest": strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := anthropicReadUsage([]byte(body), anthropicNow)
			if err == nil {
				t.Fatalf("windows = %+v, want an error", got)
			}
			if strings.Contains(err.Error(), "EXAMPLE") {
				t.Errorf("the error repeats the body: %v", err)
			}
		})
	}
}

func TestAnthropicReadUsageKeepsAHandful(t *testing.T) {
	var flat, limits strings.Builder
	for i := range 5_000 {
		fmt.Fprintf(&flat, `"seven_day_x%d":{"utilization":5},`, i)
		fmt.Fprintf(&limits, `{"kind":"weekly_scoped","percent":5,"scope":{"model":{"display_name":"m%s"}}},`, strings.Repeat("x", i%25+1)+strings.Repeat("y", i/25%5))
	}
	for _, body := range []string{`{` + flat.String() + `"limits":[]}`, `{"limits":[` + limits.String() + `{}]}`} {
		windows, err := anthropicReadUsage([]byte(body), anthropicNow)
		if err != nil || len(windows) != maxWindows {
			t.Errorf("%d windows, %v, want %d", len(windows), err, maxWindows)
		}
		checkWindows(t, windows)
	}
}

func FuzzAnthropicUsage(f *testing.F) {
	for _, name := range []string{"full", "flat", "limits", "mixed", "null", "odd"} {
		f.Add(anthropicFixture(f, "usage_"+name+".json"))
	}
	for _, n := range oddNumbers {
		f.Add([]byte(`{"five_hour":{"utilization":` + n + `,"resets_at":"` + n + `"},"limits":[{"kind":"session","percent":` + n + `}]}`))
		f.Add([]byte(`{"seven_day_` + n + `":{"utilization":"` + n + `","resets_at":` + n + `}}`))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		windows, err := anthropicReadUsage(body, anthropicNow)
		if err != nil && windows != nil {
			t.Errorf("windows %+v beside the error %v", windows, err)
		}
		checkWindows(t, windows)
	})
}

// anthropicServer answers one path and reports what it was asked.
func anthropicServer(t *testing.T, answer http.HandlerFunc) (p *Provider, asked func() *http.Request) {
	t.Helper()
	var last *http.Request
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last = r
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	set, err := NewSet(map[ProviderID]Settings{"anthropic": {Upstream: srv.URL, TokenURL: srv.URL + "/v1/oauth/token"}})
	if err != nil {
		t.Fatal(err)
	}
	p, _ = set.Get("anthropic")
	return p, func() *http.Request { return last }
}

var testToken = Token{AccessToken: "sk-ant-oat01-EXAMPLE", RefreshToken: "sk-ant-ort01-EXAMPLE"}

func TestAnthropicUsageAsksWithTheToken(t *testing.T) {
	p, asked := anthropicServer(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(anthropicFixture(t, "usage_full.json"))
	})
	s, err := p.Usage(t.Context(), http.DefaultClient, Account{}, testToken, anthropicNow)
	if err != nil {
		t.Fatal(err)
	}
	if s.Source != usage.SourcePoll || !s.At.Equal(anthropicNow) || len(s.Windows) != 4 {
		t.Errorf("snapshot = %+v", s)
	}
	r := asked()
	if r.Method != http.MethodGet || r.URL.Path != "/api/oauth/usage" {
		t.Errorf("asked %s %s", r.Method, r.URL.Path)
	}
	for field, want := range map[string]string{
		"Authorization": "Bearer sk-ant-oat01-EXAMPLE", "Anthropic-Beta": "oauth-2025-04-20", "Accept": "application/json",
	} {
		if got := r.Header.Get(field); got != want {
			t.Errorf("%s = %q, want %q", field, got, want)
		}
	}
}

func TestAnthropicUsageRefused(t *testing.T) {
	for _, tt := range []struct {
		name       string
		status     int
		retryAfter string
		want       UsageError
	}{
		{"throttled at the edge", 429, "0", UsageError{429, time.Second}},
		{"throttled for an hour", 429, "3600", UsageError{429, time.Hour}},
		{"throttled for a year", 429, "31536000", UsageError{429, time.Hour}},
		{"throttled without a time", 429, "", UsageError{429, 0}},
		{"scope missing", 403, "", UsageError{403, 0}},
		{"token expired", 401, "", UsageError{401, 0}},
		{"sent elsewhere", 302, "", UsageError{302, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := anthropicServer(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.retryAfter != "" {
					w.Header().Set("Retry-After", tt.retryAfter)
				}
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(`{"error":{"message":"Rate limited. Please try again later.","type":"rate_limit_error"}}`))
			})
			_, err := p.Usage(t.Context(), http.DefaultClient, Account{}, testToken, anthropicNow)
			ue, ok := errors.AsType[*UsageError](err)
			if !ok {
				t.Fatalf("error = %v, want a *UsageError", err)
			}
			if *ue != tt.want {
				t.Errorf("error = %+v, want %+v", *ue, tt.want)
			}
		})
	}
}

func TestAnthropicUsageIsBounded(t *testing.T) {
	p, _ := anthropicServer(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"five_hour":{"utilization":1},"pad":"` + strings.Repeat("x", answerLimit) + `"}`))
	})
	if _, err := p.Usage(t.Context(), http.DefaultClient, Account{}, testToken, anthropicNow); !errors.Is(err, errTooLong) {
		t.Errorf("error = %v, want %v", err, errTooLong)
	}
}
