package vault

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// intent is the note left on disk before a refresh token is presented. Whoever
// finds it knows that the server may have acted on that token. It holds no
// token, only an HMAC of it.
type intent struct {
	Version    int       `json:"version"`
	Generation uint64    `json:"generation"` // of the record whose token is presented
	Token      string    `json:"token"`      // HMAC of the refresh token
	Count      int       `json:"count"`      // presentations without a whole answer, this one included
	Answered   int       `json:"answered"`   // presentations that got a whole 429 or 5xx
	StartedAt  time.Time `json:"started_at"`
	Boot       string    `json:"boot"` // which start of the machine; "" where it cannot be told
	PID        int       `json:"pid"`
	Sender     string    `json:"sender"` // which process, beyond its number
	Rescue     []string  `json:"rescue"` // where the answer may be when the disk refuses it here
}

const intentVersion = 1

// maxAmbiguous bounds how often one token is presented without a whole answer:
// once, and five times more (SAFETY 2.2, rule 4).
const maxAmbiguous = 1 + 5

// sender tells this process from one that had the same number before.
var sender = rand.Text()

// Attempt tells of earlier presentations of a refresh token.
type Attempt struct {
	Ambiguous bool      // one got no whole answer: the server may have acted on it
	Count     int       // how many got none
	Answered  int       // how many got a whole 429 or 5xx
	Last      time.Time // when the last one began
	Mine      bool      // the last one was by this very process
}

// Doubtful reports whether the server may have replaced the token already. Its
// refusal then means that an answer was lost, not that somebody revoked it.
func (a Attempt) Doubtful() bool { return a.Ambiguous || a.Answered > 0 }

// NotBefore returns when the token may be presented once more (SAFETY 2.2 and
// 2.5), given the end of the access token it came with. A strict server revokes
// the whole login on the second presentation, so a working access token is used
// up first; but he who saw the answer get lost asks again at once, while a
// server's grace for that still lasts.
func (a Attempt) NotBefore(now, expiry time.Time) time.Time {
	const grace = 10 * time.Second
	if !a.Ambiguous || a.Last.After(now.Add(time.Minute)) { // or the clock was set back
		return now
	}
	switch a.Count {
	case 1:
		if a.Mine && now.Before(a.Last.Add(grace)) {
			return a.Last.Add(2 * time.Second)
		}
		if next := a.Last.Add(grace); next.After(expiry) {
			return next
		}
		return expiry
	case 2:
		return a.Last.Add(10 * time.Minute)
	case 3:
		return a.Last.Add(time.Hour)
	}
	return a.Last.Add(6 * time.Hour)
}

// readIntent returns nil when there is none. One that makes no sense counts as
// one presentation of an unknown token.
func readIntent(dir folder) (*intent, error) {
	data, err := dir.read(intentName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, errNotOurs):
		return &intent{Count: 1}, nil
	case err != nil:
		return nil, fmt.Errorf("read the note of a renewal: %w", err)
	}
	i := parseIntent(data)
	return &i, nil
}

func parseIntent(data []byte) intent {
	var i intent
	if err := json.Unmarshal(data, &i); err != nil || i.Version != intentVersion || i.Token == "" ||
		i.Count < 0 || i.Answered < 0 || i.Count == 0 && i.Answered == 0 { // it was written for at least one
		return intent{Count: 1}
	}
	return i
}

// attempt tells what the intent says of a token.
func (i *intent) attempt(token string) Attempt {
	if i == nil || i.Token != "" && subtle.ConstantTimeCompare([]byte(i.Token), []byte(token)) == 0 {
		return Attempt{}
	}
	return Attempt{Ambiguous: i.Count > 0, Count: i.Count, Answered: i.Answered, Last: i.StartedAt, Mine: i.Sender == sender}
}

// writeIntent replaces the account's intent, durably.
func (h *Held) writeIntent(i intent) error {
	data, err := json.Marshal(i)
	if err != nil {
		return err
	}
	if err := replace(h.dir, nextIntent, intentName, data); err != nil {
		return fmt.Errorf("note the renewal: %w", err)
	}
	return nil
}

// removeIntent forgets the presentation. A crash may bring the note back: once
// the token is superseded nothing comes of it.
func (h *Held) removeIntent() error {
	return removeAny(h.dir, intentName, nextIntent)
}

// replace writes data aside and renames it to name, durably.
func replace(dir folder, aside, name string, data []byte) error {
	if err := removeAny(dir, aside); err != nil {
		return err
	}
	if err := writeNew(dir, aside, data); err != nil {
		return err
	}
	if err := dir.rename(aside, name); err != nil {
		return err
	}
	return dir.sync()
}

// writeNew makes a file whose content is durable; its name is not yet.
func writeNew(dir folder, name string, data []byte) error {
	f, err := dir.create(name)
	if err != nil {
		return err
	}
	defer f.close()
	if err := f.write(data); err != nil {
		return err
	}
	return f.sync()
}

// newIntent describes a presentation by this process.
func (h *Held) newIntent(generation uint64, token string, earlier Attempt) intent {
	return intent{
		Version: intentVersion, Generation: generation, Token: token,
		Count: earlier.Count + 1, Answered: earlier.Answered,
		StartedAt: time.Now().UTC().Round(0), Boot: bootID(), PID: os.Getpid(), Sender: sender,
		Rescue: h.vault.rescuePaths(h.id),
	}
}

// bootID names this start of the machine where the system tells it.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || len(id) < 36 {
		return ""
	}
	return string(id[:36])
}
