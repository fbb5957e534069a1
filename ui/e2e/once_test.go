//go:build unix

package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// withEndedToken is a home with one account, "work", whose token has just ended,
// and whose next one is answered slowly enough for everybody to want it.
func withEndedToken(t *testing.T) (*home, *provider) {
	t.Helper()
	p := newProvider(t, simulator.Options{}, people("work")...)
	h := newHome(t, p)
	h.expire("work")
	p.Inject(simulator.Fault{Kind: simulator.Slow, Path: simulator.PathToken, Delay: 500 * time.Millisecond, Times: -1})
	return h, p
}

// expire signs an account in with a token that has ended when it returns.
func (h *home) expire(name string) {
	h.t.Helper()
	h.provider.shortLived()
	h.login(name)
	h.provider.longLived()
	time.Sleep(time.Until(*h.account(name).TokenExpiresAt)) // the life of a token counts in whole seconds
}

// renewedOnce fails the test unless the one good presentation is all there was.
func (p *provider) renewedOnce(t *testing.T) {
	t.Helper()
	counts := p.Counts()
	if n := counts.TotalRefreshes(); n != 1 {
		t.Errorf("the refresh token was presented %d times, want once", n)
	}
	if n := counts.Total(simulator.PathToken); n != 2 {
		t.Errorf("%d token requests, want the login's and one renewal", n)
	}
	p.noViolations(t)
}

// tokens runs `oauthmux token` in n processes at once, which must all print the
// same live token.
func (h *home) tokens(n int) {
	h.t.Helper()
	results := make([]result, n)
	atOnce(h.t, n, func(i int) { results[i] = h.run("token") })
	for i, r := range results {
		if r.status != 0 || r.stderr != "" || r.stdout != results[0].stdout {
			h.t.Errorf("process %d: status %d, the same token as the first: %v, stderr %.500s", i, r.status, r.stdout == results[0].stdout, r.stderr)
		}
	}
	if user, live := h.provider.Owner(strings.TrimSuffix(results[0].stdout, "\n")); user != "work" || !live {
		h.t.Errorf("the token is that of %q, and live is %v", user, live)
	}
}

// requests sends n requests through the proxy at once, which must all succeed.
func (e *engine) requests(n int) {
	e.h.t.Helper()
	atOnce(e.h.t, n, func(int) {
		a, err := e.client.ask()
		if err != nil || a.status != http.StatusOK {
			e.h.t.Errorf("%v, error %v", a, err)
		}
	})
}

func TestEightProcessesRenewOnce(t *testing.T) {
	t.Parallel()
	h, p := withEndedToken(t)
	h.tokens(8)
	p.renewedOnce(t)
}

func TestSixtyFourRequestsRenewOnce(t *testing.T) {
	t.Parallel()
	h, p := withEndedToken(t)
	h.serve().requests(64)
	p.renewedOnce(t)
}

// The engine's requests, the commands that go to it, and an engine that is not
// there yet when the first commands look for it.
func TestRequestsAndProcessesTogetherRenewOnce(t *testing.T) {
	t.Parallel()
	h, p := withEndedToken(t)
	e := h.serve()
	atOnce(t, 2, func(i int) {
		if i == 0 {
			e.requests(64)
		} else {
			h.tokens(8)
		}
	})
	p.renewedOnce(t)
}

func TestAnEngineThatStartsAmongProcessesRenewsOnce(t *testing.T) {
	t.Parallel()
	h, p := withEndedToken(t)
	e := h.launch()
	h.tokens(8)
	e.ready()
	e.requests(8)
	p.renewedOnce(t)
}

// What the server revoked early is renewed once as well: the 401 is told to the
// first request only.
func TestRequestsThatAreRefusedTogetherRenewOnce(t *testing.T) {
	t.Parallel()
	p := newProvider(t, simulator.Options{}, people("work")...)
	h := newHome(t, p)
	h.login("work")
	e := h.serve()
	p.Expire("work")
	e.requests(64)
	p.renewedOnce(t)
}
