package rotation

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func TestScenarioThrottledWithSecondsGoesToTheNextAccount(t *testing.T) {
	s := play(t, simulator.Options{}, named("work", "home")...)
	s.server.Inject(simulator.Fault{Kind: simulator.Throttle, User: "work", RetryAfter: "20"})
	until := time.Now().Add(20 * time.Second)
	s.want(s.say(line{}), 200, "home", "2")
	s.wantCooling("work", "", until)
	if got := s.registry.Preferred("anthropic"); got != s.ids["work"] {
		t.Errorf("a failover overwrote the person's choice with %s", got)
	}
	s.want(s.say(line{}), 200, "home", "1")
	s.clean()
}

func TestScenarioThrottledWithADateGoesToTheNextAccount(t *testing.T) {
	s := play(t, simulator.Options{}, named("work", "home")...)
	until := time.Now().Add(40 * time.Second)
	s.server.Inject(simulator.Fault{Kind: simulator.Throttle, User: "work", RetryAfter: until.UTC().Format(http.TimeFormat)})
	s.want(s.say(line{}), 200, "home", "2")
	s.wantCooling("work", "", until)
	if got := s.registry.Preferred("anthropic"); got != s.ids["work"] {
		t.Errorf("a failover overwrote the person's choice with %s", got)
	}
	s.clean()
}

func TestScenarioAQuotaCoolsUntilTheRejectedWindowResets(t *testing.T) {
	for _, tt := range []struct {
		kind     simulator.Kind
		resetsIn time.Duration
	}{{simulator.QuotaFiveHour, 2 * time.Hour}, {simulator.QuotaSevenDay, 3 * 24 * time.Hour}} {
		s := play(t, simulator.Options{}, named("work", "home")...)
		s.server.Inject(simulator.Fault{Kind: tt.kind, User: "work", ResetsIn: tt.resetsIn, RetryAfter: "11"})
		until := time.Now().Add(tt.resetsIn) // the reset, not what Retry-After says
		s.want(s.say(line{}), 200, "home", "2")
		s.wantCooling("work", "", until)
		s.clean()
	}
}

func TestScenarioALimitThatFillsIsFoundOut(t *testing.T) {
	users := named("work", "home")
	users[0].FiveHour = simulator.Limit{Requests: 3}
	s := play(t, simulator.Options{}, users...)
	for range 3 {
		s.want(s.say(line{}), 200, "work", "1")
	}
	s.want(s.say(line{}), 200, "home", "2")
	w, ok := s.member("work").Usage.Window("5h", "")
	if !ok || w.Used < 1 {
		t.Errorf("reading %+v", s.member("work").Usage)
	}
	s.wantCooling("work", "", w.ResetsAt)
	s.clean()
}

func TestScenarioAModelsOwnLimitKeepsOnlyThatModelAway(t *testing.T) {
	s := play(t, simulator.Options{}, named("work", "home")...)
	s.server.Inject(simulator.Fault{Kind: simulator.QuotaScoped, User: "work", Family: "opus", ResetsIn: time.Hour})
	opus, sonnet := line{model: "claude-opus-4-5", session: "s"}, line{session: "s"}
	s.want(s.say(opus), 200, "home", "2")
	s.wantCooling("work", "opus", time.Now().Add(time.Hour))
	s.want(s.say(sonnet), 200, "work", "1")
	s.want(s.say(opus), 200, "home", "1")
	s.want(s.say(line{model: "claude-opus-4-5"}), 200, "home", "1")
	s.clean()
}

func TestScenarioStaysWithThePreferredOneAndASessionWithItsAccount(t *testing.T) {
	s := play(t, simulator.Options{}, named("work", "home", "lab")...)
	if err := s.registry.Prefer(s.ids["home"]); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.want(s.say(line{session: "one"}), 200, "home", "1")
		s.want(s.say(line{}), 200, "home", "1")
	}
	if err := s.registry.Prefer(s.ids["work"]); err != nil {
		t.Fatal(err)
	}
	s.want(s.say(line{session: "one"}), 200, "home", "1")
	s.want(s.say(line{session: "two"}), 200, "work", "1")
	s.server.Inject(simulator.Fault{Kind: simulator.QuotaFiveHour, User: "home"})
	s.want(s.say(line{session: "one"}), 200, "work", "2")
	s.want(s.say(line{session: "one"}), 200, "work", "1")
	s.clean()
}

func TestScenarioASecondThrottleIsHandedOnUnchanged(t *testing.T) {
	s := play(t, simulator.Options{}, named("work", "home", "lab")...)
	s.server.Inject(simulator.Fault{Kind: simulator.Throttle, RetryAfter: "9", Times: -1})
	h := s.say(line{})
	s.want(h, 429, "home", "2")
	last := s.last()
	if sha(h.body) != last.AnswerSHA256 || h.header.Get("Retry-After") != "9" || h.header.Get("X-Should-Retry") != "" {
		t.Errorf("changed on its way: %s %v", h.body, h.header)
	}
	s.wantUntouched("lab")
	s.clean()
}

func TestScenarioAllExhaustedSaysWhyAndWhenTheFirstIsBack(t *testing.T) {
	s := play(t, simulator.Options{}, named("work", "home")...)
	s.server.Inject(simulator.Fault{Kind: simulator.QuotaFiveHour, User: "work", ResetsIn: 2 * time.Hour})
	s.server.Inject(simulator.Fault{Kind: simulator.QuotaSevenDay, User: "home", ResetsIn: 50 * time.Hour})
	h := s.say(line{})
	s.want(h, 429, "home", "2")
	wait, err := strconv.Atoi(h.header.Get("Retry-After"))
	if err != nil || wait < 7195 || wait > 7205 || h.header.Get("X-Should-Retry") != "false" {
		t.Errorf("Retry-After %q, X-Should-Retry %q", h.header.Get("Retry-After"), h.header.Get("X-Should-Retry"))
	}
	for _, want := range []string{`"type":"error"`, "rate_limit_error", "work: 5-hour limit reached (429)", "home: 7-day limit reached (429)"} {
		if !strings.Contains(h.body, want) {
			t.Errorf("%q is not in %s", want, h.body)
		}
	}
	if n := s.server.Counts().Total(simulator.PathMessages); n != 2 {
		t.Errorf("%d requests", n)
	}
	if h := s.say(line{}); h.status != 429 || h.attempts != "0" {
		t.Errorf("the next one: %d after %s attempts", h.status, h.attempts)
	}
	s.clean()
}

func TestScenarioWhatNoOtherAccountWouldMendIsHandedOn(t *testing.T) {
	s := play(t, simulator.Options{}, named("work", "home")...)
	for _, tt := range []struct {
		kind   simulator.Kind
		status int
	}{{simulator.Overloaded, 529}, {simulator.ServerError, 500}, {simulator.TooLarge, 413}, {simulator.OutOfCredits, 429}} {
		s.server.Inject(simulator.Fault{Kind: tt.kind})
		h := s.say(line{})
		s.want(h, tt.status, "work", "1")
		if last := s.last(); sha(h.body) != last.AnswerSHA256 {
			t.Errorf("%s was changed on its way: %s", tt.kind, h.body)
		}
	}
	s.wantUntouched("work", "home")
	s.clean()
}
