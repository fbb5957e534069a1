package rotation

import (
	"slices"
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

// maxDecisions is how many decisions of each kind are kept for each account.
const maxDecisions = 200

// memory is what is remembered of the requests that considered an account. The two
// kinds are apart, for what passes an account by while it cools would crowd out why it
// does.
type memory struct {
	asked  ring // it was asked for them
	passed ring // it was skipped
}

// ring holds the last decisions of one kind. Accounts that took part in the same
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

// appendTo appends the decisions to all, oldest first.
func (r *ring) appendTo(all []Decision) []Decision {
	for i := range r.last {
		all = append(all, *r.last[(r.next+i)%len(r.last)])
	}
	return all
}

// all returns the decisions of both kinds, oldest first.
func (m *memory) all() []Decision {
	all := make([]Decision, 0, len(m.asked.last)+len(m.passed.last))
	all = m.passed.appendTo(m.asked.appendTo(all))
	slices.SortStableFunc(all, func(a, b Decision) int { return a.At.Compare(b.At) })
	return all
}

// record keeps a decision for every account that was asked, and for those of the
// skipped that it names.
func (p *Pool) record(d *Decision) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, step := range d.Steps {
		if m := p.memoryOf(step.Account); m != nil && !among(d.Steps[:i], step.Account) {
			m.asked.add(d)
		}
	}
	for _, step := range d.Skipped {
		// It may have come back in time to be asked after all.
		if m := p.memoryOf(step.Account); m != nil && !among(d.Steps, step.Account) {
			m.passed.add(d)
		}
	}
}

func among(steps []Step, id accounts.ID) bool {
	return slices.ContainsFunc(steps, func(s Step) bool { return s.Account == id })
}

// memoryOf returns what is remembered of an account, to be added to; nil: there is no
// such account. p.mu is held.
func (p *Pool) memoryOf(id accounts.ID) *memory {
	s := p.seats[id]
	if s == nil {
		return nil
	}
	if s.memory == nil {
		s.memory = new(memory)
	}
	return s.memory
}
