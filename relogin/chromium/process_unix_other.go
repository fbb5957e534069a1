//go:build unix && !linux

package chromium

import "syscall"

// endWithUs leaves it to the pipe: the system has nothing for it.
func endWithUs(*syscall.SysProcAttr) {}
