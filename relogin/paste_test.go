package relogin

import (
	"context"
	"errors"
	"testing"

	"github.com/oauthmux/oauthmux/accounts"
)

// A person who pastes needs no window, makes no session, and has the way free.
func TestAPersonPastesTheCode(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	opened := h.driver.opened()
	h.edit(t, a.ID, func(a *accounts.Account) {
		a.NeedsLogin, a.NeedsYou, a.Browser = accounts.LoginRevoked, "asks for the password", accounts.BrowserLoginNeeded
	})
	f, err := h.manager.Setup(t.Context(), Setup{Account: a.ID, Paste: true})
	if err != nil || f.How != accounts.LoginPaste || f.For != a.ID {
		t.Fatalf("the login is %+v, %v", f, err)
	}
	waitUntil(t, func() bool { step, visible := h.manager.Step(f.ID); return step == "waiting for the code" && !visible })

	waiting := make(chan error, 1)
	go func() { waiting <- h.manager.Login(t.Context(), a.ID) }() // it counts for who waits
	redirect, err := h.driver.sim.Authorize(f.URL, "ada")
	if err != nil {
		t.Fatal(err)
	}
	if f, err = h.logins.Code(t.Context(), f.ID, redirect); err != nil || f.State != accounts.FlowDone {
		t.Fatalf("pasted, the login is %+v, %v", f, err)
	}
	if err := <-waiting; err != nil {
		t.Errorf("who waited got %v", err)
	}
	if got := h.account(t, a.ID); got.NeedsLogin != "" || got.NeedsYou != "" {
		t.Errorf("the account is %+v", got)
	}
	if n := h.driver.opened(); n != opened {
		t.Errorf("%d browsers were started", n-opened)
	}
	h.checkNoSecrets(t)
}

func TestAPersonWhoPastesTakesOver(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	h.needLogin(t, a.ID)
	begun := make(chan struct{})
	h.driver.does(func(ctx context.Context, _ Visit) (accounts.Secret, error) {
		close(begun)
		<-ctx.Done()
		return "", context.Cause(ctx)
	})
	unattended := make(chan error, 1)
	go func() { unattended <- h.manager.Login(t.Context(), a.ID) }()
	<-begun
	f, err := h.manager.Setup(t.Context(), Setup{Account: a.ID, Paste: true})
	if err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { step, _ := h.manager.Step(f.ID); return step == "waiting for the code" })
	h.logins.Cancel(f.ID)
	if f, err = h.logins.Wait(t.Context(), f.ID); err != nil || f.Failure != accounts.FailureGivenUp {
		t.Errorf("given up, the login is %+v, %v", f, err)
	}
	if err := <-unattended; !errors.Is(err, ErrGivenUp) {
		t.Errorf("who waited got %v", err)
	}
}

// Who waits may hear of it only when all is over: what the sign-in gave way to
// counts, and no other one begins.
func TestWhoHearsLateOfATakeoverGetsWhatCameOfIt(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	opened := h.driver.opened()
	over := make(chan struct{})
	close(over)
	last := &job{kind: pasting, account: a.ID, done: over, err: ErrGivenUp}
	between := &job{kind: window, account: a.ID, done: over, err: errGivenWay, heir: last}
	h.manager.mu.Lock()
	h.manager.work[a.ID] = &job{account: a.ID, done: over, err: errGivenWay, heir: between}
	h.manager.mu.Unlock()
	if err := h.manager.Login(t.Context(), a.ID); !errors.Is(err, ErrGivenUp) {
		t.Errorf("who waited got %v", err)
	}
	if n := h.driver.opened(); n != opened {
		t.Errorf("%d more browsers were started", n-opened)
	}
	h.manager.mu.Lock()
	delete(h.manager.work, a.ID)
	h.manager.mu.Unlock()
}

func TestACodeThatCameAnotherWayEndsTheWindow(t *testing.T) {
	h := newHome(t)
	h.manager.o.Driver = Person{}
	f, err := h.manager.Setup(t.Context(), Setup{Provider: simulated})
	if err != nil {
		t.Fatal(err)
	}
	redirect, err := h.sim.Authorize(f.URL, "ada")
	if err != nil {
		t.Fatal(err)
	}
	if f, err = h.logins.Code(t.Context(), f.ID, redirect); err != nil || f.State != accounts.FlowDone {
		t.Fatalf("the login is %+v, %v", f, err)
	}
	if _, err := h.manager.Session(t.Context(), f.Account); !errors.Is(err, ErrNoSession) {
		t.Errorf("a session in which nobody has signed in is the account's: %v", err)
	}
	if h.manager.settle(t.Context()); !h.manager.idle() {
		t.Error("the window is still open")
	}
	if got := h.account(t, f.Account); got.Browser != "" || got.NeedsLogin != "" || len(h.folders(t)) != 0 {
		t.Errorf("the folders are %v, the account is %+v", h.folders(t), got)
	}
}

func TestACodeThatCameAnotherWaySaysNothingOfTheSession(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	h.edit(t, a.ID, func(a *accounts.Account) { a.Browser = accounts.BrowserLoginNeeded })
	h.manager.o.Driver = Person{}
	f, err := h.manager.Setup(t.Context(), Setup{Account: a.ID})
	if err != nil {
		t.Fatal(err)
	}
	redirect, err := h.sim.Authorize(f.URL, "ada")
	if err != nil {
		t.Fatal(err)
	}
	if f, err = h.logins.Code(t.Context(), f.ID, redirect); err != nil || f.State != accounts.FlowDone {
		t.Fatalf("the login is %+v, %v", f, err)
	}
	waitUntil(t, h.manager.idle)
	s, err := h.manager.Session(t.Context(), a.ID)
	if err != nil || s.State != accounts.BrowserLoginNeeded || s.LastResult != errByHand.Error() || s.Needs != "" {
		t.Errorf("the session is %+v, %v", s, err)
	}
}
