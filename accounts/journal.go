package accounts

import (
	"sync"
	"time"
)

// EntryKind is what kind of thing happened.
type EntryKind string

// The kinds of entry.
const (
	EntryFailover    EntryKind = "failover"     // a request left Account for Other
	EntryCooling     EntryKind = "cooling"      // a cooldown began
	EntryBack        EntryKind = "back"         // a cooldown ended
	EntryRenewed     EntryKind = "renewed"      // a token was renewed
	EntryRenewFailed EntryKind = "renew_failed" // a renewal did not succeed, and is not a login
	EntryLoginNeeded EntryKind = "login_needed" // a renewal was refused for good
	EntryLogin       EntryKind = "login"        // a login was stored
	EntryLoginBegun  EntryKind = "login_begun"  // a browser signs in without a person
	EntryLoginFailed EntryKind = "login_failed" // it brought no login, and may another time
	EntryNeedsYou    EntryKind = "needs_you"    // it stopped at what only the person can do
	EntryLoginEnds   EntryKind = "login_ends"   // a login is expected to end, at Until
	EntryExhausted   EntryKind = "exhausted"    // a request found nobody
	EntryPreferred   EntryKind = "preferred"    // the person chose
	EntryPaused      EntryKind = "paused"       // the person had it serve nothing
	EntryResumed     EntryKind = "resumed"      // and serve again
	EntryPings       EntryKind = "pings"        // pings were switched off
	EntryRemoved     EntryKind = "removed"      // the person removed it
	EntryNotice      EntryKind = "notice"       // anything else worth a line
)

// Entry is one line of what happened, with its evidence and without secrets.
type Entry struct {
	Seq      uint64
	At       time.Time
	Kind     EntryKind
	Account  ID
	Other    ID            // the account a request went on with; "": none
	Scope    string        // the model family that it is about; "": the whole account
	Until    time.Time     // end of the cooldown or of the login, expiry of the token
	Took     time.Duration // what it cost the request
	Evidence string
}

// journalSize is how many entries are kept in memory.
const journalSize = 500

// Journal keeps the newest entries in memory and announces each on the bus.
// The zero value is ready.
type Journal struct {
	Bus *Bus // nil: nobody is told

	mu      sync.Mutex // guards what follows
	seq     uint64
	entries []Entry
}

// Add appends e, numbering it, and dating it if it has no date.
func (j *Journal) Add(e Entry) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	j.mu.Lock()
	j.seq++
	e.Seq = j.seq
	if len(j.entries) == journalSize {
		j.entries = append(j.entries[:0], j.entries[1:]...)
	}
	j.entries = append(j.entries, e)
	j.mu.Unlock()
	if j.Bus != nil {
		j.Bus.Publish(Event{Kind: JournalChanged, Account: e.Account})
	}
}

// Since returns a copy of the entries numbered above seq, oldest first.
func (j *Journal) Since(seq uint64) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, e := range j.entries {
		if e.Seq > seq {
			return append([]Entry(nil), j.entries[i:]...)
		}
	}
	return nil
}
