//go:build unix

package ui

import (
	"os"
	"syscall"
)

// forwarded are the signals that are the client's business and not ours.
func forwarded() []os.Signal {
	return []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}
}

// fromKeyboard are the signals that a terminal sends to every process in the
// foreground, the client among them: forwarding them would make it two.
func fromKeyboard(s os.Signal) bool { return s == syscall.SIGINT || s == syscall.SIGQUIT }

// childStatus is a client's status the way a shell reports it.
func childStatus(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return exitSignalBase + int(ws.Signal())
	}
	return s.ExitCode()
}
