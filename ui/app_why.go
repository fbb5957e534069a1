package ui

import (
	"context"
	"slices"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/rotation"
	"github.com/oauthmux/oauthmux/ui/control"
)

// maxSkipped bounds the accounts that one decision names to a screen as skipped: with
// many of them, each one of hundreds of decisions would name the same.
const maxSkipped = 6

func (a *App) doWhy(_ context.Context, r control.Request) (control.Reply, error) {
	acc, err := a.registry.Find(r.Account)
	if err != nil {
		return control.Reply{}, err
	}
	var reply control.Reply
	for _, d := range a.pool.Decisions(acc.ID) {
		reply.Decisions = append(reply.Decisions, control.Decision{
			At: d.At.UTC(), Scope: d.Scope, Session: d.Session, Candidates: d.Candidates, Status: d.Status, Duration: d.Duration,
			Skipped: a.steps(firstOf(d.Skipped, acc.ID, maxSkipped)), Steps: a.steps(d.Steps),
		})
	}
	return reply, nil
}

// firstOf returns at most n of the steps, and that of the account before the others.
func firstOf(steps []rotation.Step, id accounts.ID, n int) []rotation.Step {
	at := slices.IndexFunc(steps, func(s rotation.Step) bool { return s.Account == id })
	if at > 0 {
		steps = slices.Concat(steps[at:at+1], steps[:at], steps[at+1:])
	}
	return steps[:min(len(steps), n)]
}

func (a *App) steps(of []rotation.Step) []control.Step {
	out := make([]control.Step, 0, len(of))
	for _, s := range of {
		step := control.Step{Account: string(s.Account), Label: a.label(s.Account), Outcome: s.Outcome, Evidence: s.Evidence}
		if !s.Until.IsZero() {
			step.Until = s.Until.UTC()
		}
		out = append(out, step)
	}
	return out
}
