package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// These tests measure, so they do not run beside others of this package, and the
// program is the one without the race detector. Other packages may be tested at
// the same time: the best of several runs is what counts. Without its cure a
// program hangs for ever, or for 5 s, each time.
const (
	soon = 500 * time.Millisecond
	runs = 7
)

// quick runs the program several times and fails the test when it is never soon
// that it ends. It returns what each run printed, which must be the same.
func quick(t *testing.T, what string, run func() (printed string)) string {
	t.Helper()
	var took []time.Duration
	printed := ""
	for i := range runs {
		began := time.Now()
		got := run()
		took = append(took, time.Since(began))
		if i > 0 && got != printed {
			t.Errorf("%s printed %q, then %q", what, printed, got)
		}
		printed = got
	}
	best := slices.Min(took)
	if best > soon {
		t.Errorf("%s took %v, want at most %v (of %v)", what, best, soon, took)
	}
	t.Logf("%s: %v", what, best)
	return printed
}

// plainly runs the measured program, piped.
func (h *home) plainly(args ...string) string {
	h.t.Helper()
	cmd := exec.CommandContext(h.t.Context(), plain, args...)
	cmd.Env = h.env
	stderr := h.seen.output("stderr", args)
	cmd.Stderr = stderr
	out, err := cmd.Output()
	if err != nil || stderr.String() != "" {
		h.t.Errorf("oauthmux %q: %v, stderr %.500s", args, err, stderr)
	}
	return string(out)
}

func (h *home) checkToken(printed string) {
	h.t.Helper()
	token, whole := strings.CutSuffix(printed, "\n")
	if user, live := h.provider.Owner(token); !whole || user != "work" || !live {
		h.t.Errorf("token printed %d bytes, not the token of work and a line's end", len(printed))
	}
}

func checkHelp(t *testing.T, printed string) {
	t.Helper()
	if !strings.HasPrefix(printed, "oauthmux holds ") || !strings.Contains(printed, "\nUsage:\n") || strings.ContainsAny(printed, "\x1b\x07\r") {
		t.Errorf("--help printed %q", printed)
	}
}

func TestAMuteBusDelaysNothing(t *testing.T) {
	h := signedIn(t)
	path := h.path("bus")
	muteBus(t, path)
	mute := h.with("DBUS_SESSION_BUS_ADDRESS=unix:path=" + path)
	checkHelp(t, quick(t, "--help", func() string { return mute.plainly("--help") }))
	h.checkToken(quick(t, "token", func() string { return mute.plainly("token") }))
	quick(t, "list", func() string { return mute.plainly("list", "--json") })
}

// Without an address the bus is looked for where the desktop puts it. Only in a
// mount namespace of our own may a test put a mute one there.
func TestAMuteBusAtItsUsualPlaceDelaysNothing(t *testing.T) {
	unshare := need(t, "unshare", "util-linux")
	h := signedIn(t)
	muteBus(t, h.path("bus"))
	// Whoever runs this is root in there.
	script := fmt.Sprintf(`mount -t tmpfs tmpfs /run && mkdir -p /run/user && ln -s %s /run/user/0 && exec "$@"`, h.root)
	within := []string{"--mount", "--", "sh", "-c", script, "sh"}
	if os.Getuid() != 0 {
		within = append([]string{"--user", "--map-root-user"}, within...)
	}
	if out, err := exec.Command(unshare, append(within, "true")...).CombinedOutput(); err != nil {
		missing(t, "a mount namespace", fmt.Sprintf("run as root with CAP_SYS_ADMIN, or allow user namespaces (%s)", bytes.TrimSpace(out)))
	}
	mute := h.with("DBUS_SESSION_BUS_ADDRESS")
	inside := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), unshare, append(append(within, plain), args...)...)
		cmd.Env = mute.env
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("oauthmux %q: %v", args, err)
		}
		return string(out)
	}
	checkHelp(t, quick(t, "--help", func() string { return inside("--help") }))
	h.checkToken(quick(t, "token", func() string { return inside("token") }))
}

func TestAMuteTerminalDelaysNothingAndSeesNoStrayByte(t *testing.T) {
	h := signedIn(t)
	on := func(args ...string) string {
		s := h.onScreen(plain, args...)
		if status := s.wait(t); status != 0 {
			t.Errorf("oauthmux %q ended with %d: %q", args, status, s)
		}
		seen := s.String()
		if args[0] == "token" {
			s.forget() // it is what was asked for
		}
		return seen
	}
	crlf := strings.NewReplacer("\n", "\r\n")
	for _, args := range [][]string{{"--help"}, {"version"}, {"list"}, {"usage"}, {"token"}, {"rename", "work", "work"}} {
		seen := quick(t, args[0], func() string { return on(args...) })
		if want := crlf.Replace(h.plainly(args...)); seen != want {
			t.Errorf("%s: the terminal saw %q, a pipe %q", args[0], seen, want)
		}
	}
	// Its output alone goes to a pipe, as in $(oauthmux token): nothing at all may
	// be seen then.
	out := h.path("user/out")
	quick(t, "token in a script", func() string {
		s := h.onScreen("/bin/sh", "-c", fmt.Sprintf("exec %s token > %s", plain, out))
		if status := s.wait(t); status != 0 || s.String() != "" {
			t.Errorf("ended with %d, the terminal saw %q", status, s)
		}
		return ""
	})
	printed, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	h.checkToken(string(printed))
	if err := os.Remove(out); err != nil {
		t.Fatal(err)
	}
}

// What the early package hides is hidden from nobody else.
func TestAChildSeesTheEnvironmentAsItWas(t *testing.T) {
	h := signedIn(t)
	muteBus(t, h.path("bus"))
	address := "unix:path=" + h.path("bus")
	for name, c := range map[string]struct {
		with      []string
		term, bus string // lines that must be there; "": the variable must not
	}{
		"a mute bus":       {[]string{"DBUS_SESSION_BUS_ADDRESS=" + address}, "TERM=xterm-256color", "DBUS_SESSION_BUS_ADDRESS=" + address},
		"nothing was set":  {[]string{"DBUS_SESSION_BUS_ADDRESS", "TERM"}, "", ""},
		"empty is not set": {[]string{"DBUS_SESSION_BUS_ADDRESS=", "TERM="}, "TERM=", "DBUS_SESSION_BUS_ADDRESS="},
	} {
		t.Run(name, func(t *testing.T) {
			lines := strings.Split(h.with(c.with...).ok("run", "--", "env"), "\n")
			for variable, want := range map[string]string{"TERM": c.term, "DBUS_SESSION_BUS_ADDRESS": c.bus} {
				if got := starting(lines, variable+"="); got != want {
					t.Errorf("%s is %q, want %q", variable, got, want)
				}
			}
			if got := starting(lines, "OAUTHMUX_PASSPHRASE"); got != "" {
				t.Error("the child was given the passphrase's variable")
			}
		})
	}
}

// starting is the first line that begins so; "" if none does.
func starting(lines []string, prefix string) string {
	for _, line := range lines {
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
	return ""
}
