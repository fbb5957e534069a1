package early

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// listen serves one address; a nil answer accepts and says nothing.
func listen(t *testing.T, address string, answer func(net.Conn)) {
	t.Helper()
	l, err := net.Listen("unix", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close() //nolint:errcheck // kept open as long as the listener
			if answer != nil {
				answer(c)
			}
		}
	}()
}

func say(words string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = c.Read(make([]byte, 64))
		_, _ = c.Write([]byte(words))
	}
}

func TestTheFirstBusThatAnswersIsFound(t *testing.T) {
	dir := t.TempDir()
	mute, alive, picky, rude := filepath.Join(dir, "mute"), filepath.Join(dir, "alive"), filepath.Join(dir, "picky"), filepath.Join(dir, "rude")
	spaced := filepath.Join(dir, "a b")
	abstract := "oauthmux-early-test-" + filepath.Base(dir) + t.Name()
	listen(t, mute, nil)
	listen(t, alive, say("OK 1234deadbeef\r\n"))
	listen(t, spaced, say("OK 1234deadbeef\r\n"))
	listen(t, "@"+abstract, say("OK 1234deadbeef\r\n"))
	listen(t, picky, say("REJECTED EXTERNAL DBUS_COOKIE_SHA1\r\n"))
	listen(t, rude, func(c net.Conn) { _, _ = c.Read(make([]byte, 64)); _ = c.Close() })

	for _, tt := range []struct {
		name, addresses, want string
		health                busHealth
	}{
		{"a path", "unix:path=" + alive, "unix:path=" + alive, busAlive},
		{"a path with a guid", "unix:path=" + alive + ",guid=00ff", "unix:path=" + alive + ",guid=00ff", busAlive},
		{"a guid with a path", "unix:guid=00ff,path=" + alive, "unix:guid=00ff,path=" + alive, busAlive},
		{"an escaped path", "unix:path=" + filepath.Join(dir, "a%20b"), "unix:path=" + filepath.Join(dir, "a%20b"), busAlive},
		{"an abstract name", "unix:abstract=" + abstract + ",guid=00ff", "unix:abstract=" + abstract + ",guid=00ff", busAlive},
		{"one that rejects us", "unix:path=" + picky, "unix:path=" + picky, busAlive},
		{"one that hangs up", "unix:path=" + rude, "", busAbsent},
		{"nobody", "unix:path=" + filepath.Join(dir, "nobody"), "", busAbsent},
		{"mute", "unix:path=" + mute, "", busMute},
		{"mute, after nobody", "unix:path=" + filepath.Join(dir, "nobody") + ";unix:path=" + mute, "", busMute},
		{"nobody, then alive", "unix:path=" + filepath.Join(dir, "nobody") + ";unix:path=" + alive, "unix:path=" + alive, busAlive},
		{"tcp, then alive", "tcp:host=localhost,port=1;unix:path=" + alive, "unix:path=" + alive, busAlive},
		{"an empty path", "unix:path=", "", busAbsent},
		{"a path too long for a socket", "unix:path=/" + string(make([]byte, 200)), "", busAbsent},
		{"rubbish", ";;=,%zz;unix:", "", busAbsent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			got, health := findBus(tt.addresses)
			if got != tt.want || health != tt.health {
				t.Errorf("got %q, %v; want %q, %v", got, health, tt.want, tt.health)
			}
			if took := time.Since(start); took > 400*time.Millisecond {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestAFullBacklogIsMute(t *testing.T) {
	path := filepath.Join(t.TempDir(), "full")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	first, err := net.Dial("unix", path) // fills the backlog of one: nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = first.Close() })
	start := time.Now()
	if _, health := findBus("unix:path=" + path); health != busMute {
		t.Errorf("got %v, want mute", health)
	}
	if took := time.Since(start); took > 400*time.Millisecond {
		t.Errorf("took %v", took)
	}
}

func TestSmallParts(t *testing.T) {
	for n, want := range map[int]string{0: "0", 9: "9", 10: "10", 1000: "1000", 65534: "65534"} {
		if got := itoa(n); got != want {
			t.Errorf("itoa(%d) = %q", n, got)
		}
	}
	if got := hexDigits("1000"); got != "31303030" {
		t.Errorf("hexDigits = %q", got)
	}
	for in, want := range map[string]string{"": "", "/a%2Fb%2f": "/a/b/", "%": "%", "%2": "%2", "%zz": "%zz", "%41": "A"} {
		if got := unescape(in); got != want {
			t.Errorf("unescape(%q) = %q, want %q", in, got, want)
		}
	}
}
