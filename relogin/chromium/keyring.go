package chromium

import (
	"context"
	"net"
	"net/url"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/oauthmux/oauthmux/relogin"
)

// busLimit bounds the question whether a session's bus is there.
const busLimit = 200 * time.Millisecond

var _ relogin.Sealer = (*Driver)(nil)

// Seal implements relogin.Sealer. Elsewhere than on Linux the key is the user's,
// and every session of the user finds it.
func (d *Driver) Seal(v relogin.Visit) string {
	e := environment(v.Environ)
	if runtime.GOOS != "linux" {
		return ""
	}
	keyring := keyringOf(e)
	if keyring == "" || !busAnswers(e) {
		return ""
	}
	return keyring
}

// keyringOf is the keyring that Chromium takes for the desktop which the variables
// tell of; "": for this one it takes none. (base/nix/xdg_util.cc and
// components/os_crypt/sync/key_storage_util_linux.cc in its source.)
func keyringOf(e env) string {
	const secret = "libsecret"
	session := e.get("DESKTOP_SESSION")
	for name := range strings.SplitSeq(e.get("XDG_CURRENT_DESKTOP"), ":") {
		switch strings.TrimSpace(name) {
		case "Unity", "Deepin", "DDE", "GNOME", "X-Cinnamon", "Pantheon", "XFCE", "UKUI", "COSMIC":
			return secret
		case "KDE":
			if version := e.get("KDE_SESSION_VERSION"); version == "5" || version == "6" {
				return "kwallet" + version
			}
			return "kwallet"
		case "LXQt":
			return ""
		}
	}
	switch {
	case session == "deepin", session == "gnome", session == "mate", session == "ukui",
		strings.Contains(session, "xfce"), session == "xubuntu":
		return secret
	case session == "kde4", session == "kde-plasma", session == "kde" && e.get("KDE_SESSION_VERSION") != "":
		return "kwallet"
	case session == "kde":
		return ""
	case e.get("GNOME_DESKTOP_SESSION_ID") != "":
		return secret
	case e.get("KDE_FULL_SESSION") != "" && e.get("KDE_SESSION_VERSION") != "":
		return "kwallet"
	}
	return ""
}

// busAnswers reports whether the session's bus, by which a keyring is reached,
// takes a connection.
func busAnswers(e env) bool {
	ctx, cancel := context.WithTimeout(context.Background(), busLimit)
	defer cancel()
	var d net.Dialer
	for _, socket := range busSockets(e) {
		conn, err := d.DialContext(ctx, "unix", socket)
		if err == nil {
			_ = conn.Close()
			return true
		}
	}
	return false
}

// busSockets are where the bus may be (D-Bus Specification, "Server Addresses").
// An abstract name begins with "@".
func busSockets(e env) []string {
	addresses := e.get("DBUS_SESSION_BUS_ADDRESS")
	if addresses == "" || addresses == "autolaunch:" {
		dir := e.get("XDG_RUNTIME_DIR")
		if dir == "" {
			dir = "/run/user/" + strconv.Itoa(os.Getuid())
		}
		return []string{path.Join(dir, "bus")}
	}
	var sockets []string
	for address := range strings.SplitSeq(addresses, ";") {
		rest, ok := strings.CutPrefix(address, "unix:")
		if !ok {
			continue
		}
		for pair := range strings.SplitSeq(rest, ",") {
			key, value, _ := strings.Cut(pair, "=")
			if text, err := url.PathUnescape(value); err == nil {
				value = text
			}
			switch {
			case key == "path" && value != "":
				sockets = append(sockets, value)
			case key == "abstract" && value != "":
				sockets = append(sockets, "@"+value)
			}
		}
	}
	return sockets
}
