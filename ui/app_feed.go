package ui

import (
	"fmt"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/ui/control"
)

const (
	// feedLines is how many lines a screen gets.
	feedLines = 100
	// sameRequest is how far apart a cooldown and the failover it caused may lie
	// to be told in one line.
	sameRequest = 2 * time.Second
)

// feed turns the journal into lines for a person, oldest first. label names an
// account; an account that is gone keeps its id.
func feed(entries []accounts.Entry, label func(accounts.ID) string) []control.Line {
	lines := make([]control.Line, 0, len(entries))
	cooling := map[accounts.ID]int{} // where the newest cooldown of an account stands in lines
	for _, e := range entries {
		if e.Kind == accounts.EntryFailover {
			if i, told := cooling[e.Account]; told && e.At.Sub(lines[i].At) < sameRequest {
				lines[i].Text += "; " + wentOn(e, label)
				lines[i].Seq = e.Seq
				delete(cooling, e.Account)
				continue
			}
		}
		lines = append(lines, line(e, label))
		if e.Kind == accounts.EntryCooling {
			cooling[e.Account] = len(lines) - 1
		}
	}
	return lines[max(0, len(lines)-feedLines):]
}

func line(e accounts.Entry, label func(accounts.ID) string) control.Line {
	l := control.Line{Seq: e.Seq, At: e.At, Kind: string(e.Kind), Account: string(e.Account)}
	if e.Account != "" {
		l.Label = label(e.Account)
	}
	switch e.Kind {
	case accounts.EntryFailover:
		l.Text, l.Toast = wentOn(e, label), true
		if e.Evidence != "" {
			l.Text = e.Evidence + "; " + l.Text
		}
	case accounts.EntryCooling:
		what := "cooling until "
		if e.Scope != "" {
			what = e.Scope + " cooling until "
		}
		l.Text, l.Toast = or(e.Evidence, "limited")+": "+what+clock(e.Until, e.At), true
	case accounts.EntryBack:
		l.Text, l.Toast = "back: it serves again", true
		if e.Scope != "" {
			l.Text = "back: it serves " + e.Scope + " again"
		}
	case accounts.EntryRenewed:
		l.Text = "token renewed"
		if !e.Until.IsZero() {
			l.Text += ", valid " + span(e.Until.Sub(e.At))
		}
	case accounts.EntryRenewFailed:
		l.Text = "token not renewed: " + or(e.Evidence, "no answer")
	case accounts.EntryLoginNeeded:
		l.Text, l.Toast = "sign in again: "+or(loginWords(e.Evidence), "the login ended"), true
	case accounts.EntryLogin:
		l.Text, l.Toast = "signed in", true
	case accounts.EntryLoginBegun:
		l.Text = "signing in again through its browser session"
	case accounts.EntryLoginFailed:
		l.Text, l.Toast = "not signed in again: "+e.Evidence, true
	case accounts.EntryNeedsYou:
		l.Text, l.Toast = "needs you: "+or(e.Evidence, "a page that only you can pass"), true
	case accounts.EntryLoginEnds:
		l.Text, l.Toast = "the login is expected to end "+loginEnds(e.Until, e.At), true
	case accounts.EntryExhausted:
		l.Text, l.Toast, l.Bell = "every account is out", true, true
		if !e.Until.IsZero() {
			l.Text += "; the first is back at " + clock(e.Until, e.At)
		}
	case accounts.EntryPreferred:
		l.Text = "preferred from now on"
	case accounts.EntryPaused:
		l.Text = "paused: it gets no requests"
	case accounts.EntryResumed:
		l.Text = "resumed"
	case accounts.EntryRemoved:
		l.Text = "removed from this machine"
	case accounts.EntryPings:
		l.Text = "pings are off: " + e.Evidence
	case accounts.EntryNotice:
		l.Text = e.Evidence
	default:
		l.Text = string(e.Kind) + " " + e.Evidence
	}
	return l
}

func wentOn(e accounts.Entry, label func(accounts.ID) string) string {
	text := "the request went on with " + label(e.Other)
	if e.Took > 0 {
		text += " (+" + cost(e.Took) + ")"
	}
	return text
}

// loginEnds says when a login ends, in days as long as there are some.
func loginEnds(end, now time.Time) string {
	switch left := end.Sub(now); {
	case left <= 0:
		return "any time"
	case left < 48*time.Hour:
		return "in " + span(left)
	default:
		return fmt.Sprintf("in %d days", left/(24*time.Hour))
	}
}

// cost is what something cost a request, in milliseconds.
func cost(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms < 9.95 {
		return fmt.Sprintf("%.1f ms", max(ms, 0.1))
	}
	return fmt.Sprintf("%.0f ms", ms)
}

// loginWords says what a cause of Account.NeedsLogin means for a person.
func loginWords(cause string) string {
	switch cause {
	case accounts.LoginRevoked:
		return "the provider refused to renew the login"
	case accounts.LoginLostResponse:
		return "the answer to a renewal was lost, and the new token with it"
	case accounts.LoginNoRefresh:
		return "the provider gave no refresh token"
	}
	return cause
}

// clock is a moment as a person reads it: the time, with the day when it is not today.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	switch {
	case t.Sub(now) < time.Minute*5:
		return t.Format("15:04:05")
	case t.YearDay() == now.YearDay() && t.Year() == now.Year():
		return t.Format("15:04")
	}
	return t.Format("Mon 15:04")
}

// span is a length of time in its two greatest units.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%d d %d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		if m := d % time.Hour / time.Minute; m > 0 {
			return fmt.Sprintf("%d h %d min", d/time.Hour, m)
		}
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
