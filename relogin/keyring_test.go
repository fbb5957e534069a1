package relogin

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/oauthmux/oauthmux/accounts"
)

// sealing is a browser that seals its cookies with a keyring.
type sealing struct {
	*fakeDriver
	keyring atomic.Value
}

func (s *sealing) Seal(Visit) string { return s.keyring.Load().(string) }

func TestT23_CookiesThatAreSealedElsewhereAreNotLost(t *testing.T) {
	h := newHome(t)
	a := h.addAccount(t, "ada", "work")
	driver := &sealing{fakeDriver: h.driver}
	driver.keyring.Store("libsecret")
	h.manager.o.Driver = driver
	if f := h.setup(t, Setup{Account: a.ID}); f.State != accounts.FlowDone {
		t.Fatalf("the window: %+v", f)
	}
	h.needLogin(t, a.ID)
	if err := h.login(t, a.ID); err != nil {
		t.Errorf("in the same session: %v", err)
	}

	for _, elsewhere := range []string{"", "kwallet6"} {
		driver.keyring.Store(elsewhere)
		h.needLogin(t, a.ID)
		h.driver.forget()
		problem, ok := errors.AsType[*ProfileError](h.manager.LoginNow(t.Context(), a.ID))
		if !ok || !strings.Contains(problem.Problem, "sealed with the keyring of a desktop session") || problem.Hint == "" || h.driver.opened() != 0 {
			t.Errorf("with the keyring %q: %v, %d browsers", elsewhere, problem, h.driver.opened())
		}
	}
	s, err := h.manager.Session(t.Context(), a.ID)
	if err != nil || s.Today != 1 || s.Needs != "" || s.State != accounts.BrowserLoginNeeded {
		t.Errorf("the session is %+v, %v", s, err)
	}
	if _, ok := errors.AsType[*WaitError](h.login(t, a.ID)); !ok {
		t.Error("it does not rest")
	}

	driver.keyring.Store("")
	if f := h.setup(t, Setup{Account: a.ID}); f.State != accounts.FlowDone {
		t.Fatalf("the window here: %+v", f)
	}
	h.needLogin(t, a.ID)
	if err := h.login(t, a.ID); err != nil {
		t.Errorf("once it was set up here: %v", err)
	}
	driver.keyring.Store("libsecret")
	h.needLogin(t, a.ID)
	if err := h.login(t, a.ID); err != nil {
		t.Errorf("what is not sealed can be read everywhere: %v", err)
	}
}
