//go:build unix

package ui

import (
	"os"
	"os/signal"
	"syscall"
)

// detached starts a process in a session of its own: no terminal's end and no
// key that is pressed in one reaches it.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// unheard makes nothing of it that nobody reads stderr any more. A program in Go
// that writes there would be ended by SIGPIPE, be it with a line of some library.
// Ignored it would stay so in children; what is taken here is theirs again.
func unheard() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }
