package e2e

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// An engine has as many files open after its work as before it: connections,
// records, locks and logs are all given back.
func TestC19AnEngineGivesItsFilesBack(t *testing.T) {
	t.Parallel()
	h := signedIn(t)
	e := h.serve()
	open := func() int {
		t.Helper()
		names, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", e.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	work := func(n int) {
		t.Helper()
		for range n {
			e.client.served()
		}
		h.ok("refresh", "work")
		h.ok("list")
	}
	work(5)
	time.Sleep(500 * time.Millisecond) // for what the start still does
	before := open()
	for range 10 {
		work(20)
	}
	eventually(t, fmt.Sprintf("no more than %d files are open", before), 20*time.Second, func() bool { return open() <= before })
	h.provider.noViolations(t)
}
