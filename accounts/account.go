package accounts

import (
	"slices"
	"time"

	"github.com/oauthmux/oauthmux/usage"
)

type (
	// ID names an account for ever: random, lower case, safe as a folder name.
	ID string
	// ProviderID names a provider: "anthropic", or a name from the config file.
	ProviderID string
)

// Why an account needs a login (Account.NeedsLogin).
const (
	LoginRevoked      = "revoked"       // the server refused the refresh token
	LoginLostResponse = "lost-response" // a renewal's answer was lost, and the token with it
	LoginNoRefresh    = "no-refresh-token"
	LoginMissing      = "missing" // the vault holds no token of the account
)

// How the last sign-in through an account's browser session ended (Account.Browser).
const (
	BrowserReady       = "ready"        // it brought a login
	BrowserLoginNeeded = "login_needed" // anywhere else: a person must sign in there
)

// Account is what is known of an account that is not a secret. It is what
// accounts.json holds, and a value: a copy may cross goroutines.
type Account struct {
	ID       ID         `json:"id"`
	Provider ProviderID `json:"provider"`
	Identity string     `json:"identity"` // stable key of the person and organisation at the provider; "": not known yet
	Label    string     `json:"label"`    // unique over all accounts
	Email    string     `json:"email"`
	Org      string     `json:"org"`
	Plan     string     `json:"plan"`
	Order    int        `json:"order"` // 1 is first, per provider
	Paused   bool       `json:"paused"`

	NeedsLogin    string `json:"needs_login"`     // "": no; else why, one of the Login constants
	NeedsLoginGen uint64 `json:"needs_login_gen"` // the token generation that NeedsLogin speaks of; a newer one lifts it

	Browser  string `json:"browser"`   // of its browser session: BrowserReady, BrowserLoginNeeded; "": it has none
	NeedsYou string `json:"needs_you"` // what a sign-in through it stopped at, in words for a person; "": nothing

	TokenExpiresAt time.Time `json:"token_expires_at"`
	LoggedInAt     time.Time `json:"logged_in_at"`

	Cooldowns  []Cooldown     `json:"cooldowns"`
	Usage      usage.Snapshot `json:"usage"`
	Reads      usage.Reads    `json:"reads"`       // when usage was asked for: what is left of the budget
	LastStatus int            `json:"last_status"` // of the last upstream answer; 0: none yet
	PingsOff   string         `json:"pings_off"`   // why pings are off for this account; "": they are on
	Counts     Counts         `json:"counts"`
}

// Counts are the numbers of one local day.
type Counts struct {
	Day       string `json:"day"` // 2006-01-02, local time
	Requests  int    `json:"requests"`
	Failovers int    `json:"failovers"` // requests that left this account for another one
}

// Cooldown is a span in which an account serves nothing, or no request of one
// scope. It ends by itself: compare, never wait.
type Cooldown struct {
	Until    time.Time `json:"until"`
	Scope    string    `json:"scope"`    // "": the whole account; else a model family in lower case
	Evidence string    `json:"evidence"` // what was seen, in words for a person: "5-hour limit reached (429)"
	Kind     string    `json:"kind"`     // one of the Cool constants
}

// Kinds of cooldown: what became known about the account.
const (
	CoolQuota    = "quota"
	CoolThrottle = "throttle"
	CoolAuth     = "auth"
	CoolRenewal  = "renewal"
	CoolFault    = "fault"
)

// Identity is who an authorization speaks for.
type Identity struct {
	Key              string // stable at the provider; "": not known
	Email, Org, Plan string
}

// Clone returns a copy that shares nothing with a.
func (a Account) Clone() Account {
	a.Cooldowns = slices.Clone(a.Cooldowns)
	a.Usage.Windows = slices.Clone(a.Usage.Windows)
	a.Reads.At = slices.Clone(a.Reads.At)
	return a
}
