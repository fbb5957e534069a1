// Package config is what a person may set, where the program keeps its files,
// and how both are found: flag, then environment, then config.toml, then the
// default. Loading reads one file, asks the resolver when proxy.listen holds a
// name, and writes nothing. The struct is the one source: the keys, their
// environment names, flags, defaults and help are its tags.
package config

import (
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// Config is the whole configuration, checked. The tags of a key: toml its name,
// default, help, env where the name does not follow from the key, min and max
// its bounds, oneof the words allowed.
type Config struct {
	Proxy    Proxy    `toml:"proxy"`
	Rotation Rotation `toml:"rotation"`
	Tuning
	Usage   Usage   `toml:"usage"`
	Network Network `toml:"network"`
	Keyring Keyring `toml:"keyring"`
	UI      UI      `toml:"ui"`

	// Providers are the [providers.NAME] tables. Their tuning is complete: what a
	// table does not say is the tuning of all.
	Providers map[accounts.ProviderID]Provider

	laid map[string]string // by key: the variable or flag that said it
}

// Laid returns the environment variable or the flag that holds a key, such as
// "rotation.strategy", whatever config.toml says; "": none does.
func (c Config) Laid(key string) string { return c.laid[key] }

// Proxy is the [proxy] table.
type Proxy struct {
	Listen      string `toml:"listen" default:"127.0.0.1:4747" help:"where the proxy listens: a loopback address and a port; port 0 takes a free one"`
	ReplayLimit Size   `toml:"replay_limit" default:"32MiB" help:"how much of a request's body is kept to send it again with another account; a longer one is sent once"`
}

// Rotation is the [rotation] table.
type Rotation struct {
	Strategy string `toml:"strategy" default:"sticky" oneof:"sticky round-robin least-used soonest-reset" help:"where a new conversation starts: on the preferred account, on each in turn, where most is left, or where what is left is lost soonest; one under way stays with its account"`
}

// Tuning are the tables that can also be set per provider, under
// [providers.NAME.retry] and so on.
type Tuning struct {
	Retry     Retry     `toml:"retry"`
	Cooldown  Cooldown  `toml:"cooldown"`
	Keepalive Keepalive `toml:"keepalive"`
	Relogin   Relogin   `toml:"relogin"`
}

// Retry is the [retry] table.
type Retry struct {
	MaxAttempts int `toml:"max_attempts" default:"0" min:"0" help:"upstream attempts of one request; 0 is the number of accounts"`
	Network     int `toml:"network" default:"1" min:"0" max:"10" help:"further attempts on the same account when nothing of the request was sent"`
}

// Cooldown is the [cooldown] table.
type Cooldown struct {
	RateLimit   Duration `toml:"rate_limit" default:"30s" min:"1s" help:"how long an account rests after a limit that does not say when it ends"`
	AuthFailure Duration `toml:"auth_failure" default:"5m" min:"1s" help:"how long an account rests after its new token was refused too"`
}

// Keepalive is the [keepalive] table.
type Keepalive struct {
	Enabled       bool     `toml:"enabled" default:"true" help:"renew and ping in the background; off stops the background only"`
	Interval      Duration `toml:"interval" default:"30m" min:"1s" help:"time between two rounds"`
	FirstAfter    Duration `toml:"first_after" default:"1m" help:"time from start to the first round"`
	RefreshBefore Duration `toml:"refresh_before" default:"10m" help:"renew a token that ends within this time"`
	Ping          bool     `toml:"ping" default:"true" help:"send the provider's smallest request for an account without traffic since the last round"`
	PingModel     string   `toml:"ping_model" default:"" help:"model of that request; empty is the provider's default"`
}

// Relogin is the [relogin] table.
type Relogin struct {
	Wait        bool     `toml:"wait" default:"false" help:"let a request wait for a new sign-in before another account is tried"`
	DailyBudget int      `toml:"daily_budget" default:"4" min:"0" help:"sign-ins through a browser without a person, per account and day; 0 is none"`
	Browser     string   `toml:"browser" default:"" env:"OAUTHMUX_BROWSER" help:"path of the browser that accounts are signed in with; empty looks for one"`
	LoginAge    Duration `toml:"login_age" default:"30d" min:"1h" help:"how long after a sign-in the next one is expected"`
}

// Usage is the [usage] table.
type Usage struct {
	Poll Duration `toml:"poll" default:"5m" min:"1s" help:"time between two readings of an account's usage; never below what the provider allows"`
}

// Network is the [network] table.
type Network struct {
	Proxy string `toml:"proxy" default:"env" help:"proxy for what goes out: env (HTTPS_PROXY, NO_PROXY), none, or an address"`
}

// Keyring is the [keyring] table.
type Keyring struct {
	Backend string `toml:"backend" default:"" oneof:"keychain secret-service kwallet wincred pass file" help:"keyring that holds the key; empty is the best of this system, recorded at first use"`
}

// UI is the [ui] table.
type UI struct {
	Toast Duration `toml:"toast" default:"8s" help:"how long a message stays on the screen"`
	Theme string   `toml:"theme" default:"auto" oneof:"auto dark light" help:"colours: auto asks the terminal for its background; T in the dashboard changes it"`
	Mouse bool     `toml:"mouse" default:"true" help:"click selects, double click prefers, the wheel scrolls; with it on, most terminals select text while shift is held"`

	Title  bool   `toml:"title" default:"true" help:"the title of the terminal says how things are while the dashboard runs"`
	Bell   bool   `toml:"bell" default:"true" help:"the terminal's bell rings when every account is out"`
	Notify string `toml:"notify" default:"auto" oneof:"auto osc9 osc777 osc99 desktop off" help:"a notice for who looks elsewhere, when every account is out, when one is back, and when one needs a sign-in: auto is the terminal's own where it is known to have one, and the desktop's otherwise, but not over ssh; osc9, osc777, osc99 and desktop name one, off is none"`

	NotifyOut    bool `toml:"notify_out" default:"true" help:"the notice that every account is out"`
	NotifyBack   bool `toml:"notify_back" default:"true" help:"the notice that one of them is back"`
	NotifySignIn bool `toml:"notify_sign_in" default:"true" help:"the notice that an account needs a sign-in"`
}

// Provider is one [providers.NAME] table.
type Provider struct {
	accounts.Settings
	Tuning
}

// For returns the tuning of a provider.
func (c Config) For(id accounts.ProviderID) Tuning {
	if p, ok := c.Providers[id]; ok {
		return p.Tuning
	}
	return c.Tuning
}

// Settings returns the endpoint settings of all [providers.NAME] tables, as
// accounts.NewSet takes them.
func (c Config) Settings() map[accounts.ProviderID]accounts.Settings {
	settings := make(map[accounts.ProviderID]accounts.Settings, len(c.Providers))
	for id, p := range c.Providers {
		settings[id] = p.Settings
	}
	return settings
}

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }
