package accounts

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func TestALoginThroughABrowserIsItsAccounts(t *testing.T) {
	h := newHome(t, simulator.Options{})
	ada := h.addAccount(t, "ada", "work")
	before := h.token(t, ada.ID)
	if _, err := h.registry.Edit(ada.ID, func(a *Account) error {
		a.NeedsLogin, a.NeedsYou = LoginRevoked, "asks for the password"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	flow, err := h.logins.StartFor(t.Context(), ada.ID, LoginBrowser)
	if err != nil {
		t.Fatal(err)
	}
	if flow.For != ada.ID || flow.How != LoginBrowser || !slices.Contains(flow.Redirects, simulator.HostedCallback) || !slices.Contains(flow.Redirects, simulator.HostedCallbackOld) {
		t.Errorf("at its start the flow is %+v", flow)
	}
	got := h.pasteFor(t, flow, "bob")
	if got.State != FlowFailed || got.Failure != FailureIdentity || h.token(t, ada.ID) != before {
		t.Errorf("somebody else: %+v", got)
	}
	if a, err := h.registry.Get(ada.ID); err != nil || a.Browser != "" || a.NeedsYou == "" {
		t.Errorf("after somebody else the account is %+v, %v", a, err)
	}

	if flow, err = h.logins.StartFor(t.Context(), ada.ID, LoginBrowser); err != nil {
		t.Fatal(err)
	}
	if got := h.pasteFor(t, flow, "ada"); got.State != FlowDone || !got.Renewed || got.Account != ada.ID || got.Failure != FailureNone {
		t.Errorf("the right one: %+v", got)
	}
	if a, err := h.registry.Get(ada.ID); err != nil || a.Browser != BrowserReady || a.NeedsYou != "" || a.NeedsLogin != "" {
		t.Errorf("at the end the account is %+v, %v", a, err)
	}
	if _, err := h.logins.StartFor(t.Context(), "gone", LoginBrowser); !errors.Is(err, ErrNotFound) {
		t.Errorf("an account that is not there: %v", err)
	}
}

func TestPagesAreOnTheProvidersHosts(t *testing.T) {
	p := anthropic()
	if hosts := p.ConsentHosts(); !slices.Contains(hosts, "claude.ai") || slices.Contains(hosts, "accounts.google.com") {
		t.Errorf("consent on %v", hosts)
	}
	// Google's sign-in passes through YouTube's host, Microsoft's of a person through live.com.
	for _, host := range []string{"accounts.google.com", "accounts.youtube.com", "login.microsoftonline.com", "login.live.com"} {
		if !slices.Contains(p.SignInHosts(), host) || slices.Contains(p.ConsentHosts(), host) {
			t.Errorf("%s is a host of sign-in %v, of consent %v", host, p.SignInHosts(), p.ConsentHosts())
		}
	}
	set, err := NewSet(map[ProviderID]Settings{"anthropic": {AuthorizeURL: "http://127.0.0.1:1234/oauth/authorize", LoginHosts: []string{"sso.example.org", "sso.example.org:8443"}}})
	if err != nil {
		t.Fatal(err)
	}
	overridden, _ := set.Get("anthropic")
	if hosts := overridden.ConsentHosts(); !slices.Equal(hosts, []string{"127.0.0.1:1234"}) {
		t.Errorf("consent of an overridden endpoint on %v", hosts)
	}
	if hosts := overridden.SignInHosts(); !slices.Contains(hosts, "sso.example.org:8443") {
		t.Errorf("sign-in on %v", hosts)
	}
	for _, host := range []string{"https://sso.example.org", "SSO.example.org", "sso.example.org/path", "a b", "u@sso.example.org", ""} {
		if _, err := NewSet(map[ProviderID]Settings{"anthropic": {LoginHosts: []string{host}}}); err == nil {
			t.Errorf("%q was taken as a host", host)
		}
	}
}

func TestAFlowThatFailedSaysWhy(t *testing.T) {
	h := newHome(t, simulator.Options{})
	flow, err := h.logins.Start(t.Context(), simulated, LoginBrowser, "")
	if err != nil {
		t.Fatal(err)
	}
	h.logins.Fail(flow.ID, "the window was closed", "open it again", FailureTrouble)
	h.logins.Cancel(flow.ID) // too late to be the reason
	got, err := h.logins.Wait(t.Context(), flow.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.State != FlowFailed || got.Problem != "the window was closed" || got.Hint != "open it again" || got.Failure != FailureTrouble {
		t.Errorf("it ended as %+v", got)
	}
	h.logins.Fail("nobody", "", "", FailureTrouble) // no flow, no harm
}

func TestARedirectIsHandedOverWhole(t *testing.T) {
	h := newHome(t, simulator.Options{})
	flow, err := h.logins.Start(t.Context(), simulated, LoginBrowser, "")
	if err != nil {
		t.Fatal(err)
	}
	redirect, err := h.sim.Authorize(flow.URL, "ada")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.logins.Redirect(t.Context(), flow.ID, Secret(redirect)); err != nil {
		t.Fatal(err)
	}
	if got, err := h.logins.Flow(flow.ID); err != nil || got.State != FlowDone {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := h.logins.Flow("nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no flow: %v", err)
	}
}

// A server in trouble is no answer to the question (RFC 6749, section 4.1.2.1).
func TestARefusalForNowIsTrouble(t *testing.T) {
	h := newHome(t, simulator.Options{})
	for refusal, want := range map[string]Failure{
		"access_denied": FailureRefused, "invalid_scope": FailureRefused,
		"server_error": FailureTrouble, "temporarily_unavailable": FailureTrouble,
	} {
		flow, err := h.logins.Start(t.Context(), simulated, LoginBrowser, "")
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(flow.URL)
		if err != nil {
			t.Fatal(err)
		}
		back := flow.Redirects[0] + "?" + url.Values{"error": {refusal}, "state": {u.Query().Get("state")}}.Encode()
		got, err := h.logins.Redirect(t.Context(), flow.ID, Secret(back))
		if err != nil || got.Failure != want || !strings.Contains(got.Problem, refusal) {
			t.Errorf("%s: %+v, %v", refusal, got, err)
		}
	}
}
