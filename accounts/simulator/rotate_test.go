package simulator_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func TestAStrictServerRevokesTheFamilyOfASpentToken(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	first, other := login(t, s, "ada"), login(t, s, "ada")
	second := post(t, s, refresh(first.Refresh)).tokens(t)
	if second.Refresh == first.Refresh || second.Access == first.Access {
		t.Error("the refresh did not rotate")
	}
	wantStatus(t, say(t, s, first.Access, sonnet), http.StatusOK) // an older access token lives on

	got := post(t, s, refresh(first.Refresh))
	wantStatus(t, got, http.StatusBadRequest)
	if got.json(t)["error"] != "invalid_grant" {
		t.Errorf("body = %s", got.body)
	}
	wantStatus(t, post(t, s, refresh(second.Refresh)), http.StatusBadRequest)
	wantStatus(t, say(t, s, second.Access, sonnet), http.StatusUnauthorized)
	wantStatus(t, say(t, s, other.Access, sonnet), http.StatusOK) // another login is another family
	if c := s.Counts(); c.Reuse != 1 || c.SupersededPresented != 0 || c.Refreshes["ada"] != 1 {
		t.Errorf("reuse %d, superseded %d, refreshes %v", c.Reuse, c.SupersededPresented, c.Refreshes)
	}
}

func TestASpentTokenIsSupersededOnceTheClientHasUsedANewerOne(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Policy: simulator.Forking})
	first := login(t, s, "ada")
	wantStatus(t, say(t, s, first.Access, sonnet), http.StatusOK)
	second := post(t, s, refresh(first.Refresh)).tokens(t)
	post(t, s, refresh(first.Refresh)).tokens(t) // its answer may have been lost
	if c := s.Counts(); c.Reuse != 1 || c.SupersededPresented != 0 {
		t.Errorf("before: reuse %d, superseded %d", c.Reuse, c.SupersededPresented)
	}
	wantStatus(t, say(t, s, second.Access, sonnet), http.StatusOK)
	post(t, s, refresh(first.Refresh)).tokens(t)
	if c := s.Counts(); c.Reuse != 2 || c.SupersededPresented != 1 {
		t.Errorf("after: reuse %d, superseded %d", c.Reuse, c.SupersededPresented)
	}
}

func TestGraceGivesTheSameSuccessorForAWhile(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, simulator.Options{Policy: simulator.Grace, Grace: 10 * time.Second, Now: c.Now})
	first := login(t, s, "ada")
	second := post(t, s, refresh(first.Refresh)).tokens(t)
	c.advance(9 * time.Second)
	again := post(t, s, refresh(first.Refresh)).tokens(t)
	if again.Refresh != second.Refresh || again.Access != second.Access || again.ExpiresIn != second.ExpiresIn-9 {
		t.Errorf("within the grace: %+v, want %+v", again, second)
	}
	c.advance(time.Second)
	wantStatus(t, post(t, s, refresh(first.Refresh)), http.StatusBadRequest)
	wantStatus(t, post(t, s, refresh(second.Refresh)), http.StatusBadRequest)
}

func TestGraceEndsWhenTheSuccessorIsSpent(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Policy: simulator.Grace})
	first := login(t, s, "ada")
	second := post(t, s, refresh(first.Refresh)).tokens(t)
	third := post(t, s, refresh(second.Refresh)).tokens(t)
	wantStatus(t, post(t, s, refresh(first.Refresh)), http.StatusBadRequest)
	wantStatus(t, say(t, s, third.Access, sonnet), http.StatusUnauthorized)
}

func TestForkingKeepsEveryBranchAlive(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Policy: simulator.Forking})
	first := login(t, s, "ada")
	left := post(t, s, refresh(first.Refresh)).tokens(t)
	right := post(t, s, refresh(first.Refresh)).tokens(t)
	if left.Refresh == right.Refresh {
		t.Error("both branches have one token")
	}
	post(t, s, refresh(left.Refresh)).tokens(t)
	post(t, s, refresh(right.Refresh)).tokens(t)
}

func TestWithoutRotationTheTokenStays(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Policy: simulator.NoRotation})
	first := login(t, s, "ada")
	for range 3 {
		if got := post(t, s, refresh(first.Refresh)).tokens(t); got.Refresh != first.Refresh || got.Access == first.Access {
			t.Errorf("got %+v", got)
		}
	}
	if c := s.Counts(); c.Reuse != 0 {
		t.Errorf("reuse = %d", c.Reuse)
	}
}

func TestARefreshAnswerMayLackWhatIsOptional(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{Omit: []string{"account", "organization", "scope", "refresh_token"}})
	first := post(t, s, exchange(codeFor(t, s, "ada"))).tokens(t)
	if first.Account == nil || first.Scope == "" {
		t.Error("the login's answer lacks something, too")
	}
	got := post(t, s, refresh(first.Refresh)).tokens(t)
	if got.Account != nil || got.Organization != nil || got.Scope != "" || got.Refresh != "" || got.Access == "" {
		t.Errorf("got %+v", got)
	}
	post(t, s, refresh(first.Refresh)).tokens(t) // the old one stays in force
}

func TestALoginEnds(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, simulator.Options{LoginLife: 30 * 24 * time.Hour, Now: c.Now})
	first := login(t, s, "ada")
	c.advance(30*24*time.Hour - time.Second)
	second := post(t, s, refresh(first.Refresh)).tokens(t)
	c.advance(time.Second)
	wantStatus(t, post(t, s, refresh(second.Refresh)), http.StatusBadRequest) // refreshing does not extend it
	wantStatus(t, say(t, s, second.Access, sonnet), http.StatusOK)
}

func TestOfManyPresentationsAtOnceOneSucceeds(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	token := login(t, s, "ada").Refresh
	var wg sync.WaitGroup
	var mu sync.Mutex
	good := 0
	for range 16 {
		wg.Go(func() {
			if post(t, s, refresh(token)).status == http.StatusOK {
				mu.Lock()
				good++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if c := s.Counts(); good != 1 || c.Reuse != 15 || c.Refreshes["ada"] != 1 {
		t.Errorf("good %d, reuse %d, refreshes %v", good, c.Reuse, c.Refreshes)
	}
}

func TestOwnerAndSecretsKnowWhatWasIssued(t *testing.T) {
	t.Parallel()
	s := start(t, simulator.Options{})
	first := login(t, s, "ada")
	second := post(t, s, refresh(first.Refresh)).tokens(t)
	for token, live := range map[string]bool{first.Refresh: false, first.Access: true, second.Refresh: true, second.Access: true} {
		if user, got := s.Owner(token); user != "ada" || got != live {
			t.Errorf("Owner of a token = %q, %v; want ada, %v", user, got, live)
		}
	}
	s.Expire("ada")
	if _, live := s.Owner(second.Access); live {
		t.Error("the access token outlived Expire")
	}
	s.Revoke("ada")
	if _, live := s.Owner(second.Refresh); live {
		t.Error("the refresh token outlived Revoke")
	}
	if user, live := s.Owner("sk-ant-oat01-never"); user != "" || live {
		t.Errorf("Owner of a stranger's token = %q, %v", user, live)
	}
	if got := len(s.Secrets()); got != 4 {
		t.Errorf("%d secrets, want 4", got)
	}
}
