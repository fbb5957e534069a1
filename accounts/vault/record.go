package vault

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
)

// Record is what is kept of one account: its tokens as the server sent them,
// and a copy of what accounts.json says, so that it can be rebuilt.
type Record struct {
	Generation uint64 // grows with every record; Store numbers it when it is 0

	Provider, Identity, Label, Email, Org, Plan string
	Order                                       int
	Paused                                      bool // as of this record; pausing alone writes none

	// For is the account that the login was asked to be of, where it lies under a
	// name of its own; "": it is the account of that name.
	For      string
	Unproven bool // nobody has found out yet whether it is that one's

	TokenURL     string // the token endpoint that issued it
	LoggedInAt   time.Time
	ReceivedAt   time.Time
	RefreshToken string // the one in force; Raw may lack it (RFC 6749, section 6)
	Raw          []byte // the token endpoint's body as it came
}

// String hides the tokens from every formatting verb but %#v.
func (r Record) String() string { return fmt.Sprintf("record %d [redacted]", r.Generation) }

// GoString hides the tokens from %#v.
func (r Record) GoString() string { return r.String() }

// LogValue hides the tokens from slog.
func (r Record) LogValue() slog.Value { return slog.StringValue(r.String()) }

// entry is a record with its place in the account's history.
type entry struct {
	Record
	family string // the login it descends from
	parent origin // the record it replaced
}

// origin names a record.
type origin struct {
	Family     string `json:"family"`
	Generation uint64 `json:"generation"`
}

func (e entry) origin() origin { return origin{Family: e.family, Generation: e.Generation} }

// follows reports whether e may replace than: it is newer, and of the same
// login or made over that very record. Anything else was put there by somebody
// else, a restored backup for one.
func (e entry) follows(than entry) bool {
	return e.Generation > than.Generation && (e.family == than.family || e.parent == than.origin())
}

// sealedRecord is how a record is written inside the seal.
type sealedRecord struct {
	Family     string    `json:"family"`
	Parent     origin    `json:"parent"`
	Provider   string    `json:"provider"`
	Identity   string    `json:"identity"`
	Label      string    `json:"label"`
	Email      string    `json:"email"`
	Org        string    `json:"org"`
	Plan       string    `json:"plan"`
	Order      int       `json:"order"`
	Paused     bool      `json:"paused"` // a record without it is not paused
	For        string    `json:"for"`    // a record without it is an account's own
	Unproven   bool      `json:"unproven"`
	TokenURL   string    `json:"token_url"`
	LoggedInAt time.Time `json:"logged_in_at"`
	ReceivedAt time.Time `json:"received_at"`
	Refresh    []byte    `json:"refresh"` // bytes: whatever the server chose, JSON keeps it
	Raw        []byte    `json:"raw"`
}

// newFamily names a login.
func newFamily() string { return rand.Text() }

func (s *sealer) sealEntry(account string, e entry) ([]byte, error) {
	plain, err := json.Marshal(sealedRecord{
		Family: e.family, Parent: e.parent,
		Provider: e.Provider, Identity: e.Identity, Label: e.Label, Email: e.Email, Org: e.Org, Plan: e.Plan, Order: e.Order, Paused: e.Paused,
		For: e.For, Unproven: e.Unproven,
		TokenURL: e.TokenURL, LoggedInAt: e.LoggedInAt, ReceivedAt: e.ReceivedAt,
		Refresh: []byte(e.RefreshToken), Raw: e.Raw,
	})
	if err != nil {
		return nil, fmt.Errorf("seal the record: %w", err)
	}
	defer clear(plain)
	if len(plain) > maxFile-sealOverhead {
		return nil, fmt.Errorf("seal the record: %d bytes are too many", len(plain))
	}
	return s.seal(account, e.Generation, plain), nil
}

func (s *sealer) unsealEntry(account string, data []byte) (entry, error) {
	generation, plain, err := s.unseal(account, data)
	if err != nil {
		return entry{}, err
	}
	defer clear(plain)
	var r sealedRecord
	if err := json.Unmarshal(plain, &r); err != nil {
		return entry{}, fmt.Errorf("%w: its content is of another program", errSeal)
	}
	return entry{
		Record: Record{
			Generation: generation,
			Provider:   r.Provider, Identity: r.Identity, Label: r.Label, Email: r.Email, Org: r.Org, Plan: r.Plan, Order: r.Order, Paused: r.Paused,
			For: r.For, Unproven: r.Unproven,
			TokenURL: r.TokenURL, LoggedInAt: r.LoggedInAt, ReceivedAt: r.ReceivedAt,
			RefreshToken: string(r.Refresh), Raw: r.Raw,
		},
		family: r.Family, parent: r.Parent,
	}, nil
}
