package dashboard

import (
	"fmt"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/ui/control"
)

// fixedNow is a Wednesday afternoon.
var fixedNow = time.Date(2026, 3, 4, 14, 2, 11, 0, time.UTC)

func in(d time.Duration) *time.Time { return new(fixedNow.Add(d)) }

func win(name, scope string, used float64, resets time.Duration) control.Window {
	return control.Window{Name: name, Scope: scope, Used: new(used), ResetsAt: in(resets)}
}

const hour = time.Hour

func strategies() control.Strategy {
	return control.Strategy{Name: "sticky", Config: "sticky", All: []control.Choice{
		{Name: "sticky", Means: "a new conversation starts on the preferred account"},
		{Name: "round-robin", Means: "new conversations start on each account in turn"},
		{Name: "least-used", Means: "a new conversation starts where the fullest window is emptiest"},
		{Name: "soonest-reset", Means: "a new conversation starts where what is left is lost soonest"},
	}}
}

// busy is the state of the drawing in the screen's description: four accounts in
// four states.
func busy() control.State {
	return control.State{
		Status: control.Status{
			Schema: control.Schema,
			Engine: control.Info{Running: true, Listen: "127.0.0.1:4747", PID: ourPID, Version: "1.2.3", Key: "ok"},
			Sessions: []control.Session{
				{Session: "s1", Account: "a1", Since: fixedNow.Add(-hour), Requests: 30},
				{Session: "s2", Account: "a1", Since: fixedNow.Add(-time.Minute), Requests: 2},
			},
			Accounts: []control.Account{
				{
					ID: "a1", Provider: "anthropic", Label: "work", Email: "work@acme.dev", Org: "Acme Inc", Plan: "Max 20x",
					Order: 1, Preferred: true, State: control.StateServing, InFlight: 2, Requests: 1214, Failovers: 3,
					Windows: []control.Window{
						win("5h", "", 0.78, 72*time.Minute), win("7d", "", 0.35, 91*hour), win("7d", "sonnet", 0.09, 91*hour),
					},
					UsageAt: in(-12 * time.Second), UsageSource: "headers", Browser: "none",
					TokenExpiresAt: in(6*hour + 2*time.Minute), LoggedInAt: in(-9 * day), LoginExpiresAt: in(21*day + hour),
				},
				{
					ID: "a2", Provider: "anthropic", Label: "home", Email: "me@home.example", Plan: "Max 5x",
					Order: 2, State: control.StateReady, Requests: 80,
					Windows: []control.Window{win("5h", "", 0.12, 220*time.Minute), win("7d", "", 0.58, 49*hour)},
					UsageAt: in(-3 * time.Minute), UsageSource: "poll", Browser: "none",
					TokenExpiresAt: in(7 * hour), LoggedInAt: in(-3 * hour),
				},
				{
					ID: "a3", Provider: "anthropic", Label: "lab", Email: "lab@uni.example", Org: "University", Plan: "Pro",
					Order: 3, State: control.StateCooling, Requests: 40, Failovers: 1,
					Cooldowns: []control.Cooldown{{Until: fixedNow.Add(37*time.Minute + 41*time.Second), Evidence: "5-hour limit reached (429)"}},
					Windows:   []control.Window{win("5h", "", 1, 38*time.Minute), win("7d", "", 0.66, 33*hour)},
					UsageAt:   in(-40 * time.Second), UsageSource: "headers", Browser: "none", TokenExpiresAt: in(2 * hour), LoggedInAt: in(-2 * day),
				},
				{
					ID: "a4", Provider: "anthropic", Label: "old", Email: "old@acme.dev", Plan: "Pro", Order: 4,
					State: control.StateLoginNeeded, Reason: "the refresh token was refused: invalid_grant", Browser: "none",
				},
			},
		},
		Now:      fixedNow,
		Strategy: strategies(),
		Providers: []control.Provider{
			{ID: "anthropic", Name: "Anthropic", Terms: "Read this.", TermsAccepted: true, HasUsage: true, HasPaste: true},
		},
		Feed: []control.Line{
			{Seq: 1, At: fixedNow.Add(-hour), Kind: "login", Account: "a2", Label: "home", Text: "signed in as me@home.example"},
			{Seq: 2, At: fixedNow.Add(-5 * time.Minute), Kind: "login_needed", Account: "a4", Label: "old", Text: "sign in again: the refresh token was refused (invalid_grant)"},
			{Seq: 3, At: fixedNow.Add(-21 * time.Second), Kind: "renewed", Account: "a2", Label: "home", Text: "token renewed, valid 8 h"},
			{Seq: 4, At: fixedNow, Kind: "failover", Account: "a3", Label: "lab", Text: "5-hour limit reached (429): cooling until 14:40; the request went on with work (+143 ms)"},
		},
		Key:   control.Key{State: "ok"},
		Poll:  5 * time.Minute,
		Toast: 8 * time.Second,
	}
}

// several is a state with three providers, one of which says nothing of usage.
func several() control.State {
	s := busy()
	s.Providers = append(s.Providers,
		control.Provider{ID: "mycorp", Name: "My Corp", HasUsage: false, TermsAccepted: true},
		control.Provider{ID: "codex", Name: "Codex", HasUsage: true, HasPaste: false, Terms: "A notice on the terms of this provider."},
	)
	s.Accounts = append(s.Accounts,
		control.Account{ID: "m1", Provider: "mycorp", Label: "corp", Email: "me@mycorp.example", Order: 1, Preferred: true, State: control.StateReady, Requests: 17, Failovers: 1},
		control.Account{ID: "m2", Provider: "mycorp", Label: "corp-test", Order: 2, Paused: true, State: control.StatePaused, Requests: 1},
		control.Account{
			ID: "c1", Provider: "codex", Label: "plus", Plan: "Plus", Order: 1, Preferred: true, State: control.StateRenewing,
			Windows: []control.Window{win("5h", "", 0.91, 50*time.Minute), {Name: "7d"}}, UsageAt: in(-25 * time.Minute), UsageSource: "poll",
		},
	)
	return s
}

// crowd is a state with n accounts.
func crowd(n int) control.State {
	s := busy()
	base := s.Accounts
	s.Accounts = nil
	for i := range n {
		a := base[i%3]
		a.ID = fmt.Sprintf("id-%04d", i)
		a.Label = fmt.Sprintf("account %04d", i)
		a.Email = fmt.Sprintf("person%04d@example.com", i)
		a.Order = i + 1
		a.Preferred = i == 0
		s.Accounts = append(s.Accounts, a)
	}
	return s
}

// exhausted is a state in which nobody can serve.
func exhausted() control.State {
	s := busy()
	for i := range s.Accounts[:3] {
		a := &s.Accounts[i]
		a.State, a.InFlight = control.StateCooling, 0
		a.Windows[0] = win("5h", "", 1.04, time.Duration(30+10*i)*time.Minute)
		a.Cooldowns = []control.Cooldown{{Until: fixedNow.Add(time.Duration(12+i)*time.Minute + 5*time.Second), Evidence: "5-hour limit reached (429)"}}
	}
	return s
}

// empty is a state without accounts.
func empty() control.State {
	s := busy()
	s.Accounts, s.Feed, s.Sessions = nil, nil, nil
	s.Providers[0].TermsAccepted = false
	return s
}

const terms = "Signing in uses the public client of the provider's own command line tool, because there is no other. " +
	"The provider's published terms say that a subscription is meant for its own applications, and that they may be enforced " +
	"without notice. Use accounts that are yours, and decide for yourself."

// A window that is full stays so until its reset, however old the reading is.
func TestAFullWindowIsNotPaleWhenItsReadingIsOld(t *testing.T) {
	st := busy()
	st.Poll = time.Second
	onScreen(t, 110, 30, st, func(s *screen) {
		s.press("j", "j")
		s.wants("reading", "older than two polls")
		s.lacks("reading just now")
		full, other := window(s.m.current().Account, fiveHours), window(s.m.current().Account, sevenDays)
		if !s.m.full(full) || s.m.full(other) {
			t.Errorf("full: %v, and the other: %v", s.m.full(full), s.m.full(other))
		}
		s.wait(time.Hour)
		if s.m.full(full) {
			t.Error("it is full after its reset")
		}
	})
}
