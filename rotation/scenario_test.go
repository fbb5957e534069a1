package rotation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/accounts/vault"
)

// scene is everything between a client and a provider, over real HTTP: proxy,
// transport, pool, renewer, registry and vault are the real ones, and the
// provider is played by the simulator.
type scene struct {
	t         *testing.T
	server    *simulator.Server
	provider  *accounts.Provider
	registry  *accounts.Registry
	vault     *vault.Vault
	renewer   *accounts.Renewer
	pool      *Pool
	journal   *accounts.Journal
	transport *Transport
	settings  Settings
	ids       map[string]accounts.ID // by user, who is also the label
	url       string                 // of the proxy
	client    *http.Client
}

const sceneKey = "omx_scene-0123456789abcdef0123456789abcdef"

// play opens a scene with these users signed in, in this order.
func play(t *testing.T, o simulator.Options, users ...simulator.User) *scene {
	t.Helper()
	s := &scene{t: t, server: simulator.New(o), ids: make(map[string]accounts.ID), settings: Settings{
		NetworkRetries: 1, RateLimit: 30 * time.Second, AuthFailure: 5 * time.Minute, ReplayLimit: 32 << 20,
	}}
	for _, u := range users {
		s.server.AddUser(u)
	}
	if err := s.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.server.Close)

	home, bus, log := t.TempDir(), new(accounts.Bus), slog.New(slog.DiscardHandler)
	providers, err := accounts.NewSet(map[accounts.ProviderID]accounts.Settings{"anthropic": {
		AuthorizeURL: s.server.URL() + simulator.PathAuthorize, TokenURL: s.server.URL() + simulator.PathToken, Upstream: s.server.URL(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.provider, _ = providers.Get("anthropic")
	s.registry, err = accounts.OpenRegistry(accounts.RegistryOptions{Dir: home, LockPath: filepath.Join(home, "state.lock"), Bus: bus, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if s.vault, err = vault.Open(vault.Options{Dir: filepath.Join(home, "vault"), Memory: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.vault.Close)
	if err := s.vault.Unlock(t.Context(), "", false); err != nil {
		t.Fatal(err)
	}
	s.journal = &accounts.Journal{Bus: bus}
	s.renewer = accounts.NewRenewer(accounts.RenewerOptions{
		Registry: s.registry, Vault: s.vault, Providers: providers, Journal: s.journal, Bus: bus, Log: log,
	})
	t.Cleanup(func() { _ = s.renewer.Drain(context.Background()) })
	logins := accounts.NewLogins(accounts.LoginsOptions{
		Registry: s.registry, Vault: s.vault, Providers: providers, Journal: s.journal, Bus: bus, Log: log,
	})
	t.Cleanup(logins.Close)
	for _, u := range users {
		s.signIn(logins, u.Name)
	}

	s.pool = NewPool(PoolOptions{Accounts: s.registry, Bus: bus, Journal: s.journal, Log: log})
	settings := func(accounts.ProviderID) Settings { return s.settings }
	refresher := NewRefresher(RefresherOptions{
		Accounts: s.registry, Tokens: s.renewer, Pool: s.pool, Settings: settings, Journal: s.journal, Log: log,
	})
	base := NewUpstream(nil)
	t.Cleanup(base.CloseIdleConnections)
	s.transport = NewTransport(TransportOptions{Pool: s.pool, Refresher: refresher, Base: base, Settings: settings, Log: log})
	s.open(providers, log)
	s.run(s.pool.Run)
	return s
}

// signIn signs a user in as a person would, by pasting what the page shows.
func (s *scene) signIn(logins *accounts.Logins, user string) {
	s.t.Helper()
	if err := s.registry.AcceptTerms("anthropic"); err != nil {
		s.t.Fatal(err)
	}
	flow, err := logins.Start(s.t.Context(), "anthropic", "paste", user)
	if err != nil {
		s.t.Fatal(err)
	}
	redirect, err := s.server.Authorize(flow.URL, user)
	if err != nil {
		s.t.Fatal(err)
	}
	if flow, err = logins.Code(s.t.Context(), flow.ID, redirect); err == nil {
		flow, err = logins.Wait(s.t.Context(), flow.ID)
	}
	if err != nil || flow.Account == "" {
		s.t.Fatalf("sign in %s: %+v, %v", user, flow, err)
	}
	s.ids[user] = flow.Account
}

// open serves the proxy.
func (s *scene) open(providers *accounts.Set, log *slog.Logger) {
	s.t.Helper()
	proxy := NewProxy(ProxyOptions{
		Providers: providers, Transport: s.transport, Log: log,
		LocalKey: func() (string, error) { return sceneKey, nil },
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.url = "http://" + l.Addr().String() + "/anthropic"
	s.run(func(ctx context.Context) error { return proxy.Serve(ctx, l) })
	wire := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	s.t.Cleanup(wire.CloseIdleConnections)
	s.client = &http.Client{Transport: wire}
}

// run runs work until the scene ends.
func (s *scene) run(work func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = work(ctx) // it ends because ctx does
	}()
	s.t.Cleanup(func() { cancel(); <-done })
}

// line is what a client says
type line struct {
	model   string // "": claude-sonnet-4-5
	session string
	size    int // of the body, about
	stream  bool
	marker  string
}

func (l line) body() string {
	model := l.model
	if model == "" {
		model = "claude-sonnet-4-5"
	}
	return fmt.Sprintf(`{"model":%q,"max_tokens":10,"stream":%v,"messages":[{"role":"user","content":"hello %s"}]}`,
		model, l.stream, strings.Repeat("x", l.size))
}

func (s *scene) request(ctx context.Context, l line) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/messages?beta=true", strings.NewReader(l.body()))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+sceneKey)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Anthropic-Version", "2023-06-01")
	if l.session != "" {
		r.Header.Set("X-Claude-Code-Session-Id", l.session)
	}
	if l.marker != "" {
		r.Header.Set(simulator.MarkerHeader, l.marker)
	}
	return r
}

// said is an answer as the client got it.
type said struct {
	status   int
	header   http.Header
	body     string
	by       string // whose account served it
	attempts string
}

func (s *scene) say(l line) said {
	s.t.Helper()
	h, err := s.ask(l)
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

// ask is say for goroutines.
func (s *scene) ask(l line) (said, error) {
	resp, err := s.client.Do(s.request(s.t.Context(), l))
	if err != nil {
		return said{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return said{}, err
	}
	h := said{status: resp.StatusCode, header: resp.Header, body: string(body), attempts: resp.Header.Get(FieldAttempts)}
	for user, id := range s.ids {
		if string(id) == resp.Header.Get(FieldAccount) {
			h.by = user
		}
	}
	return h, nil
}

// messages are the requests that reached the upstream, in turn.
func (s *scene) messages() (all []simulator.Request) {
	for _, r := range s.server.Requests() {
		if r.Path == simulator.PathMessages {
			all = append(all, r)
		}
	}
	return all
}

func (s *scene) last() simulator.Request {
	all := s.messages()
	return all[len(all)-1]
}

// want checks who served an answer, and after how many attempts.
func (s *scene) want(h said, status int, by, attempts string) {
	s.t.Helper()
	if h.status != status || h.by != by || h.attempts != attempts {
		s.t.Errorf("got %d by %q after %s attempts, want %d by %q after %s: %s", h.status, h.by, h.attempts, status, by, attempts, h.body)
	}
}

func (s *scene) member(user string) Member {
	s.t.Helper()
	for _, m := range s.pool.Members("anthropic") {
		if m.Account.ID == s.ids[user] {
			return m
		}
	}
	s.t.Fatalf("no account of %s", user)
	return Member{}
}

// wantCooling checks that a user's account cools for a scope until a moment, and
// at most 5 s longer.
func (s *scene) wantCooling(user, scope string, until time.Time) {
	s.t.Helper()
	for _, c := range s.member(user).Cooldowns {
		if c.Scope == scope {
			if late := c.Until.Sub(until); late < -time.Second || late > 5*time.Second {
				s.t.Errorf("%s cools until %v, want %v", user, c.Until, until)
			}
			return
		}
	}
	s.t.Errorf("%s does not cool for %q: %+v", user, scope, s.member(user).Cooldowns)
}

func (s *scene) wantUntouched(users ...string) {
	s.t.Helper()
	for _, u := range users {
		if c := s.member(u).Cooldowns; len(c) > 0 {
			s.t.Errorf("%s was punished: %+v", u, c)
		}
	}
}

// spend has a user's access token be past its end, as far as we know.
func (s *scene) spend(user string) {
	s.t.Helper()
	held, err := s.vault.Lock(s.t.Context(), string(s.ids[user]))
	if err != nil {
		s.t.Fatal(err)
	}
	defer held.Release()
	record, err := held.Read()
	if err != nil {
		s.t.Fatal(err)
	}
	record.Generation, record.ReceivedAt = 0, record.ReceivedAt.Add(-24*time.Hour)
	if err := held.Store(record); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.registry.Edit(s.ids[user], func(a *accounts.Account) error {
		a.TokenExpiresAt = a.TokenExpiresAt.Add(-24 * time.Hour)
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
}

// clean checks that nothing was done that may never be done.
func (s *scene) clean() {
	s.t.Helper()
	c := s.server.Counts()
	if c.TotalViolations() != 0 || c.Reuse != 0 {
		s.t.Errorf("violations %v, %d refresh tokens presented twice", c.Violations, c.Reuse)
	}
	if n := s.pool.InFlight(); n != 0 {
		s.t.Errorf("%d in flight at the end", n)
	}
}

func sha(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func named(names ...string) (users []simulator.User) {
	for _, n := range names {
		users = append(users, simulator.User{Name: n})
	}
	return users
}
