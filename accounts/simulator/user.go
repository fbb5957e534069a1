package simulator

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultPassword is the password of a User who was given none.
const DefaultPassword = "open sesame"

// Plans that a User can have.
const (
	Max20x = "max_20x"
	Max5x  = "max_5x"
	Pro    = "pro"
	Team   = "team"
)

// User is one person in one organisation, with limits of its own. The same
// e-mail in two organisations is two users with one AccountUUID.
type User struct {
	Name        string // what tests and login_hint call it; "": the e-mail
	Email       string // "": Name@example.org
	AccountUUID string // "": made from the e-mail
	OrgUUID     string // "": made from e-mail and organisation
	Org         string // name of the organisation; "": "<e-mail>'s Organization"
	Plan        string // "": Pro

	// What the person types in at the sign-in pages. Somebody in several
	// organisations signs in once, with what the user says who was added first.
	Password    string // "": DefaultPassword
	OneTimeCode string // asked for after the password; "": it is not
	Language    string // of the consent page: "en", "de", "pt" or "vo"; "": the server's

	FiveHour, SevenDay Limit
	Scoped             *ScopedLimit // a weekly window of one model family; nil: none

	// Cost is what a request for a model takes from the windows, in requests; nil: 1 each.
	Cost func(model string) float64
	// Deny makes the person press "decline" on the consent page. With Options.Pages
	// it is said to Authorize alone: the pages have a button.
	Deny bool
}

// Limit is one window.
type Limit struct {
	Requests float64       // how many requests fill it; 0: it never fills
	Used     float64       // share that is used at the start
	ResetsIn time.Duration // until the window that Used speaks of ends, before Speed; 0 with Used: its whole length
}

// ScopedLimit is a weekly window of one model family.
type ScopedLimit struct {
	Limit

	Family     string // "opus": models whose name holds this word
	Claim      string // how the headers call the window; "": "7d_oi"
	Everywhere bool   // its headers are on answers for other models too
}

// Window is the state of one window at a moment.
type Window struct {
	Claim    string    // "5h", "7d", or a scoped limit's claim
	Family   string    // "": the whole account
	Used     float64   // share
	ResetsAt time.Time // zero: not started
}

// users holds everybody by name.
type users struct {
	mu     sync.RWMutex // guards what follows
	byName map[string]*account
	order  []string
}

// account is a user at work.
type account struct {
	name string

	counts  [pathCount]atomic.Int64 // requests by place
	flight  atomic.Int64
	renewed atomic.Int64
	logins  atomic.Int64

	mu      sync.Mutex // guards what follows
	user    User
	windows []window
	usage   usageBudget
}

func (u *users) init() { u.byName = make(map[string]*account) }

// AddUser adds a person, or gives one that is there new settings and windows;
// grants stay. It returns the user with everything filled in.
func (s *Server) AddUser(u User) User {
	u = u.withDefaults()
	s.users.mu.Lock()
	a := s.users.byName[u.Name]
	if a == nil {
		a = &account{name: u.Name}
		s.users.byName[u.Name] = a
		s.users.order = append(s.users.order, u.Name)
	}
	s.users.mu.Unlock()

	a.mu.Lock()
	defer a.mu.Unlock()
	a.user = u
	a.windows = s.startWindows(u)
	return u
}

// User returns a user by name.
func (s *Server) User(name string) (User, bool) {
	a := s.users.get(name)
	if a == nil {
		return User{}, false
	}
	return a.get(), true
}

// Deny sets whether a person declines on the consent page.
func (s *Server) Deny(name string, deny bool) {
	if a := s.users.get(name); a != nil {
		a.mu.Lock()
		a.user.Deny = deny
		a.mu.Unlock()
	}
}

func (u *users) get(name string) *account {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.byName[name]
}

// all returns everybody in the order of their coming.
func (u *users) all() []*account {
	u.mu.RLock()
	defer u.mu.RUnlock()
	list := make([]*account, len(u.order))
	for i, name := range u.order {
		list[i] = u.byName[name]
	}
	return list
}

// find is who a login_hint means: a name, or an e-mail, which orgUUID narrows
// down where it has several.
func (u *users) find(hint, orgUUID string) *account {
	if a := u.get(hint); a != nil && (orgUUID == "" || a.get().OrgUUID == orgUUID) {
		return a
	}
	list := u.all()
	i := slices.IndexFunc(list, func(a *account) bool {
		user := a.get()
		return user.Email == hint && (orgUUID == "" || user.OrgUUID == orgUUID)
	})
	if i < 0 {
		return nil
	}
	return list[i]
}

func (a *account) get() User {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.user
}

func (u User) withDefaults() User {
	u.Name = cmp.Or(u.Name, u.Email, "user")
	u.Email = cmp.Or(u.Email, u.Name+"@example.org")
	u.Org = cmp.Or(u.Org, u.Email+"'s Organization")
	u.AccountUUID = cmp.Or(u.AccountUUID, uuidOf("account", u.Email))
	u.OrgUUID = cmp.Or(u.OrgUUID, uuidOf("organization", u.Email, u.Org))
	u.Plan = cmp.Or(u.Plan, Pro)
	u.Password = cmp.Or(u.Password, DefaultPassword)
	if u.Scoped != nil {
		scoped := *u.Scoped
		scoped.Claim = cmp.Or(scoped.Claim, "7d_oi")
		scoped.Family = cmp.Or(scoped.Family, "opus")
		u.Scoped = &scoped
	}
	return u
}

// uuidOf makes the same UUID from the same words.
func uuidOf(words ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", words))
	sum[6] = sum[6]&0x0f | 0x40
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
