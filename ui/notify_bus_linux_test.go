package ui

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus"
)

// noticeServer is a desktop's notification service.
type noticeServer struct{ shown chan string }

// Notify is the method of the specification.
func (s *noticeServer) Notify(app string, _ uint32, _, summary, body string, _ []string, _ map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	s.shown <- app + "|" + summary + "|" + body
	return 1, nil
}

// sessionBus is a bus of the test's own, and its address.
func sessionBus(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("dbus-daemon")
	if err != nil {
		if os.Getenv("OAUTHMUX_REQUIRE_ALL") == "1" {
			t.Fatal("dbus-daemon is missing: apt-get install dbus")
		}
		t.Skip("dbus-daemon is missing: apt-get install dbus")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "bus.conf")
	text := `<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen>
		<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--config-file="+config, "--nofork", "--nopidfile", "--print-address=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it was told to end
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("dbus-daemon names no address: %v", err)
	}
	return strings.TrimSpace(address)
}

// noticesOn serves the desktop's notifications on a bus.
func noticesOn(t *testing.T, address string) <-chan string {
	t.Helper()
	bus, err := dbus.Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close() })
	s := &noticeServer{make(chan string, 10)}
	err = errors.Join(bus.Auth(nil), bus.Hello(), bus.Export(s, noticePath, noticeService))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bus.RequestName(noticeService, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	return s.shown
}

func on(address string) func(string) string {
	return func(name string) string { return map[string]string{"DBUS_SESSION_BUS_ADDRESS": address}[name] }
}

func TestANoticeIsShownOnTheDesktopByOneScreen(t *testing.T) {
	address := sessionBus(t)
	shown := noticesOn(t, address)
	lock := filepath.Join(t.TempDir(), "notices.lock")
	first, second := newDesktop("auto", lock, on(address), nil), newDesktop("auto", lock, on(address), nil)
	first.show(t.Context(), "oauthmux", "<b>old</b> & home: sign in again")
	second.show(t.Context(), "oauthmux", "the same, from another screen")
	first.show(t.Context(), "oauthmux", "more")
	first.close()
	second.show(t.Context(), "oauthmux", "the first has gone")
	second.close()
	want := []string{"oauthmux|oauthmux|&lt;b&gt;old&lt;/b&gt; &amp; home: sign in again", "oauthmux|oauthmux|more", "oauthmux|oauthmux|the first has gone"}
	var got []string
	for len(shown) > 0 { // each was answered
		got = append(got, <-shown)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the desktop showed %q, want %q", got, want)
	}
}

// No bus, one without such a service, and one that says nothing: there is no
// notice, the log has one line of it, and nobody waits longer than allowed.
func TestADesktopWithoutNotices(t *testing.T) {
	mute := filepath.Join(t.TempDir(), "mute")
	l, err := net.Listen("unix", mute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // its backlog takes whoever connects
	for name, address := range map[string]string{
		"nobody there": "unix:path=/nonexistent", "none named": "", "another machine": "tcp:host=localhost,port=1", "a command": "unixexec:path=/bin/false",
		"no service": sessionBus(t), "mute": "unix:path=" + mute,
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			d := newDesktop("auto", filepath.Join(t.TempDir(), "notices.lock"), on(address), func() *slog.Logger { return logger })
			for range 2 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				d.show(ctx, "oauthmux", "a secret of nobody")
				cancel()
			}
			d.close()
			if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=DEBUG") || strings.Contains(got, "secret") {
				t.Errorf("the log has %q", got)
			}
		})
	}
}

func TestWhereNoticesGoToTheDesktop(t *testing.T) {
	for _, tt := range []struct {
		choice, variable string
		want             bool
	}{
		{"auto", "", true},
		{"auto", "SSH_CONNECTION", false},
		{"auto", "SSH_CLIENT", false},
		{"auto", "SSH_TTY", false},
		{"desktop", "", true},
		{"desktop", "SSH_CONNECTION", true},
		{"off", "", false},
		{"osc9", "", false},
		{"osc777", "", false},
		{"osc99", "", false},
		{"", "", false},
	} {
		getenv := func(name string) string {
			if name == tt.variable {
				return "set"
			}
			return ""
		}
		if got := newDesktop(tt.choice, "unused", getenv, nil); (got != nil) != tt.want {
			t.Errorf("%q with %q: %v, want %v", tt.choice, tt.variable, got != nil, tt.want)
		}
	}
}

func TestTheSessionBusIsNeverStarted(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bus"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ address, runtime, want string }{
		{"unix:path=/a;tcp:host=b;unix:abstract=c", "", "unix:path=/a;unix:abstract=c"},
		{"autolaunch:", dir, ""},
		{"", dir, "unix:path=" + dir + "/bus"},
		{"", filepath.Join(dir, "none"), ""},
		{"", "", ""},
	} {
		env := map[string]string{"DBUS_SESSION_BUS_ADDRESS": tt.address, "XDG_RUNTIME_DIR": tt.runtime}
		if got := busAddress(func(name string) string { return env[name] }); got != tt.want {
			t.Errorf("%q and %q: %q, want %q", tt.address, tt.runtime, got, tt.want)
		}
	}
}
