package ui

import (
	"context"
	"fmt"
	"strings"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/ui/control"
)

func (a *App) doTerms(_ context.Context, r control.Request) (control.Reply, error) {
	p, err := a.provider(r.Provider)
	if err != nil {
		return control.Reply{}, err
	}
	return control.Reply{Message: p.Name + ": notice accepted"}, a.registry.AcceptTerms(p.ID)
}

func (a *App) doLoginStart(ctx context.Context, r control.Request) (control.Reply, error) {
	p, err := a.provider(r.Provider)
	if err != nil {
		return control.Reply{}, err
	}
	if err := a.readyToSignIn(ctx, p); err != nil {
		return control.Reply{}, err
	}
	f, err := a.logins.Start(ctx, p.ID, r.How, r.Label)
	if err != nil {
		return control.Reply{}, err
	}
	return a.flowReply(f), nil
}

// readyToSignIn makes sure that the notice was accepted, and of the key: a code
// that was exchanged and cannot be stored is a login wasted.
func (a *App) readyToSignIn(ctx context.Context, p *accounts.Provider) error {
	if p.Terms != "" && !a.registry.TermsAccepted(p.ID) {
		return &control.Error{
			Code: control.CodeTermsNeeded, Message: p.Name + ": the notice must be accepted first",
			Hint: "read it with: oauthmux login " + string(p.ID) + "   (scripts: --accept-terms)",
		}
	}
	return a.unlocked(ctx)
}

func (a *App) doLoginCode(ctx context.Context, r control.Request) (control.Reply, error) {
	f, err := a.logins.Code(ctx, r.Flow, r.Code)
	if err != nil {
		return control.Reply{}, err
	}
	if f.State == accounts.FlowWaiting {
		return control.Reply{}, &control.Error{Code: control.CodeBadPaste, Message: f.Problem, Hint: f.Hint}
	}
	return a.flowReply(f), nil
}

func (a *App) doLoginWait(ctx context.Context, r control.Request) (control.Reply, error) {
	f, err := a.logins.Wait(ctx, r.Flow)
	if err != nil {
		return control.Reply{}, err
	}
	if f.State == accounts.FlowFailed {
		return control.Reply{}, &control.Error{Code: control.CodeLoginFailed, Message: f.Problem, Hint: f.Hint}
	}
	return a.flowReply(f), nil
}

func (a *App) doLoginCancel(_ context.Context, r control.Request) (control.Reply, error) {
	a.logins.Cancel(r.Flow)
	return control.Reply{Message: "the sign-in was given up"}, nil
}

func (a *App) flowReply(f accounts.LoginFlow) control.Reply {
	out := a.flow(f)
	reply := control.Reply{Flow: &out}
	if f.Account != "" {
		a.records.note(f.Account, nil)
		reply.Account = a.done(f.Account, "").Account
	}
	return reply
}

// provider finds a provider by name; without one it is the only one there is,
// else the first that is built in.
func (a *App) provider(name string) (*accounts.Provider, error) {
	if name == "" {
		return a.defaultProvider(), nil
	}
	p, ok := a.providers.Get(accounts.ProviderID(name))
	if !ok {
		var names []string
		for _, p := range a.providers.All() {
			names = append(names, string(p.ID))
		}
		return nil, &control.Error{
			Code: control.CodeNotFound, Message: fmt.Sprintf("no provider %q", name), Hint: "there are: " + strings.Join(names, ", "),
		}
	}
	return p, nil
}

// defaultProvider is the first, by name, that has an account; the first of all
// while there is none.
func (a *App) defaultProvider() *accounts.Provider {
	all := a.providers.All()
	for _, p := range all {
		if a.registry.Preferred(p.ID) != "" {
			return p
		}
	}
	return all[0]
}
