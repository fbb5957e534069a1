package ui

import (
	"context"
	"fmt"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/rotation"
	"github.com/oauthmux/oauthmux/ui/control"
)

func (a *App) doSwitch(_ context.Context, r control.Request) (control.Reply, error) {
	acc, err := a.registry.Find(r.Account)
	if err != nil {
		return control.Reply{}, err
	}
	before := a.registry.Preferred(acc.Provider)
	if err := a.registry.Prefer(acc.ID); err != nil {
		return control.Reply{}, err
	}
	if before != acc.ID {
		a.journal.Add(accounts.Entry{Kind: accounts.EntryPreferred, Account: acc.ID})
	}
	message := acc.Label + " is preferred from now on"
	switch name := *a.chosen.Load(); {
	case name != rotation.StrategySticky:
		message += fmt.Sprintf(", which counts under %s: new conversations start by %s", rotation.StrategySticky, name)
	case before != "" && before != acc.ID: // who wants it back must know whom
		message += ", in place of " + a.label(before)
		if n := a.conversations(before); n > 0 {
			message += fmt.Sprintf("; %s with it", stay(n))
		}
	}
	reply := a.done(acc.ID, "%s", message)
	if why := idle(reply.Account); why != "" {
		reply.Message, reply.Caution = reply.Message+". But "+why, true
	}
	return reply, nil
}

// conversations counts those that stay with an account.
func (a *App) conversations(id accounts.ID) int {
	n := 0
	for _, s := range a.pool.Sessions() {
		if s.Account == id {
			n++
		}
	}
	return n
}

func stay(conversations int) string {
	if conversations == 1 {
		return "1 conversation stays"
	}
	return fmt.Sprintf("%d conversations stay", conversations)
}

// idle says why an account gets no request though it is preferred; "": it does.
func idle(acc *control.Account) string {
	if acc == nil {
		return ""
	}
	switch acc.State {
	case control.StatePaused:
		return "it is paused, and gets no request until it is resumed"
	case control.StateCooling:
		return "it is cooling, and gets no request until that ends"
	case control.StateLoginNeeded, control.StateNeedsYou:
		return "it gets no request until it is signed in again"
	case control.StateUnreadable:
		return "its token cannot be read: " + acc.Reason
	}
	return ""
}

func (a *App) doMove(_ context.Context, r control.Request) (control.Reply, error) {
	a.ordering.Lock()
	defer a.ordering.Unlock()
	acc, err := a.registry.Find(r.Account)
	if err != nil {
		return control.Reply{}, err
	}
	before := a.registry.Preferred(acc.Provider)
	if r.By != 0 {
		err = a.registry.Shift(acc.ID, r.By)
	} else {
		err = a.registry.Move(acc.ID, r.Position)
	}
	if err != nil {
		return control.Reply{}, err
	}
	if acc, err = a.registry.Get(acc.ID); err != nil {
		return control.Reply{}, err
	}
	return a.done(acc.ID, "%s is number %d now%s", acc.Label, acc.Order, a.succession(before, acc.Provider)), nil
}

// succession words who is preferred instead of another one, though nobody said so: as
// long as no account is chosen it is the first in order. "": nothing changed.
func (a *App) succession(before accounts.ID, p accounts.ProviderID) string {
	now := a.registry.Preferred(p)
	if now == before || now == "" || a.registry.Chosen(p) {
		return ""
	}
	a.journal.Add(accounts.Entry{Kind: accounts.EntryPreferred, Account: now})
	return "; " + a.label(now) + " is preferred now, as the first in order"
}
