// Package relogin signs accounts in again through a browser profile of each
// account's own, without a person where that is possible, and by a visible window
// where it is not.
//
// A sign-in without a person presses one button on one page: the one that grants,
// on the consent page of the account's own authorization request. At every other
// page it stops, stores nothing, and calls the person. Whose login comes back is
// compared with the account before anything is stored (SAFETY T20).
//
// One browser at a time works on a profile, of all processes. What a profile's own
// folder holds is durable before a browser starts, so that neither a crash nor a
// restart makes the day's sign-ins more than they are.
package relogin

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

const (
	visitLimit = time.Minute // of a sign-in without a person; a window has its login's own limit
	lockLimit  = 90 * time.Second
	roundEvery = time.Minute
	sweepLimit = 2 * time.Second // of a sweep that somebody waits for
)

// Options are what a Manager works with.
type Options struct {
	Dir       string // of all profiles, made 0700
	Registry  *accounts.Registry
	Logins    *accounts.Logins
	Providers *accounts.Set
	Journal   *accounts.Journal // nil: nothing is written down
	Bus       *accounts.Bus     // nil: nobody is told
	Log       *slog.Logger      // nil: nothing is logged

	Driver   Driver // of the browsers
	Settings func(accounts.ProviderID) Settings
	// Ready is asked before a browser starts: a login that could not be stored would
	// be wasted. nil: always.
	Ready func(context.Context) error
	// Idle reports whether an account has a quiet moment. nil: always.
	Idle func(accounts.ID) bool
}

// Settings are the config file's words on one provider (DESIGN 6).
type Settings struct {
	Browser     string        // path of the browser; "": look for one
	DailyBudget int           // unattended sign-ins per account and local day; 0: none
	LoginAge    time.Duration // how long after a sign-in the login is expected to end; 0: never
	Proxy       string        // Visit.Proxy
}

// Manager signs accounts in again: unattended through their browser profiles, or
// by a window that a person works in. Login, LoginNow and Setup start goroutines;
// Close, and the end of Run, return when all of them and their browsers have ended.
type Manager struct {
	o   Options
	log *slog.Logger

	visitLimit, lockLimit, roundEvery time.Duration

	running sync.WaitGroup // the goroutines of jobs
	swept   sync.Once      // what others have left is looked for once

	mu     sync.Mutex // guards what follows, and what jobs say of themselves
	closed bool
	jobs   map[*job]struct{}        // all that have not ended
	work   map[accounts.ID]*job     // the one that an account's profile is for, or is about to be
	warned map[accounts.ID]string   // the day of the last warning that a login ends
	broken map[accounts.ID]struct{} // whose memory was found damaged: that is said once
	unkept map[accounts.ID]memory   // what the disk did not take
}

// NewManager starts nothing.
func NewManager(o Options) *Manager {
	m := &Manager{
		o: o, log: o.Log,
		visitLimit: visitLimit, lockLimit: lockLimit, roundEvery: roundEvery,
		jobs:   make(map[*job]struct{}),
		work:   make(map[accounts.ID]*job),
		warned: make(map[accounts.ID]string),
		broken: make(map[accounts.ID]struct{}),
		unkept: make(map[accounts.ID]memory),
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	return m
}

// Login signs the account in again without a person. It is done once at a time,
// for everybody who asks meanwhile; ctx bounds this caller's wait only. The
// account's daily budget, the time to rest after failures, and a stop that only a
// person can pass are respected: *WaitError. ErrNoSession when there is no profile.
// What a person does in the account's window meanwhile counts for all who wait.
func (m *Manager) Login(ctx context.Context, id accounts.ID) error {
	return m.login(ctx, id, request{})
}

// LoginNow is Login for a person who asked: it is tried whatever came before.
func (m *Manager) LoginNow(ctx context.Context, id accounts.ID) error {
	return m.login(ctx, id, request{forced: true})
}

// Step says what happens now in a login that a browser of this Manager carries
// out, in words for a person, and whether a window shows it. "": no such login.
func (m *Manager) Step(flow string) (step string, visible bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for j := range m.jobs {
		if flow != "" && j.flow == flow {
			return j.step, j.kind == window
		}
	}
	return "", false
}

// Close ends every browser gracefully and returns when they have ended. From then
// on nothing is begun: ErrClosed.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	for j := range m.jobs {
		j.cancel(ErrClosed)
	}
	m.mu.Unlock()
	m.running.Wait()
}

func (m *Manager) settings(p accounts.ProviderID) Settings {
	if m.o.Settings == nil {
		return Settings{}
	}
	return m.o.Settings(p)
}

// tell says that something can be seen of a login that could not be before.
func (m *Manager) tell(id accounts.ID) {
	if m.o.Bus != nil {
		m.o.Bus.Publish(accounts.Event{Kind: accounts.FlowChanged, Account: id})
	}
}

func (m *Manager) write(e accounts.Entry) {
	if m.o.Journal != nil {
		m.o.Journal.Add(e)
	}
}
