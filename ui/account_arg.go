package ui

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/ui/control"
)

// find returns the account that a person means by a name (see accounts.Lookup).
func find(all []control.Account, name string) (control.Account, error) {
	name = strings.TrimSpace(name)
	matches := accounts.Lookup(all, name, func(a control.Account) (id, label, email string) { return a.ID, a.Label, a.Email })
	switch len(matches) {
	case 0:
	case 1:
		return matches[0], nil
	default:
		return control.Account{}, ambiguous(name, matches)
	}
	e := &control.Error{Code: control.CodeNotFound, Message: fmt.Sprintf("no account is called %q", name), Hint: "oauthmux list shows them all"}
	if len(all) == 0 {
		e.Hint = "there is none yet; add one with: oauthmux login"
	}
	return control.Account{}, e
}

func ambiguous(name string, matches []control.Account) error {
	lines := make([]string, len(matches))
	for i, a := range matches {
		lines[i] = "  " + a.ID + "  " + printable(a.Label) + "  " + printable(or(a.Org, a.Plan))
	}
	return &control.Error{
		Code:    control.CodeAmbiguous,
		Message: fmt.Sprintf("%q means several accounts:\n%s", name, strings.Join(lines, "\n")),
		Hint:    "name one by its id",
	}
}

// withAccount connects and looks an account up.
func (p *program) withAccount(ctx context.Context, name string, f func(e control.Engine, s control.State, a control.Account) error) error {
	return p.withEngine(ctx, func(e control.Engine) error {
		s, a, err := p.account(ctx, e, name)
		if err != nil {
			return err
		}
		return f(e, s, a)
	})
}

// account looks an account up. Where it is not found, the engine is asked about
// it: accounts that were lost with accounts.json are rebuilt from the vault for
// the first request that names one, which may need the person to open it.
func (p *program) account(ctx context.Context, e control.Engine, name string) (control.State, control.Account, error) {
	s, err := e.State(ctx)
	if err != nil {
		return control.State{}, control.Account{}, err
	}
	a, err := find(s.Accounts, name)
	if missing, ok := errors.AsType[*control.Error](err); !ok || missing.Code != control.CodeNotFound {
		return s, a, err
	}
	_, problem := p.do(ctx, e, control.Request{Action: control.ActionWhy, Account: name})
	if keyTrouble(problem) {
		return s, a, problem
	}
	if problem != nil {
		return s, a, err
	}
	if s, err = e.State(ctx); err != nil {
		return s, a, err
	}
	a, err = find(s.Accounts, name)
	return s, a, err
}

func (p *program) withEngine(ctx context.Context, f func(e control.Engine) error) error {
	e, closeEngine, err := p.connect(ctx)
	if err != nil {
		return err
	}
	defer closeEngine()
	return f(e)
}

// passphraseAttempts is how often a wrong passphrase may be given.
const passphraseAttempts = 3

// do carries out a request. When the engine lacks the vault's key and a person
// is there, it asks for what helps and tries again.
func (p *program) do(ctx context.Context, e control.Engine, r control.Request) (control.Reply, error) {
	reply, err := e.Do(ctx, r)
	if !keyTrouble(err) || !p.interactive() {
		return reply, err
	}
	if err := p.unlock(ctx, e, err); err != nil {
		return control.Reply{}, err
	}
	return e.Do(ctx, r)
}

// keyTrouble reports whether the vault's key is what was missing.
func keyTrouble(err error) bool {
	e, ok := errors.AsType[*control.Error](err)
	return ok && strings.HasPrefix(e.Code, control.CodeKeyPrefix)
}

// unlock has the person open the vault. trouble says why it is shut, and is
// what is returned when nothing a person could type would help.
func (p *program) unlock(ctx context.Context, e control.Engine, trouble error) error {
	for range passphraseAttempts {
		s, err := e.State(ctx)
		if err != nil {
			return err
		}
		p.say("%s", printableLines(forPerson(trouble).Message))
		request := control.Request{Action: control.ActionUnlock}
		if s.Key.Ask {
			if request.Passphrase, err = p.askPassphrase(ctx, s.Key.New); err != nil {
				return err
			}
		} else {
			p.say("Waiting for the keyring, which may ask in a window of its own.")
		}
		_, trouble = e.Do(ctx, request)
		if trouble == nil || !keyTrouble(trouble) || !s.Key.Ask {
			return trouble
		}
	}
	return trouble
}

// askPassphrase asks twice for one that is chosen now: a slip would lock the
// accounts away for good.
func (p *program) askPassphrase(ctx context.Context, chosen bool) (string, error) {
	if !chosen {
		return p.askSecret(ctx, "Passphrase of the vault: ")
	}
	for {
		first, err := p.askSecret(ctx, "Choose a passphrase for the vault: ")
		if err != nil {
			return "", err
		}
		second, err := p.askSecret(ctx, "The same again: ")
		if err != nil {
			return "", err
		}
		switch {
		case first != second:
			p.say("These were not the same.")
		case first == "":
			p.say("An empty passphrase protects nothing.")
		default:
			return first, nil
		}
	}
}
