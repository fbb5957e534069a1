package ui

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oauthmux/oauthmux/ui/control"
)

// listing is the document of list and usage.
type listing struct {
	Schema   int               `json:"schema"`
	Accounts []control.Account `json:"accounts"`
}

func (p *program) listCommand() *cobra.Command {
	c := p.command("list", "List the accounts of each provider", `  oauthmux list
  oauthmux list --json | jq '.accounts[].label'`, none, func(ctx context.Context, _ []string) error {
		return p.showAccounts(ctx, nil, byLabel, listText)
	})
	p.jsonFlag(c)
	return c
}

func (p *program) usageCommand() *cobra.Command {
	var refresh bool
	c := p.command("usage", "Show how much of each limit is used, and what becomes of it", `  oauthmux usage
  oauthmux usage --refresh`, none, func(ctx context.Context, _ []string) error {
		var before func(control.Engine) error
		if refresh {
			before = func(e control.Engine) error {
				_, err := p.do(ctx, e, control.Request{Action: control.ActionUsage})
				return err
			}
		}
		return p.showAccounts(ctx, before, byOrder, usageText)
	})
	c.Flags().BoolVar(&refresh, "refresh", false, "ask the providers first, as often as they allow")
	p.jsonFlag(c)
	return c
}

// showAccounts prints the accounts: a document, or text.
func (p *program) showAccounts(ctx context.Context, before func(control.Engine) error, sort func([]control.Account), text func(control.State) string) error {
	return p.withEngine(ctx, func(e control.Engine) error {
		if before != nil {
			if err := before(e); err != nil {
				return err
			}
		}
		s, err := e.State(ctx)
		if err != nil {
			return err
		}
		sort(s.Accounts)
		if p.json {
			return p.document(listing{control.Schema, normals(s.Accounts)})
		}
		return p.print(text(s))
	})
}

func (p *program) statusCommand() *cobra.Command {
	c := p.command("status", "Show the engine, its sessions, and every token and login", `  oauthmux status
  oauthmux status --json | jq .engine`, none, func(ctx context.Context, _ []string) error {
		return p.withEngine(ctx, func(e control.Engine) error {
			s, err := e.State(ctx)
			if err != nil {
				return err
			}
			byOrder(s.Accounts)
			if p.json {
				return p.document(normalStatus(s.Status))
			}
			return p.print(statusText(s))
		})
	})
	p.jsonFlag(c)
	return c
}

// byLabel sorts by provider and label, byOrder by provider and place.
func byLabel(all []control.Account) {
	slices.SortStableFunc(all, func(a, b control.Account) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(strings.ToLower(a.Label), strings.ToLower(b.Label)))
	})
}

func byOrder(all []control.Account) {
	slices.SortStableFunc(all, func(a, b control.Account) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Order, b.Order))
	})
}

// normalStatus and normals are documents as the contract wants them: no list is
// null, times are UTC.
func normalStatus(s control.Status) control.Status {
	s.Schema = control.Schema
	s.Accounts = normals(s.Accounts)
	s.Sessions = append([]control.Session{}, s.Sessions...)
	for i := range s.Sessions {
		s.Sessions[i].Since = s.Sessions[i].Since.UTC()
	}
	return s
}

func normals(all []control.Account) []control.Account {
	out := make([]control.Account, len(all))
	for i, a := range all {
		out[i] = normal(a)
	}
	return out
}

func normal(a control.Account) control.Account {
	a.Cooldowns = append([]control.Cooldown{}, a.Cooldowns...)
	for i := range a.Cooldowns {
		a.Cooldowns[i].Until = a.Cooldowns[i].Until.UTC()
	}
	a.Windows = append([]control.Window{}, a.Windows...)
	for i := range a.Windows {
		a.Windows[i].ResetsAt = utc(a.Windows[i].ResetsAt)
		if f := a.Windows[i].Forecast; f != nil {
			a.Windows[i].Forecast = &control.Forecast{FullAt: utc(f.FullAt), UsedAtReset: f.UsedAtReset, Basis: f.Basis}
		}
	}
	a.TokenExpiresAt, a.LoggedInAt = utc(a.TokenExpiresAt), utc(a.LoggedInAt)
	a.LoginExpiresAt, a.UsageAt = utc(a.LoginExpiresAt), utc(a.UsageAt)
	return a
}
