package ui

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/relogin"
	"github.com/oauthmux/oauthmux/relogin/chromium"
	"github.com/oauthmux/oauthmux/ui/control"
)

// newBrowsers makes what signs accounts in through a browser of their own. It
// starts nothing.
func (a *App) newBrowsers() *relogin.Manager {
	return relogin.NewManager(relogin.Options{
		Dir: a.paths.Browsers, Registry: a.registry, Logins: a.logins, Providers: a.providers,
		Journal: a.journal, Bus: a.bus, Log: a.log,
		Driver:   &chromium.Driver{Log: a.log},
		Settings: a.browserSettings,
		Ready:    a.unlocked,
		Idle:     a.idle,
	})
}

// browserSettings are the config file's words on one provider's browsers.
func (a *App) browserSettings(id accounts.ProviderID) relogin.Settings {
	r := a.config.For(id).Relogin
	s := relogin.Settings{Browser: r.Browser, DailyBudget: r.DailyBudget, LoginAge: r.LoginAge.Std()}
	switch proxy := a.config.Network.Proxy; proxy {
	case "env", "": // the browser reads the same variables
	default:
		s.Proxy = proxy
	}
	return s
}

// quiet is how long an account has had no request before it counts as idle.
const quiet = 2 * time.Minute

// idle reports whether an account has a quiet moment: nothing of it is under way,
// and nobody is likely to want it in the next seconds.
func (a *App) idle(id accounts.ID) bool {
	if a.renewer.Renewing(id) {
		return false
	}
	for _, m := range a.pool.Members("") {
		if m.Account.ID == id {
			return m.InFlight == 0 && time.Since(m.LastUsed) > quiet
		}
	}
	return true
}

// doBrowserSetup opens a window to sign in in, or begins the same sign-in for
// somebody who pastes the code.
func (a *App) doBrowserSetup(ctx context.Context, r control.Request) (control.Reply, error) {
	setup := relogin.Setup{
		Label: r.Label, TakeOver: r.TakeOver, Environ: onDisplay(a.environ(), r.Display), Paste: r.How == control.HowPaste,
	}
	if r.Account != "" {
		acc, err := a.registry.Find(r.Account)
		if err != nil {
			return control.Reply{}, err
		}
		setup.Account, r.Provider = acc.ID, string(acc.Provider)
	}
	p, err := a.provider(r.Provider)
	if err != nil {
		return control.Reply{}, err
	}
	setup.Provider = p.ID
	if err := a.readyToSignIn(ctx, p); err != nil {
		return control.Reply{}, err
	}
	f, err := a.browsers.Setup(ctx, setup)
	if err != nil {
		return control.Reply{}, err
	}
	return a.flowReply(f), nil
}

// onDisplay is an environment with the display of whoever asks for a window. One
// that knows of none leaves this process its own.
func onDisplay(environ []string, d control.Display) []string {
	if !d.Known() {
		return environ
	}
	return withVariables(environ, d.Variables())
}

// environ is the environment of children.
func (a *App) environ() []string {
	if a.environment == nil {
		return os.Environ()
	}
	return a.environment()
}

func (a *App) doBrowserLogin(ctx context.Context, r control.Request) (control.Reply, error) {
	acc, err := a.registry.Find(r.Account)
	if err != nil {
		return control.Reply{}, err
	}
	if err := a.unlocked(ctx); err != nil {
		return control.Reply{}, err
	}
	if err := a.browsers.LoginNow(ctx, acc.ID); err != nil {
		return control.Reply{}, err
	}
	a.records.note(acc.ID, nil)
	return a.done(acc.ID, "%s: signed in again through its browser session", acc.Label), nil
}

func (a *App) doBrowserRemove(ctx context.Context, r control.Request) (control.Reply, error) {
	acc, err := a.registry.Find(r.Account)
	if err != nil {
		return control.Reply{}, err
	}
	if err := a.browsers.Remove(ctx, acc.ID); err != nil {
		return control.Reply{}, err
	}
	return a.done(acc.ID, "%s: its browser session is removed from this machine", acc.Label), nil
}

func (a *App) doBrowserStatus(ctx context.Context, r control.Request) (control.Reply, error) {
	all := a.registry.All()
	if r.Account != "" {
		acc, err := a.registry.Find(r.Account)
		if err != nil {
			return control.Reply{}, err
		}
		all = []accounts.Account{acc}
	}
	reply := control.Reply{Browsers: make([]control.Browser, 0, len(all))}
	for _, acc := range all {
		b, err := a.browserSession(ctx, acc)
		if err != nil {
			return control.Reply{}, err
		}
		reply.Browsers = append(reply.Browsers, b)
	}
	slices.SortStableFunc(reply.Browsers, func(x, y control.Browser) int {
		return cmp.Or(cmp.Compare(x.Provider, y.Provider), cmp.Compare(strings.ToLower(x.Label), strings.ToLower(y.Label)))
	})
	return reply, nil
}

// browserSession is an account's session in the words of the contract.
func (a *App) browserSession(ctx context.Context, acc accounts.Account) (control.Browser, error) {
	b := control.Browser{
		Account: string(acc.ID), Provider: string(acc.Provider), Label: acc.Label, State: control.BrowserNone,
		Budget: a.config.For(acc.Provider).Relogin.DailyBudget,
	}
	s, err := a.browsers.Session(ctx, acc.ID)
	switch {
	case errors.Is(err, relogin.ErrNoSession):
		return b, nil
	case err != nil:
		return b, err
	}
	b.State, b.Profile, b.LastUsed = or(s.State, control.BrowserLoginNeeded), s.Profile, known(s.LastUsed)
	b.LastResult, b.Needs, b.Screenshot = s.LastResult, s.Needs, s.Screenshot
	b.Today, b.Budget, b.Running = s.Today, s.Budget, s.Running
	if s.Size >= 0 {
		b.Size = &s.Size
	}
	return b, nil
}

// findAgain is how often the engine looks whether there is a browser.
const findAgain = time.Minute

// findBrowsers looks for the browsers that windows can be opened with, again and
// again until ctx ends: one may be installed meanwhile. It takes a walk through
// PATH, which no screen waits for.
func (a *App) findBrowsers(ctx context.Context) error {
	for {
		found := make(map[accounts.ProviderID]bool)
		for _, p := range a.providers.All() {
			_, err := chromium.Find(a.config.For(p.ID).Relogin.Browser, a.environ())
			found[p.ID] = err == nil
		}
		if before := a.found.Swap(&found); before == nil || !maps.Equal(*before, found) {
			a.bus.Publish(accounts.Event{Kind: accounts.AccountsChanged})
		}
		if !wait(ctx, findAgain) {
			return ctx.Err()
		}
	}
}

// hasBrowser reports whether a browser was found for the accounts of a provider.
func (a *App) hasBrowser(id accounts.ProviderID) bool {
	found := a.found.Load()
	return found != nil && (*found)[id]
}
