package relogin

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

func TestAWindowWaitsForAnotherProcess(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	other := h.another(t)
	begun, goOn := make(chan struct{}), make(chan struct{})
	other.driver.does(func(_ context.Context, v Visit) (accounts.Secret, error) {
		close(begun)
		<-goOn
		return other.driver.redirect(v, "ada")
	})
	result := make(chan error)
	go func() { result <- other.manager.Login(t.Context(), a.ID) }()
	<-begun
	f, err := h.manager.Setup(t.Context(), Setup{Account: a.ID})
	if err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool {
		step, _ := h.manager.Step(f.ID)
		return strings.Contains(step, "another oauthmux process")
	})
	close(goOn)
	if err := <-result; err != nil {
		t.Error(err)
	}
	if f, err = h.logins.Wait(t.Context(), f.ID); err != nil || f.State != accounts.FlowDone {
		t.Errorf("the login is %+v, %v", f, err)
	}

	held, err := profile{h.folder(a.ID)}.acquire(t.Context(), time.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer held.release()
	h.manager.lockLimit = 10 * time.Millisecond
	if _, ok := errors.AsType[*InUseError](h.manager.LoginNow(t.Context(), a.ID)); !ok {
		t.Error("it waits for ever")
	}
}

func TestAWindowThatWasGivenUpWhileItWaitedIsNotOpened(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	held, err := profile{h.folder(a.ID)}.acquire(t.Context(), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := h.manager.Setup(t.Context(), Setup{Account: a.ID})
	if err != nil {
		t.Fatal(err)
	}
	h.logins.Cancel(f.ID)
	if _, err := h.logins.Wait(t.Context(), f.ID); err != nil {
		t.Fatal(err)
	}
	held.release()
	waitUntil(t, h.manager.idle)
	if h.driver.opened() != 0 {
		t.Error("the window was opened")
	}
}

// What is being put in its place is waited for, but no longer than whoever asks.
func TestWhoAsksForASessionDoesNotWaitForEver(t *testing.T) {
	h := newHome(t)
	a := h.addAccount(t, "ada", "work")
	var held *hold
	h.driver.does(func(ctx context.Context, v Visit) (accounts.Secret, error) {
		var err error
		if held, err = (profile{h.folder(a.ID)}).acquire(ctx, time.Second, nil); err != nil {
			t.Error(err)
		}
		return h.driver.redirect(v, "ada")
	})
	f, err := h.manager.Setup(t.Context(), Setup{Account: a.ID})
	if err != nil {
		t.Fatal(err)
	}
	if f, err = h.logins.Wait(t.Context(), f.ID); err != nil || f.State != accounts.FlowDone {
		t.Fatalf("the login is %+v, %v", f, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if h.manager.settle(ctx); time.Since(begun) > settleWait/2 {
		t.Errorf("it took %v", time.Since(begun))
	}
	held.release()
	if s, err := h.manager.Session(t.Context(), a.ID); err != nil || s.State != accounts.BrowserReady {
		t.Errorf("the session is %+v, %v", s, err)
	}
}
