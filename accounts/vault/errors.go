package vault

import (
	"errors"
	"fmt"
	"time"
)

// What can be wrong with one account's record.
var (
	// ErrNotFound: the vault holds nothing for this account.
	ErrNotFound = errors.New("no record in the vault")
	// ErrUnreadable: there is a record, and it cannot be unsealed. It is kept.
	ErrUnreadable = errors.New("the sealed record cannot be read")
	// ErrUnsaved: the disk refused the record. It is kept in memory, the
	// account's lock stays held, and it is tried again every second.
	ErrUnsaved = errors.New("the new token could not be saved yet")
	// ErrBusy: somebody else holds the account's lock (see BusyError).
	ErrBusy = errors.New("the account is busy")
	// ErrSuperseded: the refresh token is not the one in force any more. It
	// must not be presented: read the record again.
	ErrSuperseded = errors.New("the refresh token has been superseded")
	// ErrLostResponse: this refresh token was presented as often as is wise
	// without a whole answer. Only a login helps.
	ErrLostResponse = errors.New("the answers to this refresh token were lost")
	// ErrLocksBroken: locks do not exclude anybody on this file system, so
	// nothing may be renewed there.
	ErrLocksBroken = errors.New("file locks do not work on this file system")
)

// BusyError is an ErrBusy that knows more about the holder of the lock.
type BusyError struct {
	PID   int       // 0: not known
	Since time.Time // zero: not known
}

func (e *BusyError) Error() string {
	if e.PID == 0 {
		return ErrBusy.Error()
	}
	return fmt.Sprintf("%s: process %d renews it since %s", ErrBusy, e.PID, e.Since.Format(time.TimeOnly))
}

// Is makes errors.Is(err, ErrBusy) true.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }
