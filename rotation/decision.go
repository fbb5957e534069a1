package rotation

import (
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// Decision is how one request found its account. It is not written to once it
// can be read.
type Decision struct {
	At         time.Time
	Provider   accounts.ProviderID
	Scope      string // the model family, where it was asked for
	Session    string
	Candidates int           // how many accounts were available when it came
	Skipped    []Step        // those that were not, and why: the first of them in order
	Steps      []Step        // those that were asked, in turn
	Status     int           // what the client got; 0: it went away
	Duration   time.Duration // until the head of the answer was there
}

// Outcomes of a step besides a verdict's own word (accounts.VerdictKind).
const (
	OutcomeSkipped = "skipped" // it was not asked
	OutcomeRenewal = "renewal" // it had no valid token
	OutcomeNetwork = "network" // no answer came
	OutcomeLeft    = "left"    // the client went away
)

// Step is one account that was considered for a request.
type Step struct {
	Account  accounts.ID
	Outcome  string
	Evidence string    // in words for a person; "": nothing to say
	Until    time.Time // how long that keeps the account away; zero: not known, or not by time
}

// maxDecisions is how many decisions are kept for each account.
const maxDecisions = 200

// ring holds an account's last decisions. Accounts that took part in the same
// request share its record.
type ring struct {
	last []*Decision // grows to maxDecisions, then next is the oldest
	next int
}

func (r *ring) add(d *Decision) {
	if len(r.last) < maxDecisions {
		r.last = append(r.last, d)
		return
	}
	r.last[r.next] = d
	r.next = (r.next + 1) % maxDecisions
}

// all returns the decisions, oldest first.
func (r *ring) all() []Decision {
	out := make([]Decision, 0, len(r.last))
	for i := range r.last {
		out = append(out, *r.last[(r.next+i)%len(r.last)])
	}
	return out
}

// record keeps a decision for every account that was asked; for those that were
// skipped, when nobody was asked.
func (p *Pool) record(d *Decision) {
	p.mu.Lock()
	defer p.mu.Unlock()
	steps := d.Steps
	if len(steps) == 0 {
		steps = d.Skipped
	}
	for i, step := range steps {
		if i > 0 && steps[i-1].Account == step.Account {
			continue // asked twice in a row, recorded once
		}
		if s := p.seats[step.Account]; s != nil {
			if s.decisions == nil {
				s.decisions = new(ring)
			}
			s.decisions.add(d)
		}
	}
}
