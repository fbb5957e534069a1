package vault

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
)

// reservedSize is set aside before a token is presented: room for a sealed
// answer of 256 KiB in base64, and for what is written beside it.
const reservedSize = 512 << 10

// Read recovers what a killed process left beside the record, and reads the
// record from disk. Errors: *KeyError, ErrNotFound, ErrUnreadable.
func (h *Held) Read() (Record, error) {
	f, _, err := h.recover()
	return f.Record, err
}

// Prepare does all that can fail harmlessly before a refresh token or a code
// is presented: it recovers, tries the key, and has the disk set space aside.
// Begin does it when nobody did; before a code is exchanged it must be called,
// or Store could still fail for want of a look at the disk.
func (h *Held) Prepare() error {
	if h.reserved != nil {
		return nil
	}
	f, home, err := h.recover()
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrUnreadable):
		// A login is about to make one, or to replace it.
	case err != nil:
		return err
	case !home:
		// The newest record is in one of the files that would be removed.
		return fmt.Errorf("the disk does not take the record that was recovered: %w", ErrUnsaved)
	}
	seals, err := h.tryKey()
	if err != nil {
		return err
	}
	// Whoever put the record in its place may have been killed before that was
	// durable, and then the record is still in one of the files that go now.
	if err := h.dir.sync(); err != nil {
		return fmt.Errorf("reserve space: %w", err)
	}
	if err := removeAny(h.dir, tmpName, newName, homeName); err != nil {
		return fmt.Errorf("reserve space: %w", err)
	}
	tmp, err := h.dir.create(tmpName)
	if err != nil {
		return fmt.Errorf("reserve space: %w", err)
	}
	if err := errors.Join(tmp.reserve(reservedSize), tmp.sync()); err != nil {
		tmp.close()
		return fmt.Errorf("reserve space: %w", err)
	}
	h.seals, h.last, h.reserved = seals, &f, tmp
	return nil
}

// tryKey seals and unseals something.
func (h *Held) tryKey() (*sealer, error) {
	s, err := h.vault.sealer()
	if err != nil {
		return nil, err
	}
	probe := []byte(rand.Text())
	if _, plain, err := s.unseal(h.id, s.seal(h.id, 0, probe)); err != nil || !bytes.Equal(plain, probe) {
		return nil, &KeyError{State: KeyMismatch, Err: err}
	}
	return s, nil
}

// Earlier tells of earlier presentations of the refresh token, and writes
// nothing: see Attempt.NotBefore.
func (h *Held) Earlier(refreshToken string) (Attempt, error) {
	s, err := h.vault.sealer()
	if err != nil {
		return Attempt{}, err
	}
	i, err := readIntent(h.dir)
	if err != nil {
		return Attempt{}, err
	}
	return i.attempt(s.token(refreshToken)), nil
}

// Begin notes, durably, that the refresh token is about to be presented, and
// tells of earlier presentations of it. On an error nothing may be sent:
// ErrSuperseded when the record on disk has another token, ErrLostResponse
// when it was presented too often, *KeyError, or what the disk says.
func (h *Held) Begin(refreshToken string) (Attempt, error) {
	if err := h.Prepare(); err != nil {
		return Attempt{}, err
	}
	if h.last.Generation == 0 {
		return Attempt{}, ErrNotFound
	}
	if refreshToken == "" || subtle.ConstantTimeCompare([]byte(refreshToken), []byte(h.last.RefreshToken)) == 0 {
		return Attempt{}, ErrSuperseded
	}
	note, err := readIntent(h.dir)
	if err != nil {
		return Attempt{}, err
	}
	token := h.seals.token(refreshToken)
	earlier := note.attempt(token)
	if earlier.Count >= maxAmbiguous {
		return earlier, ErrLostResponse
	}
	if err := h.writeIntent(h.newIntent(h.last.Generation, token, earlier)); err != nil {
		return earlier, err
	}
	h.begun = true
	return earlier, nil
}

// Abandon says that a refusal came which ends the login: there is nothing to
// store, and the token is not presented again. See Defer and Dismiss.
func (h *Held) Abandon() error {
	h.begun = false
	return h.removeIntent()
}

// Defer says that a whole 429 or 5xx came. It is no refusal, and it does not
// count as ambiguous; but it is remembered, since a server may break after it
// replaced the token, and a later refusal is then named for what it is.
func (h *Held) Defer() error { return h.answered(1) }

// Dismiss says that any other whole answer came, which settles nothing: an
// office's proxy may have given it. This presentation is as if it had not been,
// but what is noted of earlier ones stays.
func (h *Held) Dismiss() error { return h.answered(0) }

// answered takes back that this process's presentation is without an answer.
func (h *Held) answered(remembered int) error {
	h.begun = false
	i, err := readIntent(h.dir)
	if err != nil || i == nil || i.Sender != sender {
		return err
	}
	i.Count--
	i.Answered += remembered
	if i.Count <= 0 && i.Answered == 0 {
		return h.removeIntent()
	}
	return h.writeIntent(*i)
}

// removeAny removes files that may not be there.
func removeAny(dir folder, names ...string) error {
	for _, name := range names {
		if err := dir.remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
