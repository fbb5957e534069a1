package ui

import (
	"cmp"
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/vault"
	"github.com/oauthmux/oauthmux/rotation"
	"github.com/oauthmux/oauthmux/ui/control"
	"github.com/oauthmux/oauthmux/usage"
)

// State implements control.Engine from memory: no keyring, no network, and of the
// disk one look at whether there is a key at all, until there is. So it can be
// asked at any moment. Where no engine runs, the history is read the first time.
func (a *App) State(context.Context) (control.State, error) {
	if !a.running.Load() {
		a.recall.Do(a.recorder.Recall)
	}
	now := time.Now()
	s := control.State{
		Status:   a.status(now),
		Now:      now,
		Began:    a.began,
		Feed:     a.feedLines(),
		Flows:    a.flows(),
		Key:      a.key(),
		Demo:     a.demo,
		Damage:   a.registry.Damage(),
		Hidden:   a.registry.Hollow(),
		Warnings: a.warnings(),
		Strategy: a.strategies(),
		Theme:    a.chosenTheme(),
		Poll:     a.config.Usage.Poll.Std(),
		Toast:    a.config.UI.Toast.Std(),
	}
	s.Traffic = a.traffic(s.Accounts, now)
	for i := range s.Accounts {
		if s.Accounts[i].State != control.StateNeedsYou {
			continue
		}
		if acc, err := a.registry.Get(accounts.ID(s.Accounts[i].ID)); err == nil && acc.NeedsLogin == "" {
			s.Holding = append(s.Holding, s.Accounts[i].ID)
		}
	}
	for _, p := range a.providers.All() {
		s.Providers = append(s.Providers, control.Provider{
			ID:            string(p.ID),
			Name:          p.Name,
			Terms:         p.Terms,
			TermsAccepted: p.Terms == "" || a.registry.TermsAccepted(p.ID),
			HasUsage:      p.Usage != nil || p.Windows != nil,
			HasPaste:      p.OAuth.RedirectURL != "",
			HasBrowser:    a.hasBrowser(p.ID),
		})
	}
	return s, nil
}

func (a *App) status(now time.Time) control.Status {
	members := a.pool.Members("")
	s := control.Status{
		Schema:   control.Schema,
		Engine:   a.info(),
		Sessions: []control.Session{},
		Accounts: make([]control.Account, 0, len(members)),
	}
	for _, v := range a.pool.Sessions() {
		s.Sessions = append(s.Sessions, control.Session{Session: v.Session, Account: string(v.Account), Since: v.Since, Requests: v.Requests})
	}
	for i := range members {
		s.Accounts = append(s.Accounts, a.account(&members[i], now))
	}
	a.sortAccounts(s.Accounts)
	return s
}

// sortAccounts puts the accounts in the order of their providers' names, and
// of the person's choice among them.
func (a *App) sortAccounts(all []control.Account) {
	name := func(id string) string {
		if p, ok := a.providers.Get(accounts.ProviderID(id)); ok {
			return p.Name
		}
		return id
	}
	slices.SortStableFunc(all, func(x, y control.Account) int {
		return cmp.Or(cmp.Compare(name(x.Provider), name(y.Provider)), cmp.Compare(x.Order, y.Order))
	})
}

func (a *App) info() control.Info {
	i := control.Info{Version: a.version, Key: string(a.vault.State())}
	if a.running.Load() {
		i.Running, i.PID = true, os.Getpid()
		if l := a.listen.Load(); l != nil {
			i.Listen = *l
		}
	}
	return i
}

// account is one account in the words of the contract. It shares only strings with
// m: a screen keeps it, and would keep all of m with a part of it.
func (a *App) account(m *rotation.Member, now time.Time) control.Account {
	acc := m.Account
	out := control.Account{
		ID: string(acc.ID), Provider: string(acc.Provider), Label: acc.Label, Email: acc.Email, Org: acc.Org, Plan: acc.Plan,
		Order: acc.Order, Preferred: a.registry.Preferred(acc.Provider) == acc.ID, Paused: acc.Paused,
		Cooldowns:      []control.Cooldown{},
		TokenExpiresAt: known(acc.TokenExpiresAt), LoggedInAt: known(acc.LoggedInAt),
		LoginExpiresAt: a.loginEnd(acc),
		Browser:        or(acc.Browser, control.BrowserNone),
		Windows:        []control.Window{},
		UsageAt:        known(m.Usage.At),
		UsageSource:    m.Usage.Source,
		InFlight:       m.InFlight,
	}
	if m.Counts.Day == now.Local().Format(time.DateOnly) {
		out.Requests, out.Failovers = m.Counts.Requests, m.Counts.Failovers
	}
	if m.LastStatus != 0 {
		out.LastStatus = new(m.LastStatus)
	}
	if n := len(m.Cooldowns); n > 0 {
		out.Cooldowns = make([]control.Cooldown, 0, n)
	}
	for _, c := range m.Cooldowns {
		if now.Before(c.Until) {
			out.Cooldowns = append(out.Cooldowns, control.Cooldown{Until: c.Until.UTC(), Scope: c.Scope, Evidence: c.Evidence})
		}
	}
	out.Windows = a.windows(m, now)
	out.State, out.Reason = a.accountState(m, now)
	return out
}

// loginEnd is when the login is expected to end: no renewal extends it
// (PROTOCOL 1.6). It is an expectation, so a moment that has passed is unknown.
func (a *App) loginEnd(acc *accounts.Account) *time.Time {
	if acc.LoggedInAt.IsZero() || a.demo != "" {
		return nil
	}
	end := acc.LoggedInAt.Add(a.config.For(acc.Provider).Relogin.LoginAge.Std())
	if time.Now().After(end) {
		return nil
	}
	return known(end)
}

// windows always names the account's two windows, also while nothing is known
// of them, and after them what else was read.
func (a *App) windows(m *rotation.Member, now time.Time) []control.Window {
	size := 2
	for i := range m.Usage.Windows {
		if m.Usage.Windows[i].Scope != "" {
			size++
		}
	}
	out := append(make([]control.Window, 0, size), control.Window{Name: usage.FiveHour}, control.Window{Name: usage.SevenDay})
	for _, w := range m.Usage.Windows {
		cw := control.Window{Name: w.Name, Used: new(w.Used), ResetsAt: known(w.ResetsAt), Scope: w.Scope}
		if !w.ResetsAt.IsZero() && !now.Before(w.ResetsAt) {
			zero := 0.0 // the window ended; the next begins with the next request
			cw.Used, cw.ResetsAt = &zero, nil
		} else if f, ok := a.recorder.Forecast(m.Account.ID, w, m.Usage.At, now); ok {
			cw.Forecast = forecast(f, w)
		}
		switch i := slices.IndexFunc(out, func(o control.Window) bool { return o.Name == w.Name && o.Scope == w.Scope }); i {
		case -1:
			out = append(out, cw)
		default:
			out[i] = cw
		}
	}
	return out
}

// accountState is the first state that applies, in the contract's order, with
// words where the state does not speak for itself.
func (a *App) accountState(m *rotation.Member, now time.Time) (state, reason string) {
	if slices.Contains(a.vault.Unsaved(), string(m.Account.ID)) {
		return control.StateUnsaved, "the new token is not on the disk yet: free some space and keep oauthmux running"
	}
	if broken := a.records.broken(m.Account.ID); broken != "" {
		return control.StateUnreadable, broken
	}
	if m.Account.NeedsYou != "" {
		return control.StateNeedsYou, m.Account.NeedsYou
	}
	if m.Account.NeedsLogin != "" {
		return control.StateLoginNeeded, loginWords(m.Account.NeedsLogin)
	}
	if m.Account.Paused {
		return control.StatePaused, ""
	}
	if a.renewer.Renewing(m.Account.ID) {
		return control.StateRenewing, ""
	}
	for _, c := range m.Cooldowns {
		if c.Scope == "" && now.Before(c.Until) {
			return control.StateCooling, c.Evidence
		}
	}
	if m.InFlight > 0 {
		return control.StateServing, ""
	}
	return control.StateReady, ""
}

func (a *App) feedLines() []control.Line {
	return feed(a.journal.Since(0), a.label)
}

// label names an account, also one that was removed: what happened to it is still told.
func (a *App) label(id accounts.ID) string {
	if acc, err := a.registry.Shared(id); err == nil {
		return acc.Label
	}
	if last, ok := a.departed.Load(id); ok {
		return last.(string)
	}
	return string(id)
}

func (a *App) flows() []control.Flow {
	var out []control.Flow
	for _, f := range a.logins.All() {
		out = append(out, a.flow(f))
	}
	return out
}

func (a *App) flow(f accounts.LoginFlow) control.Flow {
	step, visible := a.browsers.Step(f.ID)
	return control.Flow{
		ID: f.ID, Provider: string(f.Provider), How: f.How, URL: f.URL, Ends: f.Ends, State: f.State,
		Problem: f.Problem, Hint: f.Hint, Account: string(f.Account), Renewed: f.Renewed,
		For: string(f.For), Step: step, Visible: visible,
	}
}

func (a *App) key() control.Key {
	state := a.vault.State()
	message, hint := state.Describe()
	return control.Key{State: string(state), Message: message, Hint: hint, New: state != vault.KeyOK && a.vault.FirstUse(), Ask: state == vault.KeyPassphraseNeeded || state == vault.KeyWrongPassphrase}
}

// warnings are what a person should know of this installation at any time.
func (a *App) warnings() []string {
	var out []string
	if damage := a.registry.Damage(); damage != "" {
		out = append(out, damage)
	}
	if a.demo != "" {
		return out // its endpoints are the simulator's, and the demo's own line says so
	}
	for _, p := range a.providers.All() {
		switch len(p.Overrides) {
		case 0:
		case 1:
			out = append(out, p.Name+": "+p.Overrides[0]+" is set in config.toml")
		default:
			out = append(out, p.Name+": "+strings.Join(p.Overrides, ", ")+" are set in config.toml")
		}
	}
	if w := a.network.warning; w != "" {
		out = append(out, w)
	}
	return out
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
