package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/ui/control"
)

// browser is one account's session in `browser status --json`.
func (h *home) browser(name string) control.Browser {
	h.t.Helper()
	var doc struct {
		Browsers []control.Browser `json:"browsers"`
	}
	decode(h.t, h.ok("browser", "status", name, "--json"), &doc)
	if len(doc.Browsers) != 1 {
		h.t.Fatalf("browser status %s: %+v", name, doc.Browsers)
	}
	return doc.Browsers[0]
}

// withSession is a home with one account that has a browser session.
func withSession(t *testing.T, config ...string) (*home, *provider) {
	t.Helper()
	who := newPerson(t)
	p := newProvider(t, simulator.Options{Pages: true}, people("work")...)
	h := newHome(t, p, config...)
	h.login("work")
	h.session(who, "work")
	return h, p
}

// The person signs in once, in a window, and the command ends at once. Then the
// provider ends the login: with no other account the request that finds out waits
// for a sign-in without a window, and is served. So it is the next time.
func TestALoginThatEndedComesBackInsideTheRequest(t *testing.T) {
	t.Parallel()
	h, p := withSession(t)
	h.watchProcesses()
	e := h.serve()
	for i := range 2 {
		p.Revoke("work")
		began := time.Now()
		a := e.client.served()
		t.Logf("a login that ended cost its request %v", time.Since(began).Round(time.Millisecond))
		if a.account != h.account("work").ID {
			t.Errorf("%s served", a.account)
		}
		c := p.Counts()
		if c.SignIns != 1 || c.Consents != 2+i || c.Touched(simulator.PageConsent) < 2+i {
			t.Errorf("after %d: the person signed in %d times, %d codes were issued", i+1, c.SignIns, c.Consents)
		}
	}
	if b := h.browser("work"); b.State != control.BrowserReady || b.Today != 2 || b.Size == nil || *b.Size == 0 || b.LastUsed == nil || b.Running {
		t.Errorf("the session is %+v", b)
	}
	if a := h.account("work"); a.State != control.StateReady || a.Browser != control.BrowserReady {
		t.Errorf("work is %+v", a)
	}
	p.noViolations(t)
}

// Nobody asks for anything: the keepalive finds out, and has it signed in.
func TestALoginComesBackWithNobodyAsking(t *testing.T) {
	t.Parallel()
	h, p := withSession(t, "[keepalive]", `first_after = "1s"`, `interval = "1s"`, "ping = false")
	p.shortLived()
	h.ok("refresh", "work")
	p.longLived()
	p.Revoke("work")
	before := p.Counts().Consents
	h.serve()
	eventually(t, "the account is back", 40*time.Second, func() bool {
		return p.Counts().Consents == before+1 && h.account("work").State == control.StateReady
	})
	if user, live := p.Owner(h.token("work")); user != "work" || !live {
		t.Errorf("the token is %q's, live %v", user, live)
	}
}

// A session also adds the account, for somebody who asks for the whole way, with
// a one-time code.
func TestAnAccountIsAddedInAWindow(t *testing.T) {
	t.Parallel()
	who := newPerson(t)
	p := newProvider(t, simulator.Options{Pages: true}, simulator.User{Name: "lab", OneTimeCode: "246810"})
	h := newHome(t, p)
	r := h.inWindow(who, func() { who.signsIn(h.user("lab")) }, "--provider", simulator.Plays, "--label", "lab", "--accept-terms")
	if r.status != 0 || !strings.Contains(r.stdout, "lab@example.org") {
		t.Fatalf("browser setup: %v", r)
	}
	if b := h.browser("lab"); b.State != control.BrowserReady || b.Profile != h.profile("lab") {
		t.Errorf("the session is %+v", b)
	}
	folders, err := os.ReadDir(filepath.Join(h.dir, "browsers", simulator.Plays))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if strings.HasPrefix(f.Name(), "new-") {
			t.Errorf("%s is left", f.Name())
		}
	}
	p.Revoke("lab")
	if r := h.run("token", "lab"); r.status != 0 {
		t.Errorf("token: %v", r)
	}
	h.ok("logout", "lab", "--yes")
	if left, err := filepath.Glob(filepath.Join(h.dir, "browsers", simulator.Plays, "*")); err != nil || len(left) > 0 {
		t.Errorf("after logout there is %q, %v", left, err)
	}
}

// Fifty requests that all need the same login, and then two processes.
func TestEverybodySharesOneSignIn(t *testing.T) {
	t.Parallel()
	h, p := withSession(t)
	h, starts := h.counted()
	e := h.serve()
	p.Revoke("work")
	atOnce(t, 50, func(int) {
		if a, err := e.client.ask(); err != nil || a.status != http.StatusOK {
			t.Errorf("%v, %v", a, err)
		}
	})
	if n := starts(); n != 1 {
		t.Errorf("fifty requests started %d browsers", n)
	}
	e.stop()
	p.Revoke("work")
	atOnce(t, 4, func(int) {
		if r := h.run("token", "work", "--fresh"); r.status != 0 {
			t.Errorf("token: %v", r)
		}
	})
	if n := starts(); n != 2 {
		t.Errorf("two processes started %d browsers", n-1)
	}
}

// A provider of one's own signs in again as well: its consent page is a form with
// a button that grants, and its redirect goes to this machine.
func TestAProviderOfOnesOwnSignsInAgain(t *testing.T) {
	t.Parallel()
	who := newPerson(t)
	c := newCorp(t)
	c.ask()
	h := newHome(t, nil, c.table())
	c.belongs(h)
	if r := h.inWindow(who, who.grants, "--provider", "mycorp", "--label", "corp"); r.status != 0 {
		t.Fatalf("browser setup: %v", r)
	}
	c.end(true)
	token := h.token("corp", "--fresh")
	c.mu.Lock()
	live := c.access[token]
	c.mu.Unlock()
	if !live {
		t.Error("the token is not one of the provider's")
	}
	if grants, _, faults := c.seen(); len(faults) > 0 || strings.Join(grants, " ") != "authorization_code authorization_code" {
		t.Errorf("grants %q, faults %q", grants, faults)
	}
	if b := h.browser("corp"); b.State != control.BrowserReady || b.Today != 1 {
		t.Errorf("the session is %+v", b)
	}
}
