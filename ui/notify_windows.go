package ui

import (
	"context"
	"fmt"
	"strings"

	"git.sr.ht/~jackmordaunt/go-toast"
)

// inert takes from a text what would do something in it. It is written as CDATA;
// and where Windows takes no toast from us, the library has PowerShell show it, in
// a script whose strings expand: a label may come from a server.
var inert = strings.NewReplacer("]]>", "]] >", "$", "\uff04", "`", "'", "\n", " ", "\r", " ")

// showNotice shows a toast. The call knows no deadline, so it is not waited for
// longer than ctx; it ends by itself.
func showNotice(ctx context.Context, _ func(string) string, title, text string) error {
	n := toast.Notification{
		AppID: "oauthmux",
		Title: inert.Replace(title),
		Body:  inert.Replace(text),
		Audio: toast.Silent, // the bell is another setting
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
