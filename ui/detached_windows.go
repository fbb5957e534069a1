package ui

import "syscall"

// detached starts a process without a console, and beyond the reach of the keys
// that are pressed in this one.
func detached() *syscall.SysProcAttr {
	const detachedProcess = 0x00000008 // DETACHED_PROCESS
	return &syscall.SysProcAttr{CreationFlags: detachedProcess | syscall.CREATE_NEW_PROCESS_GROUP, HideWindow: true}
}

// unheard has nothing to do: no signal comes of writing where nobody reads.
func unheard() {}
