package ui

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"runtime"
)

// openURL opens a page in the usual browser and does not wait for it.
func openURL(ctx context.Context, page string) error {
	u, err := url.Parse(page)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return errors.New("not the address of a page")
	}
	name, args := opener()
	if name == "" {
		return errors.New("no screen to open a browser on")
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), name, append(args, u.String())...) //nolint:gosec // a parsed address, in a place of its own
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // nobody asks how it ended, but somebody must take it away
	return nil
}

// opener is the system's way to open a page.
func opener() (name string, args []string) {
	switch runtime.GOOS {
	case "darwin":
		return "open", nil
	case "windows":
		return "rundll32", []string{"url.dll,FileProtocolHandler"}
	}
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return "", nil // xdg-open would start a browser of text in this terminal
	}
	return "xdg-open", nil
}
