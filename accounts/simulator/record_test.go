package simulator_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func TestRequestsAreRecordedAsTheyCame(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Record: 3, StreamEvents: 2})
	token := login(t, s, "ada").Access
	for range 2 {
		wantStatus(t, do(t, request(t, http.MethodGet, s.URL()+"/", "", "")), http.StatusNotFound)
	}
	body := prompt(sonnet, false) + "\n"
	r := call(t, s, http.MethodPost, simulator.PathMessages+"?beta=true&x=%2F", token, body)
	r.Header.Set(simulator.MarkerHeader, "m1")
	one := do(t, r)
	two := streamed(t, s, token)
	s.Close()
	q := s.Requests()
	if len(q) != 3 || q[0].Path != "/" {
		t.Fatalf("requests = %+v", q)
	}
	got := q[1]
	switch {
	case got.User != "ada", got.Method != http.MethodPost, got.Path != simulator.PathMessages, got.RawQuery != "beta=true&x=%2F":
		t.Errorf("request = %+v", got)
	case got.Model != sonnet, got.Marker != "m1", got.Status != http.StatusOK, got.Cancelled:
		t.Errorf("request = %+v", got)
	case got.Bytes != int64(len(body)), got.SHA256 != sum([]byte(body)):
		t.Errorf("body: %d bytes, %s", got.Bytes, got.SHA256)
	case got.AnswerBytes != int64(len(one.body)), got.AnswerSHA256 != sum(one.body), q[2].AnswerSHA256 != sum(two.body):
		t.Error("the answer's hash is another one")
	case got.Header.Get("Anthropic-Version") != "2023-06-01", got.Header.Get("Authorization") != "[redacted]":
		t.Errorf("header = %v", got.Header)
	}
}

func TestRecordingCanBeOff(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Record: -1})
	wantStatus(t, say(t, s, login(t, s, "ada").Access, sonnet), http.StatusOK)
	s.Close()
	if q := s.Requests(); len(q) != 0 {
		t.Errorf("requests = %+v", q)
	}
	if n := s.Counts().Requests["ada"][simulator.PathMessages]; n != 1 {
		t.Errorf("counted %d", n)
	}
}

func TestAServerStartsAndClosesOnce(t *testing.T) {
	t.Parallel()
	s := simulator.New(simulator.Options{})
	if s.URL() != "" {
		t.Errorf("URL before Start = %q", s.URL())
	}
	if err := s.StartAt("not an address"); err == nil {
		t.Error("StartAt took nonsense")
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err == nil {
		t.Error("it started twice")
	}
	url := s.URL()
	if !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Errorf("URL = %q", url)
	}
	s.Close()
	s.Close()
	if got := do(t, request(t, http.MethodGet, url, "", "")); got.err == nil {
		t.Error("it answers after Close")
	}
	if err := s.Start(); err == nil {
		t.Error("it started after Close")
	}
}

func TestTheHandlerWorksOnAnotherListener(t *testing.T) {
	t.Parallel()
	s := simulator.New(simulator.Options{})
	defer s.Close()
	s.AddUser(simulator.User{Name: "ada"})
	front := httptest.NewServer(s.Handler())
	defer front.Close()
	r := call(t, s, http.MethodPost, front.URL+simulator.PathMessages, login(t, s, "ada").Access, prompt(sonnet, false))
	wantStatus(t, do(t, r), http.StatusOK)
	wantViolations(t, s, map[simulator.Violation]int{})
	s.Close()
	wantStatus(t, do(t, request(t, http.MethodGet, front.URL, "", "")), http.StatusServiceUnavailable)
}

// TestEverythingAtOnce is for the race detector: every method beside traffic.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Policy: simulator.Forking, Record: 10, StreamEvents: 1})
	granted := login(t, s, "ada")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				s.Inject(simulator.Fault{Kind: simulator.Overloaded})
				say(t, s, granted.Access, sonnet)
				streamed(t, s, granted.Access)
				post(t, s, refresh(granted.Refresh))
				readUsage(t, s, granted.Access)
			}
		})
		wg.Go(func() {
			for range 50 {
				s.AddUser(simulator.User{Name: "ada", FiveHour: simulator.Limit{Requests: 5}})
				s.SetUsed("ada", "7d", 0.5, 0)
				s.Deny("ada", false)
				s.Windows("ada")
				s.Counts()
				s.Requests()
				s.Secrets()
				s.Owner(granted.Access)
				_, _ = s.Authorize(authorizeURL(s, loopback, nil), "ada")
			}
		})
	}
	wg.Wait()
	s.ClearFaults()
	if c := s.Counts(); c.InFlight != 0 || c.Requests["ada"][simulator.PathMessages] != 80 {
		t.Errorf("counts = %+v", c)
	}
}
