package accounts

import (
	"context"
	"errors"
	"fmt"
)

// PresentationLimit is how long one presentation of a refresh token can take,
// from the dial to the last byte of the answer.
const PresentationLimit = connectLimit + answerWait

// ErrEnding says that a refresh token was not presented because the program is
// about to end: the answer might come too late to be stored.
var ErrEnding = errors.New("the program is ending: nothing is renewed any more")

// UnawaitedError says that a caller left before its renewal had ended, which
// says nothing about the renewal: that goes on, and its answer is stored.
type UnawaitedError struct {
	Account ID
	Err     error // of the caller's context
}

func (e *UnawaitedError) Error() string {
	return fmt.Sprintf("the renewal of %s goes on, and nobody waits for it: %v", e.Account, e.Err)
}

func (e *UnawaitedError) Unwrap() error { return e.Err }

// Drain ends the renewals before the program does. From now on no refresh token
// is presented, neither for the first time nor again; whoever asks gets
// ErrEnding. Drain returns when every answer that was under way has been stored,
// or ctx has ended.
func (r *Renewer) Drain(ctx context.Context) error {
	r.mu.Lock()
	r.ending = true
	for _, w := range r.renewals {
		if !w.sent {
			w.stop(ErrEnding)
		}
	}
	r.mu.Unlock()
	return r.wait(ctx)
}

// wait returns when no renewal is under way any more, or ctx has ended.
func (r *Renewer) wait(ctx context.Context) error {
	for {
		r.mu.Lock()
		var under *renewal
		for _, w := range r.renewals {
			under = w
			break
		}
		r.mu.Unlock()
		if under == nil {
			return nil
		}
		select {
		case <-under.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sending notes that the account's refresh token is about to be sent. After it
// Drain lets the renewal be; before it, nothing is sent once Drain was called.
func (r *Renewer) sending(id ID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending {
		return ErrEnding
	}
	if w := r.renewals[id]; w != nil {
		w.sent = true
	}
	return nil
}

// lost notes that no answer will come to what was sent. It reports whether there
// is a time after this to present the token again.
func (r *Renewer) lost(id ID) (again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.renewals[id]; w != nil {
		w.sent = false
	}
	return !r.ending
}
