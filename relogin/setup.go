package relogin

import (
	"context"
	"errors"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// Setup says what a window is opened for, or a code pasted.
type Setup struct {
	Account  accounts.ID         // that signs in again; "": one is added
	Provider accounts.ProviderID // of the account to add
	Label    string              // of the account to add; "": one is made for it
	Environ  []string            // Visit.Environ
	TakeOver bool                // Visit.TakeOver
	Paste    bool                // no window: a Person brings the code, and no session comes of it
}

// Setup opens a window for a person to sign in in, and returns the login that it
// is for: its end, whichever way it comes, ends the window, and the other way round.
// A sign-in without a person gives way. Where the account has a window already,
// it is that one's login. With Paste there is no window, and one that is open
// gives way too.
//
// An account that has no session gets one when the browser has brought the login.
// One that has keeps its folder, with all that the person did in the window: a
// sign-out, or somebody else's sign-in, too. In the place of a session comes that
// of a window which was to add an account, and in which the owner of one that is
// here signed in.
func (m *Manager) Setup(ctx context.Context, s Setup) (accounts.LoginFlow, error) {
	m.sweepOnce(ctx)
	if s.Account != "" {
		a, err := m.o.Registry.Latest(s.Account)
		if err != nil {
			return accounts.LoginFlow{}, err
		}
		s.Provider = a.Provider
		if f, open := m.windowOf(s.Account); open && !s.Paste {
			return f, nil
		}
	}
	if err := m.mayShow(ctx, s); err != nil {
		return accounts.LoginFlow{}, err
	}
	f, err := m.startFlow(ctx, s)
	if err != nil {
		return accounts.LoginFlow{}, err
	}
	j := &job{kind: window, account: f.For, flow: f.ID}
	work := func(ctx context.Context) error { return m.window(ctx, j, f, s) }
	if s.Paste {
		j.kind = pasting
		work = func(ctx context.Context) error {
			if _, err := m.visit(ctx, Person{}, j, f, Visit{}); !errors.Is(err, errByHand) {
				return err
			}
			return nil
		}
	}
	if err := m.begin(ctx, j, work); err != nil {
		m.fail(ctx, f.ID, err)
		return accounts.LoginFlow{}, err
	}
	m.tell(f.For)
	return f, nil
}

func (m *Manager) startFlow(ctx context.Context, s Setup) (accounts.LoginFlow, error) {
	how := accounts.LoginBrowser
	if s.Paste {
		how = accounts.LoginPaste
	}
	if s.Account != "" {
		return m.o.Logins.StartFor(ctx, s.Account, how)
	}
	return m.o.Logins.Start(ctx, s.Provider, how, s.Label)
}

// windowOf returns the login of the account's window, if one is open.
func (m *Manager) windowOf(id accounts.ID) (accounts.LoginFlow, bool) {
	j := m.current(id)
	if j == nil || j.kind != window {
		return accounts.LoginFlow{}, false
	}
	f, err := m.o.Logins.Flow(j.flow)
	return f, err == nil && !over(f)
}

// mayShow says what is known at once to keep a window from being of use.
func (m *Manager) mayShow(ctx context.Context, s Setup) error {
	m.mu.Lock()
	closed := m.closed
	m.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if m.o.Ready != nil {
		if err := m.o.Ready(ctx); err != nil {
			return err
		}
	}
	if c, ok := m.o.Driver.(Checker); ok && !s.Paste {
		return c.Check(s.on(m.visitTo(accounts.LoginFlow{Provider: s.Provider})))
	}
	return nil
}

// on makes a visit the window's.
func (s Setup) on(v Visit) Visit {
	v.Visible, v.Environ, v.TakeOver = true, s.Environ, s.TakeOver
	return v
}

// window has a person sign in, in the account's session or in one that becomes it.
func (m *Manager) window(ctx context.Context, j *job, f accounts.LoginFlow, s Setup) (err error) {
	defer func() { // whatever ends this ends the login
		if err != nil {
			m.fail(ctx, f.ID, err)
		}
	}()
	if f.For == "" {
		return m.newSession(ctx, j, f, s)
	}
	a, err := m.o.Registry.Get(f.For)
	if err != nil {
		return err
	}
	p, err := m.profileOf(a)
	if err != nil {
		return err
	}
	held, err := m.hold(ctx, j, p, false)
	if err != nil {
		return err
	}
	if !p.exists() {
		held.discard() // it is taken again for a moment at the end
		return m.newSession(ctx, j, f, s)
	}
	defer held.release()
	if err := p.prepare(); err != nil {
		return err
	}
	v := s.on(m.visitTo(f))
	v.Profile = p.data()
	keyring := m.seal(v)
	_, err = m.visit(ctx, m.o.Driver, j, f, v)
	m.noteWindow(a, p, keyring, err)
	if errors.Is(err, errByHand) {
		return nil
	}
	return err
}

// newSession has a person sign in in a profile that is nobody's yet. It becomes
// the account's when its browser has ended and the login is done, and is deleted
// otherwise: by the next start, if this process dies.
func (m *Manager) newSession(ctx context.Context, j *job, f accounts.LoginFlow, s Setup) error {
	p, err := m.newProfile(f.Provider)
	if err != nil {
		return err
	}
	held, err := p.acquire(ctx, m.lockLimit, nil)
	if err != nil {
		return err
	}
	defer held.discard()
	defer func() {
		if err := p.remove(); err != nil {
			m.log.Warn("a browser profile that is nobody's stays behind", "profile", p.dir, "error", err)
		}
	}()
	if err := p.prepare(); err != nil {
		return err
	}
	v := s.on(m.visitTo(f))
	v.Profile = p.data()
	keyring := m.seal(v)
	owner, err := m.visit(ctx, m.o.Driver, j, f, v)
	if errors.Is(err, errByHand) { // nobody has signed in in it
		m.reconcile(context.WithoutCancel(ctx))
		return nil
	}
	if err != nil {
		return err
	}
	// The login is there: its session is not lost to somebody's haste.
	if err := m.settleIn(context.WithoutCancel(ctx), j, p, owner, keyring); err != nil {
		m.log.Warn("the browser profile of a login is not kept", "account", owner, "error", err)
		m.reconcile(context.WithoutCancel(ctx))
		return err
	}
	return nil
}

// settleIn makes p the account's session. An old one is deleted.
func (m *Manager) settleIn(ctx context.Context, j *job, p profile, id accounts.ID, keyring string) error {
	m.mu.Lock()
	var before *job
	if j.account == "" {
		j.account = id
		before = m.takeLocked(j)
	}
	m.mu.Unlock()
	giveWay(before)
	a, err := m.o.Registry.Latest(id)
	if err != nil {
		return err
	}
	home, err := m.profileOf(a)
	if err != nil {
		return err
	}
	held, err := home.acquire(ctx, m.lockLimit, nil)
	if err != nil {
		return err
	}
	defer held.release()
	remembered := m.recall(a, home) // the day's sign-ins were the account's
	remembered.LastUsed = time.Now().UTC()
	remembered.Keyring = keyring
	remembered.succeeded("signed in in its window")
	m.keep(id, p, remembered)
	aside, err := p.replace(home)
	if err != nil {
		return errors.Join(err, aside.delete())
	}
	m.edit(id, func(a *accounts.Account) { a.Browser = accounts.BrowserReady })
	if err := aside.delete(); err != nil {
		m.log.Warn("a browser profile that is nobody's stays behind", "profile", aside.dir, "error", err)
	}
	return nil
}

// noteWindow writes down what came of a window of an account's session. What was
// given up says nothing of the session; somebody else's sign-in in it does.
func (m *Manager) noteWindow(a accounts.Account, p profile, keyring string, err error) {
	remembered := m.recall(a, p)
	remembered.LastUsed = time.Now().UTC()
	switch {
	case err == nil:
		remembered.Keyring = keyring
		remembered.succeeded("signed in in its window")
		m.dropPicture(a, p)
	case errors.Is(err, errByHand):
		remembered.LastResult = err.Error()
		m.edit(a.ID, func(now *accounts.Account) { now.Browser = a.Browser }) // as it was: nobody has tried it
	default:
		what, _, failure := describe(err)
		remembered.LastResult = what
		if failure == accounts.FailureIdentity {
			m.callPerson(a, p, what, err, false)
		}
	}
	m.keep(a.ID, p, remembered)
}
