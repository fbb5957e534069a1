package ui

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/oauthmux/oauthmux/ui/config"
	"github.com/oauthmux/oauthmux/ui/control"
)

// topicConfig is the one help topic that is no command.
const topicConfig = "config"

// completionPatience is how long the shell may wait for the names of accounts.
const completionPatience = time.Second

func (p *program) helpCommand() *cobra.Command {
	c := p.command("help [COMMAND|config]", "Explain a command, or the configuration", `  oauthmux help
  oauthmux help run
  oauthmux help config`, cobra.ArbitraryArgs, nil)
	c.RunE = func(c *cobra.Command, args []string) error { return p.help(c.Root(), args) }
	c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		names := []string{topicConfig + "\tevery key, its default, flag and environment name"}
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		for _, sub := range c.Root().Commands() {
			if sub.IsAvailableCommand() {
				names = append(names, sub.Name()+"\t"+sub.Short)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

func (p *program) help(root *cobra.Command, args []string) error {
	if len(args) == 1 && args[0] == topicConfig {
		paths, err := config.FindPaths(p.Getenv)
		if err != nil {
			return err
		}
		return p.print(config.Help(paths.ConfigFile))
	}
	found, rest, err := root.Find(args)
	if err != nil || len(rest) > 0 {
		return wrongUsage("oauthmux help lists the commands", "no help on %q", strings.Join(args, " "))
	}
	found.InitDefaultHelpFlag()
	return found.Help()
}

func (p *program) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	c := p.command("completion bash|zsh|fish|powershell", "Print a completion script for a shell", `  source <(oauthmux completion bash)
  oauthmux completion fish > ~/.config/fish/completions/oauthmux.fish`, exactly(1), nil)
	c.ValidArgs, c.ValidArgsFunction = shells, nil
	c.RunE = func(c *cobra.Command, args []string) error {
		switch root := c.Root(); args[0] {
		case "bash":
			return root.GenBashCompletionV2(p.Stdout, true)
		case "zsh":
			return root.GenZshCompletion(p.Stdout)
		case "fish":
			return root.GenFishCompletion(p.Stdout, true)
		case "powershell":
			return root.GenPowerShellCompletionWithDesc(p.Stdout)
		}
		return wrongUsage("there are: "+strings.Join(shells, ", "), "no shell %q", args[0])
	}
	return c
}

// completing shows f the state that names are taken from. It needs no keyring,
// and gives up soon: somebody is typing.
func (p *program) completing(c *cobra.Command, f func(control.State)) {
	ctx, cancel := context.WithTimeout(c.Context(), completionPatience)
	defer cancel()
	_ = p.withEngine(ctx, func(e control.Engine) error { // without a state there are no names
		s, err := e.State(ctx)
		if err == nil {
			f(s)
		}
		return err
	})
}

// completeAccounts offers the labels, and the addresses behind them as help.
func (p *program) completeAccounts(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if len(args) == 0 {
		p.completing(c, func(s control.State) {
			for _, a := range s.Accounts {
				names = append(names, printable(a.Label)+"\t"+printable(a.Email))
			}
		})
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
