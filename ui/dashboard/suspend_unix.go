//go:build unix

package dashboard

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var errNotStopped = errors.New("nobody is there to let it go on")

// stopTime is how long the system may take to stop a process that is to be.
const stopTime = time.Second

// contGrace is how long SIGCONT may take to come to us after it has let us go on.
const contGrace = time.Second

// suspendable reports whether some process could let this one go on: a shell with
// a process group of its own, in our session. A group without one is orphaned,
// and the system stops it at no key (POSIX, 11.1.4).
func suspendable() bool {
	parent := os.Getppid()
	group, err := syscall.Getpgid(parent)
	if err != nil {
		return true // it is another user's: the attempt tells
	}
	if group == syscall.Getpgrp() {
		return true // a script's: whether there is a shell above, the attempt tells
	}
	theirs, err := unix.Getsid(parent)
	if err != nil {
		return true
	}
	ours, err := unix.Getsid(0)
	return err != nil || theirs == ours
}

// stop stops the process group, as a terminal does, and returns when it goes on.
func stop() error {
	goesOn := make(chan os.Signal, 1)
	signal.Notify(goesOn, syscall.SIGCONT)
	defer signal.Stop(goesOn)
	if err := syscall.Kill(0, syscall.SIGTSTP); err != nil {
		return err
	}
	// The clock goes on while the process is stopped: then the first limit is over as
	// soon as it is not, which may be before the signal is seen.
	for _, limit := range []time.Duration{stopTime, contGrace} {
		select {
		case <-goesOn:
			return nil
		case <-time.After(limit):
		}
	}
	return errNotStopped
}
