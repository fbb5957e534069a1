package ui

import (
	"context"
	"errors"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/relogin"
	"github.com/oauthmux/oauthmux/relogin/chromium"
)

// browserFact is the browser that accounts would be signed in with.
type browserFact struct {
	path, version string
	err           error // why there is none, or why it does not say what it is
}

// findBrowser looks for the browser and asks what it is.
func (f *facts) findBrowser(ctx context.Context) {
	f.browser = browserFact{}
	f.browser.path, f.browser.err = chromium.Find(f.config.Relogin.Browser, f.environ)
	if f.browser.err == nil {
		f.browser.version, f.browser.err = chromium.Version(ctx, f.browser.path)
	}
}

// judgeBrowser is about the browser of browser sessions. Who has no session does
// not need one, unless it was asked for by name.
func (f *facts) judgeBrowser() finding {
	if f.configErr != nil {
		return notChecked()
	}
	b := f.browser
	if b.err == nil {
		return finding{state: checkOK, message: b.version + ", " + b.path}
	}
	found := finding{state: checkWrong, message: b.err.Error() + ": " + b.path, hint: "OAUTHMUX_BROWSER or relogin.browser names another one"}
	if errors.Is(b.err, context.DeadlineExceeded) {
		found.state, found.hint = checkWarn, "the machine may be busy; look again"
	}
	if e, ok := errors.AsType[*relogin.BrowserMissingError](b.err); ok {
		found.message, found.hint = e.Error(), e.Hint
		if e.Path == "" && !f.hasSessions() {
			found.state, found.message = checkOK, e.Error()+"; only browser sessions need one"
		}
	}
	return found
}

func (f *facts) hasSessions() bool {
	for i := range f.meta.Accounts {
		if s := f.meta.Accounts[i].Browser; s == accounts.BrowserReady || s == accounts.BrowserLoginNeeded {
			return true
		}
	}
	return false
}
