package simulator_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func readUsage(t *testing.T, s *simulator.Server, token string) reply {
	t.Helper()
	r := call(t, s, http.MethodGet, simulator.PathUsage, token, "")
	r.Header.Del("Anthropic-Version")
	r.Header.Del("Content-Type")
	return do(t, r)
}

func TestTheUsageDocumentHasTheShapeAskedFor(t *testing.T) {
	t.Parallel()
	for shape, want := range map[simulator.Shape][]string{
		simulator.Mixed: {
			"extra_usage", "five_hour", "iguana_necktie", "limits", "seven_day", "seven_day_cowork", "seven_day_oauth_apps", "seven_day_opus",
		},
		simulator.Flat:       {"extra_usage", "five_hour", "seven_day", "seven_day_opus"},
		simulator.LimitsOnly: {"limits"},
		simulator.AllNull:    {"extra_usage", "five_hour", "seven_day", "seven_day_opus"},
	} {
		s := start(t, simulator.Options{UsageShape: shape})
		s.AddUser(simulator.User{
			Name: "eve", FiveHour: simulator.Limit{Requests: 100, Used: 0.37}, SevenDay: simulator.Limit{Requests: 100, Used: 1.015, ResetsIn: time.Hour},
			Scoped: &simulator.ScopedLimit{Limit: simulator.Limit{Requests: 10, Used: 0.88}},
		})
		got := readUsage(t, s, login(t, s, "eve").Access)
		wantStatus(t, got, http.StatusOK)
		doc := got.json(t)
		if keys := slices.Sorted(maps.Keys(doc)); !slices.Equal(keys, want) {
			t.Errorf("%s: %v, want %v", shape, keys, want)
		}
		flat, _ := doc["seven_day"].(map[string]any)
		if shape == simulator.AllNull && flat != nil {
			t.Errorf("%s: %v", shape, doc)
		}
		if (shape == simulator.Flat || shape == simulator.Mixed) && flat["utilization"] != 101.5 {
			t.Errorf("%s: seven_day is %v", shape, flat)
		}
		limits, _ := doc["limits"].([]any)
		if shape == simulator.Flat || shape == simulator.AllNull {
			continue
		}
		if len(limits) != 3 {
			t.Fatalf("%s: limits is %v", shape, limits)
		}
		scoped, _ := limits[2].(map[string]any)
		scope, _ := scoped["scope"].(map[string]any)
		model, _ := scope["model"].(map[string]any)
		if scoped["kind"] != "weekly_scoped" || scoped["percent"] != 88.0 || scoped["severity"] != "warning" || model["display_name"] != "Opus" {
			t.Errorf("%s: the scoped limit is %v", shape, scoped)
		}
	}
}

func TestAWindowThatHasNotStartedHasNoReset(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, simulator.Options{Now: c.Now})
	token := login(t, s, "ada").Access
	window := func() map[string]any {
		w, _ := readUsage(t, s, token).json(t)["five_hour"].(map[string]any)
		return w
	}
	if w := window(); w["utilization"] != 0.0 || w["resets_at"] != nil {
		t.Errorf("before the first request: %v", w)
	}
	wantStatus(t, say(t, s, token, sonnet), http.StatusOK)
	first, _ := window()["resets_at"].(string)
	second, _ := window()["resets_at"].(string)
	at, err := time.Parse("2006-01-02T15:04:05.000000+00:00", first)
	if late := at.Sub(c.Now().Add(5 * time.Hour)); err != nil || late < 0 || late >= 2*time.Second {
		t.Errorf("resets_at = %q: %v after the reset, %v", first, late, err)
	}
	if first == second {
		t.Error("resets_at does not jitter")
	}
}

func TestUsageHasABudgetPerToken(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, simulator.Options{Now: c.Now})
	token := login(t, s, "ada").Access
	for i := range 28 {
		if got := readUsage(t, s, token); got.status != http.StatusOK {
			t.Fatalf("request %d: %d", i+1, got.status)
		}
		c.advance(time.Minute)
	}
	got := readUsage(t, s, token)
	wantStatus(t, got, http.StatusTooManyRequests)
	wantHeaders(t, got.header, map[string]string{"Retry-After": "0", unified + "Status": ""})
	if want := `{"error":{"type":"rate_limit_error","message":"Rate limited. Please try again later."}}`; string(got.body) != want {
		t.Errorf("body = %s", got.body)
	}
	wantStatus(t, readUsage(t, s, login(t, s, "ada").Access), http.StatusOK) // this edge is the token's
	c.advance(32 * time.Minute)                                              // the first of them is an hour old: the window slides
	wantStatus(t, readUsage(t, s, token), http.StatusOK)
	wantStatus(t, readUsage(t, s, token), http.StatusTooManyRequests)
	wantStatus(t, say(t, s, token, sonnet), http.StatusOK) // it says nothing about messages
}

func TestWhoKeepsAskingIsBlockedWithTheAccount(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, simulator.Options{Now: c.Now, UsageBudget: 4})
	token := login(t, s, "ada").Access
	for i, want := range []string{"", "", "", "", "0", "0", "3600"} {
		if got := readUsage(t, s, token).header.Get("Retry-After"); got != want {
			t.Errorf("request %d: Retry-After %q, want %q", i+1, got, want)
		}
	}
	c.advance(10 * time.Minute)
	got := readUsage(t, s, login(t, s, "ada").Access) // a fresh token does not help, and the end is fixed
	wantStatus(t, got, http.StatusTooManyRequests)
	wantHeaders(t, got.header, map[string]string{"Retry-After": "3000"})
	c.advance(50 * time.Minute)
	wantStatus(t, readUsage(t, s, token), http.StatusOK)
}

func TestUsageWithoutALimit(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{UsageBudget: -1})
	token := login(t, s, "ada").Access
	for range 60 {
		wantStatus(t, readUsage(t, s, token), http.StatusOK)
	}
}
