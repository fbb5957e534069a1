package ui

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/oauthmux/oauthmux/accounts/vault"
	"github.com/oauthmux/oauthmux/ui/control"
)

// A write of accounts.json takes milliseconds, and a renewal two minutes at the
// very most. Whoever holds a lock for longer is stopped, or cannot save.
const (
	writePatience = 500 * time.Millisecond
	writePoll     = 20 * time.Millisecond
	renewalAge    = 5 * time.Minute
)

// lookAtLocks finds which of the home's locks are held. One of state.lock for a
// moment means nothing.
func (f *facts) lookAtLocks(ctx context.Context) {
	f.held = map[string]bool{f.paths.EngineLock: isHeld(f.paths.EngineLock)}
	for end := time.Now().Add(writePatience); ; {
		f.held[f.paths.StateLock] = isHeld(f.paths.StateLock)
		if !f.held[f.paths.StateLock] || time.Now().After(end) || !wait(ctx, writePoll) {
			return
		}
	}
}

// isHeld reports whether somebody holds a lock. It opens nothing but plain files:
// a pipe in its place would wait for ever. A lock that cannot be tried counts
// as free; that its file is not as it should be is another check's.
func isHeld(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	held, err := control.Running(path)
	return err == nil && held
}

// holder is a process that holds a lock, in words: " (process 42)", or "" where
// the system does not tell.
func (f *facts) holder(path string) string {
	if pid := f.holders(path); pid != 0 {
		return fmt.Sprintf(" (process %d)", pid)
	}
	return ""
}

// judgeLocks is about who holds which lock. That one is held is no fault.
func (f *facts) judgeLocks() finding {
	found := finding{state: checkOK}
	var held []string
	if f.held[f.paths.EngineLock] {
		held = append(held, "engine.lock"+f.holder(f.paths.EngineLock))
	}
	if f.held[f.paths.StateLock] {
		held = append(held, "state.lock"+f.holder(f.paths.StateLock))
		found.state = checkWarn
		found.hint = "a write takes no time at all: see whether that process is stopped. Never remove a lock file"
	}
	for _, t := range f.traces {
		if !t.Busy {
			continue
		}
		held = append(held, f.label(t.ID)+f.renewer(t))
		if !t.Since.IsZero() && f.now.Sub(t.Since) > renewalAge {
			found.state = checkWarn
			found.hint = "a renewal does not take that long: see whether that process is stopped, or waits for room on the disk. Never remove a lock file"
		}
	}
	found.message = "no lock is held"
	if len(held) > 0 {
		found.message = "held: " + listed(held)
	}
	return found
}

// renewer says who holds an account's lock, and since when, as far as is known.
func (f *facts) renewer(t vault.Trace) string {
	words := f.holder(t.Lock)
	if words == "" && t.PID != 0 {
		words = fmt.Sprintf(" (process %d)", t.PID)
	}
	if !t.Since.IsZero() {
		words += ", renewing since " + clock(t.Since, f.now)
	}
	return words
}

// socketFact is what lies where the control socket belongs.
type socketFact struct {
	path  string
	there bool
	plain bool // it is something else than a socket
}

func (f *facts) lookAtSocket() {
	f.socket = socketFact{}
	path, err := control.SocketPath(f.paths.State)
	if err != nil {
		return // the engine's check says so
	}
	f.socket.path = path
	info, err := os.Lstat(path)
	if err != nil {
		return
	}
	f.socket.there = true
	f.socket.plain = info.Mode().IsRegular() || info.IsDir() || info.Mode().Type() == fs.ModeSymlink
}

// judgeEngine is about the engine of this home, and the way to it.
func (f *facts) judgeEngine() finding {
	s := f.socket
	switch {
	case s.plain:
		return finding{state: checkWrong, message: s.path + " is in the way and is not a socket", hint: "move it away: no engine can start"}
	case f.engine != nil:
		e := f.engine.Engine
		found := finding{state: checkOK, message: fmt.Sprintf("running, process %d, version %s", e.PID, e.Version)}
		if e.Version != f.version {
			found.state = checkWarn
			found.message += ", and this is " + f.version
			found.hint = "start it again, so that it is the version that is installed"
		}
		return found
	case f.silence != nil:
		e := forPerson(f.silence)
		if errors.Is(f.silence, context.DeadlineExceeded) {
			e = &control.Error{Message: "the engine does not answer", Hint: "it may be suspended; look for its process"}
		}
		return finding{state: checkWrong, message: e.Message + f.holder(f.paths.EngineLock), hint: e.Hint}
	case f.held[f.paths.EngineLock]:
		return finding{
			state: checkWrong, message: "something holds engine.lock" + f.holder(f.paths.EngineLock) + " and does not answer on " + filepath.Base(s.path),
			hint: "it may be starting, ending or suspended: look for its process",
		}
	case s.there:
		return finding{
			state: checkWarn, message: "not running; an engine that was killed left " + s.path + " behind",
			hint: "nothing to do: the next one takes its place",
			mend: &mend{would: "remove " + s.path, do: f.removeSocket},
		}
	}
	return finding{state: checkOK, message: "not running"}
}

// removeSocket becomes the engine for a moment, so that nobody else does, and
// opens and closes the socket: control.Listen replaces one only when it is
// nobody's, and closing takes it away.
func (f *facts) removeSocket(ctx context.Context) error {
	release, err := control.LockEngine(ctx, f.paths.EngineLock)
	if err != nil {
		return err
	}
	defer release()
	l, err := control.Listen(f.socket.path)
	if err != nil {
		return err
	}
	return l.Close()
}

// judgePort is about the proxy's address.
func (f *facts) judgePort() finding {
	listen := f.config.Proxy.Listen
	switch {
	case f.engine != nil && f.engine.Engine.Listen != "":
		return finding{state: checkOK, message: f.engine.Engine.Listen + " is ours: the engine listens there"}
	case f.engine != nil:
		return finding{state: checkWarn, message: "the engine does not listen yet", hint: "it may be starting: look again in a moment"}
	case f.configErr != nil:
		return notChecked()
	case f.listenErr != nil && f.engineRuns():
		return finding{state: checkWarn, message: listen + " is taken, most likely by the engine that does not answer", hint: "see engine above"}
	case f.listenErr != nil:
		return finding{
			state: checkWrong, message: fmt.Sprintf("cannot listen on %s: %v", listen, reason(f.listenErr)),
			hint: "end the program that listens there, or set proxy.listen (OAUTHMUX_PROXY_LISTEN) to another port",
		}
	}
	if _, port, err := net.SplitHostPort(listen); err == nil && port == "0" {
		return finding{state: checkOK, message: "the engine will take a free port"}
	}
	return finding{state: checkOK, message: listen + " is free"}
}
