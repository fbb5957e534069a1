package ui

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/history"
	"github.com/oauthmux/oauthmux/accounts/vault"
	"github.com/oauthmux/oauthmux/relogin"
	"github.com/oauthmux/oauthmux/rotation"
	"github.com/oauthmux/oauthmux/ui/config"
	"github.com/oauthmux/oauthmux/ui/control"
)

// appOptions are what an App is made of.
type appOptions struct {
	Config     config.Config
	Paths      config.Paths
	Version    string
	Log        *slog.Logger
	Passphrase string // OAUTHMUX_PASSPHRASE
	Getenv     func(string) string
	Environ    func() []string // for children; nil: os.Environ
	Door       net.Listener    // what the engine before listened on; nil: proxy.listen is opened

	// Speed is how much faster than ours the upstream's time runs; 0: as fast. A
	// simulation's windows are that much shorter than their names.
	Speed float64

	// Demo is the line that says so; "": it is not the demo. The demo's key is in
	// memory only.
	Demo string
}

// App is the object graph: every part of the program, made once and known to
// each other only as far as the fences allow. Without Run it is what a command
// works with when no engine runs; with Run it is the engine.
type App struct {
	config  config.Config
	paths   config.Paths
	version string
	log     *slog.Logger
	demo    string
	network network

	bus       *accounts.Bus
	journal   *accounts.Journal
	began     time.Time
	providers *accounts.Set
	vault     *vault.Vault
	registry  *accounts.Registry
	renewer   *accounts.Renewer
	tokens    notedTokens // renewer, seen by records
	logins    *accounts.Logins
	browsers  *relogin.Manager
	pool      *rotation.Pool
	refresher *rotation.Refresher
	base      *rotation.Upstream
	proxy     *rotation.Proxy
	keepalive *rotation.Keepalive
	poller    *rotation.Poller
	history   *history.Store
	recorder  *rotation.Recorder
	recall    sync.Once // without Run: the recorder read what was kept

	passphrase  string
	inherited   net.Listener // from the engine before; nil: none
	door        atomic.Value // net.Listener, which the proxy serves
	environment func() []string
	found       atomic.Pointer[map[accounts.ProviderID]bool] // whose windows have a browser; nil: not looked yet
	running     atomic.Bool
	end         atomic.Pointer[context.CancelFunc] // ends Run; nil: it does not run yet
	stopped     atomic.Bool                        // somebody else had it end
	listen      atomic.Pointer[string]             // host:port, while the proxy listens
	ready       chan struct{}                      // closed when the engine answers requests
	readyOnce   sync.Once
	asked       chan struct{} // closed when the engine has asked for its key, with whatever result

	ordering sync.Mutex             // held while an account is moved, until it is known who is preferred by it
	choosing sync.Mutex             // held while a strategy is chosen
	chosen   atomic.Pointer[string] // the strategy that the pool chooses by

	departed sync.Map // labels, by accounts.ID, of accounts that a person removed: they stay

	faults sync.Map // parts that have panicked

	inspecting sync.Mutex // held while every record is read, until what came of it is announced, and while an account is removed
	records    records
}

// openApp makes the graph. It reads accounts.json and asks no keyring, so that
// whatever needs no key works without one. Close it.
func openApp(o appOptions) (*App, error) {
	providers, err := accounts.NewSet(o.Config.Settings())
	if err != nil {
		return nil, &control.Error{Code: control.CodeConfig, Message: err.Error(), Hint: "correct it in " + o.Paths.ConfigFile}
	}
	out, err := outward(o.Config.Network.Proxy, o.Getenv)
	if err != nil {
		return nil, err
	}
	a := &App{
		config: o.Config, paths: o.Paths, version: o.Version, log: o.Log, demo: o.Demo, network: out,
		bus: &accounts.Bus{}, providers: providers, passphrase: o.Passphrase, environment: o.Environ, inherited: o.Door,
		ready: make(chan struct{}), asked: make(chan struct{}),
		history: history.New(o.Paths.History, o.Log),
	}
	a.journal, a.began = &accounts.Journal{Bus: a.bus}, time.Now()
	a.vault, err = vault.Open(vault.Options{
		Dir: o.Paths.Vault, Backend: o.Config.Keyring.Backend, Passphrase: o.Passphrase, Memory: o.Demo != "", Log: o.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("open the vault: %w", err)
	}
	a.vault.OnChange(func() { a.bus.Publish(accounts.Event{Kind: accounts.KeyChanged}) })
	a.registry, err = accounts.OpenRegistry(accounts.RegistryOptions{
		Dir: o.Paths.Data, LockPath: o.Paths.StateLock, Bus: a.bus, Log: o.Log,
	})
	if err != nil {
		a.vault.Close()
		return nil, fmt.Errorf("open the accounts: %w", err)
	}
	a.wire()
	a.recorder = rotation.NewRecorder(rotation.RecorderOptions{Pool: a.pool, Bus: a.bus, History: a.history, Speed: o.Speed, Log: o.Log})
	return a, nil
}

// wire makes what works on the accounts. Nothing of it starts anything.
func (a *App) wire() {
	agent := accounts.UserAgent(a.version)
	a.renewer = accounts.NewRenewer(accounts.RenewerOptions{
		Registry: a.registry, Vault: a.vault, Providers: a.providers, Journal: a.journal, Bus: a.bus, Log: a.log,
		NetworkProxy: a.network.proxy, UserAgent: agent,
	})
	a.records.changed = func() { a.bus.Publish(accounts.Event{Kind: accounts.AccountsChanged}) }
	a.tokens = notedTokens{a.renewer, &a.records}
	a.logins = accounts.NewLogins(accounts.LoginsOptions{
		Registry: a.registry, Vault: a.vault, Providers: a.providers, Journal: a.journal, Bus: a.bus, Log: a.log,
		NetworkProxy: a.network.proxy, UserAgent: agent,
	})
	a.pool = rotation.NewPool(rotation.PoolOptions{Accounts: a.registry, Bus: a.bus, Journal: a.journal, Log: a.log})
	a.chooseBy(a.strategy())
	a.browsers = a.newBrowsers()
	a.refresher = rotation.NewRefresher(rotation.RefresherOptions{
		Accounts: a.registry, Tokens: a.tokens, Pool: a.pool, Settings: a.settings, Journal: a.journal, Log: a.log,
		Relogin: a.browsers,
	})
	a.base = rotation.NewUpstream(a.network.proxy)
	a.proxy = rotation.NewProxy(rotation.ProxyOptions{
		Providers: a.providers,
		Transport: rotation.NewTransport(rotation.TransportOptions{
			Pool: a.pool, Refresher: a.refresher, Base: a.base, Settings: a.settings, Log: a.log,
		}),
		LocalKey: a.vault.LocalKey,
		Ready:    a.keyAsked,
		Log:      a.log,
	})
	a.background()
}

func (a *App) logger() *slog.Logger { return a.log }

// settings are the config file's words on one provider.
func (a *App) settings(id accounts.ProviderID) rotation.Settings {
	t := a.config.For(id)
	return rotation.Settings{
		MaxAttempts:    t.Retry.MaxAttempts,
		NetworkRetries: t.Retry.Network,
		RateLimit:      t.Cooldown.RateLimit.Std(),
		AuthFailure:    t.Cooldown.AuthFailure.Std(),
		ReloginWait:    t.Relogin.Wait,
		ReplayLimit:    int64(a.config.Proxy.ReplayLimit),
	}
}

// keyProblem says why no request can be served at all; nil: one can.
func (a *App) keyProblem() error {
	if state := a.vault.State(); state != vault.KeyOK && !a.vault.FirstUse() {
		return &vault.KeyError{State: state}
	}
	return nil
}

// keyAsked is keyProblem for a request: one that comes while the engine still
// asks for its key, which takes the vault's own few seconds at most, waits.
func (a *App) keyAsked() error {
	if a.running.Load() {
		<-a.asked
	}
	return a.keyProblem()
}

// unlock gets the vault's key and, once it is there, sees to what could not be
// seen to without it.
func (a *App) unlock(ctx context.Context, passphrase string, interactive bool) error {
	if passphrase == "" {
		passphrase = a.passphrase
	}
	if err := a.vault.Unlock(ctx, passphrase, interactive); err != nil {
		return err
	}
	return a.inspect(ctx)
}

// Close ends what was started outside Run, and forgets the key.
func (a *App) Close() {
	a.browsers.Close()
	a.logins.Close()
	a.base.CloseIdleConnections()
	a.vault.Close()
}

// network is the way out of this machine.
type network struct {
	proxy   func(*http.Request) (*url.URL, error) // nil: direct
	warning string                                // what a person should know of it
}

// outward reads network.proxy.
func outward(setting string, getenv func(string) string) (network, error) {
	switch setting {
	case "none":
		return network{}, nil
	case "env", "":
		n := network{proxy: http.ProxyFromEnvironment}
		if name, value := proxyVariable(getenv); name != "" {
			if host, ok := proxyHost(value); ok {
				n.warning = "requests go out through the proxy " + host + " (" + name + ")"
			}
		}
		return n, nil
	}
	u, err := url.Parse(setting)
	if err != nil || u.Host == "" {
		return network{}, errors.New("network.proxy: not an address") // the address may hold a password: not repeated
	}
	return network{proxy: http.ProxyURL(u), warning: "requests go out through the proxy " + u.Host + " (network.proxy)"}, nil
}
