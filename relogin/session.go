package relogin

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// settleWait is how long sessions that are being put in their places are waited for.
const settleWait = 2 * time.Second

// Session is what is known of an account's browser session.
type Session struct {
	Account    accounts.ID
	State      string    // how the last sign-in through it ended: accounts.BrowserReady, ...; "": not known
	Profile    string    // its folder
	Size       int64     // of the folder, in bytes; -1: not known
	LastUsed   time.Time // zero: never, or not known
	LastResult string    // how that ended, in words for a person
	Needs      string    // what it wants of a person; "": nothing
	Screenshot string    // path of a picture of the page it stopped at; "": there is none
	Today      int       // unattended sign-ins tried today
	Budget     int       // of how many
	Running    bool      // a browser works on it, or is about to, in this process
}

// Session returns an account's browser session, its size included, or ErrNoSession.
// It waits for one that is being put in its place, for a moment.
func (m *Manager) Session(ctx context.Context, id accounts.ID) (Session, error) {
	m.sweepOnce(ctx)
	m.settle(ctx)
	a, err := m.o.Registry.Latest(id)
	if err != nil {
		return Session{}, err
	}
	s, ok := m.session(a)
	if !ok {
		return Session{}, ErrNoSession
	}
	s.Size = size(s.Profile)
	return s, nil
}

func (m *Manager) session(a accounts.Account) (Session, bool) {
	p, err := m.profileOf(a)
	if err != nil || !p.exists() {
		return Session{}, false
	}
	remembered, j := m.recall(a, p), m.current(a.ID)
	s := Session{
		Account: a.ID, State: a.Browser, Profile: p.dir, Size: -1,
		LastUsed: remembered.LastUsed, LastResult: remembered.LastResult, Needs: a.NeedsYou,
		Today: remembered.used(time.Now()), Budget: m.settings(a.Provider).DailyBudget,
		Running: j != nil && j.kind != removal,
	}
	if s.Running {
		s.LastResult = "it is under way"
	}
	if info, err := os.Lstat(p.picture()); err == nil && info.Mode().IsRegular() {
		s.Screenshot = p.picture()
	}
	return s, true
}

// settle waits for what a window has brought to be where it belongs: between the
// end of a login and that lie a few renames.
func (m *Manager) settle(ctx context.Context) {
	m.mu.Lock()
	var windows []*job
	var flows []string
	for j := range m.jobs {
		if j.kind == window {
			windows, flows = append(windows, j), append(flows, j.flow)
		}
	}
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, settleWait)
	defer cancel()
	for i, j := range windows {
		if f, err := m.o.Logins.Flow(flows[i]); err == nil && f.State == accounts.FlowDone {
			select {
			case <-j.done:
			case <-ctx.Done():
			}
		}
	}
}

func (m *Manager) dropPicture(a accounts.Account, p profile) {
	if err := os.Remove(p.picture()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.log.Warn("the picture of a page stays behind", "account", a.ID, "error", err)
	}
}

// size is how many bytes the files in a folder have; -1: not known. A browser may
// be at work in it.
func size(dir string) int64 {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return ignoreGone(err)
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return ignoreGone(err)
	})
	if err != nil {
		return -1
	}
	return sum
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
