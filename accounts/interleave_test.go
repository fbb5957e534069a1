package accounts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// melee lets everything that can happen to an account happen at once, in two
// processes of one home. It lives in a bubble: who comes first is drawn for every
// step that takes time, and costs none.
type melee struct {
	sim  *simulator.Server
	both [2]*home
	bob  Account

	mu  sync.Mutex // guards rnd
	rnd *rand.Rand
}

// pause lets others go first.
func (m *melee) pause() { time.Sleep(time.Duration(m.draw(60)) * time.Millisecond) }

func (m *melee) draw(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rnd.IntN(n)
}

// any is one of the processes. What another one wrote it may have heard of, or not.
func (m *melee) any() *home {
	h := m.both[m.draw(2)]
	if m.draw(3) > 0 {
		h.registry.look()
	}
	return h
}

// Do is the network to the simulator.
func (m *melee) Do(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	m.pause()
	asked := r.Clone(r.Context())
	asked.Body, asked.RequestURI = io.NopCloser(bytes.NewReader(body)), r.URL.RequestURI()
	answered := httptest.NewRecorder()
	m.sim.Handler().ServeHTTP(answered, asked)
	m.pause()
	return answered.Result(), nil
}

// begin begins a login of a user that only lacks its code.
func (m *melee) begin(t *testing.T, h *home, user string, bound ID) (finish func() LoginFlow) {
	t.Helper()
	var flow LoginFlow
	var err error
	if bound == "" {
		flow, err = h.logins.Start(t.Context(), simulated, LoginPaste, "")
	} else {
		flow, err = h.logins.StartFor(t.Context(), bound, LoginPaste)
	}
	if err != nil {
		t.Fatal(err)
	}
	redirect, err := m.sim.Authorize(flow.URL, user)
	if err != nil {
		t.Fatal(err)
	}
	return func() LoginFlow {
		done, err := h.logins.Code(t.Context(), flow.ID, redirect)
		if err != nil {
			t.Error(err)
		}
		return done
	}
}

// clash is one round.
type clash struct {
	removed, bound, bobSignsIn bool
	login, bobLogin            LoginFlow
	renamed                    error
}

// round has ada's account a signed in to, renewed, renamed and perhaps removed, and
// bob's left in peace but for what is his own.
func (m *melee) round(t *testing.T, a Account, label string) (c clash) {
	t.Helper()
	for _, h := range m.both {
		h.registry.look()
	}
	c.removed, c.bound, c.bobSignsIn = m.draw(2) == 0, m.draw(3) == 0, m.draw(3) == 0
	bound := ID("")
	if c.bound {
		bound = a.ID
	}
	finish := m.begin(t, m.both[m.draw(2)], "ada", bound)
	bobFinishes := m.begin(t, m.both[m.draw(2)], "bob", "")
	var all sync.WaitGroup
	at := func(do func(h *home)) {
		all.Go(func() {
			m.pause()
			do(m.any())
		})
	}
	renew := func(id ID) func(h *home) {
		return func(h *home) {
			if token, err := h.renewer.Token(id); err == nil {
				_, _ = h.renewer.Renew(t.Context(), id, token.Generation) // it may be gone
			}
		}
	}
	at(func(*home) { c.login = finish() })
	at(renew(a.ID))
	at(renew(a.ID))
	at(renew(m.bob.ID))
	at(func(h *home) { c.renamed = h.registry.Rename(a.ID, label) })
	if c.bobSignsIn {
		at(func(*home) { c.bobLogin = bobFinishes() })
	}
	if c.removed {
		at(func(h *home) {
			for _, step := range []func() error{
				func() error { return h.vault.Remove(t.Context(), string(a.ID)) },
				func() error { return h.registry.Remove(a.ID) },
				func() error { return h.vault.Remove(t.Context(), string(a.ID)) }, // what a login left since
			} {
				if err := step(); err != nil {
					t.Errorf("the removal: %v", err)
				}
				m.pause()
			}
		})
	}
	all.Wait()
	for _, h := range m.both {
		if err := h.renewer.wait(t.Context()); err != nil {
			t.Error(err)
		}
	}
	return c
}

// check looks at what is there after a round, as a third process, and returns the
// account that ada has now; none is an account without an id.
func (m *melee) check(t *testing.T, a Account, label string, c clash) (now Account, err error) {
	t.Helper()
	seen := openRegistry(t, m.both[0].dir, nil)
	var ids []string
	for _, account := range seen.All() {
		ids = append(ids, string(account.ID))
		user := "ada"
		if account.ID == m.bob.ID {
			user = "bob"
		} else {
			now = account
		}
		record, err := m.both[0].vault.Read(string(account.ID))
		if err != nil {
			return now, fmt.Errorf("%s has no token: %w", account.Label, err)
		}
		if owner, live := m.sim.Owner(record.RefreshToken); owner != user || !live {
			return now, fmt.Errorf("the refresh token of %s is %q's, live %v", account.Label, owner, live)
		}
	}
	slices.Sort(ids)
	stored := vaulted(t, m.both[0])
	bob, bobErr := seen.Get(m.bob.ID)
	switch _, there := seen.Get(a.ID); {
	case !slices.Equal(ids, stored):
		return now, fmt.Errorf("accounts.json has %v, the vault %v", ids, stored)
	case bobErr != nil || bob.Label != "bob" || bob.Identity != m.bob.Identity:
		return now, fmt.Errorf("bob's account is %+v, %w", bob, bobErr)
	case c.bobSignsIn && (c.bobLogin.State != FlowDone || c.bobLogin.Account != m.bob.ID):
		return now, fmt.Errorf("bob's login is %+v", c.bobLogin)
	case c.removed && there == nil:
		return now, errors.New("the account that was removed is back")
	case !c.removed && (now.ID != a.ID || now.Label != label || c.renamed != nil || len(ids) != 2):
		return now, fmt.Errorf("ada's account is %s %q of %d, %w; want %s %q", now.ID, now.Label, len(ids), c.renamed, a.ID, label)
	case c.login.State == FlowDone && c.login.Account != a.ID && c.login.Account != now.ID:
		return now, fmt.Errorf("the login's account %s is not there", c.login.Account)
	case c.login.State != FlowDone && (!c.bound || !c.removed):
		return now, fmt.Errorf("the login is lost: %s: %s", c.login.State, c.login.Problem)
	case now.NeedsLogin != "":
		return now, fmt.Errorf("ada's account needs a login: %s", now.NeedsLogin)
	}
	return now, nil
}

// TestC13_SigningInAgainWhileEverythingElseHappens plays a thousand interleavings of
// logins, renewals, a new name and a removal in two processes. Nobody comes back,
// nobody gets another one's token or label, and no login is lost.
func TestC13_SigningInAgainWhileEverythingElseHappens(t *testing.T) {
	t.Parallel()
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	seed, dir := seedOf(t), quickDir(t)
	synctest.Test(t, func(t *testing.T) {
		m := &melee{sim: simulator.New(simulator.Options{Now: time.Now, Record: -1}), rnd: rand.New(rand.NewPCG(seed, 0))}
		defer m.sim.Close()
		for _, name := range []string{"ada", "bob"} {
			m.sim.AddUser(simulator.User{Name: name})
		}
		for i := range m.both {
			h := &home{dir: dir, sim: m.sim}
			if err := h.build("http://127.0.0.1:1", sharedKey(dir)); err != nil {
				t.Fatal(err)
			}
			defer h.vault.Close()
			defer h.logins.Close()
			h.renewer.o.Client = func(*Provider) Doer { return m }
			h.logins.o.Client = func(*Provider) Doer { return m }
			m.both[i] = h
		}
		m.bob = m.both[0].addAccount(t, "bob", "bob")
		var ada Account
		back, moved := 0, 0
		for n := range rounds {
			if ada.ID == "" {
				ada = m.both[0].addAccount(t, "ada", "")
				back++
			}
			label := fmt.Sprintf("ada-%d", n)
			c := m.round(t, ada, label)
			now, err := m.check(t, ada, label, c)
			if err != nil {
				t.Fatalf("round %d, removed %v, bound to the account %v: %v", n, c.removed, c.bound, err)
			}
			if now.ID != ada.ID && now.ID != "" {
				moved++
			}
			ada = now
			time.Sleep(time.Minute)
		}
		for _, h := range m.both {
			h.checkClean(t)
		}
		t.Logf("%d rounds: %d times ada's account was gone at the end, %d times it was a new one", rounds, back-1, moved)
		if back < rounds/20 || moved < rounds/20 {
			t.Error("removals and logins hardly met")
		}
	})
}

// TestALoginThatIsRenewedAndRemovedLeavesNoDeadToken has an account's token renewed,
// and the account removed, as soon as its new login can be seen.
func TestALoginThatIsRenewedAndRemovedLeavesNoDeadToken(t *testing.T) {
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "")
	p, _ := h.providers.Get(simulated)
	profile := p.Profile
	p.Profile = func(ctx context.Context, c Doer, token Token) (Identity, error) {
		if now := h.token(t, a.ID); now.Generation > 0 {
			if _, err := h.renewer.Renew(ctx, a.ID, now.Generation); err != nil {
				t.Error(err)
			}
		}
		if err := errors.Join(h.vault.Remove(ctx, string(a.ID)), h.registry.Remove(a.ID)); err != nil {
			t.Error(err)
		}
		p.Profile = profile
		return profile(ctx, c, token)
	}
	done := h.signIn(t, "ada", "")
	if done.State != FlowDone {
		t.Errorf("the login is %+v", done)
	}
	if _, err := h.registry.Get(a.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("the account is back: %v", err)
	}
	for _, id := range vaulted(t, h) {
		if user, live := h.sim.Owner(h.token(t, ID(id)).RefreshToken.Reveal()); user != "ada" || !live {
			t.Errorf("the refresh token of a new account is %q's, live %v", user, live)
		}
	}
	h.checkClean(t)
}
