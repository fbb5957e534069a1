package accounts

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/oauthmux/oauthmux/usage"
)

// anthropicNow is the moment of the fixtures.
var anthropicNow = time.Date(2026, 1, 5, 15, 0, 0, 0, time.UTC)

// Resets of the fixtures.
var (
	sessionReset = time.Unix(1767636000, 0)
	weeklyReset  = time.Unix(1767934800, 0)
	familyReset  = time.Unix(1768000000, 0)
)

func anthropicFixture(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "anthropic", name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// anthropicAnswers are the answers of the fixture by name, as their text.
func anthropicAnswers(tb testing.TB) map[string][]byte {
	tb.Helper()
	answers := make(map[string][]byte)
	for _, f := range txtar.Parse(anthropicFixture(tb, "answers.txtar")).Files {
		answers[f.Name] = f.Data
	}
	return answers
}

// readAnswer parses an answer and the beginning of its body.
func readAnswer(tb testing.TB, text []byte) (*http.Response, []byte) {
	tb.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), nil)
	if err != nil {
		tb.Fatal(err)
	}
	peek, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		tb.Fatal(err)
	}
	return resp, peek
}

func TestAnthropicJudge(t *testing.T) {
	in := anthropicNow.Add
	want := map[string]Verdict{
		"answered":                    {},
		"answered out of extra usage": {},

		"session limit":                                 {Limited, sessionReset, "", "5-hour limit reached (429)"},
		"weekly limit":                                  {Limited, weeklyReset, "", "7-day limit reached (429)"},
		"session and weekly limit":                      {Limited, weeklyReset, "", "5-hour and 7-day limits reached (429)"},
		"one family's limit under a code name":          {Limited, familyReset, ScopeRequest, "7-day model limit reached (429)"},
		"one family's limit by its name":                {Limited, familyReset, "sonnet", "7-day sonnet limit reached (429)"},
		"two families' limits":                          {Limited, familyReset, ScopeRequest, "7-day opus and 7-day sonnet limits reached (429)"},
		"session limit and one family's":                {Limited, sessionReset, "", "5-hour limit reached (429)"},
		"limit named by the representative claim alone": {Limited, familyReset, "opus", "7-day opus limit reached (429)"},
		"limit in the words of before":                  {Limited, sessionReset, "", "limit reached (429)"},
		"limit without a reset":                         {Limited, in(287441 * time.Second), "", "7-day limit reached (429)"},
		"limit with a date to come back":                {Limited, in(2 * time.Hour), "", "5-hour limit reached (429)"},
		"limit that never ends":                         {Limited, in(8 * 24 * time.Hour), "", "5-hour limit reached (429)"},
		"limit with numbers that are none":              {Limited, time.Time{}, "", "5-hour and 7-day limits reached (429)"},

		"out of credits":                          {Pass, time.Time{}, "", "extra usage needed (429)"},
		"out of credits and of the session":       {Limited, sessionReset, "", "5-hour limit reached (429)"},
		"out of credits, windows not told":        {Limited, sessionReset, "", "5-hour limit reached (429)"},
		"extra usage used up":                     {Pass, time.Time{}, "", "extra usage needed (429)"},
		"extra usage required":                    {Pass, time.Time{}, "", "extra usage needed (429)"},
		"credits for a long context":              {Pass, time.Time{}, "", "extra usage needed (429)"},
		"throttled":                               {Throttled, in(7 * time.Second), "", "throttled, no limit reached (429)"},
		"throttled until a date":                  {Throttled, in(20 * time.Second), "", "throttled, no limit reached (429)"},
		"throttled, no word of when":              {Throttled, time.Time{}, "", "throttled, no limit reached (429)"},
		"throttled for no time":                   {Throttled, in(time.Second), "", "throttled, no limit reached (429)"},
		"throttled for ever":                      {Throttled, in(time.Hour), "", "throttled, no limit reached (429)"},
		"throttled with every window open":        {Throttled, time.Time{}, "", "throttled, no limit reached (429)"},
		"limit of an API key":                     {Throttled, in(30 * time.Second), "", "throttled, no limit reached (429)"},
		"numbers that are none, nothing rejected": {Throttled, time.Time{}, "", "throttled, no limit reached (429)"},

		"overloaded":                       {Overloaded, time.Time{}, "", "529 overloaded_error"},
		"overloaded behind another status": {Overloaded, time.Time{}, "", "503 overloaded_error"},
		"overloaded at the edge":           {Overloaded, time.Time{}, "", "529"},
		"broken":                           {Pass, time.Time{}, "", "500 api_error"},

		"token expired":                    {Unauthorized, time.Time{}, "", "401 token expired"},
		"token revoked":                    {Unauthorized, time.Time{}, "", "401 token revoked"},
		"token revoked, other words":       {Unauthorized, time.Time{}, "", "401 token revoked"},
		"token unknown":                    {Unauthorized, time.Time{}, "", "401 token unknown"},
		"account refused":                  {Unauthorized, time.Time{}, "", "401 account refused"},
		"beta missing":                     {Unauthorized, time.Time{}, "", "401 OAuth beta missing"},
		"API key sent":                     {Unauthorized, time.Time{}, "", "401 API key refused"},
		"unauthorized without a word":      {Unauthorized, time.Time{}, "", "401"},
		"unauthorized in words of its own": {Unauthorized, time.Time{}, "", "401 authentication_error"},
		"organisation forbids":             {Forbidden, time.Time{}, "", "403 organisation forbids subscription logins"},
		"scope missing":                    {Forbidden, time.Time{}, "", "403 scope missing"},
		"refused at the edge":              {Forbidden, time.Time{}, "", "403 refused at the edge"},
		"refused at the edge in HTML":      {Forbidden, time.Time{}, "", "403"},
		"organisation disabled":            {Forbidden, time.Time{}, "", "400 organisation disabled"},
		"organisation disabled, forbidden": {Forbidden, time.Time{}, "", "403 organisation disabled"},
		"bad request":                      {Pass, time.Time{}, "", "400 invalid_request_error"},
		"billed as third-party traffic":    {Pass, time.Time{}, "", "400 invalid_request_error"},
		"billing":                          {Pass, time.Time{}, "", "402 billing_error"},
		"not found":                        {Pass, time.Time{}, "", "404 not_found_error"},
		"too large at the edge":            {Pass, time.Time{}, "", "413"},
	}
	p := anthropic()
	answers := anthropicAnswers(t)
	for name, text := range answers {
		t.Run(name, func(t *testing.T) {
			want, ok := want[name]
			if !ok {
				t.Fatal("the table does not say what this answer means")
			}
			resp, peek := readAnswer(t, text)
			got := p.Judge(resp, peek, anthropicNow)
			if !got.Until.Equal(want.Until) {
				t.Errorf("Until = %v, want %v", got.Until, want.Until)
			}
			got.Until, want.Until = time.Time{}, time.Time{}
			if got != want {
				t.Errorf("Judge = %+v, want %+v", got, want)
			}
		})
	}
	for name := range want {
		if answers[name] == nil {
			t.Errorf("no fixture %q", name)
		}
	}
}

func TestAnthropicWindows(t *testing.T) {
	const five, seven = 5 * time.Hour, 7 * 24 * time.Hour
	session, weekly, family := sessionReset.UTC(), weeklyReset.UTC(), familyReset.UTC()
	want := map[string][]usage.Window{
		"answered": {
			{Name: "5h", Used: 0.91, ResetsAt: session, Length: five},
			{Name: "7d", Used: 0.42, ResetsAt: weekly, Length: seven},
			{Name: "7d", Used: 0.07, ResetsAt: weekly, Length: seven, Scope: ScopeRequest},
		},
		"answered out of extra usage": {{Name: "5h", Used: 1.02, ResetsAt: session, Length: five}},
		"one family's limit by its name": {
			{Name: "7d", Used: 1, ResetsAt: family, Length: seven, Scope: "sonnet"}, // rejected, if without a number
		},
		"limit with numbers that are none": {
			{Name: "5h", Used: 1, Length: five},
			{Name: "7d", Used: 1, Length: seven},
		},
		"numbers that are none, nothing rejected": nil,
		"throttled with every window open":        {{Name: "5h", Used: 0.3, Length: five}},
		"throttled":                               nil,
		"limit of an API key":                     nil,
	}
	p, answers := anthropic(), anthropicAnswers(t)
	for name, want := range want {
		t.Run(name, func(t *testing.T) {
			resp, _ := readAnswer(t, answers[name])
			if got := p.Windows(resp.Header, anthropicNow); !slices.Equal(got, want) {
				t.Errorf("Windows = %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestAnthropicWindowsAreAHandful(t *testing.T) {
	h := make(http.Header)
	for i := range 10_000 {
		h.Set(fmt.Sprintf("Anthropic-Ratelimit-Unified-7d_x%d-Utilization", i), "0.5")
	}
	h["Anthropic-Ratelimit-Unified-5h-Status"] = nil
	windows := anthropic().Windows(h, anthropicNow)
	if len(windows) != 1 || windows[0].Scope != ScopeRequest {
		t.Errorf("%d windows of 10,000 code names, want one, of the request's family", len(windows))
	}
	if claims := anthropicClaims(h, anthropicNow); len(claims) != maxWindows {
		t.Errorf("%d claims of 10,000 are looked at, want %d", len(claims), maxWindows)
	}
	checkWindows(t, windows)
}

// headerOf reads "name: value" lines, as strangers may send them.
func headerOf(text string) http.Header {
	h := make(http.Header)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return h
}

// oddNumbers are what a number should not look like, and a few that are one.
var oddNumbers = []string{
	"", "0", "-0", "-1", "-5", "+1", "0.5", ".5", "5.", "1,5", "0,97", "101", "1e3", "1e12", "1e308", "1e999", "NaN", "Inf", "-Inf", "0x10",
	"1_000", "n/a", "null", "9223372036854775807", "9223372036854775808", "99999999999999999999999999", "1767636000", "1767636000.5", "2083168800", "253402300799", "١٢٣", "7 ", "7, 8",
	"Mon, 05 Jan 2026 16:00:00 GMT", "Monday, 05-Jan-26 16:00:00 GMT", "Mon Jan  5 16:00:00 2026", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "2026-01-05T16:00:00Z",
}

func FuzzAnthropicJudge(f *testing.F) {
	for _, text := range anthropicAnswers(f) {
		resp, peek := readAnswer(f, text)
		var head bytes.Buffer
		_ = resp.Header.Write(&head)
		f.Add(resp.StatusCode, head.String(), peek)
	}
	for _, n := range oddNumbers {
		const u = "Anthropic-Ratelimit-Unified-"
		f.Add(429, "Retry-After: "+n+"\n"+u+"Status: rejected\n"+u+"Reset: "+n+"\n"+u+"7d-Status: rejected\n"+u+"7d-Reset: "+n+"\n"+u+"7d-Utilization: "+n, []byte(n))
	}
	p := anthropic()
	f.Fuzz(func(t *testing.T, status int, head string, peek []byte) {
		h := headerOf(head)
		v := p.Judge(&http.Response{StatusCode: status, Header: h}, peek, anthropicNow)
		if !v.Until.IsZero() && (!v.Until.After(anthropicNow) || v.Until.After(anthropicNow.Add(maxQuotaWait))) {
			t.Errorf("Until = %v is not within the next 8 days", v.Until)
		}
		if v.Evidence != plainText(v.Evidence) {
			t.Errorf("Evidence = %q is not fit for a screen", v.Evidence)
		}
		if v.Kind == Limited && v.Scope != "" && v.Scope != ScopeRequest && !slices.Contains(anthropicFamilies, v.Scope) {
			t.Errorf("Scope = %q", v.Scope)
		}
		checkWindows(t, p.Windows(h, anthropicNow))
	})
}

// checkWindows fails unless every window is one that screens and JSON can show.
func checkWindows(t *testing.T, windows []usage.Window) {
	t.Helper()
	seen := make(map[[2]string]bool)
	for _, w := range windows {
		if w.Name != usage.FiveHour && w.Name != usage.SevenDay || w.Length <= 0 {
			t.Errorf("Name, Length = %q, %v", w.Name, w.Length)
		}
		if math.IsNaN(w.Used) || w.Used < 0 || w.Used > maxShare {
			t.Errorf("Used = %v", w.Used)
		}
		if !w.ResetsAt.IsZero() && (!w.ResetsAt.After(anthropicNow) || w.ResetsAt.After(anthropicNow.Add(w.Length+resetSlack))) {
			t.Errorf("ResetsAt = %v", w.ResetsAt)
		}
		if w.Scope != "" && !scopeWord.MatchString(w.Scope) {
			t.Errorf("Scope = %q", w.Scope)
		}
		if key := [2]string{w.Name, w.Scope}; seen[key] {
			t.Errorf("window %v is there twice", key)
		} else {
			seen[key] = true
		}
	}
	if len(windows) > maxWindows {
		t.Errorf("%d windows", len(windows))
	}
	if _, err := json.Marshal(windows); err != nil {
		t.Errorf("windows do not encode: %v", err)
	}
}
