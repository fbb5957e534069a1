//go:build !linux

package vault

import "os"

// reserve sets space aside: on a full disk the reserved file can still be
// filled where a new one could not.
func reserve(f *os.File, n int64) error { return fill(f, n) }
