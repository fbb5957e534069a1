package ui

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// lockHolder returns the process that holds the lock of a file; 0: not known.
func lockHolder(path string) int {
	info, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return 0
	}
	defer locks.Close() //nolint:errcheck // it was only read
	return holderIn(locks, fmt.Sprintf("%02x:%02x:%d", unix.Major(s.Dev), unix.Minor(s.Dev), s.Ino))
}

// holderIn finds a file in the kernel's list of locks (proc_locks(5)), whose
// lines are "1: FLOCK  ADVISORY  WRITE 42 08:01:1234 0 EOF". Those that wait for
// a lock have an arrow behind the number.
func holderIn(locks io.Reader, file string) int {
	lines := bufio.NewScanner(locks)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > 5 && fields[1] == "FLOCK" && fields[5] == file {
			pid, err := strconv.Atoi(fields[4])
			if err == nil && pid > 0 { // in another namespace it is no number of ours
				return pid
			}
		}
	}
	return 0
}
