package relogin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

func TestAPanicCostsOneSignIn(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	h.driver.does(func(context.Context, Visit) (accounts.Secret, error) {
		panic(fmt.Errorf("at https://x/?code=%s", "c0de"))
	})
	if _, ok := errors.AsType[*BrowserError](h.login(t, a.ID)); !ok {
		t.Error("the panic is not told of")
	}
	if logged := h.logged.String(); !strings.Contains(logged, "wrapError") && !strings.Contains(logged, "errorString") || strings.Contains(logged, "c0de") {
		t.Errorf("logged: %s", logged)
	}
	h.driver.as("ada")
	if err := h.manager.LoginNow(t.Context(), a.ID); err != nil {
		t.Errorf("the next one: %v", err)
	}
	h.manager.o.Settings = func(accounts.ProviderID) Settings { panic("?code=c0de") } // anywhere else
	if err := h.manager.LoginNow(t.Context(), a.ID); !errors.Is(err, errInternal) || strings.Contains(h.logged.String(), "c0de") {
		t.Errorf("got %v, logged %s", err, h.logged)
	}
	for _, f := range h.logins.All() {
		if f.State == accounts.FlowWaiting {
			t.Errorf("a login is left waiting: %+v", f)
		}
	}
}

func TestTheLoginsEndEndsTheBrowser(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	hook, begun := untilEnded()
	h.driver.does(hook)
	result := make(chan error)
	go func() { result <- h.manager.Login(t.Context(), a.ID) }()
	<-begun
	flow := h.running(t)
	if step, visible := h.manager.Step(flow.ID); step != "at the consent page" || visible {
		t.Errorf("the step is %q, %v", step, visible)
	}
	if s, _ := h.manager.Session(t.Context(), a.ID); !s.Running {
		t.Error("nothing is said to run")
	}
	h.logins.Cancel(flow.ID)
	if err := <-result; !errors.Is(err, ErrGivenUp) {
		t.Errorf("got %v", err)
	}
	if step, _ := h.manager.Step(flow.ID); step != "" {
		t.Errorf("the step is %q afterwards", step)
	}
	if got := h.account(t, a.ID); got.NeedsYou != "" || got.Browser != accounts.BrowserReady {
		t.Errorf("the account is %+v", got)
	}
	if e := h.entries(accounts.EntryLoginFailed); len(e) != 0 {
		t.Errorf("the journal says %v", e)
	}
	if e := h.entries(accounts.EntryNotice); len(e) != 1 || e[0].Account != a.ID || !strings.HasSuffix(e[0].Evidence, ErrGivenUp.Error()) {
		t.Errorf("the journal says %v", e)
	}
	h.driver.as("ada")
	if err := h.login(t, a.ID); err != nil {
		t.Errorf("it rests: %v", err)
	}
}

// running returns the one login under way.
func (h *home) running(t *testing.T) accounts.LoginFlow {
	t.Helper()
	for _, f := range h.logins.All() {
		if f.State == accounts.FlowWaiting {
			return f
		}
	}
	t.Fatal("no login is under way")
	return accounts.LoginFlow{}
}

func TestASignInHasAMinute(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	h.manager.visitLimit = 20 * time.Millisecond
	hook, _ := untilEnded()
	h.driver.does(hook)
	if err := h.login(t, a.ID); !errors.Is(err, ErrNotInTime) {
		t.Errorf("got %v", err)
	}
	if f := h.logins.All(); f[len(f)-1].Problem != ErrNotInTime.Error() || f[len(f)-1].Failure != accounts.FailureExpired {
		t.Errorf("the login ended as %+v", f)
	}
	h.driver.does(func(ctx context.Context, _ Visit) (accounts.Secret, error) {
		<-ctx.Done()
		return "", &PageError{Kind: accounts.PageUnknown, Words: "claude.ai shows nothing"}
	})
	if _, ok := errors.AsType[*PageError](h.manager.LoginNow(t.Context(), a.ID)); !ok {
		t.Error("what was on the page is lost")
	}
}

func TestCloseEndsBrowsersAndWaitsForThem(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	begun, ended := make(chan struct{}), make(chan struct{})
	h.driver.does(func(ctx context.Context, _ Visit) (accounts.Secret, error) {
		close(begun)
		<-ctx.Done()
		time.Sleep(50 * time.Millisecond) // until its cookies are on the disk
		close(ended)
		return "", &PageError{Kind: accounts.PageUnknown, Words: "half a page"}
	})
	result := make(chan error)
	go func() { result <- h.manager.Login(t.Context(), a.ID) }()
	<-begun
	h.manager.Close()
	select {
	case <-ended:
	default:
		t.Error("the browser still runs")
	}
	if err := <-result; !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if got := h.account(t, a.ID); got.NeedsYou != "" {
		t.Errorf("a page that was cut short counts: %+v", got)
	}
	if err := h.login(t, a.ID); !errors.Is(err, ErrClosed) {
		t.Errorf("afterwards: %v", err)
	}
	if _, err := h.manager.Setup(t.Context(), Setup{Account: a.ID}); !errors.Is(err, ErrClosed) {
		t.Errorf("a window afterwards: %v", err)
	}
	if err := h.manager.Remove(t.Context(), a.ID); !errors.Is(err, ErrClosed) {
		t.Errorf("a removal afterwards: %v", err)
	}
	h.manager.Close()
}
