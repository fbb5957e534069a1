package relogin

import (
	"errors"
	"fmt"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// What can come of a sign-in.
var (
	// ErrNoSession says that the account has no browser profile.
	ErrNoSession = errors.New("the account has no browser session")
	// ErrWindowClosed says that the person closed the window.
	ErrWindowClosed = errors.New("the window was closed before the sign-in had ended")
	// ErrNotInTime says that the time for the sign-in was over.
	ErrNotInTime = errors.New("the sign-in was not done in time")
	// ErrGivenUp says that whoever waited for the sign-in gave it up.
	ErrGivenUp = errors.New("the sign-in was given up")
	// ErrClosed says that no sign-in is begun any more.
	ErrClosed = errors.New("the program is ending")
)

// PageError says that an unattended sign-in stopped at a page: nothing was
// pressed there, and nothing stored.
type PageError struct {
	Kind       accounts.PageKind
	Words      string // what the page wants, for a person: "claude.ai asks for the password"
	Screenshot []byte // PNG of the page; nil: none could be made
}

func (e *PageError) Error() string { return e.Words }

// IdentityError says that somebody else is signed in in the profile.
type IdentityError struct{ Words string }

func (e *IdentityError) Error() string { return e.Words }

// RefusedError says that the provider said no, by a redirect or at its token
// endpoint.
type RefusedError struct{ Words, Hint string }

func (e *RefusedError) Error() string { return e.Words }

// WaitError says that no sign-in is tried now: the last ones failed, the day's are
// used up, or a person must come first.
type WaitError struct {
	Words    string
	NeedsYou bool      // a sign-in stopped at what only the person can do, and nobody has done it yet
	Until    time.Time // when one is tried again; zero: not by itself
}

func (e *WaitError) Error() string { return e.Words }

// TroubleError says that the network, the provider, the disk or the vault's key
// stood in the way: nothing that a person could do in the browser.
type TroubleError struct{ Words, Hint string }

func (e *TroubleError) Error() string { return e.Words }

// BrowserMissingError says that there is no browser to start.
type BrowserMissingError struct {
	Path string // the one that was asked for; "": none was found
	Hint string // how to get one on this system
}

func (e *BrowserMissingError) Error() string {
	if e.Path != "" {
		return "there is no browser at " + e.Path
	}
	return "no browser was found"
}

// DisplayError says that there is no screen for a window.
type DisplayError struct{}

func (e *DisplayError) Error() string { return "there is no display to show a window on" }

// InUseError says that another browser works on the profile.
type InUseError struct {
	Host string // the computer it is on; "": this one
	PID  int    // 0: not known
}

func (e *InUseError) Error() string {
	switch {
	case e.Host != "":
		return fmt.Sprintf("the browser profile is in use on another computer, %q, or was copied from there", e.Host)
	case e.PID != 0:
		return fmt.Sprintf("another browser (pid %d) uses the profile", e.PID)
	}
	return "another browser uses the profile"
}

// ProfileError says that the profile's folder cannot be used.
type ProfileError struct {
	Dir     string
	Problem string // "belongs to another user", "no space left on device"
	Hint    string
	Err     error
}

func (e *ProfileError) Error() string { return fmt.Sprintf("browser profile %s: %s", e.Dir, e.Problem) }

func (e *ProfileError) Unwrap() error { return e.Err }

// BrowserError says that the browser did not start, or ended by itself.
type BrowserError struct {
	Problem string
	Err     error
}

func (e *BrowserError) Error() string { return "the browser " + e.Problem }

func (e *BrowserError) Unwrap() error { return e.Err }
