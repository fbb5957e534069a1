package vault

import (
	"errors"
	"os"
	"syscall"
)

// reserve sets space aside: on a full disk the reserved file can still be
// filled where a new one could not.
func reserve(f *os.File, n int64) error {
	for {
		err := syscall.Fallocate(int(f.Fd()), 0, 0, n)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, errors.ErrUnsupported):
			return fill(f, n)
		default:
			return err
		}
	}
}
