package relogin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/vault"
)

const day = 24 * time.Hour

func TestRunSignsInWhatNeedsALogin(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	h.manager.roundEvery = 5 * time.Millisecond
	stop := h.run(t)
	waitUntil(t, func() bool { return h.account(t, a.ID).NeedsLogin == "" })
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if h.driver.opened() != 1 {
		t.Errorf("%d browsers were started", h.driver.opened())
	}
	if err := h.login(t, a.ID); !errors.Is(err, ErrClosed) {
		t.Errorf("afterwards: %v", err)
	}
}

// run runs the manager until stop, which returns what Run did.
func (h *home) run(t *testing.T) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.manager.Run(ctx) }()
	return func() error { cancel(); return <-ended }
}

func TestRunLetsBeWhatIsNotItsMatter(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	for name, tt := range map[string]struct {
		change   func(*accounts.Account)
		settings Settings
		ready    error
	}{
		"paused":       {change: func(a *accounts.Account) { a.Paused = true }},
		"needs you":    {change: func(a *accounts.Account) { a.NeedsYou = "asks for the password" }},
		"no budget":    {settings: Settings{LoginAge: 30 * day}},
		"needs none":   {change: func(a *accounts.Account) { a.NeedsLogin = "" }},
		"a locked key": {ready: errors.New("locked")},
	} {
		if tt.change == nil {
			tt.change = func(*accounts.Account) {}
		}
		if h.settings = tt.settings; h.settings == (Settings{}) {
			h.settings = Settings{DailyBudget: 4, LoginAge: 30 * day}
		}
		h.manager.o.Ready = func(context.Context) error { return tt.ready }
		before := h.account(t, a.ID)
		h.edit(t, a.ID, tt.change)
		h.manager.round(t.Context())
		if h.driver.opened() != 0 {
			t.Errorf("%s: a browser was started", name)
		}
		h.edit(t, a.ID, func(a *accounts.Account) { *a = before })
	}
	b := h.addAccount(t, "bob", "play")
	h.needLogin(t, b.ID)
	h.edit(t, a.ID, func(a *accounts.Account) { a.NeedsLogin = "" })
	if h.manager.round(t.Context()); h.driver.opened() != 0 {
		t.Error("a browser was started for an account without a session")
	}
}

func TestOneThatIsBusyKeepsNobodyWaiting(t *testing.T) {
	h := newHome(t)
	a, b := h.addSession(t, "ada", "work"), h.addSession(t, "bob", "play")
	held, err := profile{h.folder(a.ID)}.acquire(t.Context(), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.driver.as("bob")
	begun := time.Now()
	h.manager.round(t.Context())
	if took := time.Since(begun); took > 10*time.Second || h.account(t, b.ID).NeedsLogin != "" || h.driver.opened() != 1 {
		t.Errorf("after %v and %d browsers: %+v", took, h.driver.opened(), h.account(t, b.ID))
	}
	if s, _ := h.manager.Session(t.Context(), a.ID); s.State != accounts.BrowserReady || s.Today != 0 {
		t.Errorf("the session is %+v", s)
	}
	held.release()
	h.driver.as("ada")
	if h.manager.round(t.Context()); h.account(t, a.ID).NeedsLogin != "" {
		t.Error("it is not tried again")
	}
	h.checkNoSecrets(t)
	if h.logged.String() != "" {
		t.Errorf("logged: %s", h.logged)
	}
}

func TestALoginIsRenewedAheadOfItsEnd(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	aged := func() {
		h.edit(t, a.ID, func(a *accounts.Account) { a.NeedsLogin, a.LoggedInAt = "", time.Now().Add(-28*day) })
	}
	aged()
	idle := false
	h.manager.o.Idle = func(accounts.ID) bool { return idle }
	h.manager.round(t.Context())
	h.manager.round(t.Context())
	if h.driver.opened() != 0 {
		t.Error("it was no quiet moment")
	}
	if e := h.entries(accounts.EntryLoginEnds); len(e) != 1 || e[0].Account != a.ID || !e[0].Until.Equal(h.account(t, a.ID).LoggedInAt.Add(30*day)) {
		t.Errorf("the journal says %v", e)
	}
	idle = true
	h.manager.round(t.Context())
	if h.driver.opened() != 1 || time.Since(h.account(t, a.ID).LoggedInAt) > time.Minute {
		t.Errorf("%d browsers, %+v", h.driver.opened(), h.account(t, a.ID))
	}
	h.manager.round(t.Context()) // it is new
	aged()
	h.manager.round(t.Context()) // once a day
	h.restart(t)
	h.manager.round(t.Context())
	if h.driver.opened() != 1 {
		t.Errorf("%d browsers", h.driver.opened())
	}
}

func TestAStopAheadOfTheEndCallsNobody(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	h.edit(t, a.ID, func(a *accounts.Account) { a.NeedsLogin, a.LoggedInAt = "", time.Now().Add(-28*day) })
	h.driver.fails(&PageError{Kind: accounts.PageSignIn, Words: "claude.ai asks for the password", Screenshot: []byte("png")})
	h.manager.round(t.Context())
	got := h.account(t, a.ID)
	if got.NeedsYou != "" || got.NeedsLogin != "" || got.Browser != accounts.BrowserLoginNeeded || h.driver.opened() != 1 {
		t.Errorf("%d browsers, %+v", h.driver.opened(), got)
	}
	if e := h.entries(accounts.EntryLoginFailed); len(e) != 1 || e[0].Evidence != "claude.ai asks for the password; its window renews it" {
		t.Errorf("the journal says %v", e)
	}
	if e := h.entries(accounts.EntryNeedsYou); len(e) != 0 {
		t.Errorf("the journal calls: %v", e)
	}
	if s, _ := h.manager.Session(t.Context(), a.ID); s.Screenshot == "" {
		t.Errorf("there is no picture: %+v", s)
	}
	p := profile{h.folder(a.ID)}
	rested := h.manager.recall(a, p)
	rested.NotBefore = time.Time{}
	if err := h.manager.remember(a.ID, p, rested); err != nil {
		t.Fatal(err)
	}
	if h.manager.round(t.Context()); h.driver.opened() != 1 {
		t.Error("it is tried again on the same day")
	}

	// Whoever asks is told, and so is one whose login has ended.
	if _, ok := errors.AsType[*PageError](h.manager.LoginNow(t.Context(), a.ID)); !ok || h.account(t, a.ID).NeedsYou == "" {
		t.Errorf("a person who asked is not called: %+v", h.account(t, a.ID))
	}
	h.edit(t, a.ID, func(a *accounts.Account) { a.NeedsLogin, a.NeedsYou = accounts.LoginRevoked, "" })
	if err := h.manager.remember(a.ID, p, rested); err != nil {
		t.Fatal(err)
	}
	if h.manager.round(t.Context()); h.account(t, a.ID).NeedsYou == "" {
		t.Error("of a login that has ended the person is not told")
	}
}

func TestWhoAsksWhileItRunsAheadIsCalled(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	h.edit(t, a.ID, func(a *accounts.Account) { a.NeedsLogin, a.LoggedInAt = "", time.Now().Add(-28*day) })
	begun, goOn := make(chan struct{}), make(chan struct{})
	h.driver.does(func(context.Context, Visit) (accounts.Secret, error) {
		close(begun)
		<-goOn
		return "", &PageError{Words: "asks for the password"}
	})
	round := make(chan struct{})
	go func() { defer close(round); h.manager.round(t.Context()) }()
	<-begun
	result := make(chan error)
	go func() { result <- h.manager.LoginNow(t.Context(), a.ID) }()
	j := h.manager.current(a.ID)
	waitUntil(t, func() bool { return !h.manager.isAhead(j) })
	close(goOn)
	if _, ok := errors.AsType[*PageError](<-result); !ok || h.account(t, a.ID).NeedsYou == "" {
		t.Errorf("the account is %+v", h.account(t, a.ID))
	}
	<-round
}

func TestOfALoginThatEndsOneIsWarned(t *testing.T) {
	h := newHome(t)
	a := h.addAccount(t, "ada", "work")
	loggedIn := a.LoggedInAt
	at := func(age time.Duration) {
		h.manager.warn(a.ID, 30*day, loggedIn.Add(age))
	}
	for _, tt := range []struct {
		age  time.Duration
		want int
	}{
		{0, 0},
		{27*day - time.Minute, 0},
		{27 * day, 1},
		{27*day + time.Second, 1},
		{28 * day, 2},
		{29 * day, 3},
		{30*day + day, 3},
	} {
		if at(tt.age); len(h.entries(accounts.EntryLoginEnds)) != tt.want {
			t.Errorf("%v after it: %v", tt.age, h.entries(accounts.EntryLoginEnds))
		}
	}
	a.LoggedInAt = time.Time{}
	if ending(a, 30*day, time.Now()) {
		t.Error("the end of a login of which nothing is known")
	}
	a.LoggedInAt = loggedIn
	if ending(a, 0, loggedIn.Add(100*day)) || ending(a, day, loggedIn.Add(time.Hour)) || !ending(a, day, loggedIn.Add(13*time.Hour)) {
		t.Error("the ages are misunderstood")
	}
}

func TestTheNextStartSweeps(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	b := h.addAccount(t, "bob", "play")
	h.edit(t, b.ID, func(a *accounts.Account) { a.Browser = accounts.BrowserReady }) // though it has none
	provider := filepath.Join(h.browsers(), string(simulated))
	for _, name := range []string{"new-dead", "gone-half", "orphan", "sealed", "new-alive"} {
		p := profile{filepath.Join(provider, name)}
		if err := p.prepare(); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"old" + lockSuffix, "new-dead" + lockSuffix, "strange-file"} {
		if err := os.WriteFile(filepath.Join(provider, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(h.dir, "vault", "sealed"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.dir, "vault", "sealed", "cred"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	alive, err := profile{filepath.Join(provider, "new-alive")}.acquire(t.Context(), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer alive.release()
	h.manager.sweep(t.Context())
	var got []string
	entries, err := os.ReadDir(provider)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := []string{string(a.ID), string(a.ID) + lockSuffix, "new-alive", "new-alive" + lockSuffix, "sealed", "strange-file"}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("afterwards there are %v, want %v", got, want)
	}
	if h.account(t, b.ID).Browser != "" || h.account(t, a.ID).Browser != accounts.BrowserReady {
		t.Error("what is said of the sessions is not what there is")
	}
}

func TestNothingIsSweptWhileTheAccountsAreDamaged(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	if err := os.WriteFile(filepath.Join(h.dir, "accounts.json"), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	registry, err := accounts.OpenRegistry(accounts.RegistryOptions{Dir: h.dir, LockPath: filepath.Join(h.dir, "state.lock")})
	if err != nil {
		t.Fatal(err)
	}
	if registry.Damage() == "" {
		t.Fatal("the registry is whole")
	}
	h.manager.o.Registry = registry
	h.manager.sweep(t.Context())
	if !(profile{h.folder(a.ID)}).exists() {
		t.Error("a live account's profile was swept")
	}
}

// TestRestsGrow lets a day pass: a browser that never works is tried less and less
// often, and a page that needs a person once.
func TestRestsGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sealed, err := vault.Open(vault.Options{Dir: filepath.Join(t.TempDir(), "vault"), Memory: true})
		if err != nil {
			t.Fatal(err)
		}
		h := &home{dir: t.TempDir(), vault: sealed, settings: Settings{DailyBudget: 100}}
		h.open(t)
		a, err := h.registry.Add(accounts.Account{Provider: simulated, Label: "work", NeedsLogin: accounts.LoginRevoked})
		if err != nil {
			t.Fatal(err)
		}
		if err := (profile{h.folder(a.ID)}).prepare(); err != nil {
			t.Fatal(err)
		}
		var at []time.Duration
		start := time.Now()
		h.driver.does(func(context.Context, Visit) (accounts.Secret, error) {
			at = append(at, time.Since(start).Round(time.Minute))
			if len(at) == 9 {
				return "", &PageError{Words: "asks for the password"}
			}
			return "", &BrowserError{Problem: "ended by itself"}
		})
		stop := h.run(t)
		time.Sleep(day)
		_ = stop()
		m := time.Minute
		if want := []time.Duration{0, m, 3 * m, 7 * m, 15 * m, 31 * m, 63 * m, 123 * m, 183 * m}; !slices.Equal(at, want) {
			t.Errorf("browsers were started after %v, want %v", at, want)
		}
		if e := h.entries(accounts.EntryNeedsYou); len(e) != 1 {
			t.Errorf("the journal says %v", e)
		}
	})
}
