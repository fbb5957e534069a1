package ui

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/oauthmux/oauthmux/ui/control"
)

func (p *program) browserCommand() *cobra.Command {
	c := p.command("browser setup|login|status|remove [ACCOUNT]", "Sign accounts in through a browser session of their own", `  oauthmux browser setup work
  oauthmux browser status`, nil, nil)
	c.Long = `An account can have a browser session: a browser profile of its own, in which
the person signs in once, in a visible window. When the provider later refuses
to renew the login, oauthmux opens that profile without a window, presses the
button that grants access and nothing else, and has a new login. At any other
page it stops and calls the person.`
	c.Args = func(_ *cobra.Command, args []string) error {
		hint := "there are: setup, login, status, remove"
		if len(args) == 0 {
			return wrongUsage(hint, "browser needs to be told what to do")
		}
		return wrongUsage(hint, "unknown command %q", "browser "+args[0])
	}
	c.RunE = func(*cobra.Command, []string) error { return nil } // Args refuses whatever is no command
	c.ValidArgsFunction = nil
	c.AddCommand(p.browserSetupCommand(), p.browserLoginCommand(), p.browserStatusCommand(), p.browserRemoveCommand())
	return c
}

// setupOptions are the flags of the command.
type setupOptions struct {
	provider    string
	label       string
	acceptTerms bool
	takeOver    bool
	paste       bool
}

func (p *program) browserSetupCommand() *cobra.Command {
	var o setupOptions
	c := p.accountCommand("setup [ACCOUNT]", "Sign in once in a window, for an account or to add one", `  oauthmux browser setup work
  oauthmux browser setup --label lab
  oauthmux browser setup work --paste`, atMostOne, func(ctx context.Context, args []string) error {
		return p.browserSetup(ctx, args, o)
	})
	c.Long = `Opens a window of a browser profile that belongs to the account alone. You do
everything in it; it closes by itself once you are signed in, and you have ten
minutes. Without ACCOUNT an account is added.

With --paste no browser is started, for a machine without a screen: open the
address, which is printed alone on a line of stdout, in a browser elsewhere, and
paste the code, which is read from stdin. That signs in and leaves no session.`
	c.Flags().StringVar(&o.provider, "provider", "", "whose account to add")
	c.Flags().StringVar(&o.label, "label", "", "what to call the account that is added")
	c.Flags().BoolVar(&o.acceptTerms, "accept-terms", false, "accept the provider's notice, for scripts that have shown it")
	c.Flags().BoolVar(&o.takeOver, "take-over", false, "use the profile although another computer is said to have it open")
	c.Flags().BoolVar(&o.paste, "paste", false, "read the code from stdin, and start no browser")
	p.completeFlag(c, "provider", p.completeProviders)
	return c
}

func (p *program) browserSetup(ctx context.Context, args []string, o setupOptions) error {
	switch {
	case len(args) == 1 && (o.provider != "" || o.label != ""):
		return wrongUsage("without ACCOUNT an account is added", "--provider and --label are for an account that is added")
	case o.paste && o.takeOver:
		return wrongUsage("leave one of them out", "--paste starts no browser, and --take-over is about one")
	}
	return p.withEngine(ctx, func(e control.Engine) error {
		r := control.Request{Action: control.ActionBrowserSetup, Label: o.label, TakeOver: o.takeOver, Display: control.DisplayOf(p.Getenv)}
		if o.paste {
			r.How = control.HowPaste
		}
		provider, err := p.setupOf(ctx, e, args, o.provider, &r)
		if err != nil {
			return err
		}
		if err := p.acceptTerms(ctx, e, provider, o.acceptTerms); err != nil {
			return err
		}
		reply, err := p.do(ctx, e, r)
		if err != nil {
			return err
		}
		if reply.Flow == nil {
			return errors.New("the engine did not begin a sign-in")
		}
		if o.paste {
			return p.signIn(ctx, e, *reply.Flow, loginOptions{paste: true, noOpen: true})
		}
		return p.signInThere(ctx, e, *reply.Flow)
	})
}

// setupOf says in r whose session it is to be, and returns the provider.
func (p *program) setupOf(ctx context.Context, e control.Engine, args []string, provider string, r *control.Request) (control.Provider, error) {
	if len(args) == 1 {
		s, a, err := p.account(ctx, e, args[0])
		if err != nil {
			return control.Provider{}, err
		}
		r.Account, provider = a.ID, a.Provider
		i := slices.IndexFunc(s.Providers, func(v control.Provider) bool { return v.ID == provider })
		if i < 0 {
			return control.Provider{}, &control.Error{Code: control.CodeNotFound, Message: "no provider is called " + printable(provider)}
		}
		return s.Providers[i], nil
	}
	s, err := e.State(ctx)
	if err != nil {
		return control.Provider{}, err
	}
	var named []string
	if provider != "" {
		named = []string{provider}
	}
	v, err := p.pickProvider(ctx, s, named, "browser setup --provider ")
	r.Provider = v.ID
	return v, err
}

// windowEnd is how long a window may take to close that was given up.
const windowEnd = 15 * time.Second

// signInThere says what happens in the window, and gives the sign-in up when the
// person at the terminal does.
func (p *program) signInThere(ctx context.Context, e control.Engine, f control.Flow) (err error) {
	defer func() {
		if err != nil {
			p.giveUp(ctx, e, f, windowEnd)
		}
	}()
	p.say("A window opens; sign in there, until %s.", f.Ends.Local().Format("15:04"))
	reply, err := p.following(ctx, e, func(v control.Flow) bool { return v.ID == f.ID }, func() (control.Reply, error) {
		return e.Do(ctx, control.Request{Action: control.ActionLoginWait, Flow: f.ID})
	})
	if err != nil {
		return err
	}
	if reply.Flow == nil {
		return errors.New("the engine did not say how the sign-in ended")
	}
	return p.signedIn(ctx, e, *reply.Flow)
}

// following runs what takes a while and tells the person, step by step, what the
// browser of a flow does meanwhile.
func (p *program) following(ctx context.Context, e control.Engine, mine func(control.Flow) bool, run func() (control.Reply, error)) (control.Reply, error) {
	watch, stop := context.WithCancel(ctx)
	defer stop()
	states, err := e.Watch(watch)
	if err != nil {
		return control.Reply{}, err
	}
	type result struct {
		reply control.Reply
		err   error
	}
	ended := make(chan result, 1)
	go func() {
		reply, err := run()
		ended <- result{reply, err}
	}()
	said := ""
	for {
		select {
		case s, ok := <-states:
			if !ok {
				states = nil // what runs says why
				continue
			}
			for _, f := range s.Flows {
				if step := stripped(f.Step, false); mine(f) && step != "" && step != said {
					said = step
					p.say("%s", step)
				}
			}
		case r := <-ended:
			return r.reply, r.err
		}
	}
}

func (p *program) browserLoginCommand() *cobra.Command {
	c := p.accountCommand("login ACCOUNT", "Sign an account in now through its browser session", `  oauthmux browser login work`, exactly(1),
		func(ctx context.Context, args []string) error { return p.browserLogin(ctx, args[0]) })
	c.Long = `Signs in without a window, as it is done when the provider refuses to renew the
login. It does so whatever the day's budget says, and also after it stopped.

Exit status: 3 when the person is needed: oauthmux browser setup opens the window.`
	return c
}

func (p *program) browserLogin(ctx context.Context, name string) error {
	return p.withAccount(ctx, name, func(e control.Engine, _ control.State, a control.Account) error {
		mine := func(f control.Flow) bool { return f.How == control.HowBrowser && f.For == a.ID }
		reply, err := p.following(ctx, e, mine, func() (control.Reply, error) {
			return p.do(ctx, e, control.Request{Action: control.ActionBrowserLogin, Account: a.ID})
		})
		if err != nil {
			return clientFailure(err, exitFailed)
		}
		return p.report(reply)
	})
}

func (p *program) browserStatusCommand() *cobra.Command {
	return p.accountCommand("status [ACCOUNT]", "Show the browser sessions: when they were used, and what they need", `  oauthmux browser status
  oauthmux browser status work --json`, atMostOne, p.browserStatus)
}

// browserListing is the document of browser status.
type browserListing struct {
	Schema   int               `json:"schema"`
	Browsers []control.Browser `json:"browsers"`
}

func (p *program) browserStatus(ctx context.Context, args []string) error {
	r := control.Request{Action: control.ActionBrowserStatus}
	show := func(e control.Engine) error {
		reply, err := e.Do(ctx, r)
		if err != nil {
			return err
		}
		if p.json {
			all := append([]control.Browser{}, reply.Browsers...)
			for i := range all {
				all[i].LastUsed = utc(all[i].LastUsed)
			}
			return p.document(browserListing{control.Schema, all})
		}
		return p.print(browsersText(reply.Browsers, time.Now()))
	}
	if len(args) == 0 {
		return p.withEngine(ctx, show)
	}
	return p.withAccount(ctx, args[0], func(e control.Engine, _ control.State, a control.Account) error {
		r.Account = a.ID
		return show(e)
	})
}

// browsersText is a table of the sessions, and below it what only the person can do.
func browsersText(all []control.Browser, now time.Time) string {
	if len(all) == 0 {
		return noAccounts
	}
	t := table{right: map[int]bool{2: true}}
	t.add("ACCOUNT", "SESSION", "SIZE", "LAST USED", "TODAY", "LAST RESULT")
	var needs strings.Builder
	for _, b := range all {
		size := "-"
		if b.Size != nil {
			size = humanize.IBytes(uint64(max(*b.Size, 0)))
		}
		state := b.State
		switch {
		case b.Running:
			state = "in use"
		case state == control.BrowserLoginNeeded:
			state = "needs you"
		}
		t.add(printable(b.Label), state, size, since(b.LastUsed, now), number(b.Today)+" of "+number(b.Budget), or(stripped(b.LastResult, false), "-"))
		if b.Needs == "" {
			continue
		}
		needs.WriteString("\n" + printable(b.Label) + ": " + stripped(b.Needs, false) + "\n")
		if b.Screenshot != "" {
			needs.WriteString("  picture of the page: " + stripped(b.Screenshot, false) + "\n")
		}
		needs.WriteString("  hint: oauthmux browser setup " + shellWord(printable(b.Label)) + "\n")
	}
	return t.String() + needs.String()
}

func (p *program) browserRemoveCommand() *cobra.Command {
	var yes bool
	c := p.accountCommand("remove ACCOUNT", "Remove an account's browser session from this machine", `  oauthmux browser remove work
  oauthmux browser remove work --yes`, exactly(1), func(ctx context.Context, args []string) error {
		return p.browserRemove(ctx, args[0], yes)
	})
	c.Long = `Deletes the browser profile with everything in it: its cookies are a full login.
The account stays, and its tokens with it.`
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func (p *program) browserRemove(ctx context.Context, name string, yes bool) error {
	return p.withAccount(ctx, name, func(e control.Engine, _ control.State, a control.Account) error {
		if err := p.sure(ctx, yes, "Remove the browser session of "+who(a)+" from this machine?"); err != nil {
			return err
		}
		reply, err := e.Do(ctx, control.Request{Action: control.ActionBrowserRemove, Account: a.ID})
		if err != nil {
			return err
		}
		return p.report(reply)
	})
}
