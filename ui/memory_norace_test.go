//go:build !race

package ui

import "testing"

// TestMemoryOfThousandAccounts leaves a tenth to what else the process may be at, and
// measures again where that was more. The race detector has memory of its own.
func TestMemoryOfThousandAccounts(t *testing.T) {
	const tries = 3
	var engine, screen float64
	for range tries {
		engine, screen = costOfThousand(t)
		t.Logf("1,000 accounts cost an engine %.2f MiB, and a screen %.2f MiB", engine, screen)
		if engine <= 1.1*engineBound && screen <= 1.1*screenBound {
			return
		}
	}
	t.Errorf("1,000 accounts cost an engine %.2f MiB, and a screen %.2f MiB, want at most %v and %v", engine, screen, engineBound, screenBound)
}
