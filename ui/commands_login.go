package ui

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"github.com/oauthmux/oauthmux/ui/control"
)

// loginOptions are the flags of the command.
type loginOptions struct {
	label       string
	paste       bool
	noOpen      bool
	acceptTerms bool
}

func (p *program) loginCommand() *cobra.Command {
	var o loginOptions
	c := p.command("login [PROVIDER]", "Add an account, or sign one in again", `  oauthmux login
  oauthmux login --label work --paste`, atMostOne, func(ctx context.Context, args []string) error {
		return p.login(ctx, args, o)
	})
	c.Long = `Signs in with a provider in the browser. An account that is here already keeps
its place and gets its login renewed.

The address to open is printed alone on a line of stdout. With --paste the page
shows a code, which is read from stdin: the code, or the address of the page
that shows it. Without it the answer comes back to this machine by itself.`
	c.Flags().StringVar(&o.label, "label", "", "what to call the account")
	c.Flags().BoolVar(&o.paste, "paste", false, "read the code from stdin")
	c.Flags().BoolVar(&o.noOpen, "no-open", false, "do not open the browser")
	c.Flags().BoolVar(&o.acceptTerms, "accept-terms", false, "accept the provider's notice, for scripts that have shown it")
	c.ValidArgsFunction = func(c *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return p.completeProviders(c, args, toComplete)
	}
	p.jsonFlag(c)
	return c
}

func (p *program) login(ctx context.Context, args []string, o loginOptions) error {
	return p.withEngine(ctx, func(e control.Engine) error {
		s, err := e.State(ctx)
		if err != nil {
			return err
		}
		provider, err := p.pickProvider(ctx, s, args, "login ")
		if err != nil {
			return err
		}
		if err := p.acceptTerms(ctx, e, provider, o.acceptTerms); err != nil {
			return err
		}
		how := control.HowLoopback
		if o.paste {
			how = control.HowPaste
		}
		reply, err := p.do(ctx, e, control.Request{Action: control.ActionLoginStart, Provider: provider.ID, How: how, Label: o.label})
		if err != nil {
			return err
		}
		if reply.Flow == nil {
			return errors.New("the engine did not begin a sign-in")
		}
		return p.signIn(ctx, e, *reply.Flow, o)
	})
}

// pickProvider is the one that was named, the only one, or the answer to a
// question. command is what its name is given to.
func (p *program) pickProvider(ctx context.Context, s control.State, args []string, command string) (control.Provider, error) {
	var ids, names []string
	for _, v := range s.Providers {
		if len(args) == 1 && strings.EqualFold(v.ID, args[0]) {
			return v, nil
		}
		ids = append(ids, v.ID)
		names = append(names, printable(v.Name))
	}
	switch {
	case len(args) == 1:
		return control.Provider{}, &control.Error{
			Code: control.CodeNotFound, Message: "no provider is called " + printable(args[0]), Hint: "there are: " + strings.Join(ids, ", "),
		}
	case len(ids) == 1:
		return s.Providers[0], nil
	case len(ids) == 0:
		return control.Provider{}, errors.New("there is no provider")
	case !p.interactive():
		return control.Provider{}, needsAnswer("which provider? There is no terminal to ask on", "name it: oauthmux "+command+strings.Join(ids, "|"))
	}
	i, err := p.choose(ctx, "Which provider?", names)
	if err != nil {
		return control.Provider{}, err
	}
	return s.Providers[i], nil
}

// acceptTerms shows the provider's notice before its first account.
func (p *program) acceptTerms(ctx context.Context, e control.Engine, v control.Provider, accepted bool) error {
	if v.Terms == "" || v.TermsAccepted {
		return nil
	}
	if !accepted {
		p.say("%s\n", ansi.Wordwrap(printableLines(v.Terms), 80, ""))
		if !p.interactive() {
			return needsAnswer("the notice above must be accepted, and there is no terminal to ask on", "say so with --accept-terms")
		}
		yes, err := p.confirm(ctx, "Accept and go on?")
		if err != nil {
			return err
		}
		if !yes {
			return &control.Error{Code: control.CodeTermsNeeded, Message: "not accepted; nothing was changed"}
		}
	}
	_, err := e.Do(ctx, control.Request{Action: control.ActionTerms, Provider: v.ID})
	return err
}

// signIn leads a person through a login that has begun, and gives it up when
// the person does.
func (p *program) signIn(ctx context.Context, e control.Engine, f control.Flow, o loginOptions) (err error) {
	defer func() {
		if err != nil {
			p.giveUp(ctx, e, f, giveUpTime)
		}
	}()
	if err := p.showURL(f); err != nil {
		return err
	}
	if !o.noOpen {
		if err := p.openURL(ctx, f.URL); err != nil {
			p.say("Open the address above in a browser.")
		} else {
			p.say("Your browser shows the address above.")
		}
	}
	if o.paste {
		f, err = p.readCodes(ctx, e, f)
	} else {
		p.say("Waiting for you to sign in, until %s.", f.Ends.Local().Format("15:04"))
	}
	if err != nil {
		return err
	}
	if f.State == control.FlowWaiting || f.State == control.FlowExchanging {
		reply, err := e.Do(ctx, control.Request{Action: control.ActionLoginWait, Flow: f.ID})
		if err != nil {
			return err
		}
		if reply.Flow == nil {
			return errors.New("the engine did not say how the sign-in ended")
		}
		f = *reply.Flow
	}
	return p.signedIn(ctx, e, f)
}

// giveUpTime is for telling the engine; the person has left already.
const giveUpTime = 2 * time.Second

func (p *program) giveUp(ctx context.Context, e control.Engine, f control.Flow, patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_, _ = e.Do(ctx, control.Request{Action: control.ActionLoginCancel, Flow: f.ID}) // it ends by itself otherwise
}

// showURL prints the address alone on a line, for scripts as for people.
func (p *program) showURL(f control.Flow) error {
	if p.json {
		return p.document(struct {
			Schema int    `json:"schema"`
			URL    string `json:"url"`
		}{control.Schema, f.URL})
	}
	return p.print(stripped(f.URL, false) + "\n")
}

// readCodes reads what was pasted until it is a code of this login. A bad paste
// is asked again on a terminal and ends the command elsewhere.
func (p *program) readCodes(ctx context.Context, e control.Engine, f control.Flow) (control.Flow, error) {
	for {
		if p.interactive() {
			p.say("Paste the code, or the address of the page that shows it:")
		}
		pasted, err := p.readLine(ctx)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = &control.Error{Code: control.CodeBadPaste, Message: "no code was pasted"}
			}
			return f, err
		}
		if pasted = strings.TrimSpace(pasted); pasted == "" && p.interactive() {
			continue
		}
		reply, err := e.Do(ctx, control.Request{Action: control.ActionLoginCode, Flow: f.ID, Code: pasted})
		bad, _ := errors.AsType[*control.Error](err)
		if err == nil && reply.Flow != nil && reply.Flow.State == control.FlowWaiting && reply.Flow.Problem != "" {
			bad = &control.Error{Code: control.CodeBadPaste, Message: reply.Flow.Problem, Hint: reply.Flow.Hint}
		}
		switch {
		case bad != nil && bad.Code == control.CodeBadPaste && p.interactive():
			p.say("%s", printableLines(bad.Message))
			if bad.Hint != "" {
				p.say("hint: %s", printableLines(bad.Hint))
			}
			continue
		case bad != nil:
			return f, bad
		case err != nil:
			return f, err
		case reply.Flow == nil:
			return f, errors.New("the engine did not say what became of the code")
		}
		return *reply.Flow, nil
	}
}

// signedIn says who it is.
func (p *program) signedIn(ctx context.Context, e control.Engine, f control.Flow) error {
	if f.State != control.FlowDone {
		return &control.Error{Code: control.CodeLoginFailed, Message: or(f.Problem, "the sign-in ended without an account"), Hint: f.Hint}
	}
	s, err := e.State(ctx)
	if err != nil {
		return err
	}
	a, err := find(s.Accounts, f.Account)
	if err != nil {
		return err
	}
	if p.json {
		return p.document(struct {
			Schema  int             `json:"schema"`
			Renewed bool            `json:"renewed"`
			Account control.Account `json:"account"`
		}{control.Schema, f.Renewed, normal(a)})
	}
	who := strings.Join(slices.Compact(slices.DeleteFunc(
		[]string{printable(a.Label), printable(a.Email), printable(a.Org), printable(a.Plan)},
		func(s string) bool { return s == "" },
	)), ", ")
	if f.Renewed {
		return p.print(who + ": signed in again\n")
	}
	same := 0
	for _, other := range s.Accounts {
		if other.Provider == a.Provider {
			same++
		}
	}
	if same == 2 {
		return p.print(who + ": added; when one account is limited, requests go on with the other\n")
	}
	return p.print(who + ": added\n")
}
