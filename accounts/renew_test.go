package accounts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/accounts/vault"
)

func TestI1_ManyCallersOfAnExpiredTokenPresentItOnce(t *testing.T) {
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	old := h.token(t, a.ID)
	const callers = 64
	var wg sync.WaitGroup
	start := make(chan struct{})
	tokens := make([]Token, callers)
	errs := make([]error, callers)
	for i := range callers {
		wg.Go(func() {
			<-start
			tokens[i], errs[i] = h.renewer.Renew(t.Context(), a.ID, old.Generation)
		})
	}
	close(start)
	wg.Wait()
	for i := range callers {
		if errs[i] != nil || tokens[i].Generation != old.Generation+1 || tokens[i].AccessToken == old.AccessToken {
			t.Fatalf("caller %d got generation %d, %v; want %d", i, tokens[i].Generation, errs[i], old.Generation+1)
		}
	}
	if got := h.sim.Counts().TotalRefreshes(); got != 1 {
		t.Errorf("the refresh token was presented %d times, want once", got)
	}
	h.checkClean(t)
	if user, live := h.sim.Owner(tokens[0].AccessToken.Reveal()); user != "ada" || !live {
		t.Errorf("the new token is %s's, live %v", user, live)
	}
}

func TestRenewalLandsInTheRightRecord(t *testing.T) {
	h := newHome(t, simulator.Options{})
	ada, bob := h.addAccount(t, "ada", "work"), h.addAccount(t, "bob", "home")
	before := h.token(t, bob.ID)
	if _, err := h.renewer.Renew(t.Context(), ada.ID, h.token(t, ada.ID).Generation); err != nil {
		t.Fatal(err)
	}
	if after := h.token(t, bob.ID); after != before {
		t.Errorf("renewing ada changed bob's token from generation %d to %d", before.Generation, after.Generation)
	}
	for id, want := range map[ID]string{ada.ID: "ada", bob.ID: "bob"} {
		for _, secret := range []Secret{h.token(t, id).AccessToken, h.token(t, id).RefreshToken} {
			if user, live := h.sim.Owner(secret.Reveal()); user != want || !live {
				t.Errorf("a token of %s's record is %q's, live %v", want, user, live)
			}
		}
	}
	a, err := h.registry.Get(ada.ID)
	if err != nil {
		t.Fatal(err)
	}
	if want := h.token(t, ada.ID).Expiry; !a.TokenExpiresAt.Equal(want) {
		t.Errorf("accounts.json says the token ends at %s, want %s", a.TokenExpiresAt, want)
	}
	if got := h.entries(EntryRenewed); len(got) != 1 || got[0].Account != ada.ID {
		t.Errorf("the journal has %+v, want one renewal of ada", got)
	}
	h.checkClean(t)
}

func TestRenewalSurvivesItsCaller(t *testing.T) {
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	old := h.token(t, a.ID)
	h.sim.Inject(simulator.Fault{Kind: simulator.Slow, Path: simulator.PathToken, Delay: 300 * time.Millisecond})
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := h.renewer.Renew(ctx, a.ID, old.Generation)
		left <- err
	}()
	waitUntil(t, func() bool { return h.sim.Counts().InFlight > 0 })
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller that left got %v", err)
	}
	if !h.renewer.Renewing(a.ID) {
		t.Error("the renewal ended with its caller")
	}
	if err := h.renewer.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := h.token(t, a.ID); got.Generation != old.Generation+1 {
		t.Errorf("generation is %d, want %d", got.Generation, old.Generation+1)
	}
	if h.renewer.Renewing(a.ID) {
		t.Error("a renewal is under way after wait")
	}
	h.checkClean(t)
}

func TestARefusedRefreshTokenNeedsALogin(t *testing.T) {
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	gen := h.token(t, a.ID).Generation
	h.sim.Revoke("ada")
	_, err := h.renewer.Renew(t.Context(), a.ID, gen)
	need, ok := errors.AsType[*LoginNeededError](err)
	if !ok || need.Cause != LoginRevoked || need.Account != a.ID {
		t.Fatalf("got %v, want a login because of %q", err, LoginRevoked)
	}
	if te, ok := errors.AsType[*TokenError](err); !ok || te.ErrorCode != "invalid_grant" {
		t.Errorf("the cause is %v, want invalid_grant", te)
	}
	flagged, _ := h.registry.Get(a.ID)
	if flagged.NeedsLogin != LoginRevoked || flagged.NeedsLoginGen != gen {
		t.Errorf("accounts.json says %q of generation %d", flagged.NeedsLogin, flagged.NeedsLoginGen)
	}
	requests := h.sim.Counts().Total(simulator.PathToken)
	if _, err := h.renewer.Renew(t.Context(), a.ID, gen); !errors.As(err, &need) {
		t.Errorf("the second time: %v", err)
	}
	if got := h.sim.Counts().Total(simulator.PathToken); got != requests {
		t.Error("a token that was refused for good was presented again")
	}
	if got := h.entries(EntryLoginNeeded); len(got) != 1 {
		t.Errorf("the journal says %d times that a login is needed, want once", len(got))
	}
	if _, err := h.vault.Read(string(a.ID)); err != nil {
		t.Errorf("the record is gone: %v", err)
	}

	again := h.signIn(t, "ada", "")
	if !again.Renewed || again.Account != a.ID {
		t.Fatalf("signing in again: %+v", again)
	}
	mended, _ := h.registry.Get(a.ID)
	if mended.NeedsLogin != "" || mended.Label != "work" {
		t.Errorf("after the login: needs %q, label %q", mended.NeedsLogin, mended.Label)
	}
	if token := h.token(t, a.ID); token.Generation <= gen {
		t.Errorf("after the login the token is of generation %d", token.Generation)
	}
}

func TestATroubledTokenEndpointNeverMeansALogin(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]simulator.Fault{
		"500":           {Kind: simulator.ServerError},
		"429":           {Kind: simulator.Throttle, RetryAfter: "1"},
		"captive":       {Kind: simulator.Captive, Times: 2},
		"403 edge":      {Kind: simulator.Answer, Status: 403, Body: "<html>no</html>"},
		"not our fault": {Kind: simulator.Answer, Status: 401, Body: `{"error":"invalid_client"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, simulator.Options{})
			a := h.addAccount(t, "ada", "work")
			old := h.token(t, a.ID)
			fault.Path = simulator.PathToken
			h.sim.Inject(fault)
			_, err := h.renewer.Renew(t.Context(), a.ID, old.Generation)
			if _, login := errors.AsType[*LoginNeededError](err); err == nil || login {
				t.Fatalf("got %v, want an error that asks for no login", err)
			}
			if now, _ := h.registry.Get(a.ID); now.NeedsLogin != "" {
				t.Errorf("accounts.json asks for a login: %s", now.NeedsLogin)
			}
			if got := h.token(t, a.ID); got != old {
				t.Errorf("the old token is gone, generation %d is there", got.Generation)
			}
			if got := h.entries(EntryRenewFailed); len(got) != 1 {
				t.Errorf("the journal names %d failed renewals, want one", len(got))
			}
		})
	}
}

func TestAfterTroubleTheRefreshTokenIsStillGood(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	gen := h.token(t, a.ID).Generation
	h.sim.Inject(simulator.Fault{Kind: simulator.ServerError, Path: simulator.PathToken})
	if _, err := h.renewer.Renew(t.Context(), a.ID, gen); err == nil {
		t.Fatal("a 500 renewed a token")
	}
	_, err := h.renewer.Renew(t.Context(), a.ID, gen)
	if postponed, ok := errors.AsType[*PostponedError](err); !ok || time.Until(postponed.Until) > 2*time.Second {
		t.Errorf("at once after a 500: %v, want to wait for about a second", err)
	}
	waitUntil(t, func() bool {
		_, err = h.renewer.Renew(t.Context(), a.ID, gen)
		_, postponed := errors.AsType[*PostponedError](err)
		return !postponed
	})
	if err != nil {
		t.Errorf("after the wait: %v", err)
	}
	h.checkClean(t)
}

func TestThreeRefusalsInARowCountAsALogin(t *testing.T) {
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	gen := h.token(t, a.ID).Generation
	h.sim.Inject(simulator.Fault{Kind: simulator.Answer, Path: simulator.PathToken, Status: 400, Body: `{"type":"error","error":{"type":"invalid_request_error","message":"Invalid request format"}}`, Times: 3})
	for n := 1; n <= 3; n++ {
		_, err := h.renewer.Renew(t.Context(), a.ID, gen)
		_, login := errors.AsType[*LoginNeededError](err)
		if te, ok := errors.AsType[*TokenError](err); !ok || te.ErrorCode != "invalid_request_error" || login != (n == 3) {
			t.Fatalf("refusal %d: %v", n, err)
		}
	}
}

func TestALostAnswerIsMadeUpForOnce(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{Policy: simulator.Grace})
	a := h.addAccount(t, "ada", "work")
	old := h.token(t, a.ID)
	h.sim.Inject(simulator.Fault{Kind: simulator.LostResponse})
	token, err := h.renewer.Renew(t.Context(), a.ID, old.Generation)
	if err != nil {
		t.Fatal(err)
	}
	if user, live := h.sim.Owner(token.AccessToken.Reveal()); user != "ada" || !live {
		t.Errorf("the token is %q's, live %v", user, live)
	}
}

func TestC07_ALostAnswerOfAStrictServerIsCalledThat(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	h.sim.Inject(simulator.Fault{Kind: simulator.LostResponse})
	_, err := h.renewer.Renew(t.Context(), a.ID, h.token(t, a.ID).Generation)
	if need, ok := errors.AsType[*LoginNeededError](err); !ok || need.Cause != LoginLostResponse {
		t.Fatalf("got %v, want %q", err, LoginLostResponse)
	}
	if got := h.sim.Counts().Reuse; got != 1 {
		t.Errorf("the token was presented again %d times, want once", got)
	}
}

func TestNothingSentIsHarmless(t *testing.T) {
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	gen := h.token(t, a.ID).Generation
	h.sim.Close()
	took := time.Hour
	for try := 0; try < 5 && took > 900*time.Millisecond; try++ { // the machine may have been busy: the best counts
		start := time.Now()
		_, err := h.renewer.Renew(t.Context(), a.ID, gen)
		if _, ok := errors.AsType[*unsentError](err); !ok {
			t.Fatalf("got %v, want a connection that failed", err)
		}
		took = time.Since(start)
	}
	if took > 900*time.Millisecond {
		t.Errorf("it took %s, at best: a token that was not sent was waited for", took)
	}
	held, err := h.vault.Lock(t.Context(), string(a.ID))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	if earlier, err := held.Earlier(h.token(t, a.ID).RefreshToken.Reveal()); err != nil || earlier.Doubtful() {
		t.Errorf("the vault notes %+v, %v", earlier, err)
	}
}

func TestAPanicOfTheClientCostsOneRenewal(t *testing.T) {
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	gen := h.token(t, a.ID).Generation
	panics := true
	h.renewer.o.Client = func(p *Provider) Doer {
		if panics {
			panic("client")
		}
		return tokenClient(p, nil)
	}
	if _, err := h.renewer.Renew(t.Context(), a.ID, gen); err == nil {
		t.Fatal("a panic renewed a token")
	}
	panics = false
	if _, err := h.renewer.Renew(t.Context(), a.ID, gen); err != nil {
		t.Errorf("after a panic: %v", err)
	}
}

func TestAccountsAndTokensThatAreNotThere(t *testing.T) {
	h := newHome(t, simulator.Options{})
	if _, err := h.renewer.Token("nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Token of nobody: %v", err)
	}
	if _, err := h.renewer.Renew(t.Context(), "nobody", 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("Renew of nobody: %v", err)
	}
	a, err := h.registry.Add(Account{Provider: simulated, Label: "bare"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.renewer.Token(a.ID); !isLoginNeeded(err, LoginMissing) {
		t.Errorf("Token of an account without one: %v", err)
	}
	if _, err := h.renewer.Renew(t.Context(), a.ID, 0); !isLoginNeeded(err, LoginMissing) {
		t.Errorf("Renew of an account without a token: %v", err)
	}
	if got := h.sim.Counts().Total(simulator.PathToken); got != 0 {
		t.Errorf("the token endpoint was asked %d times", got)
	}
}

func isLoginNeeded(err error, cause string) bool {
	need, ok := errors.AsType[*LoginNeededError](err)
	return ok && need.Cause == cause
}

func TestALoginWithoutRefreshTokenIsUsedUntilItsEnd(t *testing.T) {
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	held, err := h.vault.Lock(t.Context(), string(a.ID))
	if err != nil {
		t.Fatal(err)
	}
	err = held.Store(vault.Record{Provider: string(simulated), ReceivedAt: time.Now(), Raw: []byte(`{"access_token":"bare","expires_in":60}`)})
	held.Release()
	if err != nil {
		t.Fatal(err)
	}
	h.renewer.forget(a.ID)
	if got := h.token(t, a.ID); !got.Valid(time.Now()) || got.RefreshToken != "" {
		t.Errorf("got %+v", got)
	}
	if _, err := h.renewer.Renew(t.Context(), a.ID, h.token(t, a.ID).Generation); !isLoginNeeded(err, LoginNoRefresh) {
		t.Errorf("got %v, want %q", err, LoginNoRefresh)
	}
}

// answering is a token endpoint that gives one answer, and remembers what came.
type answering struct {
	status int
	body   string
	mu     sync.Mutex
	bodies []string
}

func (a *answering) Do(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bodies = append(a.bodies, string(raw))
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

func TestAGrantThatCannotBeReadIsKept(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"cut short":           `{"access_token":"new","refresh_token":"nex`,
		"refresh is a number": `{"access_token":"new","refresh_token":7,"expires_in":60}`,
		"newline in access":   `{"access_token":"a\nb","expires_in":60}`,
		"mac":                 `{"access_token":"new","refresh_token":"next","token_type":"mac"}`,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t, simulator.Options{})
			a := h.addAccount(t, "ada", "work")
			old := h.token(t, a.ID)
			h.renewer.o.Client = func(*Provider) Doer { return &answering{status: 200, body: body} }
			_, err := h.renewer.Renew(t.Context(), a.ID, old.Generation)
			if !errors.Is(err, vault.ErrUnreadable) {
				t.Fatalf("got %v, want an unreadable answer", err)
			}
			record, err := h.vault.Read(string(a.ID))
			if err != nil || string(record.Raw) != body || record.Generation != old.Generation+1 || record.RefreshToken == "" {
				t.Errorf("the vault has generation %d and %d bytes, %v", record.Generation, len(record.Raw), err)
			}
		})
	}
}

func TestNoSecretInErrors(t *testing.T) {
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	token := h.token(t, a.ID)
	refresh := token.RefreshToken.Reveal()
	for _, body := range []string{
		`{"error":"invalid_request","error_description":"` + refresh + ` is no good"}`,
		`{"error":{"type":"x","message":"token ` + refresh[8:30] + `"}}`,
		`{"error":"` + refresh[:20] + `"}`,
		refresh,
	} {
		h.renewer.o.Client = func(*Provider) Doer { return &answering{status: 404, body: body} }
		_, err := h.renewer.Renew(t.Context(), a.ID, token.Generation)
		if err == nil || repeats(fmt.Sprintf("%v %+v %#v", err, err, err), []string{refresh}) {
			t.Errorf("the error holds a part of the token: %v", err)
		}
	}
	for _, e := range h.journal.Since(0) {
		if repeats(e.Evidence, []string{refresh}) {
			t.Errorf("the journal holds a part of the token: %s", e.Evidence)
		}
	}
}

func waitUntil(t *testing.T, done func() bool) {
	t.Helper()
	for start := time.Now(); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("it did not happen within ten seconds")
		}
	}
}
