package chromium

import (
	"net"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/oauthmux/oauthmux/relogin"
)

func TestTheKeyringIsTheDesktops(t *testing.T) {
	for want, environs := range map[string][]env{
		"libsecret": {
			{"XDG_CURRENT_DESKTOP=ubuntu:GNOME"},
			{"XDG_CURRENT_DESKTOP=Unity"},
			{"XDG_CURRENT_DESKTOP=X-Cinnamon"},
			{"DESKTOP_SESSION=mate"},
			{"DESKTOP_SESSION=xubuntu-xfce"},
			{"GNOME_DESKTOP_SESSION_ID=this-is-deprecated"},
		},
		"kwallet5": {{"XDG_CURRENT_DESKTOP=KDE", "KDE_SESSION_VERSION=5"}},
		"kwallet6": {{"XDG_CURRENT_DESKTOP=KDE", "KDE_SESSION_VERSION=6"}},
		"kwallet":  {{"XDG_CURRENT_DESKTOP=KDE"}, {"DESKTOP_SESSION=kde-plasma"}, {"KDE_FULL_SESSION=true", "KDE_SESSION_VERSION=4"}},
		"":         {{}, {"DISPLAY=:1"}, {"XDG_CURRENT_DESKTOP=sway"}, {"XDG_CURRENT_DESKTOP=LXQt", "DESKTOP_SESSION=gnome"}, {"DESKTOP_SESSION=kde"}},
	} {
		for _, e := range environs {
			if got := keyringOf(e); got != want {
				t.Errorf("%q: %q, want %q", e, got, want)
			}
		}
	}
}

func TestT23_AKeyringIsReachedByTheSessionsBus(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("keyrings hang on a bus on Linux only")
	}
	dir := t.TempDir()
	bus := filepath.Join(dir, "bus")
	l, err := net.Listen("unix", bus)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	const gnome = "XDG_CURRENT_DESKTOP=GNOME"
	for _, tt := range []struct {
		environ []string
		want    string
	}{
		{[]string{gnome, "DBUS_SESSION_BUS_ADDRESS=unix:path=" + bus + ",guid=7"}, "libsecret"},
		{[]string{gnome, "DBUS_SESSION_BUS_ADDRESS=tcp:host=x;unix:path=/nonexistent;unix:path=" + bus}, "libsecret"},
		{[]string{gnome, "XDG_RUNTIME_DIR=" + dir}, "libsecret"},
		{[]string{gnome, "DBUS_SESSION_BUS_ADDRESS=autolaunch:", "XDG_RUNTIME_DIR=" + dir}, "libsecret"},
		{[]string{gnome, "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent", "XDG_RUNTIME_DIR=" + dir}, ""},
		{[]string{gnome, "XDG_RUNTIME_DIR=/nonexistent"}, ""},
		{[]string{"XDG_RUNTIME_DIR=" + dir}, ""},
	} {
		if got := new(Driver).Seal(relogin.Visit{Environ: tt.environ}); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.environ, got, tt.want)
		}
	}
}
