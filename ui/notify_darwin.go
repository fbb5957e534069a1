package ui

import (
	"context"
	"fmt"
	"os/exec"
	"time"
)

// showNotice has the system's own script interpreter show a notice. The texts
// are its arguments, and no part of the script.
func showNotice(ctx context.Context, _ func(string) string, title, text string) error {
	cmd := exec.CommandContext(ctx, "/usr/bin/osascript",
		"-e", "on run argv",
		"-e", "display notification (item 2 of argv) with title (item 1 of argv)",
		"-e", "end run", title, text)
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("show a notice: %w", err)
	}
	return nil
}
