package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/ui/control"
)

// stop is a page at which a sign-in without a person stops, and what is said of it.
type stop struct {
	page  simulator.Page
	words string
}

var stops = []stop{
	{simulator.PageChallenge, "wants to see that a human is there"},
	{simulator.PageOrganization, "asks which organisation it is for"},
	{simulator.PageInvite, "asks which organisation it is for"},
	{simulator.PageUnknownScope, "refuses the request for access"},
	{simulator.PagePlan, "the account's plan does not allow it"},
	{simulator.PageServerError, "has trouble of its own"},
	{simulator.PageElsewhere, "shows the site itself"},
	{simulator.PageUnknown, "shows a page that is not known"},
	{simulator.PageTerms, "no button that grants"},
	{simulator.PageHeadless, "takes no browser without a window"},
	{simulator.PageTwoButtons, "2 buttons that grant"},
	{simulator.PageDisabled, "no button that grants"},
	{simulator.PageHidden, "no button that grants"},
	{simulator.PageCookieWall, "something covers the button"},
	{simulator.PageDownload, "offers a file"},
	{simulator.PageOffList, "wants to go to"},
}

// stoppable is a home with two accounts, of which "work" is preferred and has a
// session that may sign in as often as it likes.
func stoppable(t *testing.T) (*home, *provider, *person) {
	t.Helper()
	who := newPerson(t)
	p := newProvider(t, simulator.Options{Pages: true}, people("work", "home")...)
	h := newHome(t, p, "[relogin]", "daily_budget = 100")
	h.login("work", "home")
	h.session(who, "work")
	h.ok("switch", "work")
	return h, p, who
}

// At every page but a consent page with one button a sign-in without a person
// stops: nothing is pressed, nothing stored, the person called with the right
// words, and the other account serves.
func TestAtEveryOtherPageASignInStops(t *testing.T) {
	t.Parallel()
	for some := range slices.Chunk(stops, 4) { // a home for each four: they take long
		t.Run(string(some[0].page)+" to "+string(some[len(some)-1].page), func(t *testing.T) {
			t.Parallel()
			h, p, _ := stoppable(t)
			e := h.serve()
			for _, s := range some {
				t.Run(string(s.page), func(t *testing.T) { s.judge(h.of(t), p, e) })
			}
			p.noViolations(t)
		})
	}
}

func (s stop) judge(h *home, p *provider, e *engine) {
	t := h.t
	t.Helper()
	host, home := strings.TrimPrefix(p.url, "http://"), h.account("home").ID
	before := p.Counts()
	token := generation(h, "work")
	p.ShowPage("work", s.page, -1)
	defer p.ClearPages()
	r := h.run("browser", "login", "work")
	h.failed(r, 3, s.words, []string{"browser", "login", "work"})
	a := h.account("work")
	if a.State != control.StateNeedsYou || a.Reason == "" || !strings.Contains(a.Reason, s.words) || a.Browser != control.BrowserLoginNeeded {
		t.Errorf("work is %s, %q, its browser %s", a.State, a.Reason, a.Browser)
	}
	t.Logf("%s", strings.ReplaceAll(a.Reason, host, "HOST"))
	after := p.Counts()
	if after.Touched(s.page) != before.Touched(s.page) || after.Consents != before.Consents || after.Logins["work"] != before.Logins["work"] {
		t.Errorf("it was touched: %v, %v, %d codes", after.Clicks, after.Posts, after.Consents-before.Consents)
	}
	if got := generation(h, "work"); got != token {
		t.Error("something was stored")
	}
	if b := h.browser("work"); b.Needs == "" || b.State != control.BrowserLoginNeeded || b.Running {
		t.Errorf("the session is %+v", b)
	} else if b.Screenshot != "" {
		if info, err := os.Stat(b.Screenshot); err != nil || info.Mode().Perm() != 0o600 || filepath.Dir(b.Screenshot) != b.Profile {
			t.Errorf("the picture %s: %v, %v", b.Screenshot, info, err)
		}
	} else if s.page != simulator.PageDownload && s.page != simulator.PageOffList {
		t.Error("there is no picture of the page")
	}
	p.Revoke("work")
	if a := e.client.served(); a.account != home {
		t.Errorf("%s served", a.account)
	}
	p.ClearPages()
	h.ok("browser", "login", "work")
	if a := h.account("work"); a.State != control.StateReady || a.Browser != control.BrowserReady {
		t.Errorf("afterwards work is %+v", a)
	}
	if b := h.browser("work"); b.Screenshot != "" || b.Needs != "" {
		t.Errorf("afterwards the session is %+v", b)
	}
}

// So it does where the page is the right one, and something else is wrong.
func TestASignInStopsForWhatIsNoPage(t *testing.T) {
	t.Parallel()
	h, p, who := stoppable(t)
	h.serve()
	t.Run("signed out", func(t *testing.T) {
		h := h.of(t)
		p.SignOut("work")
		before := p.Counts()
		h.fails(3, "asks to sign in", "browser", "login", "work")
		if c := p.Counts(); c.Touched(simulator.PageSignIn) != before.Touched(simulator.PageSignIn) {
			t.Errorf("the sign-in page was touched: %v %v", c.Clicks, c.Posts)
		}
		// The window is the way, and it is the same session.
		if r := h.inWindow(who, func() { who.signsIn(h.user("work")) }, "work"); r.status != 0 {
			t.Errorf("browser setup: %v", r)
		}
		if a := h.account("work"); a.State != control.StateReady {
			t.Errorf("afterwards work is %+v", a)
		}
	})
	t.Run("somebody else", func(t *testing.T) {
		h := h.of(t)
		token := generation(h, "work")
		p.ShowPage("work", simulator.PageWrongUser, 1)
		r := h.run("browser", "login", "work")
		h.failed(r, 3, "nothing was stored", []string{"browser", "login", "work"})
		if generation(h, "work") != token || len(h.labels()) != 2 {
			t.Errorf("something was stored: %v", h.labels())
		}
		if a := h.account("work"); a.State != control.StateNeedsYou {
			t.Errorf("work is %+v", a)
		}
	})
	t.Run("no answer", func(t *testing.T) { // a matter of the network, not of the person
		h := h.of(t)
		h.ok("browser", "login", "work")
		p.ShowPage("work", simulator.PageCut, -1)
		defer p.ClearPages()
		h.fails(1, "did not answer", "browser", "login", "work")
		if a := h.account("work"); a.State != control.StateReady || a.Browser != control.BrowserLoginNeeded {
			t.Errorf("work is %+v", a)
		}
	})
	p.noViolations(t)
}

// generation tells one stored login from the next.
func generation(h *home, name string) string {
	h.t.Helper()
	sealed, err := os.ReadFile(filepath.Join(h.dir, "vault", h.account(name).ID, "cred"))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(sealed)
}
