package relogin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func TestASignInWithoutAPerson(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	if err := h.login(t, a.ID); err != nil {
		t.Fatal(err)
	}
	got := h.account(t, a.ID)
	if got.NeedsLogin != "" || got.Browser != accounts.BrowserReady || !got.LoggedInAt.After(a.LoggedInAt) {
		t.Errorf("afterwards the account is %+v", got)
	}
	v := h.driver.last()
	p, _ := h.providers.Get(simulated)
	if v.Visible || v.Profile != filepath.Join(h.folder(a.ID), dataName) || !slices.Contains(v.Redirects, simulator.HostedCallback) ||
		!slices.Equal(v.Hosts, p.SignInHosts()) || !slices.Equal(v.Consent, p.ConsentHosts()) || len(v.Recipes) == 0 {
		t.Errorf("the visit was %+v", v)
	}
	s, err := h.manager.Session(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if s.Today != 1 || s.Budget != 4 || s.Size <= 0 || s.LastUsed.IsZero() || s.LastResult == "" || s.Needs != "" || s.Running || s.State != accounts.BrowserReady {
		t.Errorf("the session is %+v", s)
	}
	if len(h.entries(accounts.EntryLoginBegun)) != 1 {
		t.Errorf("the journal says %v", h.journal.Since(0))
	}
	h.checkNoSecrets(t)
}

func TestFiftyWhoAskGetOneBrowser(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	asking := make(chan struct{})
	h.driver.does(func(_ context.Context, v Visit) (accounts.Secret, error) {
		<-asking
		return h.driver.redirect(v, "ada")
	})
	var all sync.WaitGroup
	errs := make(chan error, 51)
	for i := range 50 {
		all.Go(func() {
			if i%10 == 0 {
				errs <- h.manager.LoginNow(t.Context(), a.ID)
				return
			}
			errs <- h.manager.Login(t.Context(), a.ID)
		})
	}
	impatient, cancel := context.WithCancel(t.Context())
	waitUntil(t, func() bool { return h.driver.opened() == 1 })
	all.Go(func() { errs <- nil; cancel() })
	if err := h.manager.Login(impatient, a.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("who does not wait is told %v", err)
	}
	waitUntil(t, func() bool { return waiting() == 50 }) // all of them are there
	close(asking)
	all.Wait()
	for range 51 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if h.driver.opened() != 1 {
		t.Errorf("%d browsers were started", h.driver.opened())
	}
}

// waiting is how many callers wait for a sign-in. Who came after its end would be
// right to begin another one.
func waiting() int {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return len(regexp.MustCompile(`(?m)^goroutine \d+ \[select[^\]]*\]:\n\S*relogin\.\(\*Manager\)\.login\(`).FindAll(stacks, -1))
}

func TestTwoProcessesStartOneBrowser(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	other := h.another(t)
	slow := func(d *fakeDriver) {
		d.does(func(_ context.Context, v Visit) (accounts.Secret, error) {
			time.Sleep(200 * time.Millisecond) // so long that the other one comes
			return d.redirect(v, "ada")
		})
	}
	slow(h.driver)
	slow(other.driver)
	var both sync.WaitGroup
	for _, m := range []*Manager{h.manager, other.manager} {
		both.Go(func() {
			if err := m.Login(t.Context(), a.ID); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if n := h.driver.opened() + other.driver.opened(); n != 1 {
		t.Errorf("%d browsers were started", n)
	}
	if other.account(t, a.ID).NeedsLogin != "" {
		t.Error("the other process has not heard of the login")
	}
}

func TestAClockThatWasSetBackStartsNoSecondBrowser(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	held, err := profile{h.folder(a.ID)}.acquire(t.Context(), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error)
	go func() { result <- h.manager.Login(t.Context(), a.ID) }()
	waitUntil(t, func() bool { j := h.manager.current(a.ID); return j != nil && h.step(j) != "" })
	h.edit(t, a.ID, func(a *accounts.Account) { a.LoggedInAt, a.NeedsLogin = a.LoggedInAt.Add(-time.Hour), "" })
	held.release()
	if err := <-result; err != nil || h.driver.opened() != 0 {
		t.Errorf("%v, %d browsers", err, h.driver.opened())
	}
}

// step is what happens now in a job.
func (h *home) step(j *job) string {
	h.manager.mu.Lock()
	defer h.manager.mu.Unlock()
	return j.step
}

func TestTheBudgetOutlivesAProcess(t *testing.T) {
	h := newHome(t)
	h.settings.DailyBudget = 2
	a := h.addSession(t, "ada", "work")
	for range 2 {
		if err := h.login(t, a.ID); err != nil {
			t.Fatal(err)
		}
		h.restart(t)
	}
	wait, ok := errors.AsType[*WaitError](h.login(t, a.ID))
	if !ok || wait.NeedsYou || !wait.Until.Equal(midnight(time.Now())) || !strings.Contains(wait.Words, "2 sign-ins") || h.driver.opened() != 2 {
		t.Errorf("the third one: %+v, %d browsers", wait, h.driver.opened())
	}
	if err := h.manager.LoginNow(t.Context(), a.ID); err != nil {
		t.Errorf("a person's own: %v", err)
	}
	if s, _ := h.manager.Session(t.Context(), a.ID); s.Today != 3 {
		t.Errorf("%d are counted", s.Today)
	}
	h.settings.DailyBudget = 0
	if _, ok := errors.AsType[*WaitError](h.login(t, a.ID)); !ok {
		t.Error("a budget of none was not respected")
	}
}

func TestWithoutASessionNothingIsStarted(t *testing.T) {
	h := newHome(t)
	a := h.addAccount(t, "ada", "work")
	if err := h.login(t, a.ID); !errors.Is(err, ErrNoSession) {
		t.Errorf("got %v", err)
	}
	if err := h.manager.LoginNow(t.Context(), a.ID); !errors.Is(err, ErrNoSession) {
		t.Errorf("got %v", err)
	}
	if err := h.login(t, "gone"); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := h.manager.Session(t.Context(), a.ID); !errors.Is(err, ErrNoSession) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(h.folder(a.ID))); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestALoginThatCouldNotBeStoredIsNotBegun(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	locked := errors.New("the key is locked")
	h.manager.o.Ready = func(context.Context) error { return locked }
	if err := h.login(t, a.ID); !errors.Is(err, locked) {
		t.Errorf("got %v", err)
	}
	if _, err := h.manager.Setup(t.Context(), Setup{Account: a.ID}); !errors.Is(err, locked) {
		t.Errorf("a window: %v", err)
	}
	if got := h.account(t, a.ID); h.driver.opened() != 0 || got.NeedsYou != "" {
		t.Errorf("%d browsers, %+v", h.driver.opened(), got)
	}
}

func TestAPageThatNeedsAPersonStopsTheBrowsersUntilOneHasBeenThere(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	h.driver.fails(&PageError{Kind: accounts.PageSignIn, Words: "claude.ai asks for the password", Screenshot: []byte("png")})
	if _, ok := errors.AsType[*PageError](h.login(t, a.ID)); !ok {
		t.Fatal("the page is not told of")
	}
	got := h.account(t, a.ID)
	if got.NeedsYou != "claude.ai asks for the password" || got.Browser != accounts.BrowserLoginNeeded || got.NeedsLogin == "" {
		t.Errorf("the account is %+v", got)
	}
	if e := h.entries(accounts.EntryNeedsYou); len(e) != 1 || e[0].Evidence != got.NeedsYou || e[0].Account != a.ID {
		t.Errorf("the journal says %v", e)
	}
	s, _ := h.manager.Session(t.Context(), a.ID)
	if raw, err := os.ReadFile(s.Screenshot); err != nil || string(raw) != "png" || s.Needs != got.NeedsYou {
		t.Errorf("the session is %+v, the picture %q, %v", s, raw, err)
	}
	for range 3 {
		wait, ok := errors.AsType[*WaitError](h.login(t, a.ID))
		if !ok || !wait.NeedsYou || !wait.Until.IsZero() || wait.Words != got.NeedsYou {
			t.Errorf("asked again: %+v", wait)
		}
	}
	h.manager.round(t.Context())
	if h.driver.opened() != 1 {
		t.Errorf("%d browsers were started", h.driver.opened())
	}
	if _, ok := errors.AsType[*PageError](h.manager.LoginNow(t.Context(), a.ID)); !ok || h.driver.opened() != 2 {
		t.Error("a person who asks does not get a browser")
	}

	h.driver.as("ada")
	if f := h.setup(t, Setup{Account: a.ID}); f.State != accounts.FlowDone {
		t.Fatalf("the window: %+v", f)
	}
	got = h.account(t, a.ID)
	if s, _ = h.manager.Session(t.Context(), a.ID); got.NeedsYou != "" || got.Browser != accounts.BrowserReady || s.Screenshot != "" {
		t.Errorf("after the window: %+v, %+v", got, s)
	}
	h.needLogin(t, a.ID)
	if err := h.login(t, a.ID); err != nil {
		t.Errorf("after the window: %v", err)
	}
}

func TestSomebodyElseInTheProfileStoresNothing(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	before, err := h.vault.Read(string(a.ID))
	if err != nil {
		t.Fatal(err)
	}
	h.driver.as("bob")
	if _, ok := errors.AsType[*IdentityError](h.login(t, a.ID)); !ok {
		t.Fatal("nobody noticed")
	}
	after, err := h.vault.Read(string(a.ID))
	if err != nil {
		t.Fatal(err)
	}
	got := h.account(t, a.ID)
	if after.Generation != before.Generation || len(h.registry.All()) != 1 || got.NeedsYou == "" || got.NeedsLogin == "" || !got.LoggedInAt.Equal(a.LoggedInAt) {
		t.Errorf("generation %d, before %d; %+v", after.Generation, before.Generation, got)
	}
	if _, ok := errors.AsType[*WaitError](h.login(t, a.ID)); !ok || h.driver.opened() != 1 {
		t.Error("it is tried again")
	}
}

func TestAProviderThatSaysNoNeedsAPerson(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	h.sim.Deny("ada", true)
	refused, ok := errors.AsType[*RefusedError](h.login(t, a.ID))
	if !ok || !strings.Contains(refused.Words, "access_denied") {
		t.Errorf("got %v", refused)
	}
	if got := h.account(t, a.ID); got.NeedsYou == "" || got.Browser != accounts.BrowserLoginNeeded {
		t.Errorf("the account is %+v", got)
	}
	if f := h.logins.All(); len(f) == 0 || f[len(f)-1].State != accounts.FlowFailed {
		t.Errorf("the login goes on: %+v", f)
	}
}

func TestTroubleRestsAndCallsNobody(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	h.sim.Inject(simulator.Fault{Kind: simulator.ServerError, Path: simulator.PathToken})
	trouble, ok := errors.AsType[*TroubleError](h.login(t, a.ID))
	if !ok {
		t.Fatalf("got %v", trouble)
	}
	got := h.account(t, a.ID)
	if got.NeedsYou != "" || got.Browser != accounts.BrowserLoginNeeded {
		t.Errorf("the account is %+v", got)
	}
	wait, ok := errors.AsType[*WaitError](h.login(t, a.ID))
	if until := time.Until(wait.Until); !ok || until <= 0 || until > time.Minute || h.driver.opened() != 1 {
		t.Errorf("asked again: %+v", wait)
	}
	if e := h.entries(accounts.EntryLoginFailed); len(e) != 1 || e[0].Evidence == "" {
		t.Errorf("the journal says %v", e)
	}
	h.restart(t)
	if _, ok := errors.AsType[*WaitError](h.login(t, a.ID)); !ok {
		t.Error("a restart forgot the rest")
	}
	h.sim.ClearFaults()
	if err := h.manager.LoginNow(t.Context(), a.ID); err != nil {
		t.Errorf("a person's own: %v", err)
	}
	h.needLogin(t, a.ID)
	if err := h.login(t, a.ID); err != nil {
		t.Errorf("after a success: %v", err)
	}
}

func TestABrowserThatDidNotStartIsNotCounted(t *testing.T) {
	for _, tt := range []struct {
		err   error
		today int
	}{
		{&BrowserMissingError{Hint: "install one"}, 0},
		{&InUseError{PID: 7}, 0},
		{&ProfileError{Dir: "/d", Problem: "no space left on device"}, 0},
		{&BrowserError{Problem: "ended by itself"}, 1},
		{errors.New("net/http: something with ?code=secret in it"), 1},
	} {
		t.Run(tt.err.Error(), func(t *testing.T) {
			h := newHome(t)
			a := h.addSession(t, "ada", "work")
			h.driver.fails(tt.err)
			err := h.login(t, a.ID)
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v", err)
			}
			s, _ := h.manager.Session(t.Context(), a.ID)
			if s.Today != tt.today || s.State != accounts.BrowserLoginNeeded || s.Needs != "" || strings.Contains(s.LastResult, "secret") {
				t.Errorf("the session is %+v", s)
			}
			if _, ok := errors.AsType[*WaitError](h.login(t, a.ID)); !ok {
				t.Error("it does not rest")
			}
		})
	}
}

func TestABrowserThatStartedIsCounted(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	h.driver.does(func(_ context.Context, v Visit) (accounts.Secret, error) {
		v.Started()
		return "", &InUseError{PID: 7}
	})
	if _, ok := errors.AsType[*InUseError](h.login(t, a.ID)); !ok {
		t.Error("it is not told of")
	}
	if s, _ := h.manager.Session(t.Context(), a.ID); s.Today != 1 {
		t.Errorf("%d are counted", s.Today)
	}
}

func TestAProfileOfAnotherComputerNeedsAPerson(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	used := &InUseError{Host: "attic"}
	h.driver.fails(used)
	if err := h.login(t, a.ID); !errors.Is(err, used) {
		t.Errorf("got %v", err)
	}
	if got := h.account(t, a.ID); got.NeedsYou != used.Error() || got.Browser != accounts.BrowserLoginNeeded {
		t.Errorf("the account is %+v", got)
	}
	if wait, ok := errors.AsType[*WaitError](h.login(t, a.ID)); !ok || !wait.NeedsYou {
		t.Errorf("asked again: %v", wait)
	}
}

// Whom nobody knows yet is adopted by no sign-in without a person (SAFETY T20).
func TestAnAccountOfNobodyKnownCallsItsPerson(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	h.needLogin(t, a.ID)
	h.edit(t, a.ID, func(a *accounts.Account) { a.Identity, a.Email = "", "" })
	h.driver.as("bob")
	if _, ok := errors.AsType[*PageError](h.login(t, a.ID)); !ok {
		t.Error("bob was taken for the account's owner")
	}
	if got := h.account(t, a.ID); got.NeedsYou == "" || got.Identity != "" || got.NeedsLogin == "" {
		t.Errorf("the account is %+v", got)
	}
}
