package ui

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

// maxReason bounds the words beside a state.
const maxReason = 120

const noAccounts = "There is no account yet. Add one with: oauthmux login\n"

func number(n int) string { return strconv.Itoa(n) }

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// mark shows the preferred account.
func mark(a control.Account) string {
	if a.Preferred {
		return "*"
	}
	return " "
}

// perProvider prints a table under the name of each provider. The accounts are
// sorted by provider.
func perProvider(s control.State, head []string, right map[int]bool, rows func(a control.Account, t *table)) string {
	if len(s.Accounts) == 0 {
		return nobody(s)
	}
	names := map[string]string{}
	for _, p := range s.Providers {
		names[p.ID] = p.Name
	}
	var b strings.Builder
	for i := 0; i < len(s.Accounts); {
		provider := s.Accounts[i].Provider
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(printable(or(names[provider], provider)) + "\n")
		t := table{right: right}
		t.add(head...)
		for ; i < len(s.Accounts) && s.Accounts[i].Provider == provider; i++ {
			rows(s.Accounts[i], &t)
		}
		b.WriteString(t.String())
	}
	return b.String()
}

// nobody says that there is no account, unless it is only that none can be shown:
// it is the vault that knows them while accounts.json is damaged.
func nobody(s control.State) string {
	if s.Hidden {
		return "No account can be shown.\n"
	}
	return noAccounts
}

// notes are what there is to know about a list of accounts: why it may be empty,
// and why none of them serves though each may look ready.
func notes(s control.State) string {
	var t table
	if len(s.Accounts) == 0 && s.Damage != "" {
		t.add("note", printableLines(s.Damage))
	}
	if s.Key.Trouble() {
		t.add("key", printableLines(s.Key.Message))
		if s.Key.Hint != "" {
			t.add("", printableLines(s.Key.Hint))
		}
	}
	if len(t.rows) == 0 {
		return ""
	}
	return "\n" + t.String()
}

func listText(s control.State) string {
	return perProvider(s, []string{" ", "LABEL", "E-MAIL", "ORGANISATION", "PLAN", "ORDER", "STATE"}, map[int]bool{5: true},
		func(a control.Account, t *table) {
			t.add(mark(a), printable(a.Label), printable(a.Email), printable(a.Org), printable(a.Plan), number(a.Order), stateWords(a, s.Now))
		}) + notes(s)
}

func usageText(s control.State) string {
	return perProvider(s, []string{" ", "ACCOUNT", "WINDOW", "USED", "RESETS", "AT THIS PACE", "READ"}, map[int]bool{3: true},
		func(a control.Account, t *table) {
			label, read := printable(a.Label), "no reading"
			if a.UsageAt != nil {
				read = ago(*a.UsageAt, s.Now) + ", " + sourceWords(a.UsageSource)
			}
			sign := mark(a)
			for _, w := range a.Windows {
				t.add(sign, label, windowName(w), share(w.Used), resets(w.ResetsAt, s.Now), pace(w.Forecast, s.Now), read)
				sign, label, read = "", "", "" // said once
			}
			if label != "" {
				t.add(sign, label, "", "", "", "", read)
			}
		}) + notes(s)
}

func statusText(s control.State) string {
	var b strings.Builder
	t := table{}
	if s.Engine.Running {
		t.add("engine", "running, pid "+number(s.Engine.PID)+", version "+printable(s.Engine.Version))
		t.add("proxy", or(s.Engine.Listen, "does not listen"))
	} else {
		t.add("engine", "not running")
	}
	t.add("key", printableLines(or(s.Key.Message, or(s.Engine.Key, "not asked yet"))))
	if s.Key.Hint != "" {
		t.add("", printableLines(s.Key.Hint))
	}
	for _, w := range s.Warnings {
		t.add("note", printableLines(w))
	}
	b.WriteString(t.String() + "\n")
	b.WriteString(perProvider(s, []string{" ", "ACCOUNT", "STATE", "TOKEN", "SIGNED IN", "TODAY"}, nil,
		func(a control.Account, t *table) {
			t.add(mark(a), printable(a.Label), stateWords(a, s.Now), until(a.TokenExpiresAt, s.Now), since(a.LoggedInAt, s.Now),
				count(a.Requests, "request")+", "+count(a.Failovers, "failover"))
		}))
	if len(s.Sessions) > 0 {
		labels := map[string]string{}
		for _, a := range s.Accounts {
			labels[a.ID] = a.Label
		}
		t := table{right: map[int]bool{3: true}}
		t.add("SESSION", "ACCOUNT", "SINCE", "REQUESTS")
		for _, v := range s.Sessions {
			t.add(printable(v.Session), printable(or(labels[v.Account], v.Account)), ago(v.Since, s.Now), number(v.Requests))
		}
		b.WriteString("\n" + t.String())
	}
	return b.String()
}

// stateWords is a state for a person, with its reason.
func stateWords(a control.Account, now time.Time) string {
	words := strings.ReplaceAll(a.State, "_", " ")
	switch a.State {
	case control.StateLoginNeeded:
		words = "sign in again"
	case control.StateNeedsYou:
		words = "needs you"
	case control.StateCooling:
		for _, c := range a.Cooldowns {
			if c.Scope == "" {
				words = "cooling " + span(c.Until.Sub(now))
			}
		}
	case control.StateServing:
		words = "serving " + number(a.InFlight)
	}
	if a.Reason != "" {
		words += ": " + ansi.Truncate(stripped(a.Reason, false), maxReason, "…")
	}
	return words
}

func windowName(w control.Window) string {
	name := strings.NewReplacer("5h", "5 h", "7d", "7 d").Replace(printable(w.Name))
	if w.Scope != "" {
		name += " " + printable(w.Scope)
	}
	return name
}

// share is a window's use in percent, rounded down: 100 % is said of nothing
// that still serves.
func share(used *float64) string {
	if used == nil || math.IsNaN(*used) || math.IsInf(*used, 0) {
		return "-"
	}
	return fmt.Sprintf("%.0f %%", math.Floor(*used*100+1e-9))
}

func resets(t *time.Time, now time.Time) string {
	if t == nil {
		return "-"
	}
	return clock(*t, now) + " (" + span(t.Sub(now)) + ")"
}

func until(t *time.Time, now time.Time) string {
	switch {
	case t == nil:
		return "-"
	case !now.Before(*t):
		return "ended"
	}
	return span(t.Sub(now))
}

func since(t *time.Time, now time.Time) string {
	if t == nil {
		return "-"
	}
	return ago(*t, now)
}

func ago(t, now time.Time) string { return span(max(now.Sub(t), 0)) + " ago" }

func sourceWords(source string) string {
	switch source {
	case "headers":
		return "from an answer"
	case "poll":
		return "asked for"
	}
	return printable(source)
}
