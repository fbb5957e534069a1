package simulator

import (
	"math"
	"strconv"
	"time"
)

// Real lengths of the windows.
const (
	fiveHours = 5 * time.Hour
	sevenDays = 7 * 24 * time.Hour
)

// maxWindows is how many windows an account has at most: 5h, 7d and one scoped.
const maxWindows = 3

// window is one limit at work. It begins with the first request after the last
// one ended (PROTOCOL 2.3).
type window struct {
	claim      string // "5h"
	name       string // "five_hour", as representative-claim and the usage document call it
	family     string // "": the whole account
	everywhere bool

	length   time.Duration // on the client's clock
	requests float64       // that fill it; 0: it never fills
	used     float64       // share
	resets   time.Time     // zero: not started

	headers *windowHeaders
}

// windowHeaders are a window's field names, made once.
type windowHeaders struct{ status, utilization, reset, surpassed string }

const unifiedPrefix = "Anthropic-Ratelimit-Unified-"

func headersOf(claim string) *windowHeaders {
	p := unifiedPrefix + claim
	return &windowHeaders{p + "-Status", p + "-Utilization", p + "-Reset", p + "-Surpassed-Threshold"}
}

// startWindows makes the windows of a user who is added now.
func (s *Server) startWindows(u User) []window {
	now := s.o.Now()
	list := []window{
		s.startWindow("5h", "five_hour", fiveHours, u.FiveHour, now),
		s.startWindow("7d", "seven_day", sevenDays, u.SevenDay, now),
	}
	if u.Scoped != nil {
		w := s.startWindow(u.Scoped.Claim, "seven_day_"+u.Scoped.Family, sevenDays, u.Scoped.Limit, now)
		w.family, w.everywhere = u.Scoped.Family, u.Scoped.Everywhere
		list = append(list, w)
	}
	return list
}

func (s *Server) startWindow(claim, name string, length time.Duration, l Limit, now time.Time) window {
	w := window{claim: claim, name: name, length: s.span(length), requests: l.Requests, headers: headersOf(claim)}
	if l.Used > 0 || l.ResetsIn > 0 {
		w.used = l.Used
		w.resets = now.Add(s.span(orElse(l.ResetsIn, length)))
	}
	return w
}

// roll ends the window when its time is over.
func (w *window) roll(now time.Time) {
	if !w.resets.IsZero() && !now.Before(w.resets) {
		w.used, w.resets = 0, time.Time{}
	}
}

// charge takes cost requests from the window, beginning it if need be.
func (w *window) charge(now time.Time, cost float64) {
	if w.resets.IsZero() {
		w.resets = now.Add(w.length)
	}
	if w.requests > 0 {
		w.used += cost / w.requests
	}
}

// rounding is forgiven where shares are compared: ten requests of a tenth each
// must fill a window.
const rounding = 1e-9

// reached reports whether that share of the window is used.
func (w *window) reached(share float64) bool { return w.used >= share-rounding }

// rejected reports whether the window is full.
func (w *window) rejected() bool { return w.reached(1) }

// concerns reports whether a request for a model of that family counts here.
func (w *window) concerns(family string) bool { return w.family == "" || w.family == family }

// standing is how an account stands for one request: what the headers of its
// answer say.
type standing struct {
	windows  [maxWindows]window
	n        int
	rejected bool
	overage  string // why there is none; "": org_level_disabled
}

func (st *standing) list() []window { return st.windows[:st.n] }

// look returns how the account stands for a request of that family, without
// taking anything.
func (a *account) look(now time.Time, family string) standing {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.standingLocked(now, family)
}

// admit takes a request for a model from the windows, unless one is full.
func (a *account) admit(now time.Time, model, family string) standing {
	a.mu.Lock()
	defer a.mu.Unlock()
	if st := a.standingLocked(now, family); st.rejected {
		return st
	}
	cost := 1.0
	if a.user.Cost != nil {
		cost = a.user.Cost(model)
	}
	for i := range a.windows {
		if a.windows[i].concerns(family) {
			a.windows[i].charge(now, cost)
		}
	}
	st := a.standingLocked(now, family)
	st.rejected = false
	return st
}

func (a *account) standingLocked(now time.Time, family string) standing {
	var st standing
	for i := range a.windows {
		w := &a.windows[i]
		w.roll(now)
		if !w.concerns(family) && !w.everywhere {
			continue
		}
		st.windows[st.n] = *w
		st.n++
		if w.concerns(family) && w.rejected() {
			st.rejected = true
		}
	}
	return st
}

// representative is the window that the answer speaks of first: of the rejected
// ones the last to reset, else the fullest.
func (st *standing) representative(family string) *window {
	var best *window
	for i := range st.list() {
		w := &st.windows[i]
		if !w.concerns(family) {
			continue
		}
		switch {
		case best == nil,
			w.rejected() && !best.rejected(),
			w.rejected() && best.rejected() && w.resets.After(best.resets),
			!w.rejected() && !best.rejected() && w.used > best.used:
			best = w
		}
	}
	return best
}

// retryAfter is how long until all rejected windows have ended, in whole seconds.
func (st *standing) retryAfter(now time.Time, family string) int64 {
	var until time.Time
	for i := range st.list() {
		if w := &st.windows[i]; w.concerns(family) && w.rejected() && w.resets.After(until) {
			until = w.resets
		}
	}
	return max(int64(math.Ceil(until.Sub(now).Seconds())), 1)
}

// Words of the status fields.
const (
	statusAllowed = "allowed"
	statusWarning = "allowed_warning"
	statusReject  = "rejected"
	warningShare  = 0.9
)

// status is the word for one window. The request that filled a window was let
// in, and is told so.
func (st *standing) status(w *window, family string) string {
	switch {
	case w.rejected() && (st.rejected || !w.concerns(family)):
		return statusReject
	case w.reached(warningShare):
		return statusWarning
	}
	return statusAllowed
}

// write puts the unified rate-limit fields on an answer (PROTOCOL 3.1).
func (st *standing) write(x *exchange, family string) {
	for i := range st.list() {
		w := &st.windows[i]
		x.put(w.headers.status, st.status(w, family))
		x.put(w.headers.utilization, share(w.used))
		if !w.resets.IsZero() {
			x.put(w.headers.reset, epoch(w.resets))
		}
		switch {
		case w.rejected():
			x.put(w.headers.surpassed, "1.0")
		case w.reached(warningShare):
			x.put(w.headers.surpassed, "0.9")
		}
	}
	if best := st.representative(family); best != nil {
		x.put(unifiedPrefix+"Status", st.status(best, family))
		x.put(unifiedPrefix+"Representative-Claim", best.name)
		if !best.resets.IsZero() {
			x.put(unifiedPrefix+"Reset", epoch(best.resets))
		}
	}
	x.put(unifiedPrefix+"Fallback-Percentage", "0.5")
	x.put(unifiedPrefix+"Overage-Status", statusReject)
	x.put(unifiedPrefix+"Overage-Disabled-Reason", orElse(st.overage, "org_level_disabled"))
}

// share prints a used share, rounded down so that only a full window says 1.
func share(used float64) string {
	return strconv.FormatFloat(math.Floor(used*1e4+1e-6)/1e4, 'f', -1, 64)
}

// epoch prints a reset in whole seconds, rounded up: no client may come back early.
func epoch(t time.Time) string {
	sec := t.Unix()
	if t.Nanosecond() > 0 {
		sec++
	}
	return strconv.FormatInt(sec, 10)
}

// Windows returns the windows of a user as they are now.
func (s *Server) Windows(user string) []Window {
	a := s.users.get(user)
	if a == nil {
		return nil
	}
	now := s.o.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]Window, 0, len(a.windows))
	for i := range a.windows {
		w := &a.windows[i]
		w.roll(now)
		list = append(list, Window{Claim: w.claim, Family: w.family, Used: w.used, ResetsAt: w.resets})
	}
	return list
}

// SetUsed sets the share that is used of one window of a user, by its claim, and
// how long until it ends, before Speed (0: as it was, or its whole length if it
// had not begun). It reports whether there is such a window.
func (s *Server) SetUsed(user, claim string, used float64, resetsIn time.Duration) bool {
	a := s.users.get(user)
	if a == nil {
		return false
	}
	now := s.o.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.windows {
		w := &a.windows[i]
		if w.claim != claim {
			continue
		}
		w.roll(now)
		w.used = used
		switch {
		case resetsIn > 0:
			w.resets = now.Add(s.span(resetsIn))
		case w.resets.IsZero():
			w.resets = now.Add(w.length)
		}
		return true
	}
	return false
}
