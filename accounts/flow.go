package accounts

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// wanted is what a login was asked to be.
type wanted struct {
	account    ID     // it must be this one's; "": anybody's
	label      string // "": the account's own, or one made for it
	unattended bool   // no person is there to say whose it is
}

// flow is one login under way. It has one goroutine, run, and everything that
// happens to it arrives there.
type flow struct {
	id       string
	logins   *Logins
	provider *Provider
	how      string
	want     wanted
	url      string
	ends     time.Time

	redirectURI  string
	state        string // secret until it comes back
	codeVerifier string

	receiver *receiver // nil: the code is pasted
	arrivals chan arrival
	giveUp   chan struct{}
	ended    chan struct{}
	once     sync.Once // for giveUp
	parting  problem   // why it was given up; written before giveUp is closed

	mu      sync.Mutex // guards what follows
	now     string     // its state, a Flow constant
	problem problem
	account ID
	renewed bool
	endedAt time.Time
	settled chan struct{} // closed when the code that is being exchanged has been dealt with
	pasting bool          // and that was pasted
}

// arrival is what came back from the browser: a code, or why there is none.
type arrival struct {
	code    string
	refusal error
	pasted  bool // handed over: who did may have a better one
}

// problem is what went wrong, for a person.
type problem struct {
	text, hint string
	kind       Failure
}

func (l *Logins) newFlow(ctx context.Context, p *Provider, how string, want wanted) (*flow, error) {
	f := &flow{
		id:           string(newID()),
		logins:       l,
		provider:     p,
		how:          how,
		want:         want,
		ends:         time.Now().Add(loginLimit),
		state:        randomWord(),
		codeVerifier: randomWord(),
		arrivals:     make(chan arrival, 1),
		giveUp:       make(chan struct{}),
		ended:        make(chan struct{}),
		now:          FlowWaiting,
	}
	switch {
	case (how == LoginPaste || how == LoginBrowser) && p.OAuth.RedirectURL != "":
		f.redirectURI = p.OAuth.RedirectURL
	case (how == LoginLoopback || how == LoginBrowser) && p.OAuth.LoopbackHost != "":
		r, err := listen(ctx, f)
		if err != nil {
			return nil, err
		}
		f.receiver, f.redirectURI = r, r.redirectURI
	default:
		return nil, fmt.Errorf("%s cannot be signed in to by %q", p.Name, how)
	}
	var err error
	if f.url, err = authorizationURL(p.OAuth, f.redirectURI, f.state, f.codeVerifier); err != nil {
		f.discard()
		return nil, err
	}
	return f, nil
}

// discard ends a flow that was never run.
func (f *flow) discard() {
	if f.receiver != nil {
		f.receiver.discard()
	}
}

// run is the life of the flow.
func (f *flow) run(ctx context.Context) {
	defer close(f.ended)
	stop := func() {}
	if f.receiver != nil {
		stop = sync.OnceFunc(f.receiver.serve(ctx, f.logins.log))
	}
	defer stop()
	for {
		var a arrival
		select {
		case a = <-f.arrivals:
		case <-f.giveUp:
			if f.endWaiting(f.parting) {
				return
			}
			a = <-f.arrivals
		case <-time.After(min(max(time.Until(f.ends), 0), time.Minute)): // timers stop in suspend: look again
			if time.Now().Before(f.ends) {
				continue
			}
			if f.endWaiting(problem{"nobody signed in within ten minutes", "start again", FailureExpired}) {
				return
			}
			a = <-f.arrivals
		}
		if !a.pasted {
			stop() // one answer is all there is to receive
		}
		if f.exchange(ctx, a) {
			return
		}
	}
}

// endWaiting ends a flow that waits. It reports false when something has come
// back, which is in arrivals then: select knows no order, and a code that was
// taken is finished with.
func (f *flow) endWaiting(p problem) bool {
	f.mu.Lock()
	if f.now != FlowWaiting {
		f.mu.Unlock()
		return false
	}
	f.now, f.problem, f.endedAt = FlowFailed, p, time.Now()
	f.mu.Unlock()
	f.logins.tell()
	return true
}

// exchange deals with what came back. It reports whether the flow has ended.
func (f *flow) exchange(ctx context.Context, a arrival) (over bool) {
	account, renewed, err := ID(""), false, a.refusal
	if err == nil {
		account, renewed, err = f.finish(ctx, a.code)
	}
	if err == nil {
		f.mu.Lock()
		f.account, f.renewed = account, renewed
		f.mu.Unlock()
		f.end(FlowDone, problem{})
		return true
	}
	if !a.pasted || !pasteAgain(err) {
		f.end(FlowFailed, problemOf(err))
		return true
	}
	f.set(FlowWaiting, problemOf(err))
	return false
}

// finish exchanges the code. A panic costs this login, not the program.
func (f *flow) finish(ctx context.Context, code string) (account ID, renewed bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			f.logins.log.Error("a login panicked", "provider", f.provider.ID, "panic", FaultWords(p), "stack", string(debug.Stack()))
			account, renewed, err = "", false, errors.New("internal error")
		}
	}()
	return f.logins.finish(ctx, f, code)
}

// take hands a code, or a refusal, to run: one at a time. It returns nil when
// the flow does not wait for one.
func (f *flow) take(a arrival) (settled <-chan struct{}) {
	f.mu.Lock()
	if f.now != FlowWaiting || !time.Now().Before(f.ends) {
		f.mu.Unlock()
		return nil
	}
	f.now, f.problem, f.settled, f.pasting = FlowExchanging, problem{}, make(chan struct{}), a.pasted
	settled = f.settled
	f.arrivals <- a // never blocks: it holds one, and FlowExchanging keeps a second away
	f.mu.Unlock()
	f.logins.tell()
	return settled
}

// takeRedirect is take for what the browser brings. While something that was pasted is
// being exchanged it waits: that may be no good.
func (f *flow) takeRedirect(ctx context.Context, a arrival) bool {
	for f.take(a) == nil {
		f.mu.Lock()
		settled := f.settled
		if !f.pasting {
			settled = nil
		}
		f.mu.Unlock()
		if settled == nil {
			return false
		}
		select {
		case <-settled:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (f *flow) end(now string, p problem) {
	f.mu.Lock()
	f.endedAt = time.Now()
	f.mu.Unlock()
	f.set(now, p)
}

func (f *flow) set(now string, p problem) {
	f.mu.Lock()
	f.now, f.problem = now, p
	if f.settled != nil {
		close(f.settled)
		f.settled = nil
	}
	f.mu.Unlock()
	f.logins.tell()
}

// complain says why a paste was refused, and changes nothing else.
func (f *flow) complain(p problem) {
	f.mu.Lock()
	if f.now == FlowWaiting {
		f.problem = p
	}
	f.mu.Unlock()
	f.logins.tell()
}

func (f *flow) cancel() { f.fail(problem{text: "the sign-in was given up", kind: FailureGivenUp}) }

// fail gives the flow up, for a reason. The first one stands.
func (f *flow) fail(p problem) {
	f.once.Do(func() {
		f.parting = p
		close(f.giveUp)
	})
}

func (f *flow) over(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.endedAt.IsZero() && now.Sub(f.endedAt).Abs() > loginShown
}

func (f *flow) view() LoginFlow {
	f.mu.Lock()
	defer f.mu.Unlock()
	return LoginFlow{
		ID: f.id, Provider: f.provider.ID, How: f.how, URL: f.url, Ends: f.ends,
		State: f.now, Problem: f.problem.text, Hint: f.problem.hint, Failure: f.problem.kind,
		For: f.want.account, Account: f.account, Renewed: f.renewed, Redirects: f.redirects(),
	}
}

// redirects are the addresses, without a query, that the browser is sent to.
func (f *flow) redirects() []string {
	if f.receiver != nil {
		return []string{f.redirectURI}
	}
	return append([]string{f.redirectURI}, f.provider.OAuth.Callbacks...)
}

// errFlowOver says that a flow takes no code any more.
var errFlowOver = errors.New("the sign-in is over, or its code is being exchanged already")
