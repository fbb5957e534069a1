package relogin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// folders are the names in the provider's folder, locks left out.
func (h *home) folders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(h.browsers(), string(simulated)))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), lockSuffix) || strings.HasPrefix(e.Name(), newPrefix) {
			names = append(names, e.Name())
		}
	}
	return names
}

// cookies are what the browser has left in the account's session.
func (h *home) cookies(t *testing.T, id accounts.ID) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(h.folder(id), dataName, "Cookies"))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestAWindowAddsAnAccount(t *testing.T) {
	h := newHome(t)
	begun, goOn := make(chan struct{}), make(chan struct{})
	h.driver.does(func(_ context.Context, v Visit) (accounts.Secret, error) {
		close(begun)
		<-goOn
		return h.driver.redirect(v, "ada")
	})
	box := h.bus.Subscribe(100, accounts.FlowChanged)
	defer box.Close()
	f, err := h.manager.Setup(t.Context(), Setup{Provider: simulated, Label: "work", Environ: []string{"DISPLAY=:7"}, TakeOver: true})
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	if f.How != accounts.LoginBrowser || f.For != "" || f.State != accounts.FlowWaiting {
		t.Errorf("at first the login is %+v", f)
	}
	if step, visible := h.manager.Step(f.ID); step != "at the consent page" || !visible {
		t.Errorf("the step is %q, %v", step, visible)
	}
	if events, _ := box.Drain(); len(events) < 2 {
		t.Errorf("announced: %v", events)
	}
	if v := h.driver.last(); !v.Visible || !v.TakeOver || len(v.Environ) != 1 || !strings.HasPrefix(filepath.Base(filepath.Dir(v.Profile)), newPrefix) {
		t.Errorf("the visit is %+v", v)
	}
	close(goOn)
	if f, err = h.logins.Wait(t.Context(), f.ID); err != nil || f.State != accounts.FlowDone || f.Renewed {
		t.Fatalf("at the end the login is %+v, %v", f, err)
	}
	s, err := h.manager.Session(t.Context(), f.Account) // at once
	if err != nil || s.State != accounts.BrowserReady || s.Profile != h.folder(f.Account) || s.Today != 0 || s.Running {
		t.Errorf("the session is %+v, %v", s, err)
	}
	if got := h.folders(t); len(got) != 1 || got[0] != string(f.Account) || h.cookies(t, f.Account) != "ada" {
		t.Errorf("the folders are %v", got)
	}
	if tagged, err := os.ReadFile(filepath.Join(h.folder(f.Account), tagName)); err != nil || !strings.HasPrefix(string(tagged), "Signature: 8a477f597d28d172789f06886806bc55") {
		t.Errorf("backups are not kept away: %q, %v", tagged, err)
	}
	h.driver.as("ada")
	h.needLogin(t, f.Account)
	if err := h.login(t, f.Account); err != nil {
		t.Error(err)
	}
	h.checkNoSecrets(t)
}

func TestAWindowForAnIdentityThatIsHereReplacesItsSession(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	if err := h.login(t, a.ID); err != nil { // counted
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.folder(a.ID), dataName, "old"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := h.setup(t, Setup{Provider: simulated})
	if f.State != accounts.FlowDone || !f.Renewed || f.Account != a.ID {
		t.Fatalf("the login is %+v", f)
	}
	if _, err := os.Lstat(filepath.Join(h.folder(a.ID), dataName, "old")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the old session is still there")
	}
	if got := h.folders(t); len(got) != 1 {
		t.Errorf("the folders are %v", got)
	}
	if s, _ := h.manager.Session(t.Context(), a.ID); s.Today != 1 {
		t.Errorf("the day's sign-ins are forgotten: %+v", s)
	}
}

func TestAWindowThatFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		what string
		hint string
		kind accounts.Failure
	}{
		{"closed", ErrWindowClosed, "the window was closed before the sign-in had ended", "open the window again", accounts.FailureGivenUp},
		{"closed, wrapped", errors.Join(errors.New("https://x/?code=c0de"), ErrWindowClosed), "the window was closed before the sign-in had ended", "open the window again", accounts.FailureGivenUp},
		{"late", ErrNotInTime, "the sign-in was not done in time", "try again", accounts.FailureExpired},
		{"no browser", &BrowserMissingError{Hint: "apt install chromium"}, "no browser was found", "apt install chromium", accounts.FailureTrouble},
		{"no such browser", &BrowserMissingError{Path: "/x"}, "there is no browser at /x", "", accounts.FailureTrouble},
		{"no display", &DisplayError{}, "there is no display to show a window on", "usual browser", accounts.FailureTrouble},
		{"in use", &InUseError{PID: 7}, "another browser (pid 7) uses the profile", "close that browser", accounts.FailureTrouble},
		{"in use elsewhere", &InUseError{Host: "box"}, `the browser profile is in use on another computer, "box", or was copied from there`, "taken over", accounts.FailureTrouble},
		{"profile", &ProfileError{Dir: "/d", Problem: "belongs to another user"}, "browser profile /d: belongs to another user", "permissions", accounts.FailureTrouble},
		{"profile with a hint", &ProfileError{Dir: "/d", Problem: "full", Hint: "make room"}, "browser profile /d: full", "make room", accounts.FailureTrouble},
		{"browser", &BrowserError{Problem: "ended by itself"}, "the browser ended by itself", "try again", accounts.FailureTrouble},
		{"network", &TroubleError{Words: "claude.ai cannot be reached", Hint: "look at the network"}, "claude.ai cannot be reached", "look at the network", accounts.FailureTrouble},
		{"page", &PageError{Words: "claude.ai shows an error"}, "claude.ai shows an error", "own window", accounts.FailureNeedsYou},
		{"unknown", errors.New("https://x/?code=c0de"), "the browser failed", "try again", accounts.FailureTrouble},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t)
			h.driver.fails(tt.err)
			f := h.setup(t, Setup{Provider: simulated})
			if f.State != accounts.FlowFailed || f.Problem != tt.what || !strings.Contains(f.Hint, tt.hint) || f.Failure != tt.kind || f.Account != "" {
				t.Errorf("the login is %+v", f)
			}
			if got := h.folders(t); len(got) != 0 || len(h.registry.All()) != 0 {
				t.Errorf("the folders are %v", got)
			}
		})
	}
}

func TestAWindowOfAnAccountWithoutASessionLeavesNothingWhenItFails(t *testing.T) {
	h := newHome(t)
	a := h.addAccount(t, "ada", "work")
	h.driver.fails(ErrWindowClosed)
	if f := h.setup(t, Setup{Account: a.ID}); f.For != a.ID || f.State != accounts.FlowFailed {
		t.Errorf("the login is %+v", f)
	}
	if got := h.folders(t); len(got) != 0 {
		t.Errorf("the folders are %v", got)
	}
	h.driver.as("bob")
	if f := h.setup(t, Setup{Account: a.ID}); f.Failure != accounts.FailureIdentity {
		t.Errorf("the login is %+v", f)
	}
	if got := h.account(t, a.ID); len(h.folders(t)) != 0 || got.Browser != "" || got.NeedsYou != "" {
		t.Errorf("the account is %+v", got)
	}
	h.driver.as("ada")
	if f := h.setup(t, Setup{Account: a.ID}); f.State != accounts.FlowDone || h.cookies(t, a.ID) != "ada" {
		t.Errorf("the login is %+v", f)
	}
}

func TestAWindowOfAnAccountWithASessionKeepsItWhenItFails(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	h.driver.fails(ErrWindowClosed)
	h.setup(t, Setup{Account: a.ID})
	s, err := h.manager.Session(t.Context(), a.ID)
	if err != nil || s.State != accounts.BrowserReady || s.LastResult != ErrWindowClosed.Error() || h.driver.last().Profile != filepath.Join(h.folder(a.ID), dataName) {
		t.Errorf("the session is %+v, %v", s, err)
	}
	h.driver.as("bob")
	h.setup(t, Setup{Account: a.ID})
	if s, err = h.manager.Session(t.Context(), a.ID); err != nil || s.State != accounts.BrowserLoginNeeded || s.Needs == "" {
		t.Errorf("with somebody else in it the session is %+v, %v", s, err)
	}
}

func TestAWindowByLabelIsItsAccounts(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	f := h.setup(t, Setup{Provider: simulated, Label: "work"})
	if f.For != a.ID || f.State != accounts.FlowDone || h.driver.last().Profile != filepath.Join(h.folder(a.ID), dataName) {
		t.Errorf("the login is %+v", f)
	}
}

func TestWhatIsKnownAtOnceComesAtOnce(t *testing.T) {
	h := newHome(t)
	if _, err := h.manager.Setup(t.Context(), Setup{Account: "gone"}); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("no account: %v", err)
	}
	if _, err := h.manager.Setup(t.Context(), Setup{Provider: "nobody"}); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("no provider: %v", err)
	}
	if _, err := h.manager.Setup(t.Context(), Setup{Provider: simulated, Label: "\x00"}); err == nil {
		t.Error("a label that is none was taken")
	}
	h.manager.o.Driver = checked{h.driver}
	if _, ok := errors.AsType[*DisplayError](second(h.manager.Setup(t.Context(), Setup{Provider: simulated}))); !ok {
		t.Error("a missing display is not told of")
	}
	for _, f := range h.logins.All() {
		t.Errorf("a login was begun: %+v", f)
	}
}

func second(_ accounts.LoginFlow, err error) error { return err }

type checked struct{ *fakeDriver }

func (checked) Check(v Visit) error {
	if !v.Visible {
		return nil
	}
	return &DisplayError{}
}

func TestAPersonComesFirst(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	hook, begun := untilEnded()
	h.driver.does(hook)
	result := make(chan error)
	go func() { result <- h.manager.Login(t.Context(), a.ID) }()
	<-begun
	h.driver.as("ada")
	if f := h.setup(t, Setup{Account: a.ID}); f.State != accounts.FlowDone {
		t.Errorf("the window's login is %+v", f)
	}
	if err := <-result; err != nil {
		t.Errorf("who waited is told %v, though the person has signed in", err)
	}
	if h.driver.most != 1 {
		t.Errorf("%d browsers at once", h.driver.most)
	}
	if s, _ := h.manager.Session(t.Context(), a.ID); s.State != accounts.BrowserReady || s.Needs != "" {
		t.Errorf("the session is %+v", s)
	}
}

func TestASecondWindowIsTheFirst(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	hook, begun := untilEnded()
	h.driver.does(hook)
	first, err := h.manager.Setup(t.Context(), Setup{Account: a.ID})
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	second, err := h.manager.Setup(t.Context(), Setup{Account: a.ID})
	if err != nil || second.ID != first.ID || h.driver.opened() != 1 {
		t.Errorf("the second is %+v, %v", second, err)
	}
	h.logins.Cancel(first.ID)
	if f, err := h.logins.Wait(t.Context(), first.ID); err != nil || f.Failure != accounts.FailureGivenUp {
		t.Errorf("it ended as %+v, %v", f, err)
	}
}

func TestCloseEndsAWindow(t *testing.T) {
	h := newHome(t)
	hook, begun := untilEnded()
	h.driver.does(hook)
	f, err := h.manager.Setup(t.Context(), Setup{Provider: simulated})
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	h.manager.Close()
	if f, err = h.logins.Flow(f.ID); err != nil || f.State != accounts.FlowFailed || f.Problem != ErrClosed.Error() {
		t.Errorf("the login is %+v, %v", f, err)
	}
	if got := h.folders(t); len(got) != 0 {
		t.Errorf("the folders are %v", got)
	}
}

func TestASessionThatFindsNoPlaceIsNotClaimed(t *testing.T) {
	h := newHome(t)
	a := h.addAccount(t, "ada", "work")
	h.manager.lockLimit = 10 * time.Millisecond
	h.driver.does(func(_ context.Context, v Visit) (accounts.Secret, error) {
		// Where its lock belongs, something is in the way.
		if err := os.Mkdir(h.folder(a.ID)+lockSuffix, 0o700); err != nil {
			t.Error(err)
		}
		return h.driver.redirect(v, "ada")
	})
	f := h.setup(t, Setup{Provider: simulated})
	if f.State != accounts.FlowDone || h.account(t, a.ID).NeedsLogin != "" {
		t.Errorf("the login is lost: %+v", f)
	}
	if _, err := h.manager.Session(t.Context(), a.ID); !errors.Is(err, ErrNoSession) {
		t.Errorf("a session is claimed: %v", err)
	}
	for _, name := range h.folders(t) {
		if strings.HasPrefix(name, newPrefix) {
			t.Errorf("%s stays behind", name)
		}
	}
}
