package ui

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// scriptedNotice has the script interpreter of macOS show a notice. It reads the
// script from stdin: arguments are for every user of the machine to read.
func scriptedNotice(ctx context.Context, title, text string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/usr/bin/osascript", "-")
	cmd.Stdin = strings.NewReader("display notification " + appleText(text) + " with title " + appleText(title) + "\n")
	cmd.WaitDelay = time.Second
	return cmd
}

// appleText is a text as an expression of AppleScript. What could end a literal, or
// depends on how the interpreter decodes its input, is in it by number only: a
// label may come from a server.
func appleText(text string) string {
	var b strings.Builder
	b.WriteString(`("`)
	for _, r := range text {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			fmt.Fprintf(&b, `" & (character id %d) & "`, r)
			continue
		}
		b.WriteRune(r)
	}
	b.WriteString(`")`)
	return b.String()
}
