package relogin

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// request is how a sign-in without a person is asked for.
type request struct {
	forced bool // by a person, whatever came before
	ahead  bool // before the login ends
	atOnce bool // not at all while another process has the profile: errBusy
}

// login joins the sign-in that runs for the account, or begins one, until ctx ends.
func (m *Manager) login(ctx context.Context, id accounts.ID, asked request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	known, unknown := m.o.Registry.Get(id)
	latest, err := m.o.Registry.Latest(id)
	if err != nil {
		return err
	}
	if unknown != nil || asked.forced {
		known = latest
	}
	m.sweepOnce(ctx)
	m.settle(ctx)
	for heir := (*job)(nil); ; {
		j := heir
		if heir = nil; j == nil {
			if j, err = m.join(ctx, known, asked); err != nil {
				return err
			}
		}
		select {
		case <-j.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		_, waits := errors.AsType[*WaitError](j.err)
		switch {
		case j.kind == removal:
		case errors.Is(j.err, errGivenWay):
			heir = m.heirOf(j) // whatever comes of that, also where it is over by now
		case errors.Is(j.err, errBusy) && !asked.atOnce: // who asks now waits
		case asked.forced && !j.forced && waits: // that is not for who asks now
		default:
			return j.err
		}
	}
}

// join returns the sign-in that runs for the account, or begins one.
func (m *Manager) join(ctx context.Context, known accounts.Account, asked request) (*job, error) {
	p, err := m.profileOf(known)
	if err != nil {
		return nil, err
	}
	there := p.exists()
	m.mu.Lock()
	defer m.mu.Unlock()
	if j := m.work[known.ID]; j != nil {
		j.ahead = j.ahead && !asked.forced
		return j, nil
	}
	if !there && !m.closed {
		return nil, ErrNoSession
	}
	j := &job{kind: unattended, forced: asked.forced, ahead: asked.ahead, account: known.ID}
	return j, m.beginLocked(ctx, j, func(ctx context.Context) error { return m.unattended(ctx, j, known, p, asked) })
}

// unattended signs in. known is what the account was when that was asked for: a
// login that is newer was what was wanted.
func (m *Manager) unattended(ctx context.Context, j *job, known accounts.Account, p profile, asked request) error {
	if m.o.Ready != nil {
		if err := m.o.Ready(ctx); err != nil {
			return err
		}
	}
	held, err := m.hold(ctx, j, p, asked.atOnce)
	if err != nil {
		return err
	}
	defer held.release()
	a, err := m.o.Registry.Latest(known.ID)
	switch {
	case err != nil:
		return err
	case !a.LoggedInAt.Equal(known.LoggedInAt): // another process did it, whatever its clock said
		return nil
	case !p.exists():
		return ErrNoSession
	}
	remembered, now := m.recall(a, p), time.Now()
	if remembered.amiss {
		m.keep(a.ID, p, remembered) // the next day is a new one
	}
	if !asked.forced {
		if err := remembered.waits(a, m.settings(a.Provider), now); err != nil {
			return err
		}
	}
	err = m.signIn(ctx, j, a, p, &remembered, asked.ahead)
	m.note(j, a, p, &remembered, err)
	return err
}

// hold takes the profile's lock for a job: at once or not at all, or within a limit.
func (m *Manager) hold(ctx context.Context, j *job, p profile, atOnce bool) (*hold, error) {
	if !atOnce {
		return p.acquire(ctx, m.lockLimit, func() { m.progress(j, errBusy.Error()) })
	}
	held, err := p.tryAcquire()
	if held == nil && err == nil {
		return nil, errBusy
	}
	return held, err
}

// signIn has a headless browser sign in. The profile's lock is held.
func (m *Manager) signIn(ctx context.Context, j *job, a accounts.Account, p profile, remembered *memory, ahead bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, m.visitLimit, ErrNotInTime)
	defer cancel()
	if err := p.prepare(); err != nil {
		return err
	}
	keyring := m.seal(m.visitTo(accounts.LoginFlow{Provider: a.Provider}))
	if err := remembered.sealed(p, keyring); err != nil {
		return err
	}
	f, err := m.o.Logins.StartUnattended(ctx, a.ID)
	if err != nil {
		return err
	}
	m.mu.Lock()
	j.flow = f.ID
	m.mu.Unlock()
	before := *remembered
	remembered.begun(time.Now(), ahead)
	if err := m.remember(a.ID, p, *remembered); err != nil { // then nothing would count it
		m.fail(ctx, f.ID, err)
		*remembered = before
		return err
	}
	j.told = true
	m.write(accounts.Entry{Kind: accounts.EntryLoginBegun, Account: a.ID})
	v := m.visitTo(f)
	v.Profile = p.data()
	var started atomic.Bool
	v.Started = func() { started.Store(true) }
	_, err = m.visit(ctx, m.o.Driver, j, f, v)
	switch {
	case errors.Is(err, errByHand):
		err = nil
	case err == nil:
		remembered.Keyring = keyring
	case notBegun(err) && !started.Load():
		before.AheadOn = remembered.AheadOn
		*remembered = before
	}
	return err
}

// note writes down what came of a sign-in without a person.
func (m *Manager) note(j *job, a accounts.Account, p profile, remembered *memory, err error) {
	now := time.Now()
	switch {
	case err == nil:
		remembered.succeeded("signed in")
		m.dropPicture(a, p)
	case interrupted(err):
		remembered.LastResult = "it was cut short: " + err.Error()
		if j.told {
			m.write(accounts.Entry{Kind: accounts.EntryNotice, Account: a.ID, Evidence: "not signed in again: " + err.Error()})
		}
	default:
		what, _, _ := describe(err)
		remembered.failed(now, what)
		if needsPerson(err) {
			m.callPerson(a, p, what, err, m.isAhead(j))
			break
		}
		m.edit(a.ID, func(a *accounts.Account) { a.Browser = accounts.BrowserLoginNeeded })
		m.write(accounts.Entry{Kind: accounts.EntryLoginFailed, Account: a.ID, Evidence: what})
	}
	m.keep(a.ID, p, *remembered)
}

// keep is remember for what has come to pass, whether the disk takes it or not.
func (m *Manager) keep(id accounts.ID, p profile, what memory) {
	if err := m.remember(id, p, what); err != nil {
		m.log.Warn("what came of a sign-in is not written down", "account", id, "error", err)
	}
}

// callPerson marks an account whose session only a person can help, and keeps the
// picture of the page. Ahead of its time nobody is called: the account works still.
func (m *Manager) callPerson(a accounts.Account, p profile, what string, err error, ahead bool) {
	m.dropPicture(a, p)
	if page, ok := errors.AsType[*PageError](err); ok && len(page.Screenshot) > 0 {
		if err := accounts.WriteDurably(p.picture(), page.Screenshot); err != nil {
			m.log.Warn("the picture of a page is not kept", "account", a.ID, "error", err)
		}
	}
	e := accounts.Entry{Kind: accounts.EntryNeedsYou, Account: a.ID, Evidence: what}
	m.edit(a.ID, func(a *accounts.Account) {
		a.Browser = accounts.BrowserLoginNeeded
		if ahead && a.NeedsLogin == "" {
			e.Kind, e.Evidence = accounts.EntryLoginFailed, what+"; its window renews it"
			return
		}
		a.NeedsYou = what
	})
	m.write(e)
}

func (m *Manager) edit(id accounts.ID, change func(*accounts.Account)) {
	_, err := m.o.Registry.Edit(id, func(a *accounts.Account) error { change(a); return nil })
	if err != nil && !errors.Is(err, accounts.ErrNotFound) {
		m.log.Warn("the state of a browser session is not written down", "account", id, "error", err)
	}
}
