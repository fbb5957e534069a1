package dashboard

import (
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

// loginSoon is how long before the end of a login the screen warns of it.
const loginSoon = 3 * day

// fact is a value and what it is a value of.
type fact struct {
	name, value, words string
	warn               bool
}

// drawLife tells of the token, the login, the browser session and the day.
func (m *model) drawLife(r *row) string {
	t := m.th
	var b strings.Builder
	gap, room := " ", m.width-2
	for _, options := range [][]fact{{m.tokenFact(r)}, {m.loginFact(r)}, {m.browserFact(r)}, dayFacts(r)} {
		for _, f := range options { // the first that fits
			w := ansi.StringWidth(f.name + f.value + f.words)
			if w == 0 || w > room {
				continue
			}
			room -= w + 3
			b.WriteString(gap)
			gap = "   "
			value, words := t.text, t.dim
			if f.warn {
				value, words = t.warn, t.warn
			}
			b.WriteString(words.Render(f.name) + value.Render(f.value) + words.Render(f.words))
			break
		}
	}
	return b.String()
}

func (m *model) tokenFact(r *row) fact {
	if r.TokenExpiresAt == nil {
		return fact{}
	}
	left := r.TokenExpiresAt.Sub(m.now)
	if left <= 0 {
		return fact{name: "token ", value: "expired"}
	}
	text, holds := countdown(left)
	m.hold(holds)
	return fact{name: "token ", value: text}
}

func (m *model) loginFact(r *row) fact {
	switch {
	case r.LoginExpiresAt != nil:
		if words, soon := m.loginEnds(*r.LoginExpiresAt); soon {
			return fact{name: "login ", value: words, warn: true}
		}
		return fact{name: "login ", value: daysTo(*r.LoginExpiresAt, m.now), words: " left"}
	case r.LoggedInAt == nil:
		return fact{}
	}
	ago := int(m.now.Sub(*r.LoggedInAt) / day)
	if ago < 1 {
		return fact{name: "signed in ", value: "today"}
	}
	return fact{name: "signed in ", value: plural(ago, "day"), words: " ago"}
}

// loginEnds words when a login ends, and reports whether that is soon enough to
// be warned of.
func (m *model) loginEnds(at time.Time) (words string, soon bool) {
	left := at.Sub(m.now)
	switch {
	case left <= 0:
		return "has ended", true
	case left < day:
		text, holds := countdown(left)
		m.hold(holds)
		return "ends in " + text, true
	}
	return "ends in " + daysTo(at, m.now), left <= loginSoon
}

// daysTo counts the whole days until at.
func daysTo(at, now time.Time) string { return plural(max(0, int(at.Sub(now)/day)), "day") }

func (m *model) browserFact(r *row) fact {
	switch r.Browser {
	case "":
		return fact{} // the engine knows nothing of them
	case control.BrowserNone:
		return fact{name: "no browser session"}
	case control.BrowserLoginNeeded:
		return fact{name: "browser session ", value: "needs you", warn: true}
	}
	return fact{name: "browser session ", value: m.text(r.Browser, 20)}
}

// dayFacts are what went through r today, in as many words as there is room for.
func dayFacts(r *row) []fact {
	n, noun, _ := strings.Cut(counted(r.Requests, "request"), " ")
	requests := " " + noun
	facts := []fact{{value: n, words: requests + " today"}, {value: n, words: requests}}
	if r.Failovers > 0 {
		facts = append([]fact{{value: n, words: requests + ", " + plural(r.Failovers, "failover") + " today"}}, facts...)
	}
	return facts
}
