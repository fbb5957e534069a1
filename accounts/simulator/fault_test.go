package simulator_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func TestEveryFaultOfTheAPILooksAsItDoesInTheWild(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, simulator.Options{Now: c.Now})
	token := login(t, s, "ada").Access
	in := func(d time.Duration) string { return epoch(c.Now().Add(d)) }
	date := c.Now().Add(30 * time.Second).Format(http.TimeFormat)
	for _, test := range []struct {
		fault  simulator.Fault
		status int
		says   string
		header map[string]string
	}{
		{
			simulator.Fault{Kind: simulator.QuotaFiveHour},
			429, "This request would exceed your account's rate limit. Please try again later.",
			map[string]string{
				unified + "Status": "rejected", unified + "5h-Status": "rejected", unified + "7d-Status": "allowed",
				unified + "5h-Reset": in(5 * time.Hour), "Retry-After": "18000", unified + "Representative-Claim": "five_hour",
			},
		},
		{
			simulator.Fault{Kind: simulator.QuotaSevenDay, ResetsIn: 40 * time.Second},
			429, "This request would exceed your account's rate limit. Please try again later.",
			map[string]string{unified + "7d-Status": "rejected", unified + "7d-Reset": in(40 * time.Second), "Retry-After": "40"},
		},
		{
			simulator.Fault{Kind: simulator.QuotaScoped, RetryAfter: simulator.NoRetryAfter},
			429, "This request would exceed your account's rate limit. Please try again later.",
			map[string]string{
				unified + "Status": "rejected", unified + "7d_oi-Status": "rejected", unified + "5h-Status": "allowed",
				unified + "7d-Status": "allowed", "Retry-After": "", unified + "Representative-Claim": "seven_day_sonnet",
			},
		},
		{simulator.Fault{Kind: simulator.Throttle}, 429, "Rate limited. Please try again later.", map[string]string{"Retry-After": "", unified + "Status": ""}},
		{simulator.Fault{Kind: simulator.Throttle, RetryAfter: "0"}, 429, "Rate limited. Please try again later.", map[string]string{"Retry-After": "0"}},
		{simulator.Fault{Kind: simulator.Throttle, RetryAfter: date}, 429, "Rate limited. Please try again later.", map[string]string{"Retry-After": date}},
		{
			simulator.Fault{Kind: simulator.OutOfCredits},
			429, "Extra usage is required for this request.",
			map[string]string{unified + "Overage-Disabled-Reason": "out_of_credits", unified + "5h-Status": "allowed", unified + "7d-Status": "allowed"},
		},
		{simulator.Fault{Kind: simulator.Overloaded}, 529, "Overloaded", map[string]string{unified + "Status": "allowed"}},
		{simulator.Fault{Kind: simulator.ServerError}, 500, "Internal server error", nil},
		{simulator.Fault{Kind: simulator.Expired}, 401, "OAuth token has expired. Please obtain a new token or refresh your existing token.", nil},
		{simulator.Fault{Kind: simulator.Revoked}, 401, "OAuth access token has been revoked.", nil},
		{simulator.Fault{Kind: simulator.Rejected}, 401, "Invalid authentication credentials", nil},
		{simulator.Fault{Kind: simulator.OrgForbidden}, 403, "OAuth authentication is currently not allowed for this organization.", nil},
		{simulator.Fault{Kind: simulator.OrgDisabled}, 400, "This organization has been disabled.", nil},
		{
			simulator.Fault{Kind: simulator.Answer, Status: 402, Header: http.Header{"x-should-retry": {"false"}}, Body: `{"error":{"message":"pay"}}`},
			402, "pay",
			map[string]string{"X-Should-Retry": "false"},
		},
	} {
		s.Inject(test.fault)
		got := say(t, s, token, sonnet)
		if got.status != test.status || got.message(t) != test.says {
			t.Errorf("%s: %d %s", test.fault.Kind, got.status, got.body)
		}
		wantHeaders(t, got.header, test.header)
		if got := say(t, s, token, sonnet); got.status != http.StatusOK {
			t.Errorf("after %s: %d, want 200", test.fault.Kind, got.status)
		}
	}
	for _, page := range []struct {
		kind   simulator.Kind
		status int
	}{{simulator.TooLarge, 413}, {simulator.Captive, 200}} {
		s.Inject(simulator.Fault{Kind: page.kind})
		got := say(t, s, token, sonnet)
		wantStatus(t, got, page.status)
		if !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") || !bytes.Contains(got.body, []byte("<html>")) {
			t.Errorf("%s: %v %s", page.kind, got.header, got.body)
		}
	}
	if c := s.Counts(); c.Faults[simulator.Throttle] != 3 || c.TotalViolations() != 0 {
		t.Errorf("counts = %+v", c)
	}
}

func TestAFaultHitsWhomItNames(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	s.AddUser(simulator.User{Name: "bob"})
	ada, bob := login(t, s, "ada").Access, login(t, s, "bob").Access

	s.Inject(simulator.Fault{Kind: simulator.Overloaded, User: "bob", Family: "Opus", Skip: 1, Times: 2})
	for i, test := range []struct {
		token, model string
		want         int
	}{
		{bob, opus, 200}, // skipped
		{ada, opus, 200},
		{bob, sonnet, 200},
		{bob, opus, 529},
		{bob, opus, 529},
		{bob, opus, 200},
	} {
		if got := say(t, s, test.token, test.model); got.status != test.want {
			t.Errorf("request %d: %d, want %d", i+1, got.status, test.want)
		}
	}
	s.Inject(simulator.Fault{Kind: simulator.ServerError, Path: simulator.PathProfile, Times: -1})
	for range 3 {
		wantStatus(t, do(t, call(t, s, http.MethodGet, simulator.PathProfile, ada, "")), http.StatusInternalServerError)
	}
	wantStatus(t, say(t, s, ada, sonnet), http.StatusOK)
	s.ClearFaults()
	wantStatus(t, do(t, call(t, s, http.MethodGet, simulator.PathProfile, ada, "")), http.StatusOK)
}

func TestACutConnectionHasNoAnswerAndTheWholeRequest(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	token := login(t, s, "ada").Access
	body := prompt(sonnet, false) + strings.Repeat(" ", 1<<20)
	s.Inject(simulator.Fault{Kind: simulator.CutBefore})
	got := do(t, call(t, s, http.MethodPost, simulator.PathMessages, token, body))
	if got.err == nil {
		t.Fatalf("an answer came: %d", got.status)
	}
	s.Inject(simulator.Fault{Kind: simulator.CutStream})
	if got := say(t, s, token, sonnet); !errors.Is(got.err, io.ErrUnexpectedEOF) {
		t.Errorf("a document cut in the middle: %d, %v", got.status, got.err)
	}
	s.Close()
	q := s.Requests()
	if len(q) != 2 || q[0].Status != 0 || q[0].Bytes != int64(len(body)) || q[0].Cancelled || q[1].Status != http.StatusOK {
		t.Errorf("requests = %+v", q)
	}
}

func TestAnEarlyFaultAnswersBeforeTheBody(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	token := login(t, s, "ada").Access
	s.Inject(simulator.Fault{Kind: simulator.QuotaFiveHour, Early: true})
	body, feed := io.Pipe()
	defer func() { _ = feed.Close() }()
	r := call(t, s, http.MethodPost, simulator.PathMessages, token, "")
	r.Body, r.ContentLength = body, -1
	wantStatus(t, do(t, r), http.StatusTooManyRequests) // not a byte of it was ever sent
}

func TestASlowAnswerComesAfterItsDelay(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	token := login(t, s, "ada").Access
	s.Inject(simulator.Fault{Kind: simulator.Slow, Delay: 50 * time.Millisecond})
	began := time.Now()
	wantStatus(t, say(t, s, token, sonnet), http.StatusOK)
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("it took %v", took)
	}
}

func TestFaultsOfTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	token := login(t, s, "ada").Refresh
	inject := func(f simulator.Fault) reply {
		f.Path, f.User = simulator.PathToken, "ada"
		s.Inject(f)
		return post(t, s, refresh(token))
	}
	// Those before the rotation leave the token as it was.
	wantStatus(t, inject(simulator.Fault{Kind: simulator.ServerError}), http.StatusInternalServerError)
	got := inject(simulator.Fault{Kind: simulator.Throttle, RetryAfter: "7"})
	wantStatus(t, got, http.StatusTooManyRequests)
	wantHeaders(t, got.header, map[string]string{"Retry-After": "7"})
	got = inject(simulator.Fault{Kind: simulator.InvalidGrant})
	if got.status != http.StatusBadRequest || got.json(t)["error"] != "invalid_grant" {
		t.Errorf("%d %s", got.status, got.body)
	}
	got = inject(simulator.Fault{Kind: simulator.Captive})
	if got.status != http.StatusOK || !bytes.Contains(got.body, []byte("<html>")) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got = inject(simulator.Fault{Kind: simulator.CutBefore}); got.err == nil {
		t.Errorf("an answer came: %d", got.status)
	}
	if n := s.Counts().Refreshes["ada"]; n != 0 {
		t.Errorf("%d rotations", n)
	}
	next := inject(simulator.Fault{Kind: simulator.MissingFields}).tokens(t)
	if next.Refresh == "" || next.Account != nil || next.Scope != "" || next.ExpiresIn != 0 {
		t.Errorf("got %+v", next)
	}
	token = next.Refresh
	got = inject(simulator.Fault{Kind: simulator.Garbage})
	if got.status != http.StatusOK || !bytes.HasPrefix(got.body, []byte(`{"token_type"`)) || bytes.HasSuffix(got.body, []byte("}")) {
		t.Errorf("%d %s", got.status, got.body)
	}
	wantStatus(t, post(t, s, refresh(token)), http.StatusBadRequest) // garbage came after the rotation
	token = login(t, s, "ada").Refresh
	wantStatus(t, inject(simulator.Fault{Kind: simulator.ErrorAfter}), http.StatusInternalServerError)
	wantStatus(t, post(t, s, refresh(token)), http.StatusBadRequest) // and so did the error
	if c := s.Counts(); c.Refreshes["ada"] != 3 || c.Reuse != 2 {
		t.Errorf("refreshes %v, reuse %d", c.Refreshes, c.Reuse)
	}
}

func TestOverlappingPresentationsAreCounted(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Policy: simulator.Forking})
	first, other := login(t, s, "ada"), login(t, s, "ada")
	s.Inject(simulator.Fault{Kind: simulator.Slow, Path: simulator.PathToken, Delay: time.Hour})
	r := request(t, http.MethodPost, s.URL()+simulator.PathToken, "application/json",
		`{"grant_type":"refresh_token","client_id":"`+simulator.ClientID+`","refresh_token":"`+first.Refresh+`"}`)
	ctx, leave := context.WithCancel(t.Context())
	slow := make(chan reply, 1)
	go func() { slow <- do(t, r.WithContext(ctx)) }()
	for s.Counts().Refreshes["ada"] == 0 {
		time.Sleep(time.Millisecond)
	}
	post(t, s, refresh(other.Refresh)).tokens(t) // another login may renew meanwhile
	wantViolations(t, s, map[simulator.Violation]int{})
	post(t, s, refresh(first.Refresh)).tokens(t)
	wantViolations(t, s, map[simulator.Violation]int{simulator.Overlapping: 1})
	leave()
	<-slow
}

func TestALostResponseHasRotated(t *testing.T) {
	t.Parallel()
	for policy, want := range map[simulator.Policy]int{
		simulator.Strict: 400, simulator.Grace: 200, simulator.Forking: 200, simulator.NoRotation: 200,
	} {
		s := start(t, simulator.Options{Policy: policy})
		token := login(t, s, "ada").Refresh
		s.Inject(simulator.Fault{Kind: simulator.LostResponse})
		if got := post(t, s, refresh(token)); got.err == nil {
			t.Errorf("%s: an answer came: %d", policy, got.status)
		}
		if got := post(t, s, refresh(token)); got.status != want {
			t.Errorf("%s: presented again: %d, want %d", policy, got.status, want)
		}
	}
}
