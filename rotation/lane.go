package rotation

import (
	"cmp"
	"iter"
	"slices"
	"sort"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// lane is one provider's accounts. The pool's lock guards it.
//
// A request must not look at every account to find out who is available, and a
// selector wants to see those and no others, side by side. So members lie in two
// parts, and an account that cools or comes back moves from one to the other.
type lane struct {
	members   []Member // those that are available, then the others; each part in order
	seats     []*seat  // of members
	preferred accounts.ID
	exhausted bool // the last request found nobody

	fresh  bool      // what follows tells the truth until a cooldown ends
	until  time.Time // that is then; zero: none runs
	whole  view      // who is available
	scoped []*view   // who is, for each model family that has a cooldown of its own
}

// seat is an account's place in its lane, and what else the pool knows of it. It
// stays the same when the place changes.
type seat struct {
	lane *lane // nil: the account is gone
	at   int

	urgent, lazy bool    // it waits in one of the pool's lists to be written
	memory       *memory // nil: no request considered it yet
}

func (s *seat) member() *Member { return &s.lane.members[s.at] }

// view is who of a lane can take a request of one scope.
type view struct {
	scope     string
	members   []Member
	seats     []*seat // of members
	places    []int   // of the lane's members in members, -1: missing; nil: they are the lane's first
	skipped   []Step  // those that are missing, and why: at most maxSkipped
	preferred int     // the preferred one's place; -1: missing
	after     int     // the place of the next one in order after it

	valid bool
	until time.Time // a cooldown of the scope ends then; zero: none runs
}

// maxSkipped bounds what each decision record keeps alive.
const maxSkipped = 32

// changed says that somebody's availability, place or name changed.
func (l *lane) changed() { l.fresh = false }

// scopesMatter reports whether it matters now which model family a request is for.
func (l *lane) scopesMatter(now time.Time) bool {
	l.settle(now)
	return len(l.scoped) > 0
}

// available returns who can take a request of that scope now.
func (l *lane) available(now time.Time, scope string) *view {
	l.settle(now)
	for _, v := range l.scoped {
		if v.scope == scope {
			if !v.valid || !v.until.IsZero() && !now.Before(v.until) {
				v.build(l, now)
			}
			return v
		}
	}
	return &l.whole // nobody is missing for this one in particular
}

// settle brings the lane up to date, if it is not.
func (l *lane) settle(now time.Time) {
	if l.fresh && (l.until.IsZero() || now.Before(l.until)) {
		return
	}
	l.fresh = true
	ready := l.part(now, len(l.whole.members))
	l.until = time.Time{}
	var scopes []string
	for i := range l.members {
		for _, c := range l.members[i].Cooldowns {
			switch {
			case !now.Before(c.Until):
			case c.Scope != "":
				scopes = append(scopes, c.Scope)
			case l.until.IsZero() || c.Until.Before(l.until):
				l.until = c.Until
			}
		}
	}
	l.whole = view{members: l.members[:ready], seats: l.seats[:ready], valid: true}
	for i := ready; i < min(len(l.members), ready+maxSkipped); i++ {
		l.whole.skipped = append(l.whole.skipped, l.members[i].skipped(now, ""))
	}
	l.whole.find(l)
	l.keepScopes(scopes)
}

// part moves whoever became available, or ceased to be, to the part of members
// where it belongs. It gets and returns the length of the first one.
func (l *lane) part(now time.Time, ready int) int {
	for i := 0; i < ready; {
		if l.members[i].availableAt(now, "") {
			i++
			continue
		}
		l.move(i, l.search(&l.members[i], ready, len(l.members))-1)
		ready--
	}
	for i := ready; i < len(l.members); i++ {
		if l.members[i].availableAt(now, "") {
			l.move(i, l.search(&l.members[i], 0, ready))
			ready++
		}
	}
	return ready
}

// search returns where m belongs by order among the members from lo to hi.
func (l *lane) search(m *Member, lo, hi int) int {
	return lo + sort.Search(hi-lo, func(i int) bool { return inOrder(m, &l.members[lo+i]) < 0 })
}

func inOrder(a, b *Member) int {
	return cmp.Or(cmp.Compare(a.Account.Order, b.Account.Order), cmp.Compare(a.Account.ID, b.Account.ID))
}

// move puts the member at from to another place; those between make room.
func (l *lane) move(from, to int) {
	m, s := l.members[from], l.seats[from]
	if from < to {
		copy(l.members[from:], l.members[from+1:to+1])
		copy(l.seats[from:], l.seats[from+1:to+1])
	} else {
		copy(l.members[to+1:], l.members[to:from])
		copy(l.seats[to+1:], l.seats[to:from])
	}
	l.members[to], l.seats[to] = m, s
	for i := min(from, to); i <= max(from, to); i++ {
		l.seats[i].at = i
	}
}

// all yields every member, in order.
func (l *lane) all() iter.Seq[*Member] {
	return func(yield func(*Member) bool) {
		i, j := 0, len(l.whole.members)
		for ready := j; i < ready || j < len(l.members); {
			next := &i
			if i == ready || j < len(l.members) && inOrder(&l.members[j], &l.members[i]) < 0 {
				next = &j
			}
			m := &l.members[*next]
			*next++
			if !yield(m) {
				return
			}
		}
	}
}

// keepScopes has a view for each of these scopes, and for no other.
func (l *lane) keepScopes(scopes []string) {
	l.scoped = slices.DeleteFunc(l.scoped, func(v *view) bool {
		v.valid = false
		return !slices.Contains(scopes, v.scope)
	})
	for _, scope := range scopes {
		if !slices.ContainsFunc(l.scoped, func(v *view) bool { return v.scope == scope }) {
			l.scoped = append(l.scoped, &view{scope: scope})
		}
	}
}

// build fills the view of a scope with those of the available ones that have no
// cooldown of the scope.
func (v *view) build(l *lane, now time.Time) {
	v.valid, v.until = true, time.Time{}
	v.skipped = slices.Clip(l.whole.skipped)
	v.members = slices.Grow(v.members[:0], len(l.whole.members))
	v.seats = v.seats[:0]
	v.places = slices.Grow(v.places[:0], len(l.members))
	for i := range l.members {
		m := &l.members[i]
		place := -1
		switch c := m.cooling(now, v.scope); {
		case i >= len(l.whole.members):
		case c == nil:
			place = len(v.members)
			v.members = append(v.members, *m)
			v.seats = append(v.seats, l.seats[i])
		default:
			if v.until.IsZero() || c.Until.Before(v.until) {
				v.until = c.Until
			}
			if len(v.skipped) < maxSkipped {
				v.skipped = append(v.skipped, m.skipped(now, v.scope))
			}
		}
		v.places = append(v.places, place)
	}
	v.find(l)
}

// without returns v without the lane's i-th member.
func (v *view) without(l *lane, i int) *view {
	at := v.place(i)
	w := &view{
		scope:   v.scope,
		members: slices.Delete(slices.Clone(v.members), at, at+1),
		seats:   slices.Delete(slices.Clone(v.seats), at, at+1),
		places:  make([]int, len(l.members)),
	}
	for j := range w.places {
		switch place := v.place(j); {
		case j == i:
			w.places[j] = -1
		case place > at:
			w.places[j] = place - 1
		default:
			w.places[j] = place
		}
	}
	w.find(l)
	return w
}

// find notes where the preferred one and the next after it are.
func (v *view) find(l *lane) {
	v.preferred, v.after = -1, 0
	at := len(l.members) - 1
	for at >= 0 && l.members[at].Account.ID != l.preferred {
		at--
	}
	if at < 0 {
		return
	}
	v.preferred = v.place(at)
	preferred := &l.members[at]
	v.after = sort.Search(len(v.members), func(i int) bool { return inOrder(preferred, &v.members[i]) < 0 })
	if v.after == len(v.members) {
		v.after = 0
	}
}

// place returns where the lane's i-th member is in v.members; -1: it is missing.
func (v *view) place(i int) int {
	switch {
	case v.places != nil:
		return v.places[i]
	case i < len(v.members):
		return i
	}
	return -1
}

// touched brings the lane's i-th member up to date in the views, after something
// of it changed that has no bearing on its availability.
func (l *lane) touched(i int) {
	for _, v := range l.scoped {
		if v.valid && v.places[i] >= 0 {
			v.members[v.places[i]] = l.members[i]
		}
	}
}
