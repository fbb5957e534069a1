package rotation

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func (s *scene) token(user string) accounts.Token {
	s.t.Helper()
	token, err := s.renewer.Token(s.ids[user])
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

func TestScenarioARenewalLandsInTheRightRecord(t *testing.T) {
	s := play(t, simulator.Options{}, named("work", "home")...)
	s.spend("work")
	before := s.token("home")
	s.want(s.say(line{}), 200, "work", "1")
	if got := s.token("home"); got != before {
		t.Error("the other account's record changed")
	}
	for _, user := range []string{"work", "home"} {
		token := s.token(user)
		if owner, live := s.server.Owner(token.AccessToken.Reveal()); owner != user || !live {
			t.Errorf("the record of %s holds a token of %q (live: %v)", user, owner, live)
		}
		if !token.Valid(time.Now()) {
			t.Errorf("the token of %s is not valid", user)
		}
	}
	if c := s.server.Counts(); c.Refreshes["work"] != 1 || c.Refreshes["home"] != 0 {
		t.Errorf("refreshes %v", c.Refreshes)
	}
	if !s.member("work").Account.TokenExpiresAt.Equal(s.token("work").Expiry) {
		t.Error("the pool does not know the new expiry")
	}
	s.clean()
}

func TestScenarioARefusedTokenIsRenewedAndTheSameAccountServes(t *testing.T) {
	for _, kind := range []simulator.Kind{simulator.Expired, simulator.Revoked, simulator.OrgForbidden, simulator.OrgDisabled} {
		t.Run(string(kind), func(t *testing.T) {
			s := play(t, simulator.Options{}, named("work", "home")...)
			s.server.Inject(simulator.Fault{Kind: kind, User: "work"})
			s.want(s.say(line{marker: "m1"}), 200, "work", "2")
			if n := s.server.Counts().TotalRefreshes(); n != 1 {
				t.Errorf("%d refreshes", n)
			}
			s.wantUntouched("work", "home")
			s.want(s.say(line{}), 200, "work", "1")
			s.clean()
		})
	}
}

func TestScenarioAnAccountThatIsStillRefusedIsLeft(t *testing.T) {
	s := play(t, simulator.Options{}, named("work", "home")...)
	s.server.Inject(simulator.Fault{Kind: simulator.OrgForbidden, User: "work", Times: -1})
	until := time.Now().Add(s.settings.AuthFailure)
	s.want(s.say(line{}), 200, "home", "3")
	s.wantCooling("work", "", until)
	if n := s.server.Counts().TotalRefreshes(); n != 1 {
		t.Errorf("%d refreshes", n)
	}
	s.want(s.say(line{}), 200, "home", "1")
	s.clean()
}

func TestScenarioTheLastRefusalIsA502WithTheUpstreamsWords(t *testing.T) {
	s := play(t, simulator.Options{}, named("work")...)
	s.server.Inject(simulator.Fault{Kind: simulator.OrgForbidden, Times: -1})
	h := s.say(line{})
	s.want(h, 502, "work", "2")
	if !strings.Contains(h.body, "OAuth authentication is currently not allowed for this organization") || !strings.Contains(h.body, `"type":"error"`) {
		t.Errorf("body %s", h.body)
	}
	s.clean()
}

func TestScenarioInvalidGrantNeedsALoginAndTheNextAccountServes(t *testing.T) {
	s := play(t, simulator.Options{}, named("work", "home")...)
	s.spend("work")
	s.server.Inject(simulator.Fault{Kind: simulator.InvalidGrant, User: "work"})
	s.want(s.say(line{}), 200, "home", "1")
	m := s.member("work")
	if m.Account.NeedsLogin != accounts.LoginRevoked || m.AvailableAt(time.Now(), "") {
		t.Errorf("work: %+v", m.Account)
	}
	s.want(s.say(line{}), 200, "home", "1")
	if n := s.server.Counts().Faults[simulator.InvalidGrant]; n != 1 {
		t.Errorf("the refresh token was presented %d times", n)
	}
	seen := false
	for _, e := range s.journal.Since(0) {
		seen = seen || e.Kind == accounts.EntryLoginNeeded && e.Account == s.ids["work"]
	}
	if !seen {
		t.Error("the journal does not say that a login is needed")
	}
	s.clean()
}

func TestScenarioATokenEndpointInTroubleIsNeverALogin(t *testing.T) {
	for _, fault := range []simulator.Fault{
		{Kind: simulator.ServerError, Path: simulator.PathToken, User: "work", Times: -1},
		{Kind: simulator.Throttle, Path: simulator.PathToken, User: "work", Times: -1, RetryAfter: "40"},
	} {
		s := play(t, simulator.Options{}, named("work", "home")...)
		s.spend("work")
		s.server.Inject(fault)
		for range 5 {
			s.want(s.say(line{}), 200, "home", "1")
		}
		m := s.member("work")
		if m.Account.NeedsLogin != "" || len(m.Cooldowns) != 1 || m.Cooldowns[0].Kind != accounts.CoolRenewal {
			t.Errorf("%s: %q, %+v", fault.Kind, m.Account.NeedsLogin, m.Cooldowns)
		}
		if left := time.Until(m.Cooldowns[0].Until); left > 45*time.Second {
			t.Errorf("%s: cools for %v", fault.Kind, left)
		}
		s.clean()
	}
}

func TestScenarioManyRequestsOnASpentTokenRenewItOnce(t *testing.T) {
	const many = 64
	for name, spend := range map[string]func(*scene){
		"expired":     func(s *scene) { s.spend("work") },
		"revoked":     func(s *scene) { s.server.Expire("work") }, // only the upstream knows
		"not expired": func(*scene) {},
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, simulator.Options{Latency: 20 * time.Millisecond}, named("work", "home")...)
			s.transport.refresher.wait = time.Minute // the machine that runs this may be slow
			spend(s)
			var wg sync.WaitGroup
			errs := make(chan error, many)
			for range many {
				wg.Go(func() {
					h, err := s.ask(line{})
					if err == nil && (h.status != 200 || h.by != "work") {
						err = errors.New(h.by + ": " + h.body)
					}
					if err != nil {
						errs <- err
					}
				})
			}
			wg.Wait()
			close(errs)
			for err := range errs {
				t.Error(err)
			}
			want := 1
			if name == "not expired" {
				want = 0
			}
			if n := s.server.Counts().TotalRefreshes(); n != want {
				t.Errorf("%d refreshes, want %d", n, want)
			}
			s.clean()
		})
	}
}
