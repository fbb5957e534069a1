package relogin

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/oauthmux/oauthmux/accounts"
)

const (
	dataName    = "profile" // the browser's own folder
	pictureName = "page.png"
	tagName     = "CACHEDIR.TAG"
	lockSuffix  = ".lock"

	// Folders that are no account's: an id has no dash.
	newPrefix  = "new-"  // of a window for an account that has no session yet
	gonePrefix = "gone-" // being deleted

	lockPoll = 50 * time.Millisecond
)

// tag keeps backups away: cookies are a login (SAFETY T23).
const tag = "Signature: 8a477f597d28d172789f06886806bc55\n# A browser profile of oauthmux. It is a login: keep it out of backups.\n"

// What may become the name of a folder.
var (
	providerName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	accountName  = regexp.MustCompile(`^[a-z0-9]{1,64}$`)
)

// profile is everything about one session: a folder, and beside it its lock.
type profile struct{ dir string }

// profileOf returns where an account's session is, or would be.
func (m *Manager) profileOf(a accounts.Account) (profile, error) {
	if !providerName.MatchString(string(a.Provider)) || !accountName.MatchString(string(a.ID)) {
		return profile{}, &ProfileError{Dir: m.o.Dir, Problem: "its name cannot be the account's"}
	}
	return profile{filepath.Join(m.o.Dir, string(a.Provider), string(a.ID))}, nil
}

// newProfile returns where a session can be that is nobody's yet.
func (m *Manager) newProfile(p accounts.ProviderID) (profile, error) {
	if !providerName.MatchString(string(p)) {
		return profile{}, &ProfileError{Dir: m.o.Dir, Problem: "its name cannot be the provider's"}
	}
	return profile{filepath.Join(m.o.Dir, string(p), newPrefix+strings.ToLower(rand.Text()))}, nil
}

func (p profile) data() string    { return filepath.Join(p.dir, dataName) }
func (p profile) picture() string { return filepath.Join(p.dir, pictureName) }

// exists reports whether there is a session.
func (p profile) exists() bool {
	info, err := os.Lstat(p.dir)
	return err == nil && info.IsDir()
}

// prepare makes what is missing, and refuses what others could get into.
func (p profile) prepare() error {
	if err := p.prepareAbove(); err != nil {
		return err
	}
	for _, dir := range []string{p.dir, p.data()} {
		if err := p.makePrivate(dir); err != nil {
			return err
		}
	}
	path := filepath.Join(p.dir, tagName)
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	if err := accounts.WriteDurably(path, []byte(tag)); err != nil {
		return p.problem(err)
	}
	return nil
}

// prepareAbove is prepare for the folders above the session's own.
func (p profile) prepareAbove() error {
	provider := filepath.Dir(p.dir)
	all := filepath.Dir(provider)
	// All profiles may be somewhere else, on another disk, by a link of the user's:
	// where that leads is for the user to keep private.
	if info, err := os.Stat(all); err != nil || !info.IsDir() || !isLink(all) {
		if err := p.makePrivate(all); err != nil {
			return err
		}
	}
	if !ownedByUs(all) {
		return &ProfileError{Dir: all, Problem: "belongs to another user"}
	}
	return p.makePrivate(provider)
}

// makePrivate makes a folder of the user's alone. What a link leads to is neither
// changed nor used (SAFETY T31).
func (p profile) makePrivate(dir string) error {
	switch info, err := os.Lstat(dir); {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return p.problem(err)
	case err == nil && !info.IsDir():
		return &ProfileError{Dir: dir, Problem: "is not a folder"}
	case err == nil && !ownedByUs(dir):
		return &ProfileError{Dir: dir, Problem: "belongs to another user"}
	}
	if err := accounts.MakePrivateDir(dir); err != nil {
		return p.problem(err)
	}
	return nil
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

func (p profile) problem(err error) error {
	problem := err
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		problem = errno // the path is told already
	}
	return &ProfileError{Dir: p.dir, Problem: problem.Error(), Err: err}
}

// setAside renames the folder, so that nobody takes it for a session any more, and
// returns what is to be deleted. The caller holds the lock.
func (p profile) setAside() (aside profile, err error) {
	aside = profile{filepath.Join(filepath.Dir(p.dir), gonePrefix+strings.ToLower(rand.Text()))}
	if err := os.Rename(p.dir, aside.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return profile{}, p.problem(err)
	}
	return aside, nil
}

// delete deletes what was set aside. What it cannot is left to the next sweep.
func (p profile) delete() error {
	if err := os.RemoveAll(p.dir); err != nil {
		return p.problem(err)
	}
	return nil
}

// remove sets the folder aside and deletes it. The caller holds the lock.
func (p profile) remove() error {
	aside, err := p.setAside()
	if err != nil {
		return err
	}
	return aside.delete()
}

// replace makes p the session at the place of old, which is to be deleted then. Who
// holds both locks calls it.
func (p profile) replace(old profile) (aside profile, err error) {
	if aside, err = old.setAside(); err != nil {
		return profile{}, err
	}
	if err := os.Rename(p.dir, old.dir); err != nil {
		return aside, p.problem(err)
	}
	return aside, nil
}

// hold is the lock of a profile in our hands. It is the kernel's: nobody steals it,
// and it is free when its holder dies.
type hold struct{ lock *flock.Flock }

// acquire takes the lock. While another process has it, waiting is called, once;
// past limit the error is an *InUseError.
func (p profile) acquire(ctx context.Context, limit time.Duration, waiting func()) (*hold, error) {
	if err := p.prepareAbove(); err != nil {
		return nil, err
	}
	for start := time.Now(); ; {
		h, err := p.tryAcquire()
		if h != nil || err != nil {
			return h, err
		}
		if waiting != nil {
			waiting()
			waiting = nil
		}
		if time.Since(start) > limit {
			return nil, &InUseError{}
		}
		select {
		case <-time.After(lockPoll):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// tryAcquire returns nil without an error when another has the lock. The file goes
// with its session (see discard): who comes to hold one that is no longer the one
// at its path has no lock, and looks again.
func (p profile) tryAcquire() (*hold, error) {
	path := p.dir + lockSuffix
	if err := accounts.MakeLockFile(path); err != nil {
		return nil, p.problem(err)
	}
	lock := flock.New(path) // one an acquisition
	ok, err := lock.TryLock()
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil //nolint:nilnil // discarded between the two: look again
		}
		return nil, p.problem(err)
	}
	if !ok {
		return nil, nil //nolint:nilnil // see above
	}
	held, heldErr := lock.Stat()
	there, thereErr := os.Lstat(path)
	if heldErr != nil || thereErr != nil || !os.SameFile(held, there) {
		return nil, lock.Unlock()
	}
	return &hold{lock}, nil
}

// release gives the lock back.
func (h *hold) release() { _ = h.lock.Unlock() }

// discard gives the lock back, and its file with it. Who waits with the file open
// gets it, sees that another one, or none, is at its path, and waits for that.
func (h *hold) discard() {
	path := h.lock.Path()
	err := os.Remove(path)
	h.release()
	if err != nil && runtime.GOOS == "windows" { // what is open cannot be removed there: nor can what another opens now
		_ = os.Remove(path)
	}
}
