package simulator

import (
	"math"
	"net/http"
	"time"
)

// usageBudget is what the usage endpoint remembers of an account: a block with a
// fixed end, and what it was asked within the trailing hour, refusals included.
type usageBudget struct {
	asked   []time.Time
	blocked time.Time
}

// withinHour forgets what is older than the window that ends now.
func withinHour(list []time.Time, now time.Time, hour time.Duration) []time.Time {
	i := 0
	for i < len(list) && !list[i].After(now.Add(-hour)) {
		i++
	}
	return append(list[:0], list[i:]...)
}

// refuseUsage keeps the endpoint's own limits (PROTOCOL 2.4): a sliding window
// per access token, refused with Retry-After 0, and for those who keep asking a
// block of the account until a fixed moment. It returns the Retry-After field.
func (s *Server) refuseUsage(a *account, token *accessToken, now time.Time) (retryAfter string, refused bool) {
	if s.o.UsageBudget < 0 {
		return "", false
	}
	hour := s.span(time.Hour)
	a.mu.Lock()
	if now.Before(a.usage.blocked) {
		left := a.usage.blocked.Sub(now)
		a.mu.Unlock()
		return number10(int64(math.Ceil(left.Seconds()))), true
	}
	a.usage.asked = append(withinHour(a.usage.asked, now, hour), now)
	if len(a.usage.asked) > s.o.UsageBudget+s.o.UsageBudget/4+1 {
		a.usage.blocked = now.Add(hour)
		a.mu.Unlock()
		return number10(int64(math.Ceil(hour.Seconds()))), true
	}
	a.mu.Unlock()

	s.grants.mu.Lock()
	defer s.grants.mu.Unlock()
	token.usage = withinHour(token.usage, now, hour)
	if len(token.usage) >= s.o.UsageBudget {
		return "0", true
	}
	token.usage = append(token.usage, now)
	return "", false
}

// serveUsage is GET /api/oauth/usage.
func (s *Server) serveUsage(x *exchange, token *accessToken) {
	if after, refused := s.refuseUsage(x.account, token, x.began); refused {
		x.put("Retry-After", after)
		x.send(http.StatusTooManyRequests, typeJSON, throttledDocument)
		return
	}
	x.sendJSON(http.StatusOK, s.usageDocument(x.account, x.began))
}

type flatWindow struct {
	Utilization float64 `json:"utilization"`
	ResetsAt    *string `json:"resets_at"`
}

type limitEntry struct {
	Kind     string  `json:"kind"`
	Group    string  `json:"group"`
	Percent  float64 `json:"percent"`
	Severity string  `json:"severity"`
	ResetsAt *string `json:"resets_at"`
	Scope    any     `json:"scope"`
	Active   bool    `json:"is_active"`
}

// usageDocument is the document of PROTOCOL 2.2 in the shape of the options.
func (s *Server) usageDocument(a *account, now time.Time) map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	doc := map[string]any{"extra_usage": nil}
	limits := []limitEntry{}
	for i := range a.windows {
		w := &a.windows[i]
		w.roll(now)
		at := s.jittered(w)
		flat := any(flatWindow{percent(w.used), at})
		if s.o.UsageShape == AllNull {
			flat = nil
		}
		// A model's own weekly window is in limits[] alone, where there is one.
		if w.family == "" || s.o.UsageShape == Flat {
			doc[w.name] = flat
		} else {
			doc[w.name] = nil
		}
		limits = append(limits, w.entry(at))
	}
	switch s.o.UsageShape {
	case Mixed:
		doc["limits"] = limits
		for _, name := range []string{"seven_day_oauth_apps", "seven_day_cowork", "iguana_necktie"} {
			doc[name] = nil
		}
	case LimitsOnly:
		return map[string]any{"limits": limits}
	case Flat, AllNull:
	}
	return doc
}

func (w *window) entry(at *string) limitEntry {
	e := limitEntry{
		Kind: "session", Group: "session", Percent: math.Floor(percent(w.used)),
		Severity: "normal", ResetsAt: at, Active: true,
	}
	switch {
	case w.family != "":
		e.Kind, e.Group = "weekly_scoped", "weekly"
		e.Scope = map[string]any{
			"model": map[string]any{"id": nil, "display_name": displayName(w.family)}, "surface": nil,
		}
	case w.claim == "7d":
		e.Kind, e.Group = "weekly_all", "weekly"
	}
	switch {
	case e.Percent >= 90:
		e.Severity = "critical"
	case e.Percent >= 75:
		e.Severity = "warning"
	}
	return e
}

// displayName is how a person reads a family: "Opus".
func displayName(family string) string {
	if c := family[0]; c >= 'a' && c <= 'z' {
		return string(c-'a'+'A') + family[1:]
	}
	return family
}

// percent is a share as the document has it, rounded down so that only a full
// window says 100.
func percent(used float64) float64 { return math.Floor(used*1000+1e-6) / 10 }

// jittered prints a reset as the endpoint does: with microseconds, and moving by
// up to two seconds (of the provider's time) from one call to the next.
func (s *Server) jittered(w *window) *string {
	if w.resets.IsZero() {
		return nil
	}
	step := time.Duration(s.seq.Add(1)%20) * 95 * time.Millisecond
	text := w.resets.Add(s.span(step)).UTC().Format("2006-01-02T15:04:05.000000+00:00")
	return &text
}
