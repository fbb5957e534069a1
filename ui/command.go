package ui

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oauthmux/oauthmux/ui/config"
)

// root is the program's command line.
func (p *program) root() *cobra.Command {
	root := p.command("oauthmux", "Several OAuth subscriptions that behave as one", `  oauthmux
  oauthmux login
  oauthmux run -- CMD`, none, p.dashboard)
	root.Long = `oauthmux holds several OAuth subscription accounts of one person and makes
them behave as one that does not stop.

Without a command it shows every account's limits live, and runs the local
proxy, or attaches to the one that runs already.`
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.SuggestionsMinimumDistance = 2
	root.Version = p.Version
	root.SetVersionTemplate("oauthmux {{.Version}}\n")
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(wrongFlag)
	p.addConfigFlags(root)
	root.AddCommand(
		p.serveCommand(), p.loginCommand(), p.logoutCommand(),
		p.listCommand(), p.usageCommand(), p.statusCommand(),
		p.switchCommand(), p.renameCommand(), p.pauseCommand(), p.resumeCommand(), p.moveCommand(),
		p.refreshCommand(), p.tokenCommand(), p.envCommand(), p.runCommand(), p.browserCommand(), p.doctorCommand(), p.demoCommand(),
		p.completionCommand(), p.versionCommand(),
	)
	root.SetHelpCommand(p.helpCommand())
	return root
}

// command makes a command. Every one has an example and says how many
// arguments it takes.
func (p *program) command(use, short, example string, args cobra.PositionalArgs, run func(ctx context.Context, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use:                   use,
		Short:                 short,
		Example:               example,
		Args:                  args,
		DisableFlagsInUseLine: true,
		ValidArgsFunction:     cobra.NoFileCompletions,
		RunE:                  func(c *cobra.Command, args []string) error { return run(c.Context(), args) },
	}
}

// addConfigFlags gives every configuration key its flag. They are many, the
// same for every command, and listed by `oauthmux help config`.
func (p *program) addConfigFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	for _, k := range config.Keys() {
		flags.String(k.Flag, "", k.Help)
		_ = flags.MarkHidden(k.Flag) // it was just defined
	}
	root.PersistentPreRun = func(c *cobra.Command, _ []string) {
		p.configFlags = map[string]string{}
		for _, k := range config.Keys() {
			if f := c.Flags().Lookup(k.Flag); f != nil && f.Changed {
				p.configFlags[k.Flag] = f.Value.String()
			}
		}
	}
}

// wrongFlag is about a flag that cannot be read. A command that is none has no
// flags either, and is what went wrong.
func wrongFlag(c *cobra.Command, err error) error {
	if args := c.Flags().Args(); c.HasSubCommands() && len(args) > 0 {
		if unknown := c.ValidateArgs(args); unknown != nil {
			return unknown
		}
	}
	hint := "see: " + c.CommandPath() + " --help"
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return wrongUsage(hint, "--%s takes %s, not %q", e.GetFlag().Name, flagValue(e.GetFlag().Value.Type()), e.GetValue())
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return wrongUsage(hint, "--%s needs a value", e.GetFlag().Name)
	}
	return wrongUsage(hint, "%v", err)
}

// flagValue is what a flag of a type takes, in words.
func flagValue(kind string) string {
	switch kind {
	case "int":
		return "a whole number"
	case "float64":
		return "a number"
	case "bool":
		return "true or false"
	}
	return "another value"
}

// jsonFlag lets a command print documents.
func (p *program) jsonFlag(c *cobra.Command) {
	c.Flags().BoolVar(&p.json, "json", false, "print JSON")
}

// none, exactly and atMostOne say how many arguments a command takes.
func none(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !c.HasParent() {
		hint := "oauthmux help lists the commands"
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			hint = "did you mean " + strings.Join(near, " or ") + "?"
		}
		return wrongUsage(hint, "unknown command %q", args[0])
	}
	return wrongUsage("usage: "+c.UseLine(), "%s takes no argument", c.Name())
}

func exactly(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return wrongUsage("usage: "+c.UseLine(), "%s takes %s, not %d", c.Name(), count(n, "argument"), len(args))
	}
}

func atMostOne(c *cobra.Command, args []string) error {
	if len(args) <= 1 {
		return nil
	}
	return wrongUsage("usage: "+c.UseLine(), "%s takes at most one argument, not %d", c.Name(), len(args))
}

// count is a number with its word: "1 argument", "2 arguments".
func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
