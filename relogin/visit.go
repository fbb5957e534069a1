package relogin

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/oauthmux/oauthmux/accounts"
)

// errFlowOver ends a browser whose login has ended.
var errFlowOver = errors.New("the login has ended")

// errByHand says that a login is done, and that the code came another way.
var errByHand = errors.New("the code was brought by hand")

// visit has the driver bring a login to its end, and returns whose it is when both
// have ended. The login's end ends the browser, and the other way round. errByHand,
// with whose it is: the browser has nothing to do with it.
func (m *Manager) visit(ctx context.Context, d Driver, j *job, f accounts.LoginFlow, v Visit) (accounts.ID, error) {
	if now, gone := m.o.Logins.Flow(f.ID); gone != nil || over(now) { // while the profile was waited for
		return byHand(outcome(now))
	}
	v.Progress = func(step string) { m.progress(j, step) }
	address, cause, err := m.open(ctx, d, f, v)
	// From here on nothing is cut short: a code that has been sent is a login.
	after := context.WithoutCancel(ctx)
	now, gone := m.o.Logins.Flow(f.ID)
	switch {
	case gone != nil, over(now): // it ended first
		return byHand(outcome(now))
	case err == nil:
		m.progress(j, "the code is being exchanged")
		return m.redeem(after, f.ID, address)
	}
	err = reason(err, cause)
	if now = m.fail(after, f.ID, err); now.State == accounts.FlowDone {
		return now.Account, errByHand
	}
	return "", err
}

func byHand(id accounts.ID, err error) (accounts.ID, error) {
	if err == nil {
		err = errByHand
	}
	return id, err
}

// open calls the driver until it returns, or the login ends. cause says why it was
// ended from outside; nil: it was not. A panic in it costs this sign-in only.
func (m *Manager) open(ctx context.Context, d Driver, f accounts.LoginFlow, v Visit) (address accounts.Secret, cause, err error) {
	ctx, end := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if _, err := m.o.Logins.Wait(ctx, f.ID); err == nil {
			end(errFlowOver)
		}
	}()
	defer func() {
		if p := recover(); p != nil { // what it says may quote an address
			m.log.Error("the driver of a browser panicked", "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = &BrowserError{Problem: "could not be driven: internal error"}
		}
		cause = context.Cause(ctx)
		end(nil)
		<-watched
	}()
	address, err = d.Open(ctx, v)
	if err != nil {
		return "", nil, ownError(err)
	}
	return address, nil, nil
}

// redeem hands the redirect over and waits for what comes of it. A login that
// would wait for a better code gets none.
func (m *Manager) redeem(ctx context.Context, flow string, address accounts.Secret) (accounts.ID, error) {
	f, err := m.o.Logins.Redirect(ctx, flow, address)
	if err != nil {
		return "", ErrGivenUp
	}
	if !over(f) {
		m.o.Logins.Fail(flow, f.Problem, f.Hint, f.Failure)
		if f, err = m.o.Logins.Wait(ctx, flow); err != nil {
			return "", ErrGivenUp
		}
	}
	return outcome(f)
}

// reason is why a visit brought no redirect: what ended it from outside, if
// anything did, rather than what the browser made of that. But a page that kept a
// sign-in from being done in time says more than that.
func reason(err, cause error) error {
	_, page := errors.AsType[*PageError](err)
	switch {
	case cause == nil, page && errors.Is(cause, ErrNotInTime):
		return err
	case errors.Is(cause, context.Canceled), errors.Is(cause, errFlowOver):
		return ErrGivenUp
	}
	return cause
}

// over reports whether a login has ended.
func over(f accounts.LoginFlow) bool {
	return f.State == accounts.FlowDone || f.State == accounts.FlowFailed
}

// outcome is whose a login is that has ended, or why it is nobody's.
func outcome(f accounts.LoginFlow) (accounts.ID, error) {
	if f.State == accounts.FlowDone {
		return f.Account, nil
	}
	switch f.Failure {
	case accounts.FailureIdentity:
		return "", &IdentityError{Words: f.Problem}
	case accounts.FailureRefused:
		return "", &RefusedError{Words: f.Problem, Hint: f.Hint}
	case accounts.FailureGivenUp, accounts.FailureNone: // none: it ended so long ago that nobody knows
		return "", ErrGivenUp
	case accounts.FailureExpired:
		return "", ErrNotInTime
	case accounts.FailureNeedsYou:
		return "", &PageError{Kind: accounts.PageUnknown, Words: f.Problem}
	case accounts.FailureTrouble:
	}
	return "", &TroubleError{Words: f.Problem, Hint: f.Hint}
}

// seal is the keyring of a visit's browser (Sealer).
func (m *Manager) seal(v Visit) string {
	if s, ok := m.o.Driver.(Sealer); ok {
		return s.Seal(v)
	}
	return ""
}

// sealed reports that a browser could not read what the session knows, and would
// lose it. A window is opened all the same: its person signs in anew.
func (r *memory) sealed(p profile, keyring string) error {
	if r.Keyring == "" || r.Keyring == keyring {
		return nil
	}
	return &ProfileError{
		Dir: p.dir, Problem: "its cookies are sealed with the keyring of a desktop session, which cannot be reached from here",
		Hint: "start oauthmux in that desktop session, or set the session up again where it runs",
	}
}

// visitTo is what a visit of that login's needs, but for a profile.
func (m *Manager) visitTo(f accounts.LoginFlow) Visit {
	v := Visit{URL: f.URL, Redirects: f.Redirects}
	if p, ok := m.o.Providers.Get(f.Provider); ok {
		v.Hosts, v.Consent, v.Recipes = p.SignInHosts(), p.ConsentHosts(), p.Login
	}
	s := m.settings(f.Provider)
	v.Browser, v.Proxy = s.Browser, s.Proxy
	return v
}
