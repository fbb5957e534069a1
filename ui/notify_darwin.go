package ui

import (
	"context"
	"fmt"
)

// showNotice has the system's own script interpreter show a notice.
func showNotice(ctx context.Context, _ func(string) string, title, text string) error {
	if err := scriptedNotice(ctx, title, text).Run(); err != nil {
		return fmt.Errorf("show a notice: %w", err)
	}
	return nil
}
