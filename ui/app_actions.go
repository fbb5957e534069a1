package ui

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/relogin"
	"github.com/oauthmux/oauthmux/rotation"
	"github.com/oauthmux/oauthmux/ui/control"
)

// handlers are the actions of an engine: one function each.
var handlers = map[string]func(*App, context.Context, control.Request) (control.Reply, error){
	control.ActionSwitch:        (*App).doSwitch,
	control.ActionRename:        (*App).doRename,
	control.ActionPause:         (*App).doPause,
	control.ActionResume:        (*App).doPause,
	control.ActionToggle:        (*App).doPause,
	control.ActionMove:          (*App).doMove,
	control.ActionRemove:        (*App).doRemove,
	control.ActionStrategy:      (*App).doStrategy,
	control.ActionTheme:         (*App).doTheme,
	control.ActionRenew:         (*App).doRenew,
	control.ActionUsage:         (*App).doUsage,
	control.ActionTerms:         (*App).doTerms,
	control.ActionLoginStart:    (*App).doLoginStart,
	control.ActionLoginCode:     (*App).doLoginCode,
	control.ActionLoginWait:     (*App).doLoginWait,
	control.ActionLoginCancel:   (*App).doLoginCancel,
	control.ActionUnlock:        (*App).doUnlock,
	control.ActionBrowserSetup:  (*App).doBrowserSetup,
	control.ActionBrowserLogin:  (*App).doBrowserLogin,
	control.ActionBrowserRemove: (*App).doBrowserRemove,
	control.ActionBrowserStatus: (*App).doBrowserStatus,
	control.ActionClient:        (*App).doClient,
	control.ActionToken:         (*App).doToken,
	control.ActionWhy:           (*App).doWhy,
	control.ActionLog:           (*App).doLog,
	control.ActionStop:          (*App).doStop,
}

// Do implements control.Engine.
func (a *App) Do(ctx context.Context, r control.Request) (_ control.Reply, err error) {
	handle, ok := handlers[r.Action]
	if !ok {
		return control.Reply{}, &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("unknown action %q", r.Action)}
	}
	defer a.caught(r.Action, &err)
	if r.Action != control.ActionUnlock && r.Action != control.ActionStop {
		if err := a.repair(ctx); err != nil {
			return control.Reply{}, a.forPeople(err, r)
		}
	}
	reply, err := handle(a, ctx, r)
	if err != nil {
		return control.Reply{}, a.forPeople(err, r)
	}
	return reply, nil
}

// repair rebuilds damaged accounts from the vault, if that opens without a
// person. When it does not, nobody may say that there is no such account.
func (a *App) repair(ctx context.Context) error {
	if !a.damaged() || a.vault.FirstUse() {
		return nil // or the vault never held anything, and looking must not make a key
	}
	// Also where the key is here already: who got it may be rebuilding only now.
	return a.unlock(ctx, "", false)
}

// damaged reports whether accounts are missing. While they are being rebuilt it
// waits until everybody has been told of them.
func (a *App) damaged() bool {
	a.inspecting.Lock()
	defer a.inspecting.Unlock()
	return a.registry.Damage() != ""
}

// done is the answer to a change of one account: the line, and the account as
// it is now: the registry is the first to know what was changed about it, and the
// pool what it did.
func (a *App) done(id accounts.ID, format string, args ...any) control.Reply {
	reply := control.Reply{Message: fmt.Sprintf(format, args...)}
	now := time.Now()
	for _, m := range a.pool.Members("") {
		if m.Account.ID == id {
			if stored, err := a.registry.Shared(id); err == nil {
				m.Account = stored
			}
			acc := a.account(&m, now)
			reply.Account = &acc
		}
	}
	return reply
}

// doStop has the engine end. Where there is none there is nobody to be asked.
func (a *App) doStop(context.Context, control.Request) (control.Reply, error) {
	end := a.end.Load()
	if end == nil {
		return control.Reply{}, control.ErrNoEngine
	}
	a.stopped.Store(true)
	(*end)()
	return control.Reply{Message: "the engine ends"}, nil
}

func (a *App) doRename(_ context.Context, r control.Request) (control.Reply, error) {
	acc, err := a.registry.Find(r.Account)
	if err != nil {
		return control.Reply{}, err
	}
	if err := a.registry.Rename(acc.ID, r.Label); err != nil {
		return control.Reply{}, err
	}
	return a.done(acc.ID, "%s is called %s now", acc.Label, a.label(acc.ID)), nil
}

func (a *App) doPause(_ context.Context, r control.Request) (control.Reply, error) {
	acc, err := a.registry.Find(r.Account)
	if err != nil {
		return control.Reply{}, err
	}
	changed := false
	acc, err = a.registry.Edit(acc.ID, func(acc *accounts.Account) error {
		before := acc.Paused
		acc.Paused = r.Action == control.ActionPause || r.Action == control.ActionToggle && !acc.Paused
		changed = acc.Paused != before
		if !acc.Paused {
			acc.PingsOff = "" // what was wrong with them may be over: the person says go
		}
		return nil
	})
	if err != nil {
		return control.Reply{}, err
	}
	if changed {
		kind := accounts.EntryResumed
		if acc.Paused {
			kind = accounts.EntryPaused
		}
		a.journal.Add(accounts.Entry{Kind: kind, Account: acc.ID})
	}
	if acc.Paused {
		return a.done(acc.ID, "%s is paused: it gets no requests until it is resumed", acc.Label), nil
	}
	return a.done(acc.ID, "%s serves again", acc.Label), nil
}

// doRemove takes the secrets away first, cookies among them: killed in between, an
// account is left that says it has no token, never a token that nobody sees. A
// browser profile that cannot be removed keeps nothing else here: the next start of
// the engine tries again.
func (a *App) doRemove(ctx context.Context, r control.Request) (control.Reply, error) {
	acc, err := a.registry.Find(r.Account)
	if err != nil {
		return control.Reply{}, err
	}
	message := acc.Label + " is removed from this machine"
	if r.Revoke {
		message += "; " + a.revoke(ctx, acc)
	}
	if err := a.removeSession(ctx, acc.ID); err != nil {
		a.log.Warn("a browser profile is not removed at once", "account", acc.ID, "error", err)
	}
	preferred := a.registry.Preferred(acc.Provider)
	if err := a.discard(ctx, acc.ID); err != nil {
		return control.Reply{}, err
	}
	succession := a.succession(preferred, acc.Provider)
	a.departed.Store(acc.ID, acc.Label)
	a.journal.Add(accounts.Entry{Kind: accounts.EntryRemoved, Account: acc.ID})
	// And this, too: a window may have ended since, or what was in the way is gone.
	if stays := a.removeSession(ctx, acc.ID); stays != nil {
		return control.Reply{}, &control.Error{
			Code: control.CodeBrowserProfile, Message: message + ", but for its browser profile: " + stays.Error() + succession,
			Hint: "its cookies are a login: delete it by hand, or start oauthmux once more",
		}
	}
	return control.Reply{Message: message + succession}, nil
}

// discard removes an account and every login of it. It waits for whoever is at work
// on the account before it has anybody else wait.
func (a *App) discard(ctx context.Context, id accounts.ID) error {
	held, err := a.vault.LockPresent(ctx, string(id))
	if err != nil {
		return err
	}
	remove := a.vault.Remove
	if held != nil {
		defer held.Release()
		remove = func(ctx context.Context, _ string) error { return held.Remove(ctx) }
	}
	// Who has read every record just now would make an account of one that goes.
	a.inspecting.Lock()
	defer a.inspecting.Unlock()
	if err := a.registry.Disown(ctx, a.vault, id); err != nil {
		return err
	}
	if err := remove(ctx, string(id)); err != nil {
		return err
	}
	if err := a.registry.Remove(id); err != nil {
		return err
	}
	a.forget(id)
	// Once more: a login may have been stored for the account while it was known still.
	return a.vault.Remove(ctx, string(id))
}

// sessionPatience is how long a removal waits for a browser of another process.
const sessionPatience = 10 * time.Second

// removeSession removes an account's browser session, if it has one.
func (a *App) removeSession(ctx context.Context, id accounts.ID) error {
	ctx, cancel := context.WithTimeout(ctx, sessionPatience)
	defer cancel()
	switch err := a.browsers.Remove(ctx, id); {
	case errors.Is(err, relogin.ErrNoSession), errors.Is(err, accounts.ErrNotFound):
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return &relogin.InUseError{}
	default:
		return err
	}
}

// revokeTimeout is for one attempt, the only one: revoking is best effort.
const revokeTimeout = 15 * time.Second

func (a *App) revoke(ctx context.Context, acc accounts.Account) string {
	p, ok := a.providers.Get(acc.Provider)
	if !ok || p.Revoke == nil {
		return "its provider has no way to revoke a login from here"
	}
	where := ""
	if p.LoginsURL != "" {
		where = "; look at " + p.LoginsURL + " to be sure"
	}
	token, err := a.tokens.Token(acc.ID)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
		defer cancel()
		err = p.Revoke(ctx, a.client(p), token)
	}
	if err != nil {
		a.log.Warn("login not revoked", "account", string(acc.ID), "error", err)
		return "its login could not be revoked" + where
	}
	return "its login is revoked, as far as the provider says" + where
}

func (a *App) client(p *accounts.Provider) accounts.Doer {
	return accounts.StrictClient(p, a.network.proxy, accounts.UserAgent(a.version))
}

func (a *App) doRenew(ctx context.Context, r control.Request) (control.Reply, error) {
	acc, err := a.registry.Find(r.Account)
	if err != nil {
		return control.Reply{}, err
	}
	token, err := a.renew(ctx, acc)
	if err != nil {
		return control.Reply{}, err
	}
	return a.done(acc.ID, "%s: token renewed, valid %s", acc.Label, span(time.Until(token.Expiry))), nil
}

// renew gets a newer token than the one at hand, whatever that is good for.
func (a *App) renew(ctx context.Context, acc accounts.Account) (accounts.Token, error) {
	if err := a.unlocked(ctx); err != nil {
		return accounts.Token{}, err
	}
	token, err := a.tokens.Token(acc.ID)
	if err != nil {
		return accounts.Token{}, err
	}
	return a.tokens.Renew(ctx, acc.ID, token.Generation)
}

// unlocked makes sure of the key, without asking anybody.
func (a *App) unlocked(ctx context.Context) error {
	if a.keyProblem() == nil && !a.vault.FirstUse() {
		return nil
	}
	return a.unlock(ctx, "", false)
}

func (a *App) doUsage(ctx context.Context, r control.Request) (control.Reply, error) {
	if err := a.unlocked(ctx); err != nil {
		return control.Reply{}, err
	}
	if r.Account != "" {
		acc, err := a.registry.Find(r.Account)
		if err != nil {
			return control.Reply{}, err
		}
		if err := a.poller.Read(ctx, acc.ID); err != nil {
			return control.Reply{}, err
		}
		return a.done(acc.ID, "%s: usage read", acc.Label), nil
	}
	read, failed := 0, error(nil)
	for _, acc := range a.registry.All() {
		if p, ok := a.providers.Get(acc.Provider); !ok || p.Usage == nil {
			continue
		}
		err := a.poller.Read(ctx, acc.ID)
		if _, early := errors.AsType[*rotation.TooSoonError](err); err != nil && !early && failed == nil {
			failed = a.forPeople(err, control.Request{Account: string(acc.ID)})
		}
		if err == nil {
			read++
		}
	}
	if read == 0 && failed != nil {
		return control.Reply{}, failed
	}
	return control.Reply{Message: fmt.Sprintf("usage of %d accounts read", read)}, nil
}

func (a *App) doUnlock(ctx context.Context, r control.Request) (control.Reply, error) {
	if err := a.unlock(ctx, r.Passphrase, true); err != nil {
		return control.Reply{}, err
	}
	return control.Reply{Message: "the vault is unlocked"}, nil
}
