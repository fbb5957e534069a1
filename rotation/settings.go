package rotation

import (
	"context"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// Settings are the config file's words on one provider (DESIGN 6).
type Settings struct {
	MaxAttempts    int           // accounts that one request may try; 0: as many as there are
	NetworkRetries int           // tries more on the same account when nothing of the request went out
	RateLimit      time.Duration // cooldown of a limit whose answer names no time
	AuthFailure    time.Duration // cooldown of an account that is refused with a fresh token
	ReloginWait    bool          // wait for a new login before trying the next account
	ReplayLimit    int64         // bytes of a request body that are kept for a second attempt
}

// Accounts is where accounts are kept. *accounts.Registry is one. Edit alone goes
// beyond memory.
type Accounts interface {
	AllShared() []*accounts.Account // the caller's list of accounts that nobody writes to
	Shared(id accounts.ID) (*accounts.Account, error)
	Get(id accounts.ID) (accounts.Account, error)
	Edit(id accounts.ID, change func(*accounts.Account) error) (accounts.Account, error)
	Preferred(p accounts.ProviderID) accounts.ID
}

// Tokens is where tokens come from. *accounts.Renewer is one.
type Tokens interface {
	// Token returns the newest durable token, without asking a server.
	Token(id accounts.ID) (accounts.Token, error)
	// Renew returns a token of a generation above than. ctx bounds the wait only.
	Renew(ctx context.Context, id accounts.ID, than uint64) (accounts.Token, error)
}

// Relogin signs an account in again without its person, where that can be done.
type Relogin interface {
	Login(ctx context.Context, id accounts.ID) error
}
