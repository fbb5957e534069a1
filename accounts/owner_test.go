package accounts

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// TestT20_ALoginThatIsNobodysIsNotBlamedOnSomebody has the profile endpoint fail
// for a moment, and then for good.
func TestT20_ALoginThatIsNobodysIsNotBlamedOnSomebody(t *testing.T) {
	h := newHome(t, simulator.Options{})
	h.logins.pause = time.Millisecond
	p, _ := h.providers.Get(simulated)
	p.Identity = nil // only the profile knows
	ada := h.addAccount(t, "ada", "work")
	for _, tt := range []struct {
		name    string
		fails   int
		asked   int
		state   string
		failure Failure
	}{
		{"for a moment", 2, 3, FlowDone, FailureNone},
		{"for good", -1, 3, FlowFailed, FailureTrouble},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, asked := h.token(t, ada.ID), h.sim.Counts().Total(simulator.PathProfile)
			h.sim.Inject(simulator.Fault{Kind: simulator.ServerError, Path: simulator.PathProfile, Times: tt.fails})
			defer h.sim.ClearFaults()
			flow, err := h.logins.StartFor(t.Context(), ada.ID, LoginBrowser)
			if err != nil {
				t.Fatal(err)
			}
			got := h.pasteFor(t, flow, "ada")
			if got.State != tt.state || got.Failure != tt.failure {
				t.Errorf("the flow is %+v", got)
			}
			if failed := got.State == FlowFailed; failed && (!strings.Contains(got.Problem, "could not be found out") || !strings.Contains(got.Problem, "nothing was stored") || got.Hint == "") {
				t.Errorf("it says %q, %q", got.Problem, got.Hint)
			}
			if n := h.sim.Counts().Total(simulator.PathProfile) - asked; n != tt.asked {
				t.Errorf("the profile was asked for %d times, want %d", n, tt.asked)
			}
			if now := h.token(t, ada.ID); (now == before) != (tt.state == FlowFailed) {
				t.Errorf("the token is of generation %d, and was of %d", now.Generation, before.Generation)
			}
			if len(h.registry.All()) != 1 || len(vaulted(t, h)) != 1 {
				t.Errorf("stored: %v, %v", h.registry.All(), vaulted(t, h))
			}
		})
	}
}

func TestAProviderThatSaysNothingIsNotAskedForEver(t *testing.T) {
	for name, tt := range map[string]struct {
		profile func(ctx context.Context) error
		asked   int
		takes   time.Duration
	}{
		"mute":            {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 2, identityLimit},
		"refuses":         {func(context.Context) error { return errNotObject }, identityTries, 3 * identityPause},
		"does not know":   {func(context.Context) error { return nil }, 1, 0},
		"cannot be asked": {nil, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				p := &Provider{}
				if tt.profile != nil {
					p.Profile = func(ctx context.Context, _ Doer, _ Token) (Identity, error) {
						asked++
						return Identity{}, tt.profile(ctx)
					}
				}
				l := NewLogins(LoginsOptions{Client: func(*Provider) Doer { return nil }, Log: slog.New(slog.DiscardHandler)})
				s := &signIn{l: l, p: p}
				began := time.Now()
				s.identify(t.Context())
				if took := time.Since(began); asked != tt.asked || took != tt.takes {
					t.Errorf("asked %d times in %v, want %d in %v", asked, took, tt.asked, tt.takes)
				}
			})
		})
	}
}

// TestT20_AnAccountWhoseIdentityIsNotKnownGetsItFromItsOwner has the account know
// an address, or nothing, and the login bring one, or none.
func TestT20_AnAccountWhoseIdentityIsNotKnownGetsItFromItsOwner(t *testing.T) {
	h := newHome(t, simulator.Options{})
	p, _ := h.providers.Get(simulated)
	identity := p.Identity
	p.Profile = nil
	a := h.addAccount(t, "ada", "work")
	for _, tt := range []struct {
		name       string
		account    string // its address
		user       string // who signs in
		login      string // the address that the login brings
		keyless    bool   // and no identity
		unattended bool
		failure    Failure
	}{
		{"the same address", "ADA@example.org", "ada", "ada@example.org", false, false, FailureNone},
		{"the same address, and nobody looks", "ADA@example.org", "ada", "ada@example.org", false, true, FailureNone},
		{"another address", "ada@example.org", "bob", "bob@example.org", false, false, FailureIdentity},
		{"another address, and nobody looks", "ada@example.org", "bob", "bob@example.org", false, true, FailureIdentity},
		{"no address of the login", "ada@example.org", "bob", "", false, false, FailureTrouble},
		{"no address of the login, and nobody looks", "ada@example.org", "bob", "", false, true, FailureNeedsYou},
		{"no address of the account", "", "ada", "ada@example.org", false, false, FailureNone},
		{"no address of the account, and nobody looks", "", "bob", "bob@example.org", false, true, FailureNeedsYou},
		{"no address at all", "", "ada", "", false, false, FailureNone},
		{"no address at all, and nobody looks", "", "bob", "", false, true, FailureNeedsYou},
		{"nothing at all", "", "ada", "", true, false, FailureNone},
		{"nothing at all, and nobody looks", "", "bob", "", true, true, FailureNeedsYou},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := h.registry.Edit(a.ID, func(a *Account) error { a.Identity, a.Email = "", tt.account; return nil }); err != nil {
				t.Fatal(err)
			}
			p.Identity = func(raw []byte) Identity {
				who := Identity{Key: identity(raw).Key, Email: tt.login}
				if tt.keyless {
					who.Key = ""
				}
				return who
			}
			before := h.token(t, a.ID)
			start := func() (LoginFlow, error) { return h.logins.StartFor(t.Context(), a.ID, LoginBrowser) }
			if tt.unattended {
				start = func() (LoginFlow, error) { return h.logins.StartUnattended(t.Context(), a.ID) }
			}
			flow, err := start()
			if err != nil {
				t.Fatal(err)
			}
			if flow.How != LoginBrowser || flow.For != a.ID {
				t.Errorf("at its start the flow is %+v", flow)
			}
			got := h.pasteFor(t, flow, tt.user)
			if got.Failure != tt.failure || got.State != FlowDone && got.State != FlowFailed || (got.State == FlowDone) != (tt.failure == FailureNone) {
				t.Errorf("the flow is %+v", got)
			}
			if got.State == FlowFailed && (!strings.Contains(got.Problem, "nothing was stored") || got.Hint == "") {
				t.Errorf("it says %q, %q", got.Problem, got.Hint)
			}
			now, err := h.registry.Get(a.ID)
			if err != nil {
				t.Fatal(err)
			}
			if stored := h.token(t, a.ID) != before; stored != (tt.failure == FailureNone) || !stored && now.Identity != "" || len(h.registry.All()) != 1 || len(vaulted(t, h)) != 1 {
				t.Errorf("the account is %+v, its token is new: %v", now, stored)
			}
		})
	}
	if _, err := h.logins.StartUnattended(t.Context(), "gone"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an account that is not there: %v", err)
	}
}
