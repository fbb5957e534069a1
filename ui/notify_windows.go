package ui

import (
	"context"
	"fmt"
	"strings"

	"git.sr.ht/~jackmordaunt/go-toast"
)

// showNotice shows a toast. The call knows no deadline, so it is not waited for
// longer than ctx; it ends by itself.
func showNotice(ctx context.Context, _ func(string) string, title, text string) error {
	n := toast.Notification{
		AppID: "oauthmux",
		Title: title,
		Body:  strings.ReplaceAll(text, "]]>", "]] >"), // it is written as CDATA
		Audio: toast.Silent,                            // the bell is another setting
	}
	done := make(chan error, 1)
	go func() { done <- n.Push() }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("show a notice: %w", err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
