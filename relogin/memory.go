package relogin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

const (
	memoryName  = "session.json"
	memoryLimit = 64 << 10 // bytes
	mostCounted = 1 << 20
	restAtFirst = time.Minute
	restAtMost  = time.Hour
)

// memory is what is remembered of a session, in the folder of its profile: what
// must survive a restart, and nothing secret. Its writer holds the profile's lock.
type memory struct {
	Version    int       `json:"version"`
	Day        string    `json:"day"`   // that Today is about: 2006-01-02, local time
	Today      int       `json:"today"` // unattended sign-ins begun
	AheadOn    string    `json:"ahead_on"`
	Failures   int       `json:"failures"`   // in a row
	NotBefore  time.Time `json:"not_before"` // the time to rest after them
	LastUsed   time.Time `json:"last_used"`
	LastResult string    `json:"last_result"` // in words for a person
	Keyring    string    `json:"keyring"`     // that its cookies are sealed with (Sealer); "": none

	amiss bool // it is not what was written, and is to be written anew
}

// recall returns what is remembered. What this process knows and the disk did not
// take comes first, unless another process has written since. What cannot be read
// is a session whose day is used up: nobody knows how often it was tried.
func (m *Manager) recall(a accounts.Account, p profile) memory {
	now := time.Now()
	m.mu.Lock()
	unkept, here := m.unkept[a.ID]
	m.mu.Unlock()
	var written memory
	raw, _, err := accounts.ReadRegular(filepath.Join(p.dir, memoryName), memoryLimit)
	if err == nil {
		err = json.Unmarshal(raw, &written)
	}
	switch {
	case here && (err != nil || !written.LastUsed.After(unkept.LastUsed)):
		return unkept
	case err == nil:
		return written.sound(now)
	case errors.Is(err, fs.ErrNotExist):
		return memory{}
	}
	if m.firstSeenBroken(a.ID) {
		m.log.Warn("what was remembered of a browser session cannot be read", "account", a.ID, "error", err)
	}
	return memory{
		Day: dayOf(now), Today: max(m.settings(a.Provider).DailyBudget, 1),
		LastResult: "what was remembered of it was damaged", amiss: true,
	}
}

// sound is r without numbers that cannot be. A day that has not come yet is taken
// for this one.
func (r memory) sound(now time.Time) memory {
	r.Today, r.Failures = min(max(r.Today, 0), mostCounted), min(max(r.Failures, 0), mostCounted)
	if today := dayOf(now); r.Day > today {
		r.Day, r.amiss = today, true
	}
	return r
}

func (m *Manager) firstSeenBroken(id accounts.ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, before := m.broken[id]
	m.broken[id] = struct{}{}
	return !before
}

// remember makes it durable. Until the disk takes it, this process knows.
func (m *Manager) remember(id accounts.ID, p profile, what memory) error {
	err := p.store(what)
	what.amiss = false
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.unkept[id] = what
		return err
	}
	delete(m.unkept, id)
	return nil
}

func (p profile) store(what memory) error {
	what.Version = 1
	raw, err := json.MarshalIndent(what, "", "  ")
	if err == nil {
		err = accounts.WriteDurably(filepath.Join(p.dir, memoryName), append(raw, '\n'))
	}
	if err != nil {
		return p.problem(err)
	}
	return nil
}

// used is how many unattended sign-ins were begun on now's day.
func (r *memory) used(now time.Time) int {
	if r.Day != dayOf(now) {
		return 0
	}
	return r.Today
}

// begun counts an unattended sign-in.
func (r *memory) begun(now time.Time, ahead bool) {
	r.Today = r.used(now) + 1
	r.Day, r.LastUsed = dayOf(now), now.UTC()
	r.LastResult = "it was cut short" // what stays if this process ends meanwhile
	if ahead {
		r.AheadOn = r.Day
	}
}

// succeeded notes that the session brought a login.
func (r *memory) succeeded(result string) {
	r.Failures, r.NotBefore, r.LastResult = 0, time.Time{}, result
}

// failed notes that it did not, and how long it rests now.
func (r *memory) failed(now time.Time, result string) {
	rest := restAtMost
	if r.Failures < 6 {
		rest = min(restAtFirst<<r.Failures, restAtMost)
	}
	r.Failures++
	r.NotBefore, r.LastResult = now.Add(rest).UTC(), result
}

// resting reports whether it does so still. A clock that was set back does not
// make the rest longer than it can be.
func (r *memory) resting(now time.Time) bool {
	return now.Before(r.NotBefore) && r.NotBefore.Sub(now) <= restAtMost
}

// waits says why no sign-in without a person may begin now; nil: one may.
func (r *memory) waits(a accounts.Account, s Settings, now time.Time) error {
	switch {
	case a.NeedsYou != "":
		return &WaitError{Words: a.NeedsYou, NeedsYou: true}
	case s.DailyBudget <= 0:
		return &WaitError{Words: "sign-ins without a person are switched off"}
	case r.used(now) >= s.DailyBudget:
		until := midnight(now)
		return &WaitError{
			Words: fmt.Sprintf("the %s of today that need no person are used up; the next is possible at %s", signIns(s.DailyBudget), clock(until, now)),
			Until: until,
		}
	case r.resting(now):
		return &WaitError{
			Words: fmt.Sprintf("the last sign-in did not succeed (%s); the next is tried at %s", r.LastResult, clock(r.NotBefore, now)),
			Until: r.NotBefore,
		}
	}
	return nil
}

func signIns(n int) string {
	if n == 1 {
		return "one sign-in"
	}
	return fmt.Sprintf("%d sign-ins", n)
}

func dayOf(t time.Time) string { return t.Local().Format(time.DateOnly) }

// midnight is when the local day of now ends.
func midnight(now time.Time) time.Time {
	year, month, day := now.Local().Date()
	return time.Date(year, month, day+1, 0, 0, 0, 0, time.Local)
}

// clock is a moment as a person reads it.
func clock(t, now time.Time) string {
	if t = t.Local(); dayOf(t) == dayOf(now) {
		return t.Format("15:04")
	}
	return t.Format("Mon 15:04")
}
