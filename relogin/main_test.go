package relogin

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/accounts/vault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lacking skips a test for want of something that has to be installed; where
// everything must be there, it fails.
func lacking(t *testing.T, what, howToGetIt string) {
	t.Helper()
	if os.Getenv("OAUTHMUX_REQUIRE_ALL") == "1" {
		t.Fatalf("%s is missing: %s", what, howToGetIt)
	}
	t.Skipf("%s is missing: %s", what, howToGetIt)
}

const simulated accounts.ProviderID = "anthropic" // the built-in one, pointed at a simulator

// home is one installation against one simulated provider, as one process sees it.
type home struct {
	dir       string
	sim       *simulator.Server
	bus       *accounts.Bus
	journal   *accounts.Journal
	providers *accounts.Set
	registry  *accounts.Registry
	vault     *vault.Vault
	logins    *accounts.Logins
	driver    *fakeDriver
	manager   *Manager
	settings  Settings
	logged    *lockedBuffer
}

func newHome(t *testing.T) *home {
	t.Helper()
	sim := simulator.New(simulator.Options{})
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	for _, name := range []string{"ada", "bob"} {
		sim.AddUser(simulator.User{Name: name})
	}
	h := &home{dir: t.TempDir(), sim: sim}
	sealed, err := vault.Open(vault.Options{Dir: filepath.Join(h.dir, "vault"), Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sealed.Close)
	if err := sealed.Unlock(t.Context(), "", false); err != nil {
		t.Fatal(err)
	}
	h.vault = sealed
	h.open(t)
	return h
}

// another is the same installation as a second process sees it. Its key lies in the
// memory of the first, so it has the first one's vault.
func (h *home) another(t *testing.T) *home {
	t.Helper()
	other := &home{dir: h.dir, sim: h.sim, vault: h.vault, settings: h.settings}
	other.open(t)
	return other
}

func (h *home) open(t *testing.T) {
	t.Helper()
	var err error
	h.bus = &accounts.Bus{}
	h.journal = &accounts.Journal{Bus: h.bus}
	h.logged = &lockedBuffer{}
	url := "http://127.0.0.1:1"
	if h.sim != nil {
		url = h.sim.URL()
	}
	if h.providers, err = accounts.NewSet(map[accounts.ProviderID]accounts.Settings{simulated: {
		AuthorizeURL: url + simulator.PathAuthorize,
		TokenURL:     url + simulator.PathToken,
		Upstream:     url,
	}}); err != nil {
		t.Fatal(err)
	}
	if h.registry, err = accounts.OpenRegistry(accounts.RegistryOptions{Dir: h.dir, LockPath: filepath.Join(h.dir, "state.lock"), Bus: h.bus}); err != nil {
		t.Fatal(err)
	}
	if err := h.registry.AcceptTerms(simulated); err != nil {
		t.Fatal(err)
	}
	h.logins = accounts.NewLogins(accounts.LoginsOptions{
		Registry: h.registry, Vault: h.vault, Providers: h.providers, Journal: h.journal, Bus: h.bus, UserAgent: accounts.UserAgent("test"),
	})
	t.Cleanup(h.logins.Close)
	if h.settings == (Settings{}) {
		h.settings = Settings{DailyBudget: 4, LoginAge: 30 * 24 * time.Hour}
	}
	h.driver = &fakeDriver{sim: h.sim, user: "ada"}
	h.restart(t)
}

// restart gives the home a new Manager, as a process that was ended and begun has.
func (h *home) restart(t *testing.T) {
	t.Helper()
	if h.manager != nil {
		h.manager.Close()
	}
	h.manager = NewManager(Options{
		Dir: h.browsers(), Registry: h.registry, Logins: h.logins, Providers: h.providers, Journal: h.journal, Bus: h.bus,
		Log: slog.New(slog.NewJSONHandler(h.logged, nil)), Driver: h.driver,
		Settings: func(accounts.ProviderID) Settings { return h.settings },
	})
	t.Cleanup(h.manager.Close)
}

func (h *home) browsers() string { return filepath.Join(h.dir, "browsers") }

// folder is where the account's session belongs.
func (h *home) folder(id accounts.ID) string {
	return filepath.Join(h.browsers(), string(simulated), string(id))
}

// addAccount signs a user in by pasting: there is no browser session.
func (h *home) addAccount(t *testing.T, user, label string) accounts.Account {
	t.Helper()
	f, err := h.logins.Start(t.Context(), simulated, accounts.LoginPaste, label)
	if err != nil {
		t.Fatal(err)
	}
	redirect, err := h.sim.Authorize(f.URL, user)
	if err != nil {
		t.Fatal(err)
	}
	if f, err = h.logins.Code(t.Context(), f.ID, redirect); err != nil || f.State != accounts.FlowDone {
		t.Fatalf("signing %s in: %s %s %v", user, f.State, f.Problem, err)
	}
	return h.account(t, f.Account)
}

// addSession is addAccount with a browser session whose login has ended.
func (h *home) addSession(t *testing.T, user, label string) accounts.Account {
	t.Helper()
	a := h.addAccount(t, user, label)
	h.driver.as(user)
	f, err := h.manager.Setup(t.Context(), Setup{Account: a.ID})
	if err != nil {
		t.Fatal(err)
	}
	if f, err = h.logins.Wait(t.Context(), f.ID); err != nil || f.State != accounts.FlowDone {
		t.Fatalf("setting a session of %s up: %s %s %v", user, f.State, f.Problem, err)
	}
	h.manager.settle(t.Context())
	h.driver.forget()
	return h.needLogin(t, a.ID)
}

// needLogin makes it an account whose login has ended.
func (h *home) needLogin(t *testing.T, id accounts.ID) accounts.Account {
	t.Helper()
	return h.edit(t, id, func(a *accounts.Account) { a.NeedsLogin = accounts.LoginRevoked })
}

func (h *home) edit(t *testing.T, id accounts.ID, change func(*accounts.Account)) accounts.Account {
	t.Helper()
	a, err := h.registry.Edit(id, func(a *accounts.Account) error { change(a); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (h *home) account(t *testing.T, id accounts.ID) accounts.Account {
	t.Helper()
	a, err := h.registry.Latest(id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// login signs in without a person, and says how that ended.
func (h *home) login(t *testing.T, id accounts.ID) error {
	t.Helper()
	return h.manager.Login(t.Context(), id)
}

// setup has a window opened, waits for its login to end, and returns it.
func (h *home) setup(t *testing.T, s Setup) accounts.LoginFlow {
	t.Helper()
	f, err := h.manager.Setup(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if f, err = h.logins.Wait(t.Context(), f.ID); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { return h.manager.idle() })
	return f
}

func (m *Manager) idle() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.jobs) == 0
}

func (h *home) entries(kind accounts.EntryKind) []accounts.Entry {
	var found []accounts.Entry
	for _, e := range h.journal.Since(0) {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// checkNoSecrets fails the test if a log, the journal or the profiles' own files
// hold a secret.
func (h *home) checkNoSecrets(t *testing.T) {
	t.Helper()
	var all bytes.Buffer
	all.WriteString(h.logged.String())
	for _, e := range h.journal.Since(0) {
		all.WriteString(e.Evidence)
	}
	err := filepath.WalkDir(h.browsers(), func(path string, d os.DirEntry, err error) error {
		all.WriteString(path)
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		all.Write(raw)
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for _, secret := range h.sim.Secrets() {
		if strings.Contains(all.String(), secret) {
			t.Error("a secret is written down")
		}
	}
}

// fakeDriver is a browser that goes where its user would.
type fakeDriver struct {
	sim *simulator.Server

	mu     sync.Mutex // guards what follows
	user   string
	err    error                                                       // instead of a redirect
	hook   func(ctx context.Context, v Visit) (accounts.Secret, error) // instead of everything
	visits []Visit
	open   int
	most   int // browsers at once
}

func (d *fakeDriver) Open(ctx context.Context, v Visit) (accounts.Secret, error) {
	d.mu.Lock()
	d.visits = append(d.visits, v)
	d.open++
	d.most = max(d.most, d.open)
	user, err, hook := d.user, d.err, d.hook
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.open--
		d.mu.Unlock()
	}()
	if v.Progress != nil {
		v.Progress("at the consent page")
	}
	// What a browser leaves behind.
	if writeErr := os.WriteFile(filepath.Join(v.Profile, "Cookies"), []byte(user), 0o600); writeErr != nil {
		return "", &ProfileError{Dir: v.Profile, Problem: "cannot be written to", Err: writeErr}
	}
	switch {
	case hook != nil:
		return hook(ctx, v)
	case err != nil:
		return "", err
	}
	return d.redirect(v, user)
}

func (d *fakeDriver) redirect(v Visit, user string) (accounts.Secret, error) {
	address, err := d.sim.Authorize(v.URL, user)
	return accounts.Secret(address), err
}

func (d *fakeDriver) as(user string) { d.set(user, nil, nil) }

func (d *fakeDriver) fails(err error) { d.set("ada", err, nil) }

func (d *fakeDriver) does(hook func(ctx context.Context, v Visit) (accounts.Secret, error)) {
	d.set("ada", nil, hook)
}

func (d *fakeDriver) set(user string, err error, hook func(ctx context.Context, v Visit) (accounts.Secret, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.user, d.err, d.hook = user, err, hook
}

func (d *fakeDriver) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.visits, d.most = nil, 0
}

func (d *fakeDriver) opened() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.visits)
}

func (d *fakeDriver) last() Visit {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.visits[len(d.visits)-1]
}

// untilEnded is a browser in which nothing happens. begun is closed when it is open.
func untilEnded() (hook func(ctx context.Context, v Visit) (accounts.Secret, error), begun chan struct{}) {
	begun = make(chan struct{})
	return func(ctx context.Context, _ Visit) (accounts.Secret, error) {
		close(begun)
		<-ctx.Done()
		return "", ctx.Err()
	}, begun
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func waitUntil(t *testing.T, done func() bool) {
	t.Helper()
	for start := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("it did not come about in ten seconds")
		}
	}
}
