// Package control is what a screen or a command can see of an engine and ask
// of it, and how that travels over control.sock. A screen knows only the Engine
// interface: it neither knows nor cares whether the engine is in its own process.
package control

import (
	"context"
	"time"
)

// Schema is the version of every JSON document the program prints.
const Schema = 1

// Engine is implemented by the object graph in this process and by Client.
type Engine interface {
	// State returns everything a screen shows, at once and without I/O that can hang.
	State(ctx context.Context) (State, error)
	// Watch sends a State at once and after every change, newest wins, at most one
	// waiting. The channel closes when ctx ends or the engine goes.
	Watch(ctx context.Context) (<-chan State, error)
	// Do carries out one action. Its error, if any, is an *Error for people.
	Do(ctx context.Context, r Request) (Reply, error)
}

// Error is an error for people: what happened, and what to do.
type Error struct {
	Code    string `json:"code"` // stable word for programs: "not_found", "ambiguous", "login_needed", ...
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

func (e *Error) Error() string { return e.Message }

// Status is the public document of `oauthmux status --json` (DESIGN 4).
type Status struct {
	Schema   int       `json:"schema"`
	Engine   Info      `json:"engine"`
	Sessions []Session `json:"sessions"`
	Accounts []Account `json:"accounts"`
}

// Info says which engine runs for this home.
type Info struct {
	Running bool   `json:"running"`
	Listen  string `json:"listen"` // host:port the proxy listens on; "": it does not
	PID     int    `json:"pid"`
	Version string `json:"version"`
	Key     string `json:"key"` // state of the vault's key: "ok", "locked", ... (vault.KeyState)
}

// Session is a conversation that sticks to an account.
type Session struct {
	Session  string    `json:"session"`
	Account  string    `json:"account"`
	Since    time.Time `json:"since"`
	Requests int       `json:"requests"`
}

// States of an account, in the order in which the first that applies is taken.
const (
	StateUnsaved     = "unsaved"
	StateUnreadable  = "unreadable"
	StateNeedsYou    = "needs_you"
	StateLoginNeeded = "login_needed"
	StatePaused      = "paused"
	StateRenewing    = "renewing"
	StateCooling     = "cooling"
	StateServing     = "serving"
	StateReady       = "ready"
)

// Account is one account as `list`, `usage` and `status` print it. No field is
// ever omitted: unknown times and numbers are null, absent strings "".
type Account struct {
	ID             string     `json:"id"`
	Provider       string     `json:"provider"`
	Label          string     `json:"label"`
	Email          string     `json:"email"`
	Org            string     `json:"org"`
	Plan           string     `json:"plan"`
	Order          int        `json:"order"`
	Preferred      bool       `json:"preferred"`
	Paused         bool       `json:"paused"`
	State          string     `json:"state"`
	Reason         string     `json:"reason"` // words for State; "" where it speaks for itself
	Cooldowns      []Cooldown `json:"cooldowns"`
	TokenExpiresAt *time.Time `json:"token_expires_at"`
	LoggedInAt     *time.Time `json:"logged_in_at"`
	LoginExpiresAt *time.Time `json:"login_expires_at"`
	Browser        string     `json:"browser"` // BrowserNone, BrowserReady, BrowserLoginNeeded
	Windows        []Window   `json:"windows"`
	UsageAt        *time.Time `json:"usage_at"`
	UsageSource    string     `json:"usage_source"`
	Requests       int        `json:"requests"`
	Failovers      int        `json:"failovers"`
	InFlight       int        `json:"in_flight"`
	LastStatus     *int       `json:"last_status"`
}

// States of an account's browser session.
const (
	BrowserNone        = "none"
	BrowserReady       = "ready"        // the last sign-in through it worked
	BrowserLoginNeeded = "login_needed" // it ended anywhere else
)

// Cooldown is a running cooldown.
type Cooldown struct {
	Until    time.Time `json:"until"`
	Scope    string    `json:"scope"`
	Evidence string    `json:"evidence"`
}

// Window is one limit window. Used is a share: 1 is exhausted.
type Window struct {
	Name     string     `json:"name"`
	Used     *float64   `json:"used"`
	ResetsAt *time.Time `json:"resets_at"`
	Scope    string     `json:"scope"`
	Forecast *Forecast  `json:"forecast"` // null: too little is known to say, or it is full
}

// Forecast is what becomes of a window if its account goes on as it did lately.
type Forecast struct {
	FullAt      *time.Time `json:"full_at"`       // when nothing is left; null: not before it resets
	UsedAtReset *float64   `json:"used_at_reset"` // share used when it resets, 1 at most; null: when that is, is not known
	Basis       string     `json:"basis"`         // what it rests on, in words for a person
}

// State is Status and what only a screen needs besides.
type State struct {
	Status
	Now       time.Time     `json:"now"`   // the engine's clock when this was made; demo's may run fast
	Began     time.Time     `json:"began"` // when this engine did: it remembers nothing from before
	Providers []Provider    `json:"providers"`
	Feed      []Line        `json:"feed"`    // oldest first, the newest 100
	Flows     []Flow        `json:"flows"`   // logins under way
	Traffic   []Traffic     `json:"traffic"` // of accounts that had requests lately
	Holding   []string      `json:"holding"` // ids of accounts that need their person, and whose login still serves
	Key       Key           `json:"key"`
	Demo      string        `json:"demo"`     // a line that says so; "": it is not the demo
	Damage    string        `json:"damage"`   // what is wrong with accounts.json, and where it is kept; "": nothing. A warning, too
	Hidden    bool          `json:"hidden"`   // the vault holds accounts that are not shown until it opens: see Damage
	Warnings  []string      `json:"warnings"` // overridden endpoints, proxy in use, damaged files
	Strategy  Strategy      `json:"strategy"`
	Theme     string        `json:"theme"` // what a person chose on a screen; "": nothing
	Poll      time.Duration `json:"poll"`  // how often usage is read; twice that is stale
	Toast     time.Duration `json:"toast"` // how long a toast stays
}

// Traffic is how many requests an account took lately, in spans of equal length.
type Traffic struct {
	Account  string        `json:"account"` // id
	Ends     time.Time     `json:"ends"`    // of the newest span, which may lie ahead: it is not over yet
	Span     time.Duration `json:"span"`
	Requests []int         `json:"requests"` // oldest first
}

// Strategy is where new sessions start, and where else they could.
type Strategy struct {
	Name   string   `json:"name"`
	Fixed  string   `json:"fixed"`  // the variable or flag that holds it for as long as the engine runs; "": it can be changed
	Config string   `json:"config"` // what the configuration says
	All    []Choice `json:"all"`
}

// Choice is one strategy, and what it means, in words for a person.
type Choice struct {
	Name  string `json:"name"`
	Means string `json:"means"`
}

// Provider is what a screen must know of a provider.
type Provider struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	Terms         string `json:"terms"` // the notice to accept before its first account
	TermsAccepted bool   `json:"terms_accepted"`
	HasUsage      bool   `json:"has_usage"`
	HasPaste      bool   `json:"has_paste"`   // the code can be pasted from a hosted page
	HasBrowser    bool   `json:"has_browser"` // a browser was found that a window of an account's own can be opened with
}

// Line is one line of the feed, in words for a person.
type Line struct {
	Seq     uint64    `json:"seq"`
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`    // accounts.EntryKind
	Account string    `json:"account"` // id; "": none
	Label   string    `json:"label"`
	Text    string    `json:"text"`
	Toast   bool      `json:"toast"` // worth a toast
	Bell    bool      `json:"bell"`  // worth the terminal bell: everybody is out
}

// LogLine is one record of the log file.
type LogLine struct {
	At    time.Time `json:"at"`
	Level string    `json:"level"` // "DEBUG", "INFO", "WARN", "ERROR"
	Text  string    `json:"text"`
}

// Key is the state of the vault's key.
type Key struct {
	State   string `json:"state"`   // vault.KeyState
	Message string `json:"message"` // what that means, for a person
	Hint    string `json:"hint"`
	Ask     bool   `json:"ask"` // a passphrase would help: see ActionUnlock
	New     bool   `json:"new"` // there is no key yet: a passphrase would be chosen, so ask twice
}

// Trouble reports whether the key was asked for and could not be had. That a
// passphrase is yet to be chosen is none.
func (k *Key) Trouble() bool {
	switch k.State {
	case "", "ok", "unasked":
		return false
	case "passphrase_needed":
		return !k.New
	}
	return true
}

// Flow is a login under way.
type Flow struct {
	ID       string    `json:"id"`
	Provider string    `json:"provider"`
	How      string    `json:"how"`     // HowLoopback, HowPaste or HowBrowser
	For      string    `json:"for"`     // id of the account that it must turn out to be; "": anybody's
	Step     string    `json:"step"`    // HowBrowser: what the browser does now, in words for a person
	Visible  bool      `json:"visible"` // HowBrowser: a window is open, and a person is asked to use it
	URL      string    `json:"url"`
	Ends     time.Time `json:"ends"`
	State    string    `json:"state"`   // "waiting", "exchanging", "done", "failed"
	Problem  string    `json:"problem"` // why it failed, or why the last paste was refused
	Hint     string    `json:"hint"`
	Account  string    `json:"account"` // id, once it is done
	Renewed  bool      `json:"renewed"` // the identity was here already and got its login renewed
}

// Ways to sign in.
const (
	HowLoopback = "loopback"
	HowPaste    = "paste"
	HowBrowser  = "browser" // a window of the account's own
)

// States of a flow.
const (
	FlowWaiting    = "waiting"
	FlowExchanging = "exchanging"
	FlowDone       = "done"
	FlowFailed     = "failed"
)

// Actions of Engine.Do. Account fields of a Request take an id, a label or an e-mail.
const (
	ActionSwitch      = "switch"       // Account: prefer it
	ActionRename      = "rename"       // Account, Label
	ActionPause       = "pause"        // Account
	ActionResume      = "resume"       // Account
	ActionToggle      = "toggle"       // Account: pauses it, or resumes it
	ActionMove        = "move"         // Account, Position: 1 is first; beyond the end is last. Or By
	ActionRemove      = "remove"       // Account, Revoke
	ActionStrategy    = "strategy"     // Strategy: where new sessions start from now on
	ActionTheme       = "theme"        // Theme: remember it for the screens to come
	ActionRenew       = "renew"        // Account: renew the token now
	ActionUsage       = "usage"        // Account ("" all): read usage now, within the budget
	ActionTerms       = "terms"        // Provider: the notice was accepted
	ActionLoginStart  = "login_start"  // Provider, How, Label; Reply.Flow
	ActionLoginCode   = "login_code"   // Flow, Code: what the person pasted
	ActionLoginWait   = "login_wait"   // Flow: returns when it has ended; Reply.Flow
	ActionLoginCancel = "login_cancel" // Flow
	ActionUnlock      = "unlock"       // Passphrase ("" asks the system keyring again, its own prompt allowed)
	ActionClient      = "client"       // Provider ("" the only or first), Shell, Account (pin), Session: Reply.Client
	ActionToken       = "token"        // Account ("" who would serve), Fresh: Reply.Token
	ActionWhy         = "why"          // Account: Reply.Decisions
	ActionLog         = "log"          // Reply.Log
	ActionStop        = "stop"         // the engine ends in order, as at a signal; who asked is answered before

	// ActionBrowserSetup opens a visible window: to sign Account in, or to add an
	// account of Provider (with Label) when Account is "". Reply.Flow is the login,
	// which ActionLoginWait waits for and ActionLoginCancel gives up.
	ActionBrowserSetup  = "browser_setup"  // Account or Provider, Label, Display, TakeOver
	ActionBrowserLogin  = "browser_login"  // Account: sign in now without a person; returns when it is done
	ActionBrowserRemove = "browser_remove" // Account: the profile goes, with its cookies
	ActionBrowserStatus = "browser_status" // Account ("" all): Reply.Browsers
)

// Request is one action. Secrets in it (Code, Passphrase) never reach a log.
type Request struct {
	Action     string  `json:"action"`
	Account    string  `json:"account,omitempty"`
	Provider   string  `json:"provider,omitempty"`
	Label      string  `json:"label,omitempty"`
	Position   int     `json:"position,omitempty"`
	By         int     `json:"by,omitempty"` // places towards the end; negative: towards the beginning
	Strategy   string  `json:"strategy,omitempty"`
	Theme      string  `json:"theme,omitempty"`
	How        string  `json:"how,omitempty"`
	Flow       string  `json:"flow,omitempty"`
	Code       string  `json:"code,omitempty"`
	Passphrase string  `json:"passphrase,omitempty"`
	Shell      string  `json:"shell,omitempty"`
	Session    string  `json:"session,omitempty"`
	Revoke     bool    `json:"revoke,omitempty"`
	Fresh      bool    `json:"fresh,omitempty"`
	TakeOver   bool    `json:"take_over,omitempty"` // the profile is not in use on that other computer
	Display    Display `json:"display,omitzero"`
}

// Display is where a window may be shown: the variables of who asks that speak of
// it. An engine may have been started where there is no display, or another one.
type Display struct {
	X11        string `json:"x11,omitempty"`         // DISPLAY
	XAuthority string `json:"x_authority,omitempty"` // XAUTHORITY
	Wayland    string `json:"wayland,omitempty"`     // WAYLAND_DISPLAY
	RuntimeDir string `json:"runtime_dir,omitempty"` // XDG_RUNTIME_DIR
}

// Reply is the answer to a Request; what it holds depends on the action.
type Reply struct {
	Message   string      `json:"message,omitempty"` // one line for a person: what was done
	Caution   bool        `json:"caution,omitempty"` // and that it may not be what they expect
	Account   *Account    `json:"account,omitempty"`
	Flow      *Flow       `json:"flow,omitempty"`
	Client    *Connection `json:"client,omitempty"`
	Token     string      `json:"token,omitempty"`
	Decisions []Decision  `json:"decisions,omitempty"`
	Log       []LogLine   `json:"log,omitempty"` // the newest of the log file, oldest first
	Browsers  []Browser   `json:"browsers,omitempty"`
}

// Browser is one account's browser session, as `browser status` prints it. No
// field is ever omitted.
type Browser struct {
	Account    string     `json:"account"` // id
	Provider   string     `json:"provider"`
	Label      string     `json:"label"`
	State      string     `json:"state"`   // BrowserNone, BrowserReady, BrowserLoginNeeded
	Profile    string     `json:"profile"` // its folder; "": none
	Size       *int64     `json:"size"`    // of the profile in bytes; null: there is none, or it cannot be read
	LastUsed   *time.Time `json:"last_used_at"`
	LastResult string     `json:"last_result"` // how the last sign-in through it ended, in words
	Needs      string     `json:"needs"`       // what only the person can do; "": nothing
	Screenshot string     `json:"screenshot"`  // file with a picture of the page it stopped at; "": none
	Today      int        `json:"today"`       // unattended sign-ins since local midnight
	Budget     int        `json:"budget"`      // of them a day
	Running    bool       `json:"running"`     // a browser works on it now
}

// Connection is what a client needs to talk to the proxy. Key is the local
// key: a secret of this machine, never a provider's.
type Connection struct {
	Provider string      `json:"provider"`
	BaseURL  string      `json:"base_url"`
	Key      string      `json:"key"`
	Env      [][2]string `json:"env"`   // name and value, in order
	Lines    []string    `json:"lines"` // the same for the shell asked for
}

// Decision is how one request found its account.
type Decision struct {
	At         time.Time     `json:"at"`
	Scope      string        `json:"scope"`
	Session    string        `json:"session"`
	Candidates int           `json:"candidates"` // how many accounts were available when it came
	Skipped    []Step        `json:"skipped"`    // some of those that were not: the one that was asked about, if it is one, comes first
	Steps      []Step        `json:"steps"`      // those that were asked, in turn
	Status     int           `json:"status"`     // what the client got; 0: it went away
	Duration   time.Duration `json:"duration"`
}

// Step is one account considered for a request.
type Step struct {
	Account  string    `json:"account"` // its id
	Label    string    `json:"label"`
	Outcome  string    `json:"outcome"` // "skipped", or a verdict's word
	Evidence string    `json:"evidence"`
	Until    time.Time `json:"until,omitzero"` // how long that keeps the account away; zero: not known, or not by time
}
