package ui

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oauthmux/oauthmux/ui/control"
)

// changed is what a command that changes something prints.
type changed struct {
	Schema  int              `json:"schema"`
	Message string           `json:"message"`
	Account *control.Account `json:"account"` // as it is now; null: it is gone
}

// report prints what was done.
func (p *program) report(r control.Reply) error {
	if p.json {
		if r.Account != nil {
			*r.Account = normal(*r.Account)
		}
		return p.document(changed{control.Schema, r.Message, r.Account})
	}
	return p.print(printableLines(r.Message) + "\n")
}

// accountCommand makes a command whose first argument is an account.
func (p *program) accountCommand(use, short, example string, args cobra.PositionalArgs, run func(ctx context.Context, args []string) error) *cobra.Command {
	c := p.command(use, short, example, args, run)
	c.ValidArgsFunction = p.completeAccounts
	p.jsonFlag(c)
	return c
}

// simple makes a command that carries out one action on one account.
func (p *program) simple(name, action, short, example string) *cobra.Command {
	return p.accountCommand(name+" ACCOUNT", short, example, exactly(1), func(ctx context.Context, args []string) error {
		return p.change(ctx, args[0], control.Request{Action: action})
	})
}

// change carries out r on the account of that name.
func (p *program) change(ctx context.Context, name string, r control.Request) error {
	return p.withAccount(ctx, name, func(e control.Engine, _ control.State, a control.Account) error {
		r.Account = a.ID
		reply, err := p.do(ctx, e, r)
		if err != nil {
			return err
		}
		return p.report(reply)
	})
}

func (p *program) pauseCommand() *cobra.Command {
	return p.simple("pause", control.ActionPause, "Let an account serve nothing until it is resumed", "  oauthmux pause work")
}

func (p *program) resumeCommand() *cobra.Command {
	return p.simple("resume", control.ActionResume, "Let a paused account serve again", "  oauthmux resume work")
}

func (p *program) refreshCommand() *cobra.Command {
	return p.simple("refresh", control.ActionRenew, "Renew an account's token now", "  oauthmux refresh work")
}

func (p *program) renameCommand() *cobra.Command {
	return p.accountCommand("rename ACCOUNT LABEL", "Give an account another label", "  oauthmux rename me@example.com work", exactly(2),
		func(ctx context.Context, args []string) error {
			return p.change(ctx, args[0], control.Request{Action: control.ActionRename, Label: args[1]})
		})
}

func (p *program) moveCommand() *cobra.Command {
	c := p.accountCommand("move ACCOUNT up|down|N", "Change the order in which accounts are tried", `  oauthmux move work up
  oauthmux move work 1`, exactly(2), func(ctx context.Context, args []string) error { return p.move(ctx, args[0], args[1]) })
	c.ValidArgsFunction = func(c *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return []string{"up", "down"}, cobra.ShellCompDirectiveNoFileComp
		}
		return p.completeAccounts(c, args, toComplete)
	}
	return c
}

func (p *program) move(ctx context.Context, name, where string) error {
	n, err := strconv.Atoi(where)
	if where != "up" && where != "down" && (err != nil || n < 1) {
		return wrongUsage("up, down, or a place from 1", "%q is no place in the order", where)
	}
	return p.withAccount(ctx, name, func(e control.Engine, _ control.State, a control.Account) error {
		switch where {
		case "up":
			n = max(a.Order-1, 1)
		case "down":
			n = a.Order + 1
		}
		reply, err := e.Do(ctx, control.Request{Action: control.ActionMove, Account: a.ID, Position: n})
		if err != nil {
			return err
		}
		return p.report(reply)
	})
}

func (p *program) switchCommand() *cobra.Command {
	c := p.accountCommand("switch [ACCOUNT]", "Choose the account that new sessions start on", `  oauthmux switch work
  oauthmux switch`, atMostOne, func(ctx context.Context, args []string) error {
		if len(args) == 1 {
			return p.change(ctx, args[0], control.Request{Action: control.ActionSwitch})
		}
		return p.switchAsking(ctx)
	})
	return c
}

func (p *program) switchAsking(ctx context.Context) error {
	return p.withEngine(ctx, func(e control.Engine) error {
		s, err := e.State(ctx)
		if err != nil {
			return err
		}
		if len(s.Accounts) == 0 && s.Hidden {
			return &control.Error{Code: control.CodeNoAccount, Message: "no account can be shown: " + s.Damage, Hint: "oauthmux doctor says what to do"}
		}
		if len(s.Accounts) == 0 {
			return &control.Error{Code: control.CodeNoAccount, Message: "there is no account yet", Hint: "add one with: oauthmux login"}
		}
		if !p.interactive() {
			return needsAnswer("which account? There is no terminal to ask on", "name it: oauthmux switch ACCOUNT")
		}
		lines := make([]string, len(s.Accounts))
		for i, a := range s.Accounts {
			lines[i] = fmt.Sprintf("%s %s  %s", mark(a), printable(a.Label), stateWords(a, s.Now))
		}
		i, err := p.choose(ctx, "Which one?", lines)
		if err != nil {
			return err
		}
		reply, err := e.Do(ctx, control.Request{Action: control.ActionSwitch, Account: s.Accounts[i].ID})
		if err != nil {
			return err
		}
		return p.report(reply)
	})
}

func (p *program) logoutCommand() *cobra.Command {
	var yes, revoke bool
	c := p.accountCommand("logout ACCOUNT", "Remove an account and its tokens from this machine", `  oauthmux logout work
  oauthmux logout work --yes --revoke`, exactly(1), func(ctx context.Context, args []string) error {
		return p.logout(ctx, args[0], yes, revoke)
	})
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.Flags().BoolVar(&revoke, "revoke", false, "tell the provider that the login is over, as far as it listens")
	return c
}

func (p *program) logout(ctx context.Context, name string, yes, revoke bool) error {
	return p.withAccount(ctx, name, func(e control.Engine, _ control.State, a control.Account) error {
		what := " and its tokens"
		if a.Browser != control.BrowserNone {
			what = ", its tokens and its browser session"
		}
		if err := p.sure(ctx, yes, "Remove "+who(a)+what+" from this machine?"); err != nil {
			return err
		}
		r := control.Request{Action: control.ActionRemove, Account: a.ID, Revoke: revoke}
		do := e.Do
		if revoke { // revoking needs the token, and so the key; removing needs neither
			do = func(ctx context.Context, r control.Request) (control.Reply, error) { return p.do(ctx, e, r) }
		}
		reply, err := do(ctx, r)
		if err != nil {
			return err
		}
		return p.report(reply)
	})
}

// who is an account in a question.
func who(a control.Account) string {
	if a.Email != "" && a.Email != a.Label {
		return printable(a.Label) + " (" + printable(a.Email) + ")"
	}
	return printable(a.Label)
}

// sure asks before something is removed, unless the answer was given already.
func (p *program) sure(ctx context.Context, yes bool, question string) error {
	if yes {
		return nil
	}
	if !p.interactive() {
		return needsAnswer(strings.ToLower(question[:1])+question[1:]+" There is no terminal to ask on", "say so with --yes")
	}
	yes, err := p.confirm(ctx, question)
	if err == nil && !yes {
		err = &control.Error{Code: control.CodeInternal, Message: "nothing was removed"}
	}
	return err
}
