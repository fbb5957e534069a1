//go:build unix

package chromium

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// errNotAProgram is what the system says of a file that it cannot run.
var errNotAProgram error = syscall.ENOEXEC

// systemWiring is how browsers are talked to on this system: over a pipe.
func systemWiring(string) wiring { return new(pipeWiring) }

// confine puts the program, and what it starts, in a process group of its own: a
// terminal's signals are for us, and all of it can be ended at once. Where the
// system can do that, it also ends when this process is killed; by the end of its
// pipe it would do so only once it has come to read it.
func confine(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endWithUs(cmd.SysProcAttr)
}

// group is a program with what it started.
type group int

func newGroup(cmd *exec.Cmd) group { return group(cmd.Process.Pid) }

// kill leaves alone what has ended: its number may be somebody else's by now.
func (g group) kill() {
	if !g.empty() {
		_ = syscall.Kill(-int(g), syscall.SIGKILL)
	}
}

// empty reports whether no process is left. Those that have ended and that nobody
// has asked for yet do not count, where the system tells them apart.
func (g group) empty() bool {
	if syscall.Kill(-int(g), 0) != nil {
		return true
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return false
	}
	for _, stat := range stats {
		text, err := os.ReadFile(stat)
		if err != nil {
			continue // it has gone since
		}
		// "pid (name) state ppid pgrp ...": anything may be in the name.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) > 2 && fields[2] == strconv.Itoa(int(g)) && fields[0] != "Z" && fields[0] != "X" {
			return false
		}
	}
	return true
}

func (group) free() {}
