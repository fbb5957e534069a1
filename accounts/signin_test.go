package accounts

import (
	"context"
	"errors"
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

func TestT20_AnotherIdentityOverwritesNobody(t *testing.T) {
	h := newHome(t, simulator.Options{})
	ada := h.addAccount(t, "ada", "work")
	before := h.token(t, ada.ID)
	flow, err := h.logins.Start(t.Context(), simulated, LoginPaste, "work")
	if err != nil {
		t.Fatal(err)
	}
	got := h.pasteFor(t, flow, "bob")
	if got.State != FlowFailed || !strings.Contains(got.Problem, "bob@example.org") || !strings.Contains(got.Problem, "work") {
		t.Errorf("the flow is %+v", got)
	}
	if now := h.token(t, ada.ID); now != before {
		t.Error("ada's token changed")
	}
	if len(h.registry.All()) != 1 || len(vaulted(t, h)) != 1 {
		t.Errorf("stored: %v, %v", h.registry.All(), vaulted(t, h))
	}

	flow, err = h.logins.Start(t.Context(), simulated, LoginPaste, "work")
	if err != nil {
		t.Fatal(err)
	}
	if got := h.pasteFor(t, flow, "ada"); got.State != FlowDone || !got.Renewed || got.Account != ada.ID {
		t.Errorf("the right one: %+v", got)
	}
	if now := h.token(t, ada.ID); now.Generation != before.Generation+1 {
		t.Errorf("the token is of generation %d", now.Generation)
	}
}

func TestOneAddressInTwoOrganisationsIsTwoAccounts(t *testing.T) {
	h := newHome(t, simulator.Options{})
	h.sim.AddUser(simulator.User{Name: "one", Email: "me@x.example", Org: "One"})
	h.sim.AddUser(simulator.User{Name: "two", Email: "me@x.example", Org: "Two"})
	one, two := h.addAccount(t, "one", ""), h.addAccount(t, "two", "")
	if one.ID == two.ID || one.Label != "me@x.example" || two.Label != "Two" {
		t.Errorf("the accounts are %q and %q", one.Label, two.Label)
	}
}

func TestAProfileThatIsDownCostsNoLogin(t *testing.T) {
	h := newHome(t, simulator.Options{})
	h.sim.Inject(simulator.Fault{Kind: simulator.ServerError, Path: simulator.PathProfile, Times: -1})
	a := h.addAccount(t, "ada", "")
	if a.Email != "ada@example.org" || a.Plan != "" {
		t.Errorf("the account is %+v", a)
	}
	h.sim.ClearFaults()
	if got := h.signIn(t, "ada", ""); !got.Renewed || got.Account != a.ID {
		t.Errorf("signing in again: %+v", got)
	}
	if a, _ = h.registry.Get(a.ID); a.Plan == "" {
		t.Error("the profile is still unknown")
	}
}

// TestTheRecordKnowsWhatTheProfileSaid loses accounts.json and has it rebuilt.
func TestTheRecordKnowsWhatTheProfileSaid(t *testing.T) {
	h := newHome(t, simulator.Options{})
	want := h.addAccount(t, "ada", "work")
	if want.Plan == "" {
		t.Fatal("the profile says nothing")
	}
	rebuilt := func() Account {
		t.Helper()
		record, err := h.vault.Read(string(want.ID))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		seal(t, dir, string(want.ID))
		r := openRegistry(t, dir, nil)
		if err := r.Rebuild(map[ID]vault.Record{want.ID: record}); err != nil {
			t.Fatal(err)
		}
		got, err := r.Get(want.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := rebuilt(); got.Plan != want.Plan || got.Email != want.Email || got.Org != want.Org || got.Label != "work" || got.Paused {
		t.Errorf("after the login: %+v, want %+v", got, want)
	}
	if _, err := h.registry.Edit(want.ID, func(a *Account) error { a.Paused = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := h.renewer.Renew(t.Context(), want.ID, h.token(t, want.ID).Generation); err != nil {
		t.Fatal(err)
	}
	if got := rebuilt(); !got.Paused || got.Plan != want.Plan {
		t.Errorf("paused, and renewed: %+v", got)
	}
	if got := h.signIn(t, "ada", ""); !got.Renewed {
		t.Fatalf("%+v", got)
	}
	if got := rebuilt(); !got.Paused || got.Plan != want.Plan {
		t.Errorf("signed in again: %+v", got)
	}
	h.checkClean(t)
}

// TestADiskThatRefusesTheProfileCostsNothing fills the place of the record's
// second writing.
func TestADiskThatRefusesTheProfileCostsNothing(t *testing.T) {
	h := newHome(t, simulator.Options{})
	p, _ := h.providers.Get(simulated)
	profile := p.Profile
	p.Profile = func(ctx context.Context, c Doer, token Token) (Identity, error) {
		for _, id := range vaulted(t, h) {
			if err := os.MkdirAll(filepath.Join(h.dir, "vault", id, "cred.tmp", "x"), 0o700); err != nil {
				t.Error(err)
			}
		}
		return profile(ctx, c, token)
	}
	a := h.addAccount(t, "ada", "work")
	if user, live := h.sim.Owner(h.token(t, a.ID).RefreshToken.Reveal()); user != "ada" || !live || a.Plan == "" {
		t.Errorf("the token is %q's, live %v, of the plan %q", user, live, a.Plan)
	}
	if unsaved := h.vault.Unsaved(); len(unsaved) != 0 {
		t.Errorf("only in memory: %v", unsaved)
	}
}

func TestAnIdentityThatOnlyTheProfileKnows(t *testing.T) {
	h := newHome(t, simulator.Options{})
	h.logins.pause = time.Millisecond
	p, _ := h.providers.Get(simulated)
	p.Identity = nil // as of a server whose token response says nothing
	ada := h.addAccount(t, "ada", "work")
	if ada.Identity == "" || ada.Email != "ada@example.org" {
		t.Errorf("the account is %+v", ada)
	}
	if got := h.signIn(t, "ada", ""); !got.Renewed || got.Account != ada.ID {
		t.Errorf("signing in again: %+v", got)
	}
	if ids := vaulted(t, h); !slices.Equal(ids, []string{string(ada.ID)}) {
		t.Errorf("the vault has %v", ids)
	}
	flow, err := h.logins.Start(t.Context(), simulated, LoginPaste, "work")
	if err != nil {
		t.Fatal(err)
	}
	if got := h.pasteFor(t, flow, "bob"); got.State != FlowFailed {
		t.Errorf("bob for ada: %+v", got)
	}
	if ids := vaulted(t, h); len(ids) != 1 {
		t.Errorf("the vault has %v", ids)
	}

	// Nobody says who it is: the login is kept as an account of its own.
	h.sim.Inject(simulator.Fault{Kind: simulator.ServerError, Path: simulator.PathProfile, Times: -1})
	if got := h.signIn(t, "bob", ""); got.State != FlowDone || got.Renewed {
		t.Errorf("bob, unknown: %+v", got)
	}
	flow, err = h.logins.Start(t.Context(), simulated, LoginPaste, "work")
	if err != nil {
		t.Fatal(err)
	}
	if got := h.pasteFor(t, flow, "ada"); got.State != FlowFailed || got.Failure != FailureTrouble {
		t.Errorf("somebody unknown for ada: %+v", got)
	}
	if len(h.registry.All()) != 2 || len(vaulted(t, h)) != 2 {
		t.Errorf("stored: %v, %v", h.registry.All(), vaulted(t, h))
	}
}

func TestTroubleAtTheExchange(t *testing.T) {
	for name, c := range map[string]struct {
		fault simulator.Fault
		state string // of the flow afterwards
	}{
		"500":        {simulator.Fault{Kind: simulator.ServerError}, FlowWaiting},
		"429":        {simulator.Fault{Kind: simulator.Throttle}, FlowWaiting},
		"lost":       {simulator.Fault{Kind: simulator.CutBefore}, FlowFailed},
		"captive":    {simulator.Fault{Kind: simulator.Captive}, FlowFailed},
		"garbage":    {simulator.Fault{Kind: simulator.Answer, Status: 200, Body: `{"access_token":"x`}, FlowFailed},
		"no bearer":  {simulator.Fault{Kind: simulator.Answer, Status: 200, Body: `{"access_token":"x","token_type":"mac"}`}, FlowFailed},
		"redirected": {simulator.Fault{Kind: simulator.Answer, Status: 307, Header: http.Header{"Location": {"http://127.0.0.1:1/"}}}, FlowWaiting},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t, simulator.Options{})
			c.fault.Path = simulator.PathToken
			h.sim.Inject(c.fault)
			got := h.signIn(t, "ada", "")
			if got.State != c.state || got.Problem == "" || got.Hint == "" {
				t.Errorf("the flow is %+v", got)
			}
			if len(h.registry.All()) != 0 || len(vaulted(t, h)) != 0 {
				t.Error("something was stored")
			}
		})
	}
}

func TestALoginWithoutKeySendsNothing(t *testing.T) {
	h := newHome(t, simulator.Options{})
	locked, err := vault.Open(vault.Options{Dir: filepath.Join(t.TempDir(), "vault"), Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer locked.Close()
	h.logins.o.Vault = locked
	flow, err := h.logins.Start(t.Context(), simulated, LoginPaste, "")
	if err != nil {
		t.Fatal(err)
	}
	code, state := h.authorize(t, flow, "ada")
	got, err := h.logins.Code(t.Context(), flow.ID, code+"#"+state)
	if err != nil || got.State != FlowWaiting || got.Problem == "" {
		t.Errorf("%+v, %v", got, err)
	}
	if got := h.sim.Counts().Total(simulator.PathToken); got != 0 {
		t.Error("the code was sent though its tokens could not be kept")
	}
	h.logins.o.Vault = h.vault
	if got, err = h.logins.Code(t.Context(), flow.ID, code+"#"+state); err != nil || got.State != FlowDone {
		t.Errorf("with the key: %+v, %v", got, err)
	}
}

func TestALoginThatCannotBeRegisteredIsNotLost(t *testing.T) {
	h := newHome(t, simulator.Options{})
	if err := os.MkdirAll(filepath.Join(h.dir, "accounts.json.tmp", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	got := h.signIn(t, "ada", "work")
	if got.State != FlowFailed || !strings.Contains(got.Problem, "in the vault") {
		t.Errorf("the flow is %+v", got)
	}
	ids := vaulted(t, h)
	if len(ids) != 1 {
		t.Fatalf("the vault has %v", ids)
	}
	record, err := h.vault.Read(ids[0])
	if err != nil || record.Label != "work" || record.Identity == "" || record.RefreshToken == "" {
		t.Errorf("the record is labelled %q, %v", record.Label, err)
	}
}

func TestTwoSignInsOfOnePersonAtOnceAreOneAccount(t *testing.T) {
	h := newHome(t, simulator.Options{})
	const at = 6
	done := make(chan LoginFlow, at)
	for range at {
		flow, err := h.logins.Start(t.Context(), simulated, LoginPaste, "")
		if err != nil {
			t.Fatal(err)
		}
		code, state := h.authorize(t, flow, "ada")
		go func() {
			flow, err := h.logins.Code(t.Context(), flow.ID, code+"#"+state)
			if err != nil {
				t.Error(err)
			}
			done <- flow
		}()
	}
	fresh := 0
	for range at {
		flow := <-done
		if flow.State != FlowDone {
			t.Errorf("a flow is %+v", flow)
		}
		if !flow.Renewed {
			fresh++
		}
	}
	if len(h.registry.All()) != 1 || len(vaulted(t, h)) != 1 || fresh != 1 {
		t.Errorf("there are %d accounts, %d records, %d new ones", len(h.registry.All()), len(vaulted(t, h)), fresh)
	}
	id := h.registry.All()[0].ID
	if user, live := h.sim.Owner(h.token(t, id).RefreshToken.Reveal()); user != "ada" || !live {
		t.Errorf("the refresh token is %q's, live %v", user, live)
	}
}

// TestC13_AnAccountThatIsRemovedStaysRemoved lets everything that can happen to
// an account happen at once.
func TestC13_AnAccountThatIsRemovedStaysRemoved(t *testing.T) {
	t.Parallel()
	h := newHome(t, simulator.Options{})
	bob := h.addAccount(t, "bob", "bob")
	for n := range 15 {
		a := h.addAccount(t, "ada", "ada")
		gen := h.token(t, a.ID).Generation
		flow, err := h.logins.Start(t.Context(), simulated, LoginPaste, "")
		if err != nil {
			t.Fatal(err)
		}
		code, state := h.authorize(t, flow, "ada")
		var wg sync.WaitGroup
		var login LoginFlow
		wg.Go(func() {
			if login, err = h.logins.Code(t.Context(), flow.ID, code+"#"+state); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { _, _ = h.renewer.Renew(t.Context(), a.ID, gen) }) // it may be gone
		wg.Go(func() { _ = h.registry.Rename(a.ID, "renamed") })
		wg.Go(func() {
			time.Sleep(time.Duration(n) * 2 * time.Millisecond) // another moment each round
			if err := h.vault.Remove(t.Context(), string(a.ID)); err != nil {
				t.Error(err)
			}
			if err := h.registry.Remove(a.ID); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if err := h.renewer.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := h.registry.Get(a.ID); !errors.Is(err, ErrNotFound) {
			t.Fatalf("round %d: the account is back: %v", n, err)
		}
		if login.State != FlowDone {
			t.Fatalf("round %d: the login is %+v", n, login)
		}
		want := []string{string(bob.ID)}
		if login.Account != a.ID { // it came too late for the old account, and is a new one
			want = append(want, string(login.Account))
			if user, live := h.sim.Owner(h.token(t, login.Account).RefreshToken.Reveal()); user != "ada" || !live {
				t.Errorf("round %d: the new account's token is %q's, live %v", n, user, live)
			}
		}
		slices.Sort(want)
		if got := vaulted(t, h); !slices.Equal(got, want) {
			t.Fatalf("round %d: the vault has %v, want %v", n, got, want)
		}
		if login.Account != a.ID {
			if err := errors.Join(h.vault.Remove(t.Context(), string(login.Account)), h.registry.Remove(login.Account)); err != nil {
				t.Fatal(err)
			}
		}
		if user, live := h.sim.Owner(h.token(t, bob.ID).RefreshToken.Reveal()); user != "bob" || !live {
			t.Fatalf("round %d: bob's token is %q's, live %v", n, user, live)
		}
	}
	h.checkClean(t)
}

// TestALoginThatAnotherProcessFindsInTheVault lets another process rebuild
// accounts.json while a login is in the vault and not registered yet.
func TestALoginThatAnotherProcessFindsInTheVault(t *testing.T) {
	h := newHome(t, simulator.Options{})
	p, _ := h.providers.Get(simulated)
	p.Identity = nil
	profile := p.Profile
	rebuilt := 0
	p.Profile = func(ctx context.Context, c Doer, token Token) (Identity, error) {
		records := map[ID]vault.Record{}
		for _, id := range vaulted(t, h) {
			record, err := h.vault.Read(id)
			if err != nil {
				t.Error(err)
			}
			records[ID(id)] = record
		}
		other := openRegistry(t, h.dir, nil)
		if err := other.Rebuild(records); err != nil {
			t.Error(err)
		}
		rebuilt = len(other.All())
		return profile(ctx, c, token)
	}
	a := h.addAccount(t, "ada", "work")
	if all := h.registry.All(); rebuilt != 1 || len(all) != 1 || all[0].Label != "work" || all[0].Email != "ada@example.org" || all[0].Identity == "" {
		t.Errorf("of %d rebuilt accounts there are %+v", rebuilt, all)
	}
	if got := h.signIn(t, "ada", ""); !got.Renewed || got.Account != a.ID {
		t.Errorf("signing in again: %+v", got)
	}
	if all := h.registry.All(); rebuilt != 2 || len(all) != 1 || all[0].ID != a.ID || len(vaulted(t, h)) != 1 {
		t.Errorf("of %d rebuilt accounts there are %+v, and %v in the vault", rebuilt, all, vaulted(t, h))
	}
}
