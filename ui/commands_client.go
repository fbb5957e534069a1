package ui

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oauthmux/oauthmux/ui/control"
)

func (p *program) tokenCommand() *cobra.Command {
	var fresh bool
	c := p.command("token [ACCOUNT]", "Print a valid access token, and nothing else", `  oauthmux token work
  curl -H "Authorization: Bearer $(oauthmux token)" ...`, atMostOne, func(ctx context.Context, args []string) error {
		return p.token(ctx, args, fresh)
	})
	c.Long = `Prints a valid access token, renewed first if it must be. Without ACCOUNT it is
that of the account a new request would get.

Exit status: 3 when that account must sign in again, 4 when there is none.`
	c.ValidArgsFunction = p.completeAccounts
	c.Flags().BoolVar(&fresh, "fresh", false, "renew it first in any case")
	return c
}

func (p *program) token(ctx context.Context, args []string, fresh bool) error {
	r := control.Request{Action: control.ActionToken, Fresh: fresh}
	ask := func(e control.Engine) error {
		reply, err := p.do(ctx, e, r)
		if err != nil {
			return clientFailure(err, exitFailed)
		}
		return p.print(reply.Token + "\n")
	}
	if len(args) == 0 {
		return p.withEngine(ctx, ask)
	}
	return p.withAccount(ctx, args[0], func(e control.Engine, _ control.State, a control.Account) error {
		r.Account = a.ID
		return ask(e)
	})
}

// clientFailure gives an error the exit status that token and run use for it.
func clientFailure(err error, otherwise int) error {
	if _, ok := errors.AsType[*failure](err); ok {
		return err
	}
	switch forPerson(err).Code {
	case control.CodeLoginNeeded, control.CodeNeedsYou, control.CodeOtherIdentity:
		return &failure{exitLogin, err}
	case control.CodeNoAccount:
		return &failure{exitNobody, err}
	}
	return &failure{otherwise, err}
}

func (p *program) envCommand() *cobra.Command {
	var provider, shell string
	c := p.command("env", "Print what a client needs: the proxy's address and the local key", `  eval "$(oauthmux env)"
  oauthmux env --shell fish | source`, none, func(ctx context.Context, _ []string) error {
		return p.env(ctx, provider, shell)
	})
	c.Long = `Prints the variables that let a client use the proxy. The key in them is one of
this machine, good for the proxy and for nothing else.`
	c.Flags().StringVar(&provider, "provider", "", "whose client; the first with an account when it is not given")
	c.Flags().StringVar(&shell, "shell", "sh", "sh, fish or pwsh")
	p.jsonFlag(c)
	p.completeFlag(c, "provider", p.completeProviders)
	p.completeFlag(c, "shell", cobra.FixedCompletions(shells, cobra.ShellCompDirectiveNoFileComp))
	return c
}

var shells = []string{"sh", "fish", "pwsh"}

func (p *program) env(ctx context.Context, provider, shell string) error {
	if !slices.Contains(shells, shell) {
		return wrongUsage("there are: "+strings.Join(shells, ", "), "no shell %q", shell)
	}
	return p.withEngine(ctx, func(e control.Engine) error {
		reply, err := e.Do(ctx, control.Request{Action: control.ActionClient, Provider: provider, Shell: shell})
		if err != nil {
			return err
		}
		if reply.Client == nil {
			return errors.New("the engine did not say what a client needs")
		}
		// This process has the environment of whoever evaluates the lines; an engine
		// elsewhere has another one.
		for _, v := range shield(p.Environ()) {
			reply.Client.Env = append(reply.Client.Env, v)
			reply.Client.Lines = append(reply.Client.Lines, assignment(shell, v[0], v[1]))
		}
		if p.json {
			return p.document(clientDocument(*reply.Client))
		}
		return p.print(strings.Join(reply.Client.Lines, "\n") + "\n")
	})
}

// connectionDocument is what `env --json` prints.
type connectionDocument struct {
	Schema   int               `json:"schema"`
	Provider string            `json:"provider"`
	BaseURL  string            `json:"base_url"`
	Key      string            `json:"key"`
	Env      map[string]string `json:"env"`
}

func clientDocument(c control.Connection) connectionDocument {
	d := connectionDocument{control.Schema, c.Provider, c.BaseURL, c.Key, map[string]string{}}
	for _, v := range c.Env {
		d.Env[v[0]] = v[1]
	}
	return d
}

// completeFlag lets the shell complete a flag's value.
func (p *program) completeFlag(c *cobra.Command, name string, f cobra.CompletionFunc) {
	_ = c.RegisterFlagCompletionFunc(name, f) // it fails only for a flag that is not there
}

func (p *program) completeProviders(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	p.completing(c, func(s control.State) {
		for _, v := range s.Providers {
			names = append(names, v.ID+"\t"+printable(v.Name))
		}
	})
	return names, cobra.ShellCompDirectiveNoFileComp
}
