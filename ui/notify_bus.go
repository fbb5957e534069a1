//go:build !darwin && !windows

package ui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/godbus/dbus"
)

// Where notices are shown, by the Desktop Notifications Specification.
const (
	noticeService = "org.freedesktop.Notifications"
	noticePath    = "/org/freedesktop/Notifications"
	noticeMethod  = noticeService + ".Notify"
)

// showNotice asks the desktop's notification service. Its connection is its own:
// closing it is all that ends a wait for a bus that accepts and says nothing.
func showNotice(ctx context.Context, getenv func(string) string, title, text string) error {
	address := busAddress(getenv)
	if address == "" {
		return errors.New("there is no session bus")
	}
	bus, err := dbus.Dial(address) // a socket of this machine: it connects at once, or not
	if err != nil {
		return fmt.Errorf("reach the session bus: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = bus.Close() })
	defer func() {
		if stop() {
			_ = bus.Close()
		}
	}()
	if err := bus.Auth(nil); err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("greet the session bus: %w", err))
	}
	if err := bus.Hello(); err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("greet the session bus: %w", err))
	}
	call := bus.Object(noticeService, noticePath).CallWithContext(ctx, noticeMethod, 0,
		"oauthmux", uint32(0), "", title, withoutMarkup(text), []string{}, map[string]dbus.Variant{}, int32(-1))
	if call.Err != nil {
		return fmt.Errorf("show a notice: %w", call.Err)
	}
	return nil
}

// busAddress is the session bus, "": there is none. What the library does where
// none is named starts one, which nobody asked for; neither are other machines
// and commands of interest, which an address can name too.
func busAddress(getenv func(string) string) string {
	var sockets []string
	for address := range strings.SplitSeq(getenv("DBUS_SESSION_BUS_ADDRESS"), ";") {
		if strings.HasPrefix(address, "unix:") {
			sockets = append(sockets, address)
		}
	}
	if len(sockets) > 0 {
		return strings.Join(sockets, ";")
	}
	if folder := getenv("XDG_RUNTIME_DIR"); folder != "" && getenv("DBUS_SESSION_BUS_ADDRESS") == "" {
		socket := filepath.Join(folder, "bus") // systemd's place for it
		if _, err := os.Stat(socket); err == nil {
			return "unix:path=" + socket
		}
	}
	return ""
}

// withoutMarkup is text as a service shows it that takes it for markup, as most do.
func withoutMarkup(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
