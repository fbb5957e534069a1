//go:build unix

package ui

import "syscall"

// detached starts a process in a session of its own: no terminal's end and no
// key that is pressed in one reaches it.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
