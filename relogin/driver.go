package relogin

import (
	"context"

	"github.com/oauthmux/oauthmux/accounts"
)

// Driver brings a browser, or a person, from an authorization URL to the redirect
// with the code.
type Driver interface {
	// Open returns the whole address of the first redirect to one of v.Redirects:
	// it holds the code. It returns when the browser has really ended, so that what
	// it knows is on the disk, whatever came of the visit and also when ctx ended.
	// Its errors are those of this package; none holds a secret.
	Open(ctx context.Context, v Visit) (accounts.Secret, error)
}

// Checker is a Driver that can tell, before anything is begun and without waiting,
// what will keep Open from showing or starting a browser.
type Checker interface {
	// Check returns what Open would say of v, which has no URL yet and no Profile:
	// a *BrowserMissingError, a *DisplayError.
	Check(v Visit) error
}

// Sealer is a Driver whose browsers may seal what they know with a key that is not
// in the profile. Without that key it is lost: the site is shown no cookies, and
// sets others over them.
type Sealer interface {
	// Seal names the keyring that a browser of visit v finds its key in now; "": it
	// needs none, and takes one that everybody knows. It takes a moment.
	Seal(v Visit) string
}

// Visit is one way from an authorization URL to its redirect.
type Visit struct {
	Profile string // folder of the browser's profile, 0700; whoever calls holds its lock
	URL     string // the authorization URL

	Redirects []string // addresses, without query, that end the visit
	Hosts     []string // that a page may be on: host, or host:port
	Consent   []string // those of them on which something may be granted
	Recipes   []accounts.PageRecipe

	// Visible shows a window to a person, who does everything in it. Otherwise the
	// browser is headless, presses the button of a consent page, and stops at every
	// other page with a *PageError.
	Visible bool

	Browser  string   // path of the browser; "": look for one
	Environ  []string // its environment, as os.Environ has it; nil: this process's
	Proxy    string   // its way out: "" its own settings, "none", or scheme://host:port
	TakeOver bool     // the profile is said to be in use on another computer, and is not

	Started  func()            // called when a browser has been started, whatever comes of it; nil: nobody counts
	Progress func(step string) // what happens now, in words for a person; nil: nobody listens
}

// Person is the driver for somebody who carries the code over by hand, to the
// login itself (accounts.Logins.Code).
type Person struct{}

// Open waits until the visit is ended from outside: the code takes another way.
func (Person) Open(ctx context.Context, v Visit) (accounts.Secret, error) {
	if v.Progress != nil {
		v.Progress("waiting for the code")
	}
	<-ctx.Done()
	return "", context.Cause(ctx)
}
