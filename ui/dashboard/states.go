package dashboard

import (
	"strconv"
	"time"

	"github.com/charmbracelet/lipgloss"

	"github.com/oauthmux/oauthmux/ui/control"
)

// stateLocked is what the table says of an account that only the vault's key keeps
// from serving. It is no state of the contract.
const stateLocked = "locked"

// stateOf is the state that r is shown in. What an engine said that has gone
// since, or whose vault is locked, is not repeated where it promises something.
func (m *model) stateOf(r *row) string {
	switch r.State {
	case control.StateReady, control.StateServing, control.StateRenewing:
		if m.lost {
			return "" // nobody knows
		}
		if m.locked() {
			return stateLocked
		}
	}
	return r.State
}

// signingIn reports whether a browser signs r in, and that is what matters of its
// state: one that waits for nothing else.
func (m *model) signingIn(r *row) bool {
	switch r.State {
	case control.StateReady, control.StateLoginNeeded, control.StateNeedsYou:
		return m.browserFlow(r.ID) != nil
	}
	return false
}

// stateSign is the mark and the colour of what r does.
func (m *model) stateSign(k *ink, r *row) (string, lipgloss.Style) {
	if m.signingIn(r) {
		return k.sign(control.StateRenewing)
	}
	return k.sign(m.stateOf(r))
}

// stateWord is the account's state in words.
func (m *model) stateWord(r *row) string {
	if m.signingIn(r) {
		return "signing in"
	}
	switch state := m.stateOf(r); state {
	case control.StateServing:
		return "serving · " + strconv.Itoa(r.InFlight)
	case control.StateCooling:
		until := coolingUntil(r.Account)
		if until.IsZero() {
			return "cooling"
		}
		text, holds := stopwatch(until.Sub(m.now))
		m.hold(holds)
		return "cooling " + text
	default:
		return stateWords(state)
	}
}

// isReady reports whether an account in that state is counted as ready. One that
// renews its token is: that is over within moments.
func isReady(state string) bool {
	switch state {
	case control.StateReady, control.StateServing, control.StateRenewing:
		return true
	}
	return false
}

func stateWords(state string) string {
	switch state {
	case control.StateLoginNeeded:
		return "sign in again"
	case control.StateNeedsYou:
		return "needs you"
	case control.StateUnsaved:
		return "token unsaved"
	case control.StateReady, control.StatePaused, control.StateRenewing, control.StateUnreadable, control.StateServing, control.StateCooling, stateLocked:
		return state
	case "":
		return "unknown"
	}
	return clean(state, 20) // a newer engine may know more
}

// extras are what is worth knowing beside the state, where there is room.
func (m *model) extras(r *row) []string {
	var out []string
	signing := m.signingIn(r)
	if !signing && m.browserFlow(r.ID) != nil {
		out = append(out, "signing in")
	}
	if r.hasUsage && r.UsageAt != nil && m.stale(r) {
		old := m.now.Sub(*r.UsageAt)
		_, holds := age(old)
		m.hold(holds)
		out = append(out, shortAge(old))
	}
	for _, c := range r.Cooldowns {
		if c.Scope != "" && c.Until.After(m.now) {
			text, holds := countdown(c.Until.Sub(m.now))
			m.hold(holds)
			out = append(out, m.text(c.Scope, 12)+" "+text)
		}
	}
	if m.lay.columns.state >= 34 && !signing {
		switch r.State {
		case control.StateCooling, control.StateLoginNeeded, control.StateNeedsYou, control.StateUnreadable, control.StateUnsaved:
			if why := m.evidence(r); why != "" {
				out = append(out, why)
			}
		}
	}
	return out
}

// evidence is why r is in its state, safe to draw.
func (m *model) evidence(r *row) string {
	if r.State == control.StateCooling {
		until := coolingUntil(r.Account)
		for _, c := range r.Cooldowns {
			if c.Scope == "" && c.Until.Equal(until) {
				return m.text(c.Evidence, 60)
			}
		}
	}
	return m.text(r.Reason, 60)
}

// coolingUntil is when the account's own cooldown ends.
func coolingUntil(a *control.Account) time.Time {
	var until time.Time
	for _, c := range a.Cooldowns {
		if c.Scope == "" && c.Until.After(until) {
			until = c.Until
		}
	}
	return until
}

// sign is the mark and the colour of a state.
func (k *ink) sign(state string) (string, lipgloss.Style) {
	switch state {
	case control.StateServing:
		return k.g.serving, k.ok
	case control.StateReady:
		return k.g.ready, k.ok
	case control.StateCooling:
		return k.g.cooling, k.warn
	case control.StatePaused:
		return k.g.paused, k.dim
	case control.StateRenewing:
		return k.g.renewing, k.info
	case control.StateLoginNeeded, control.StateUnreadable:
		return k.g.login, k.bad
	case control.StateNeedsYou, control.StateUnsaved, stateLocked:
		return k.g.needsYou, k.bad
	}
	return k.g.unknown, k.dim
}
