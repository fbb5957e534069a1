package chromium

import "syscall"

// endWithUs has the kernel end a program when the thread that started it ends.
func endWithUs(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
