package ui

import (
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/ui/control"
	"github.com/oauthmux/oauthmux/usage"
)

// forecast is a forecast in the words of the contract.
func forecast(f usage.Forecast, w usage.Window) *control.Forecast {
	out := &control.Forecast{
		FullAt: known(f.FullAt.Truncate(time.Second)),
		Basis:  count(f.Readings, "reading") + " in " + span(f.Over),
	}
	if !w.ResetsAt.IsZero() {
		out.UsedAtReset = &f.UsedAtReset
	}
	return out
}

// traffic is how many requests each account took lately.
func (a *App) traffic(all []control.Account, now time.Time) []control.Traffic {
	out := []control.Traffic{}
	for i := range all {
		if requests, ends, span, ok := a.recorder.Traffic(accounts.ID(all[i].ID), all[i].Requests, now); ok {
			out = append(out, control.Traffic{Account: all[i].ID, Ends: ends, Span: span, Requests: requests})
		}
	}
	return out
}

// forget removes the history of an account that was removed. An engine's recorder
// does that by itself. It is no reason for a removal to fail: what is kept is out of
// date in a week, and goes then.
func (a *App) forget(id accounts.ID) {
	if a.running.Load() {
		return
	}
	if err := a.history.Forget(id); err != nil {
		a.log.Warn("the history of a removed account is kept for now", "account", id, "error", err)
	}
}

// pace is what becomes of a window, in a few words.
func pace(f *control.Forecast, now time.Time) string {
	switch {
	case f == nil:
		return "-"
	case f.FullAt != nil:
		return "full " + clock(*f.FullAt, now)
	case f.UsedAtReset != nil:
		return share(f.UsedAtReset) + " by reset"
	}
	return "does not fill"
}
