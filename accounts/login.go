package accounts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/oauthmux/oauthmux/accounts/vault"
)

// Ways a code comes back from the browser.
const (
	LoginLoopback = "loopback" // to a receiver on this machine
	LoginPaste    = "paste"    // copied by the person from a page of the provider
	LoginBrowser  = "browser"  // caught in a browser that this program drives
)

// States of a login under way.
const (
	FlowWaiting    = "waiting"    // for the person
	FlowExchanging = "exchanging" // the code is being exchanged
	FlowDone       = "done"
	FlowFailed     = "failed"
)

// Failure says what kind of thing stopped a login.
type Failure string

// The kinds of failures.
const (
	FailureNone     Failure = ""
	FailureGivenUp  Failure = "given_up"       // by whoever began it
	FailureExpired  Failure = "expired"        // nobody signed in in time
	FailureIdentity Failure = "other_identity" // somebody else signed in than was asked for; nothing was stored
	FailureRefused  Failure = "refused"        // the provider said no
	FailureNeedsYou Failure = "needs_you"      // a sign-in without a person stopped at what only a person can do
	FailureTrouble  Failure = "trouble"        // the network, the provider, the disk or the vault's key
)

const (
	loginLimit = 10 * time.Minute // for the person
	loginShown = time.Minute      // after its end
)

// ErrTermsNotAccepted says that the provider's notice comes before its first account.
var ErrTermsNotAccepted = errors.New("the provider's notice on terms has not been accepted")

// LoginFlow is what can be seen of one login.
type LoginFlow struct {
	ID       string
	Provider ProviderID
	How      string
	URL      string // where the person signs in
	Ends     time.Time
	State    string
	Problem  string // why it failed, or why the last paste was refused
	Hint     string
	Failure  Failure // what kind of thing Problem is
	For      ID      // the account that it must turn out to be; "": anybody's
	Account  ID      // once it is done
	Renewed  bool    // the identity was here already, and got its login renewed

	// Redirects are the addresses, without a query, that a browser with the code is
	// sent to.
	Redirects []string
}

// LoginsOptions are what Logins work with.
type LoginsOptions struct {
	Registry  *Registry
	Vault     *vault.Vault
	Providers *Set
	Journal   *Journal // nil: nothing is written down
	Bus       *Bus     // nil: nobody is told
	Log       *slog.Logger

	// Client sends token and profile requests; nil: one that sends each of them
	// once, to the provider's hosts only.
	Client func(p *Provider) Doer
	// NetworkProxy is the way out of this machine; nil: direct. A Client of one's
	// own does not use it.
	NetworkProxy func(*http.Request) (*url.URL, error)
	// UserAgent is what token requests call themselves; "": UserAgent("").
	UserAgent string
}

// Logins are the sign-ins under way. Each has a goroutine, and a loopback one a
// listener, until it ends: done, failed, given up, or after ten minutes. Close
// ends them all.
type Logins struct {
	o     LoginsOptions
	log   *slog.Logger
	pause time.Duration // before a provider is asked once more whose a login is: identityPause

	mu     sync.Mutex // guards what follows
	flows  map[string]*flow
	closed bool
}

// NewLogins starts nothing.
func NewLogins(o LoginsOptions) *Logins {
	l := &Logins{o: o, log: o.Log, pause: identityPause, flows: make(map[string]*flow)}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.o.UserAgent == "" {
		l.o.UserAgent = UserAgent("")
	}
	return l
}

// Start begins a login. A label by which an account of that provider is meant
// already asks for that account: then the login must turn out to be its own.
// Errors: ErrTermsNotAccepted, *LabelError, *DuplicateLabelError, and what kept
// the receiver from listening. ctx ends with the call; the flow goes on.
func (l *Logins) Start(ctx context.Context, p ProviderID, how, label string) (LoginFlow, error) {
	want := wanted{}
	if label != "" {
		clean, err := checkLabel(label)
		if err != nil {
			return LoginFlow{}, err
		}
		want.label = clean
		if want.account, err = l.o.Registry.document().asked(p, clean); err != nil {
			return LoginFlow{}, err
		}
	}
	return l.start(ctx, p, how, want)
}

// StartFor begins a login that must turn out to be that account's: of any other
// identity nothing is stored. A person sits at it, and is believed where nothing
// is known of the account. Errors are those of Start, and ErrNotFound.
func (l *Logins) StartFor(ctx context.Context, id ID, how string) (LoginFlow, error) {
	return l.startFor(ctx, how, wanted{account: id})
}

// StartUnattended is StartFor for a browser that nobody sits at. No person says
// whose login it is, so that must be known: an account of which neither identity
// nor e-mail address is known waits for its owner, with FailureNeedsYou.
func (l *Logins) StartUnattended(ctx context.Context, id ID) (LoginFlow, error) {
	return l.startFor(ctx, LoginBrowser, wanted{account: id, unattended: true})
}

func (l *Logins) startFor(ctx context.Context, how string, want wanted) (LoginFlow, error) {
	a, err := l.o.Registry.Get(want.account)
	if err != nil {
		return LoginFlow{}, err
	}
	return l.start(ctx, a.Provider, how, want)
}

func (l *Logins) start(ctx context.Context, id ProviderID, how string, want wanted) (LoginFlow, error) {
	p, ok := l.o.Providers.Get(id)
	switch {
	case !ok:
		return LoginFlow{}, fmt.Errorf("provider %q: %w", id, ErrNotFound)
	case p.Terms != "" && !l.o.Registry.TermsAccepted(id):
		return LoginFlow{}, ErrTermsNotAccepted
	case l.o.Registry.Hollow():
		return LoginFlow{}, ErrDamaged
	}
	f, err := l.newFlow(ctx, p, how, want)
	if err != nil {
		return LoginFlow{}, err
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		f.discard()
		return LoginFlow{}, errors.New("the program is ending")
	}
	l.prune(time.Now())
	l.flows[f.id] = f
	l.mu.Unlock()
	// The flow outlives the call that began it, which may be one of the control socket.
	go f.run(context.WithoutCancel(ctx))
	l.tell()
	return f.view(), nil
}

// Code hands over what the person pasted: code#state, the address of the page
// that shows the code, or the code alone. With a good one it returns when the
// flow has ended. A bad one leaves the flow waiting, with Problem and Hint saying
// what is wrong. Errors: ErrNotFound, and ctx's; the flow goes on without ctx.
func (l *Logins) Code(ctx context.Context, id, pasted string) (LoginFlow, error) {
	return l.Redirect(ctx, id, Secret(pasted))
}

// Redirect is Code for the whole address that a browser was sent to.
func (l *Logins) Redirect(ctx context.Context, id string, address Secret) (LoginFlow, error) {
	f, err := l.flow(id)
	if err != nil {
		return LoginFlow{}, err
	}
	settled, err := f.paste(address)
	if err != nil {
		f.complain(problemOf(err))
		return f.view(), nil
	}
	select {
	case <-settled:
		return f.view(), nil
	case <-ctx.Done():
		return f.view(), ctx.Err()
	}
}

// Flow returns a flow that runs, or ended within a minute, or ErrNotFound.
func (l *Logins) Flow(id string) (LoginFlow, error) {
	f, err := l.flow(id)
	if err != nil {
		return LoginFlow{}, err
	}
	return f.view(), nil
}

// Wait returns when the flow has ended, with how.
func (l *Logins) Wait(ctx context.Context, id string) (LoginFlow, error) {
	f, err := l.flow(id)
	if err != nil {
		return LoginFlow{}, err
	}
	select {
	case <-f.ended:
		return f.view(), nil
	case <-ctx.Done():
		return f.view(), ctx.Err()
	}
}

// Cancel gives a flow up. A code that is being exchanged is finished with.
func (l *Logins) Cancel(id string) {
	if f, err := l.flow(id); err == nil {
		f.cancel()
	}
}

// Fail gives a flow up on behalf of whatever brings its code, and says why: what
// happened, what to do, and of what kind that is. Like Cancel, it lets a code that
// is being exchanged be finished with.
func (l *Logins) Fail(id, what, hint string, kind Failure) {
	if f, err := l.flow(id); err == nil {
		f.fail(problem{what, hint, kind})
	}
}

// All returns the flows that run, and those that ended within a minute, in the
// order in which they end.
func (l *Logins) All() []LoginFlow {
	l.mu.Lock()
	l.prune(time.Now())
	all := make([]LoginFlow, 0, len(l.flows))
	for _, f := range l.flows {
		all = append(all, f.view())
	}
	l.mu.Unlock()
	slices.SortFunc(all, func(a, b LoginFlow) int {
		return cmp.Or(a.Ends.Compare(b.Ends), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// Close gives every flow up and returns when they have ended.
func (l *Logins) Close() {
	l.mu.Lock()
	l.closed = true
	var running []*flow
	for _, f := range l.flows {
		running = append(running, f)
	}
	l.mu.Unlock()
	for _, f := range running {
		f.cancel()
	}
	for _, f := range running {
		<-f.ended
	}
}

func (l *Logins) flow(id string) (*flow, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.flows[id]
	if !ok {
		return nil, fmt.Errorf("login %q: %w", id, ErrNotFound)
	}
	return f, nil
}

// prune forgets the flows that have been over for a while. l.mu is held.
func (l *Logins) prune(now time.Time) {
	for id, f := range l.flows {
		if f.over(now) {
			delete(l.flows, id)
		}
	}
}

func (l *Logins) tell() {
	if l.o.Bus != nil {
		l.o.Bus.Publish(Event{Kind: FlowChanged})
	}
}

// tokenClient and profileClient are the ways to the provider's two sides.
func (l *Logins) tokenClient(p *Provider) Doer {
	if l.o.Client != nil {
		return l.o.Client(p)
	}
	return tokenClient(p, l.o.NetworkProxy)
}

func (l *Logins) profileClient(p *Provider) Doer {
	if l.o.Client != nil {
		return l.o.Client(p)
	}
	return StrictClient(p, l.o.NetworkProxy, l.o.UserAgent)
}
