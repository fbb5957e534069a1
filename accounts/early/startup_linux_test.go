package early

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// soon is how long a command may take to start and end, with everything that
// init could wait for being mute. The cure takes 0.1 s of it at most.
const soon = 500 * time.Millisecond

// build returns a program that imports keyring and Bubble Tea, with this
// package or without it. What it is without shows that the test can fail.
func build(t *testing.T, protected bool) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds two programs")
	}
	path := filepath.Join(t.TempDir(), "startup")
	args := []string{"build", "-o", path}
	if !protected {
		args = append(args, "-tags", "unprotected")
	}
	if out, err := exec.CommandContext(t.Context(), "go", append(args, "./testdata/startup")...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// environment is this process's with a terminal and a bus of the test's own. CI is
// left out: where it is set, Bubble Tea asks no terminal anything.
func environment(bus string) []string {
	env := []string{"TERM=xterm-256color", "COLORTERM=truecolor"}
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); name != busVariable && name != termVariable && name != "COLORTERM" && name != "CI" {
			env = append(env, pair)
		}
	}
	if bus != "" {
		env = append(env, busVariable+"="+bus)
	}
	return env
}

func muteBus(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bus")
	listen(t, path, nil)
	return "unix:path=" + path
}

func TestAMuteBusHangsNoStart(t *testing.T) {
	bus := muteBus(t)
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), build(t, true), termVariable, busVariable)
	cmd.Env, cmd.Stdout, cmd.Stderr = environment(bus), &out, &out
	start := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > soon {
		t.Errorf("took %v", took)
	}
	if got, want := out.String(), fmt.Sprintf("TERM=\"xterm-256color\" true\n%s=%q true\n", busVariable, bus); got != want {
		t.Errorf("main saw\n%s, want\n%s", got, want)
	}

	// Without this package the same program does hang.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	cmd = exec.CommandContext(ctx, build(t, false))
	cmd.Env = environment(bus)
	if err := cmd.Run(); err == nil {
		t.Error("an unprotected program started on a mute bus: this test shows nothing")
	}
}

func TestABusThatIsNotThereStartsNone(t *testing.T) {
	if _, err := os.Stat(fmt.Sprintf("/run/user/%d/bus", os.Getuid())); err == nil {
		t.Skip("this user has a session bus at its usual place")
	}
	// Without an address, keyring's D-Bus package runs dbus-launch, which
	// would leave a bus behind. Ours is in PATH and tells on it.
	dir := t.TempDir()
	trace := filepath.Join(dir, "launched")
	script := "#!/bin/sh\necho >> " + trace + "\nexit 1\n"
	if err := os.WriteFile(filepath.Join(dir, "dbus-launch"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	run := func(protected bool) (launched bool) {
		cmd := exec.CommandContext(t.Context(), build(t, protected))
		cmd.Env = append(environment(""), "PATH="+dir+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("%v, output %q", err, out)
		}
		_, err := os.Stat(trace)
		return err == nil
	}
	if run(true) {
		t.Error("dbus-launch was run")
	}
	if !run(false) {
		t.Error("an unprotected program did not run dbus-launch: this test shows nothing")
	}
}

func TestAMuteTerminalCostsNothingAndSeesNoByte(t *testing.T) {
	start := time.Now()
	seen, ended := onTerminal(t, build(t, true), 5*time.Second)
	if !ended {
		t.Fatalf("it did not end in %v", time.Since(start))
	}
	if len(seen) > 0 {
		t.Errorf("the terminal saw %q", seen)
	}
	if seen, _ := onTerminal(t, build(t, false), time.Second); len(seen) == 0 {
		t.Error("an unprotected program wrote nothing to the terminal: this test shows nothing")
	}
}

// onTerminal runs a program on a terminal that never answers, for at most the
// given time, and returns what the program wrote. It fails the test when a
// program that ended by itself was not soon.
func onTerminal(t *testing.T, path string, limit time.Duration) (seen []byte, ended bool) {
	t.Helper()
	master, slave := openTerminal(t)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = environment(nowhere)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	start := time.Now()
	err := cmd.Run()
	if err == nil && time.Since(start) > soon {
		t.Errorf("it took %v to end", time.Since(start))
	}
	_ = slave.Close()
	seen, readErr := io.ReadAll(master) // ends with EIO: nobody has the other side open
	if readErr != nil && !strings.Contains(readErr.Error(), syscall.EIO.Error()) {
		t.Fatal(readErr)
	}
	return seen, err == nil
}

func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := syscall.Open("/dev/ptmx", syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("no pseudo terminal: %v", err)
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { _ = master.Close() })
	var number, unlock int32
	for request, value := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	return master, slave
}
