package chromium

import (
	"os"
	"runtime"
	"syscall"
	"testing"
)

// asNobody runs f as somebody who may not read everything.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	ended := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this
		const nobody = 65534
		err := syscall.Setfsuid(nobody)
		if err == nil {
			f()
		}
		ended <- err
	}()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
