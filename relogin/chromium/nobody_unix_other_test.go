//go:build unix && !linux

package chromium

import (
	"os"
	"testing"
)

// asNobody runs f as somebody who may not read everything.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() == 0 {
		lacking(t, "another user than root", "run the tests as one")
	}
	f()
}
