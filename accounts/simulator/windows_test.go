package simulator_test

import (
	"math"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

const unified = "Anthropic-Ratelimit-Unified-"

func wantHeaders(t *testing.T, h http.Header, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := h.Get(name); got != value {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}
}

func epoch(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

func TestAFullWindowRejectsUntilItsReset(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, simulator.Options{Now: c.Now})
	s.AddUser(simulator.User{
		Name: "eve", FiveHour: simulator.Limit{Requests: 10}, SevenDay: simulator.Limit{Requests: 1000, Used: 0.5, ResetsIn: 48 * time.Hour},
	})
	token := login(t, s, "eve").Access
	began := c.Now()
	week := epoch(began.Add(48 * time.Hour))
	for i := 1; i <= 10; i++ {
		got := say(t, s, token, sonnet)
		wantStatus(t, got, http.StatusOK)
		want := map[string]string{
			unified + "Status": "allowed", unified + "5h-Status": "allowed", unified + "7d-Status": "allowed",
			unified + "5h-Utilization": strconv.FormatFloat(float64(i)/10, 'f', -1, 64),
			unified + "5h-Reset":       epoch(began.Add(5 * time.Hour)), unified + "7d-Reset": week,
			unified + "Overage-Status": "rejected", unified + "Overage-Disabled-Reason": "org_level_disabled",
			unified + "Fallback-Percentage": "0.5", "Retry-After": "",
		}
		switch {
		case i < 6:
			want[unified+"Representative-Claim"] = "seven_day"
			want[unified+"Reset"] = week
		case i >= 9:
			want[unified+"Status"], want[unified+"5h-Status"] = "allowed_warning", "allowed_warning"
			want[unified+"Representative-Claim"] = "five_hour"
		}
		wantHeaders(t, got.header, want)
		c.advance(time.Minute)
	}
	got := say(t, s, token, sonnet)
	wantStatus(t, got, http.StatusTooManyRequests)
	wantHeaders(t, got.header, map[string]string{
		unified + "Status": "rejected", unified + "5h-Status": "rejected", unified + "7d-Status": "allowed",
		unified + "5h-Utilization": "1", unified + "5h-Surpassed-Threshold": "1.0",
		unified + "Representative-Claim": "five_hour", unified + "Reset": epoch(began.Add(5 * time.Hour)),
		"Retry-After": strconv.Itoa(5*3600 - 600),
	})
	if got.message(t) != "This request would exceed your account's rate limit. Please try again later." {
		t.Errorf("body = %s", got.body)
	}
	c.advance(5*time.Hour - 10*time.Minute - time.Second)
	wantStatus(t, say(t, s, token, sonnet), http.StatusTooManyRequests)
	c.advance(time.Second)
	for _, w := range s.Windows("eve") {
		if w.Claim == "5h" && (w.Used != 0 || !w.ResetsAt.IsZero()) {
			t.Errorf("after its reset the window is %+v", w)
		}
	}
	c.advance(time.Hour) // a window begins with the first request, not with the last one's end
	got = say(t, s, token, sonnet)
	wantStatus(t, got, http.StatusOK)
	wantHeaders(t, got.header, map[string]string{unified + "5h-Utilization": "0.1", unified + "5h-Reset": epoch(c.Now().Add(5 * time.Hour))})
}

func TestTheLatestOfTwoRejectedWindowsCounts(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, simulator.Options{Now: c.Now})
	s.AddUser(simulator.User{
		Name: "eve", FiveHour: simulator.Limit{Requests: 10, Used: 1.2, ResetsIn: time.Hour},
		SevenDay: simulator.Limit{Requests: 10, Used: 1, ResetsIn: 30 * time.Hour},
	})
	got := say(t, s, login(t, s, "eve").Access, sonnet)
	wantStatus(t, got, http.StatusTooManyRequests)
	wantHeaders(t, got.header, map[string]string{
		unified + "5h-Status": "rejected", unified + "5h-Utilization": "1.2", unified + "7d-Status": "rejected",
		unified + "Representative-Claim": "seven_day", "Retry-After": strconv.Itoa(30 * 3600),
	})
}

func TestAScopedWindowRejectsItsFamilyAlone(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	s.AddUser(simulator.User{
		Name: "eve", FiveHour: simulator.Limit{Requests: 100}, SevenDay: simulator.Limit{Requests: 100},
		Scoped: &simulator.ScopedLimit{Limit: simulator.Limit{Requests: 2}, Family: "opus"},
	})
	token := login(t, s, "eve").Access
	wantStatus(t, say(t, s, token, opus), http.StatusOK)
	wantStatus(t, say(t, s, token, "claude-3-opus-20240229"), http.StatusOK)
	got := say(t, s, token, opus)
	wantStatus(t, got, http.StatusTooManyRequests)
	wantHeaders(t, got.header, map[string]string{
		unified + "Status": "rejected", unified + "7d_oi-Status": "rejected", unified + "5h-Status": "allowed", unified + "7d-Status": "allowed",
		unified + "Representative-Claim": "seven_day_opus",
	})
	got = say(t, s, token, sonnet)
	wantStatus(t, got, http.StatusOK)
	wantHeaders(t, got.header, map[string]string{unified + "Status": "allowed", unified + "7d_oi-Status": ""})

	s.AddUser(simulator.User{
		Name:   "eve",
		Scoped: &simulator.ScopedLimit{Limit: simulator.Limit{Requests: 2, Used: 1}, Family: "opus", Claim: "7d_opus", Everywhere: true},
	})
	got = say(t, s, token, sonnet)
	wantStatus(t, got, http.StatusOK)
	wantHeaders(t, got.header, map[string]string{unified + "Status": "allowed", unified + "7d_opus-Status": "rejected"})
}

func TestCostSaysWhatARequestTakes(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	s.AddUser(simulator.User{Name: "eve", FiveHour: simulator.Limit{Requests: 10}, Cost: func(model string) float64 {
		if model == opus {
			return 5
		}
		return 1
	}})
	token := login(t, s, "eve").Access
	for i, want := range []int{200, 200, 429} {
		if got := say(t, s, token, opus); got.status != want {
			t.Errorf("request %d: %d, want %d", i+1, got.status, want)
		}
	}
	if !s.SetUsed("eve", "5h", 0.85, 0) {
		t.Fatal("no window 5h")
	}
	for i, want := range []int{200, 200, 429} {
		if got := say(t, s, token, sonnet); got.status != want {
			t.Errorf("request %d after SetUsed: %d, want %d", i+1, got.status, want)
		}
	}
	if s.SetUsed("eve", "1h", 1, 0) || s.SetUsed("nobody", "5h", 1, 0) {
		t.Error("SetUsed found a window that is not there")
	}
}

func TestSpeedShrinksLengthsAndTellsTheTruth(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.advance(300 * time.Millisecond)
	s := start(t, simulator.Options{Now: c.Now, Speed: 60})
	s.AddUser(simulator.User{Name: "eve", FiveHour: simulator.Limit{Requests: 1}})
	granted := login(t, s, "eve")
	if granted.ExpiresIn != 480 {
		t.Errorf("expires_in = %d, want 480", granted.ExpiresIn)
	}
	wantStatus(t, say(t, s, granted.Access, sonnet), http.StatusOK)
	got := say(t, s, granted.Access, sonnet)
	wantStatus(t, got, http.StatusTooManyRequests)
	wantHeaders(t, got.header, map[string]string{
		"Retry-After": "300", unified + "5h-Reset": epoch(c.Now().Add(301 * time.Second)), // rounded up
		"Date": c.Now().Format(http.TimeFormat),
	})
	c.advance(300 * time.Second)
	wantStatus(t, say(t, s, granted.Access, sonnet), http.StatusOK)
	c.advance(180 * time.Second)
	wantStatus(t, say(t, s, granted.Access, sonnet), http.StatusUnauthorized)
}

func TestAClientThatWaitsForRetryAfterIsNeverTooEarly(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, simulator.Options{Now: c.Now, Speed: 777})
	s.AddUser(simulator.User{Name: "eve", FiveHour: simulator.Limit{Requests: 1}})
	for range 20 {
		token := login(t, s, "eve").Access
		if got := say(t, s, token, sonnet); got.status != http.StatusOK {
			t.Fatalf("after the wait: %d", got.status)
		}
		got := say(t, s, token, sonnet)
		seconds, err := strconv.Atoi(got.header.Get("Retry-After"))
		reset, _ := strconv.ParseInt(got.header.Get(unified+"5h-Reset"), 10, 64)
		if err != nil || math.Abs(time.Unix(reset, 0).Sub(c.Now()).Seconds()-float64(seconds)) > 1 {
			t.Fatalf("Retry-After %q, reset in %v", got.header.Get("Retry-After"), time.Unix(reset, 0).Sub(c.Now()))
		}
		c.advance(time.Duration(seconds)*time.Second + 137*time.Millisecond)
	}
}
