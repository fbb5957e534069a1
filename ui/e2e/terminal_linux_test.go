package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// screen is a terminal of 100 columns and 30 lines on which a command runs. It
// shows what it is sent to nobody and never answers a question.
type screen struct {
	master *os.File
	tty    string // path of the other side
	cmd    *exec.Cmd
	ended  chan struct{}

	mu   sync.Mutex
	seen bytes.Buffer // since the last turn
	past bytes.Buffer // before it: kept for the search only
}

// onScreen starts a program on a terminal of its own. Its output is kept for the
// search under a name.
func (h *home) onScreen(program string, args ...string) *screen {
	h.t.Helper()
	master, slave := openTerminal(h.t)
	s := &screen{master: master, tty: slave.Name(), ended: make(chan struct{})}
	s.cmd = exec.CommandContext(context.WithoutCancel(h.t.Context()), program, args...)
	s.cmd.Env = h.env
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = slave, slave, slave
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	_ = slave.Close()
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(s, master) // ends with EIO: nobody has the other side open
	}()
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait() // the status says it
		<-read
	}()
	h.t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // it has ended, unless the test failed
		<-s.ended
		h.seen.note(fmt.Sprintf("the terminal of oauthmux %q", args), s.past.String()+s.seen.String())
	})
	return s
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.Write(b)
}

// String is everything that the terminal was sent.
func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.String()
}

// press types keys, and returns when the program has read them: an escape and
// what is read with it would be one key.
func (s *screen) press(t *testing.T, keys string) {
	t.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		t.Fatalf("type %q: %v", keys, err)
	}
	slave, err := os.OpenFile(s.tty, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close() //nolint:errcheck // it was only asked
	// What was typed comes to the terminal a little later, on a busy machine much
	// later. To be asked whether there is something to read is what makes the kernel
	// bring it; a count of what has come (TIOCINQ) does not.
	waiting := []unix.PollFd{{Fd: int32(slave.Fd()), Events: unix.POLLIN}}
	eventually(t, fmt.Sprintf("%q is read", keys), 20*time.Second, func() bool {
		n, err := unix.Poll(waiting, 0)
		return err == nil && n == 0
	})
}

// shows waits until the terminal has been sent what matches, and returns its first
// group.
func (s *screen) shows(t *testing.T, pattern string) string {
	t.Helper()
	var match []string
	expected := regexp.MustCompile(pattern)
	for end := time.Now().Add(commandLimit); match == nil; time.Sleep(10 * time.Millisecond) {
		if match = expected.FindStringSubmatch(s.String()); match == nil && time.Now().After(end) {
			t.Fatalf("the screen does not show %s; since the last key there was %q", pattern, s)
		}
	}
	return match[len(match)-1]
}

// does presses keys and waits for what comes of them: what the next key means
// depends on it.
func (s *screen) does(t *testing.T, keys, pattern string) {
	t.Helper()
	s.turn()
	s.press(t, keys)
	s.shows(t, pattern)
}

// turn begins a new page: what was seen so far is asked for no more.
func (s *screen) turn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.past.Write(s.seen.Bytes())
	s.seen.Reset()
}

// forget takes away what was seen so far: what was asked for is not searched.
func (s *screen) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.past.Reset()
	s.seen.Reset()
}

// wait returns the status of a program that ends by itself.
func (s *screen) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-s.ended:
	case <-time.After(commandLimit):
		t.Fatalf("%q did not end; the terminal shows %q", s.cmd.Args, s)
	}
	return s.cmd.ProcessState.ExitCode()
}

// openTerminal opens a pseudo terminal. Nothing reads the master yet, and nobody
// will ever write an answer to it.
func openTerminal(tb testing.TB) (master, slave *os.File) {
	tb.Helper()
	fd, err := syscall.Open("/dev/ptmx", syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		missing(tb, "/dev/ptmx", "mount devpts")
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx") // non-blocking: a read ends when it is closed
	tb.Cleanup(func() { _ = master.Close() })
	var number, unlock int32
	size := [4]uint16{30, 100}
	for _, call := range []struct {
		request uintptr
		value   unsafe.Pointer
	}{
		{syscall.TIOCSPTLCK, unsafe.Pointer(&unlock)},
		{syscall.TIOCGPTN, unsafe.Pointer(&number)},
		{syscall.TIOCSWINSZ, unsafe.Pointer(&size)},
	} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), call.request, uintptr(call.value)); errno != 0 {
			tb.Fatal(errno)
		}
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := slave.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			tb.Error(err)
		}
	})
	return master, slave
}
