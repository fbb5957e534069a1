//go:build unix

package accounts

import (
	"syscall"
	"testing"
	"time"
)

// TestC04_ProcessesThatWakeTogetherPresentEachTokenOnce stops five processes before
// the tokens of two accounts are spent, and lets them go on together afterwards, as
// after a suspend.
func TestC04_ProcessesThatWakeTogetherPresentEachTokenOnce(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts and stops five processes")
	}
	const (
		processes, callers = 5, 4
		lasts              = 300 * time.Millisecond // from when everybody knows a token
		atLeast, atMost    = 5, 200                 // rounds
		budget             = 8 * time.Second
	)
	h := newHerd(t, processes, callers, "ada", "bob")
	signal := func(s syscall.Signal) {
		t.Helper()
		for _, p := range h.processes {
			if err := p.cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	round, inTime := 0, 0
	for start := time.Now(); round < atLeast || round < atMost && time.Since(start) < budget; round++ {
		before := h.posts()
		spentAt := time.Now().Add(lasts)
		spent := h.ripen(lasts)
		h.tell("go")
		signal(syscall.SIGSTOP)
		if time.Now().Before(spentAt) {
			inTime++ // on a busy machine some have woken before they were stopped: they are right, too
		}
		time.Sleep(time.Until(spentAt.Add(lasts)))
		signal(syscall.SIGCONT)
		h.collect(round, before, spent)
		if t.Failed() {
			break
		}
	}
	h.home.checkClean(t)
	t.Logf("%d rounds, in %d of them all processes were stopped before the tokens were spent", round, inTime)
}
