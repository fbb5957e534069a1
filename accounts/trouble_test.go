package accounts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/accounts/vault"
)

func TestATokenThatTheDiskRefusesIsUsedFromMemory(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	old := h.token(t, a.ID)
	record := filepath.Join(h.dir, "vault", string(a.ID), "cred")
	h.renewer.o.Client = func(p *Provider) Doer {
		return doerFunc(func(r *http.Request) (*http.Response, error) {
			resp, err := tokenClient(p, nil).Do(r)
			// A folder that is not empty stands in the record's place.
			if blocked := errors.Join(os.Remove(record), os.MkdirAll(filepath.Join(record, "x"), 0o700)); blocked != nil {
				t.Error(blocked)
			}
			return resp, err
		})
	}
	token, err := h.renewer.Renew(t.Context(), a.ID, old.Generation)
	if err != nil || token.Generation != old.Generation+1 {
		t.Fatalf("generation %d, %v", token.Generation, err)
	}
	if got := h.token(t, a.ID); got != token || !slices.Contains(h.vault.Unsaved(), string(a.ID)) {
		t.Errorf("generation %d is handed out; unsaved: %v", got.Generation, h.vault.Unsaved())
	}
	if _, err := h.renewer.Renew(t.Context(), a.ID, token.Generation); !errors.Is(err, vault.ErrUnsaved) {
		t.Errorf("a renewal before it is saved: %v", err)
	}
	if err := os.RemoveAll(record); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { return len(h.vault.Unsaved()) == 0 })
	saved, err := h.vault.Read(string(a.ID))
	if err != nil || saved.Generation != token.Generation {
		t.Errorf("the vault has generation %d, %v", saved.Generation, err)
	}
	h.checkClean(t)
}

func TestALockedKeySpoilsNoTokenInMemory(t *testing.T) {
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	token := h.token(t, a.ID)
	locked, err := vault.Open(vault.Options{Dir: filepath.Join(h.dir, "vault"), Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer locked.Close()
	h.renewer.o.Vault = locked
	if _, err := h.registry.Edit(a.ID, func(a *Account) error { a.TokenExpiresAt = time.Now(); return nil }); err != nil {
		t.Fatal(err) // so that the vault is asked again
	}
	if got, err := h.renewer.Token(a.ID); err != nil || got != token {
		t.Errorf("generation %d, %v", got.Generation, err)
	}
	h.renewer.forget(a.ID)
	for name, call := range map[string]func() error{
		"Token": func() error { _, err := h.renewer.Token(a.ID); return err },
		"Renew": func() error { _, err := h.renewer.Renew(t.Context(), a.ID, token.Generation); return err },
	} {
		if err := call(); !isKeyError(err) {
			t.Errorf("%s: %v, want the state of the key", name, err)
		}
	}
	if now, _ := h.registry.Get(a.ID); now.NeedsLogin != "" || len(h.entries(EntryRenewFailed)) != 0 {
		t.Errorf("a locked key is taken for more: %q, %v", now.NeedsLogin, h.entries(EntryRenewFailed))
	}
}

func isKeyError(err error) bool {
	_, ok := errors.AsType[*vault.KeyError](err)
	return ok
}

func TestABusyAccountIsNotRenewed(t *testing.T) {
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	held, err := h.vault.Lock(t.Context(), string(a.ID))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	p, _ := h.providers.Get(simulated)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	o := h.renewer.renewLocked(ctx, a, p, h.token(t, a.ID).Generation)
	if !errors.Is(o.err, vault.ErrBusy) || !quiet(o.err) {
		t.Errorf("got %v", o.err)
	}
	if o = h.renewer.renewLocked(ctx, a, p, 0); o.err != nil || o.token != h.token(t, a.ID) {
		t.Errorf("a token that is there already: generation %d, %v", o.token.Generation, o.err)
	}
	if got := h.sim.Counts().TotalRefreshes(); got != 0 {
		t.Errorf("it was sent %d times without the lock", got)
	}
}

func TestAPanicCostsOneLogin(t *testing.T) {
	h := newHome(t, simulator.Options{})
	p, _ := h.providers.Get(simulated)
	identity := p.Identity
	p.Identity = func([]byte) Identity { panic("odd") }
	if got := h.signIn(t, "ada", ""); got.State != FlowFailed || got.Problem == "" || strings.Contains(got.Problem, "odd") {
		t.Errorf("the flow is %+v", got)
	}
	p.Identity = identity
	h.addAccount(t, "ada", "work")
}

func TestAnAccountThatGoesDuringItsOwnLogin(t *testing.T) {
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	p, _ := h.providers.Get(simulated)
	identity := p.Identity
	p.Identity = func(raw []byte) Identity { // another process removes it, and this one has not heard of it
		if err := errors.Join(h.vault.Remove(t.Context(), string(a.ID)), openRegistry(t, h.dir, nil).Remove(a.ID)); err != nil {
			t.Error(err)
		}
		return identity(raw)
	}
	flow, err := h.logins.Start(t.Context(), simulated, LoginPaste, "work")
	if err != nil {
		t.Fatal(err)
	}
	if got := h.pasteFor(t, flow, "ada"); got.State != FlowFailed || !strings.Contains(got.Problem, "removed") {
		t.Errorf("the flow is %+v", got)
	}
	if len(h.registry.All()) != 0 || len(vaulted(t, h)) != 0 {
		t.Errorf("it is back: %v, %v", h.registry.All(), vaulted(t, h))
	}
}

// A process that has not heard of the removal tries to renew what a login stored for
// the account that is gone, until the login has become a new account's.
func TestALoginThatMovesOnIsNotRenewedWhereItWas(t *testing.T) {
	h := newSharedHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	other := &home{dir: h.dir, sim: h.sim}
	other.open(t, h.sim.URL(), sharedKey(h.dir))
	p, _ := h.providers.Get(simulated)
	identity, profile := p.Identity, p.Profile
	p.Identity = func(raw []byte) Identity {
		if err := openRegistry(t, h.dir, nil).Remove(a.ID); err != nil {
			t.Error(err)
		}
		return identity(raw)
	}
	renewed := make(chan error, 1)
	p.Profile = func(ctx context.Context, c Doer, token Token) (Identity, error) {
		now := other.token(t, a.ID) // the login's own
		go func() {
			_, err := other.renewer.Renew(context.WithoutCancel(ctx), a.ID, now.Generation)
			renewed <- err
		}()
		waitUntil(t, func() bool { return other.renewer.Renewing(a.ID) })
		return profile(ctx, c, token)
	}
	got := h.signIn(t, "ada", "")
	if got.State != FlowDone || got.Account == a.ID {
		t.Fatalf("the flow is %+v", got)
	}
	if err := <-renewed; err == nil {
		t.Error("it was renewed where nothing is any more")
	}
	if user, live := h.sim.Owner(h.token(t, got.Account).RefreshToken.Reveal()); user != "ada" || !live {
		t.Errorf("the refresh token is %q's, live %v", user, live)
	}
	if ids := vaulted(t, h); len(ids) != 1 {
		t.Errorf("the vault has %v", ids)
	}
	h.checkClean(t)
}

func TestErrorsSayWhatHappened(t *testing.T) {
	at := time.Date(2026, 5, 4, 13, 2, 1, 0, time.UTC)
	a := Account{ID: "aaa", Label: "work"}
	for want, err := range map[string]error{
		`the label "work" belongs to another account already (aaa)`:                        &DuplicateLabelError{Label: "work", Owner: a},
		"label: must not be empty":                                                         &LabelError{Problem: "must not be empty"},
		"sign in again: the server refused the refresh token":                              &LoginNeededError{Cause: LoginRevoked},
		"sign in again: the answer to a renewal was lost, and the new token with it (EOF)": &LoginNeededError{Cause: LoginLostResponse, Err: io.EOF},
		"sign in again: the login came without a refresh token":                            &LoginNeededError{Cause: LoginNoRefresh},
		"sign in again: the vault holds no token":                                          &LoginNeededError{Cause: LoginMissing},
		"sign in again: something":                                                         &LoginNeededError{Cause: "something"},
		"the next renewal is at 13:02:01: token endpoint answered 500":                     &PostponedError{Until: at, Err: &TokenError{StatusCode: 500}},
		"the answer to the last renewal was lost; the next one is at 13:02:01":             &PostponedError{Until: at},
		"token endpoint answered 200 without a token":                                      &NoTokenError{StatusCode: 200, Refusal: &TokenError{}},
		"the answer holds no token, but says invalid_grant":                                &NoTokenError{StatusCode: 200, Refusal: &TokenError{ErrorCode: "invalid_grant"}},
		`this login belongs to "work", which is here already`:                              &identityKnownError{owner: a},
		`this sign-in is not the one of "work"`:                                            &otherIdentityError{wanted: a},
		"whose login it is could not be found out: EOF":                                    &unknownIdentityError{io.EOF},
		"whose login it is could not be found out: the provider does not say":              &unknownIdentityError{},
		`it is not known whose "work" is, and nothing shows that this sign-in is its own`:  &unprovenError{wanted: a},
		"the token response cannot be used: it has no access_token":                        &UnreadableError{Reason: "it has no access_token"},
		"sent, but not answered: EOF":                                                      &unansweredError{io.EOF},
		"not sent: EOF":                                                                    &unsentError{io.EOF},
	} {
		if got := fmt.Sprint(err); got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}

func TestVerdictNames(t *testing.T) {
	for kind, want := range map[VerdictKind]string{Pass: "pass", Limited: "limited", Throttled: "throttled", Unauthorized: "unauthorized", Forbidden: "forbidden", Overloaded: "overloaded", -1: "unknown", 99: "unknown"} {
		if got := kind.String(); got != want {
			t.Errorf("verdict %d is %q, want %q", int(kind), got, want)
		}
	}
}

func TestCallersShareAFailure(t *testing.T) {
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	gen := h.token(t, a.ID).Generation
	before := h.sim.Counts().Total(simulator.PathToken)
	h.sim.Inject(simulator.Fault{Kind: simulator.Slow, Path: simulator.PathToken, Delay: 200 * time.Millisecond, Times: -1})
	h.sim.Revoke("ada")
	h.renewer.o.Client = func(p *Provider) Doer {
		return doerFunc(func(r *http.Request) (*http.Response, error) {
			resp, err := tokenClient(p, nil).Do(r)
			if err == nil {
				resp.StatusCode = http.StatusNotFound // a refusal that is neither final nor to be waited for
			}
			return resp, err
		})
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			_, err := h.renewer.Renew(t.Context(), a.ID, gen)
			if te, ok := errors.AsType[*TokenError](err); !ok || te.StatusCode != http.StatusNotFound {
				t.Errorf("a caller got %v", err)
			}
		})
	}
	wg.Wait()
	if got := h.sim.Counts().Total(simulator.PathToken) - before; got != 1 {
		t.Errorf("they led to %d requests, want one", got)
	}
}

func TestAnAccountThatGoesBeforeItsRenewal(t *testing.T) {
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	gen := h.token(t, a.ID).Generation
	held, err := h.vault.Lock(t.Context(), string(a.ID))
	if err != nil {
		t.Fatal(err)
	}
	renewed := make(chan error, 1)
	go func() {
		_, err := h.renewer.Renew(t.Context(), a.ID, gen)
		renewed <- err
	}()
	waitUntil(t, func() bool { return h.renewer.Renewing(a.ID) })
	if err := h.registry.Remove(a.ID); err != nil {
		t.Fatal(err)
	}
	held.Release()
	if err := <-renewed; !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if got := h.sim.Counts().TotalRefreshes(); got != 0 {
		t.Error("the refresh token of a removed account was presented")
	}
	if _, err := h.vault.Read(string(a.ID)); err != nil {
		t.Errorf("the record is gone before somebody removed it: %v", err)
	}
}

func TestALateRefusalDoesNotUndoALogin(t *testing.T) {
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	old, err := h.vault.Read(string(a.ID))
	if err != nil {
		t.Fatal(err)
	}
	if got := h.signIn(t, "ada", ""); !got.Renewed {
		t.Fatalf("%+v", got)
	}
	_ = h.renewer.needLogin(a, outcome{record: old, cause: LoginRevoked})
	if now, _ := h.registry.Get(a.ID); now.NeedsLogin != "" {
		t.Errorf("a refusal of the token before asks for a login: %s", now.NeedsLogin)
	}
}
