package ui

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/oauthmux/oauthmux/accounts/vault"
	"github.com/oauthmux/oauthmux/ui/control"
)

// runOptions are the flags of the command.
type runOptions struct {
	account, provider string
}

func (p *program) runCommand() *cobra.Command {
	var o runOptions
	c := p.command("run [--account A] [--provider P] -- CMD...", "Run a client that uses the proxy", `  oauthmux run -- my-client
  oauthmux run --account work -- my-client --its-own-flag`, nil, func(ctx context.Context, args []string) error {
		return p.run(ctx, args, o)
	})
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return nil
		}
		return wrongUsage("usage: oauthmux run -- CMD", "run needs a command")
	}
	c.Long = `Runs CMD with the variables in its environment that let it use the proxy: that of
the oauthmux that runs, or one on a free port for as long as CMD takes. The key
is of this session alone and follows it from account to account; --account pins
it to one.

Exit status: CMD's own. For what goes wrong here: 3 when the account must sign
in again, 4 when there is none to use, 127 when CMD is not found, 125 otherwise.`
	c.Flags().SetInterspersed(false) // what comes after CMD is CMD's
	c.Flags().StringVar(&o.account, "account", "", "use this account and no other")
	c.Flags().StringVar(&o.provider, "provider", "", "whose client CMD is; the first with an account when it is not given")
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	}
	p.completeFlag(c, "provider", p.completeProviders)
	p.completeFlag(c, "account", func(c *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		return p.completeAccounts(c, nil, toComplete)
	})
	return c
}

func (p *program) run(ctx context.Context, args []string, o runOptions) error {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return cannotStart(args[0], err)
	}
	s, err := p.setup(ctx)
	if err != nil {
		return &failure{exitRunFailed, err}
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	k, err := p.keepEngine(life, s)
	if err != nil {
		end()
		return clientFailure(err, exitRunFailed)
	}
	defer func() {
		end()
		k.wait()
	}()
	client, err := p.prepare(ctx, k.engine(), o)
	if err != nil {
		return clientFailure(err, exitRunFailed)
	}
	k.listen(client.BaseURL)
	return p.runChild(ctx, path, args, client)
}

// prepare makes sure that a client would be served, and says how it gets there.
func (p *program) prepare(ctx context.Context, e control.Engine, o runOptions) (control.Connection, error) {
	r := control.Request{Action: control.ActionClient, Provider: o.provider, Session: strings.ToLower(rand.Text())}
	if o.account != "" {
		_, a, err := p.account(ctx, e, o.account)
		if err != nil {
			return control.Connection{}, err
		}
		r.Account = a.ID
	}
	reply, err := p.do(ctx, e, r)
	if err != nil {
		return control.Connection{}, err
	}
	if reply.Client == nil {
		return control.Connection{}, errors.New("the engine did not say what a client needs")
	}
	s, err := e.State(ctx)
	if err != nil {
		return control.Connection{}, err
	}
	candidates := slices.DeleteFunc(slices.Clone(s.Accounts), func(a control.Account) bool {
		return a.Provider != reply.Client.Provider || (r.Account != "" && a.ID != r.Account)
	})
	if err := usable(candidates, s.Holding); err != nil {
		return control.Connection{}, err
	}
	return *reply.Client, p.keyReady(ctx, e)
}

// usable reports why none of the accounts could serve: the preferred one's reason
// before that of others. One that is cooling will be back, and is told to the
// client by the proxy; one of those in holding serves although its person is
// called, and one whose login ended comes back through its browser session.
func usable(all []control.Account, holding []string) error {
	if len(all) == 0 {
		return &control.Error{Code: control.CodeNoAccount, Message: "there is no account to use", Hint: "add one with: oauthmux login"}
	}
	paused, out := false, (*control.Error)(nil)
	for _, a := range all {
		trouble := outOfService(a)
		if slices.Contains(holding, a.ID) || a.State == control.StateLoginNeeded && a.Browser != control.BrowserNone {
			trouble = nil
		}
		switch {
		case a.State == control.StatePaused:
			paused = true
		case trouble == nil:
			return nil
		case out == nil || a.Preferred:
			out = trouble
		}
	}
	if paused {
		return &control.Error{Code: control.CodeNoAccount, Message: "every account that could serve is paused", Hint: "oauthmux resume ACCOUNT"}
	}
	return out
}

// outOfService says what an account lacks that only its person can mend; nil:
// nothing.
func outOfService(a control.Account) *control.Error {
	label, reason := printable(a.Label), printable(a.Reason)
	switch a.State {
	case control.StateLoginNeeded:
		return loginOver(label + ": " + loginAgain + reason)
	case control.StateNeedsYou:
		return needsYou(label, reason)
	case control.StateUnreadable:
		return recordSpoilt(label + ": " + reason)
	}
	return nil
}

// keyPatience is how long an engine that has just begun may take to ask its
// keyring. The vault's own limits end that sooner; this is for an engine that
// hangs.
const keyPatience = 40 * time.Second

// keyReady waits until the vault is open, and has a person open it if that helps.
func (p *program) keyReady(ctx context.Context, e control.Engine) error {
	watch, cancel := context.WithTimeout(ctx, keyPatience)
	defer cancel()
	states, err := e.Watch(watch)
	if err != nil {
		return err
	}
	var key control.Key
	for s := range states {
		if key = s.Key; key.State != string(vault.KeyUnasked) {
			break
		}
	}
	if key.State == string(vault.KeyOK) {
		return nil
	}
	trouble := &control.Error{Code: control.CodeKeyPrefix + key.State, Message: key.Message, Hint: key.Hint}
	if ctx.Err() != nil || !p.interactive() {
		return errors.Join(ctx.Err(), trouble)
	}
	return p.unlock(ctx, e, trouble)
}

// runChild runs the client and returns with its status.
func (p *program) runChild(ctx context.Context, path string, args []string, client control.Connection) error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded()...)
	defer signal.Stop(signals)
	if err := ctx.Err(); err != nil { // interrupted before there was a child to decide
		return &failure{exitRunFailed, err}
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), path, args[1:]...) //nolint:gosec // running it is what was asked for
	cmd.Args[0] = args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.Stdin, p.Stdout, p.Stderr
	cmd.Env = childEnv(p.Environ(), client.Env)
	if err := cmd.Start(); err != nil {
		return cannotStart(args[0], err)
	}
	done := make(chan struct{})
	defer func() { <-done }()
	stop := make(chan struct{})
	defer close(stop)
	_, atTerminal := terminal(p.Stdin)
	go func() {
		defer close(done)
		for {
			select {
			case s := <-signals:
				if !atTerminal || !fromKeyboard(s) {
					_ = cmd.Process.Signal(s) // it may have ended just now
				}
			case <-stop:
				return
			}
		}
	}()
	err := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return &failure{status: childStatus(exit.ProcessState)}
	}
	if err != nil {
		return &failure{exitRunFailed, err}
	}
	return nil
}

// cannotStart tells a command that is not there from one that cannot be run.
func cannotStart(name string, err error) error {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return &failure{exitNotFound, &control.Error{Code: control.CodeNotFound, Message: printable(name) + ": command not found"}}
	}
	return &failure{exitRunFailed, &control.Error{Code: control.CodeInternal, Message: "cannot run " + printable(name) + ": " + reason(err).Error()}}
}

// childEnv is the environment of a client. Where requests go through a proxy of
// the network, this machine is excepted: the local key is nobody else's.
func childEnv(environ []string, set [][2]string) []string {
	set = append(slices.Clone(set), shield(environ)...)
	return withVariables(environ, append(set, [2]string{passphraseVariable}))
}

// withVariables is an environment with these variables, name and value, and
// without those whose value is empty.
func withVariables(environ []string, set [][2]string) []string {
	drop := make(map[string]bool, len(set))
	for _, v := range set {
		drop[v[0]] = true
	}
	env := slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return drop[name]
	})
	for _, v := range set {
		if v[1] != "" {
			env = append(env, v[0]+"="+v[1])
		}
	}
	return env
}

// shield is what keeps requests to this machine from a proxy of the network.
func shield(environ []string) [][2]string {
	if !throughProxy(environ) {
		return nil
	}
	var set [][2]string
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		set = append(set, [2]string{name, join(lookup(environ, name), "127.0.0.1,localhost")})
	}
	return set
}

// throughProxy reports whether a client would send plain HTTP through a proxy.
func throughProxy(environ []string) bool {
	return slices.ContainsFunc([]string{"HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"}, func(name string) bool {
		return lookup(environ, name) != ""
	})
}

func lookup(environ []string, name string) string {
	for _, entry := range slices.Backward(environ) {
		if n, value, _ := strings.Cut(entry, "="); n == name {
			return value
		}
	}
	return ""
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "," + b
}
