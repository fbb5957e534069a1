package accounts

import (
	"context"
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func TestALoginByPasting(t *testing.T) {
	h := newHome(t, simulator.Options{})
	box := h.bus.Subscribe(50)
	defer box.Close()
	flow, err := h.logins.Start(t.Context(), simulated, LoginPaste, "")
	if err != nil {
		t.Fatal(err)
	}
	if flow.State != FlowWaiting || flow.How != LoginPaste || time.Until(flow.Ends) > loginLimit || time.Until(flow.Ends) < loginLimit-time.Minute {
		t.Errorf("at its start the flow is %+v", flow)
	}
	done := h.pasteFor(t, flow, "ada")
	if done.State != FlowDone || done.Renewed || done.Problem != "" {
		t.Fatalf("at its end the flow is %+v", done)
	}
	waited, err := h.logins.Wait(t.Context(), flow.ID)
	if err != nil || !reflect.DeepEqual(waited, done) {
		t.Errorf("Wait says %+v, %v", waited, err)
	}
	a, err := h.registry.Get(done.Account)
	if err != nil {
		t.Fatal(err)
	}
	if a.Email != "ada@example.org" || a.Label != "ada@example.org" || a.Plan == "" || a.Identity == "" || a.NeedsLogin != "" || time.Since(a.LoggedInAt) > time.Minute {
		t.Errorf("the account is %+v", a)
	}
	token := h.token(t, a.ID)
	if user, live := h.sim.Owner(token.AccessToken.Reveal()); user != "ada" || !live || token.Generation == 0 {
		t.Errorf("the token is %q's, live %v, of generation %d", user, live, token.Generation)
	}
	if events, _ := box.Drain(); !slices.Contains(events, Event{Kind: TokenChanged, Account: a.ID}) || !slices.Contains(events, Event{Kind: FlowChanged}) {
		t.Errorf("announced: %v", events)
	}
	if got := h.entries(EntryLogin); len(got) != 1 || got[0].Account != a.ID {
		t.Errorf("the journal says %v", got)
	}
	if after, err := h.logins.Code(t.Context(), flow.ID, "code#state"); err != nil || after.State != FlowDone {
		t.Errorf("a paste after the end: %+v, %v", after, err)
	}
	h.checkClean(t)
}

func vaulted(t *testing.T, h *home) []string {
	t.Helper()
	ids, err := h.vault.IDs()
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// authorize returns what the page of a user shows.
func (h *home) authorize(t *testing.T, flow LoginFlow, user string) (code, state string) {
	t.Helper()
	redirect, err := h.sim.Authorize(flow.URL, user)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(redirect)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("code"), u.Query().Get("state")
}

func TestALabelThatIsTaken(t *testing.T) {
	h := newHome(t, simulator.Options{})
	ada := h.addAccount(t, "ada", "work")
	if _, err := h.registry.Add(Account{Provider: "elsewhere", Label: "other"}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.logins.Start(t.Context(), simulated, LoginPaste, "other"); !isDuplicate(err) {
		t.Errorf("a label of another provider's account: %v", err)
	}
	if _, err := h.logins.Start(t.Context(), simulated, LoginPaste, "-x"); err == nil {
		t.Error("a label that is a flag was taken")
	}
	if got := h.signIn(t, "bob", "WORK"); got.State != FlowFailed || !strings.Contains(got.Problem, "label") || !strings.Contains(got.Problem, "nothing was stored") {
		t.Errorf("bob as ada's label: %+v", got)
	}
	if len(vaulted(t, h)) != 1 {
		t.Error("something was stored")
	}
	if got := h.signIn(t, "ada", "Work"); got.State != FlowDone || got.Account != ada.ID {
		t.Errorf("ada as her own label: %+v", got)
	}
	if got := h.signIn(t, "ada", "play"); got.State != FlowDone || got.Account != ada.ID {
		t.Errorf("ada with another label: %+v", got)
	}
	if a, _ := h.registry.Get(ada.ID); a.Label != "play" {
		t.Errorf("the label is %q", a.Label)
	}
}

func TestALabelThatIsAnAccountsEmail(t *testing.T) {
	h := newHome(t, simulator.Options{})
	ada := h.addAccount(t, "ada", "work")
	if got := h.signIn(t, "bob", "ada@example.org"); got.State != FlowFailed || len(vaulted(t, h)) != 1 {
		t.Errorf("bob as ada's e-mail: %+v", got)
	}
	if got := h.signIn(t, "ada", "ADA@example.org"); got.State != FlowDone || got.Account != ada.ID {
		t.Errorf("ada as her own e-mail: %+v", got)
	}
	if a, _ := h.registry.Get(ada.ID); a.Label != "ADA@example.org" {
		t.Errorf("the label is %q", a.Label)
	}
	for _, email := range []string{"two@x.example", "two@x.example"} {
		if _, err := h.registry.Add(Account{Provider: simulated, Email: email, Org: "One"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.registry.Edit(h.registry.All()[1].ID, func(a *Account) error { a.Label = "second"; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := h.logins.Start(t.Context(), simulated, LoginPaste, "two@x.example"); !isDuplicate(err) {
		t.Errorf("the e-mail of two accounts: %v", err)
	}
}

func isDuplicate(err error) bool {
	_, ok := errors.AsType[*DuplicateLabelError](err)
	return ok
}

func TestStartRefusals(t *testing.T) {
	h := newHome(t, simulator.Options{})
	if _, err := h.logins.Start(t.Context(), "nobody", LoginPaste, ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown provider: %v", err)
	}
	if _, err := h.logins.Start(t.Context(), simulated, "carrier pigeon", ""); err == nil {
		t.Error("an unknown way was taken")
	}
	p, _ := h.providers.Get(simulated)
	p.OAuth.RedirectURL, p.OAuth.LoopbackHost = "", ""
	for _, how := range []string{LoginPaste, LoginLoopback} {
		if _, err := h.logins.Start(t.Context(), simulated, how, ""); err == nil {
			t.Errorf("%s at a provider that has none", how)
		}
	}
	p.Terms = "new terms"
	h.logins.o.Registry = openRegistry(t, t.TempDir(), nil)
	if _, err := h.logins.Start(t.Context(), simulated, LoginPaste, ""); !errors.Is(err, ErrTermsNotAccepted) {
		t.Errorf("without the terms: %v", err)
	}
}

func TestCancelAndClose(t *testing.T) {
	h := newHome(t, simulator.Options{})
	var flows []LoginFlow
	for _, how := range []string{LoginPaste, LoginLoopback, LoginLoopback} {
		flow, err := h.logins.Start(t.Context(), simulated, how, "")
		if err != nil {
			t.Fatal(err)
		}
		flows = append(flows, flow)
	}
	h.logins.Cancel(flows[0].ID)
	h.logins.Cancel(flows[0].ID)
	h.logins.Cancel("no such flow")
	if got, err := h.logins.Wait(t.Context(), flows[0].ID); err != nil || got.State != FlowFailed || got.Problem == "" {
		t.Errorf("a cancelled flow: %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := h.logins.Wait(ctx, flows[1].ID); !errors.Is(err, context.Canceled) || got.State != FlowWaiting {
		t.Errorf("a wait that was given up: %+v, %v", got, err)
	}
	if got := h.logins.All(); len(got) != 3 {
		t.Errorf("there are %d flows", len(got))
	}
	h.logins.Close()
	for _, flow := range h.logins.All() {
		if flow.State != FlowFailed {
			t.Errorf("after Close: %+v", flow)
		}
	}
	if _, err := h.logins.Start(t.Context(), simulated, LoginLoopback, ""); err == nil {
		t.Error("a login began after Close")
	}
}
