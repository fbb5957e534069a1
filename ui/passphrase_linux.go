package ui

import (
	"bytes"
	"os"
	"strconv"
)

// wipeEnviron overwrites the value of a variable in the block that the kernel
// shows as /proc/PID/environ: os.Unsetenv only forgets it. It is best effort,
// since whoever could read the block could read it a moment ago.
func wipeEnviron(name string) {
	start, end, ok := environBlock()
	if !ok {
		return
	}
	mem, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer mem.Close() //nolint:errcheck // every write was made
	block := make([]byte, end-start)
	if _, err := mem.ReadAt(block, start); err != nil {
		return
	}
	prefix := []byte(name + "=")
	offset := int64(0)
	for entry := range bytes.SplitSeq(block, []byte{0}) {
		if bytes.HasPrefix(entry, prefix) {
			blank := bytes.Repeat([]byte{'x'}, len(entry)-len(prefix))
			_, _ = mem.WriteAt(blank, start+offset+int64(len(prefix)))
		}
		offset += int64(len(entry)) + 1
	}
}

// environBlock finds the block in memory: env_start and env_end, fields 50 and
// 51 of /proc/self/stat (proc_pid_stat(5)).
func environBlock() (start, end int64, ok bool) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, 0, false
	}
	// The second field, the command's name, may hold spaces and ends with the last ")".
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const first = 3 // the number of the first field after the name
	if len(fields) <= 51-first {
		return 0, 0, false
	}
	start, errStart := strconv.ParseInt(string(fields[50-first]), 10, 64)
	end, errEnd := strconv.ParseInt(string(fields[51-first]), 10, 64)
	const most = 16 << 20 // far above what a kernel lets an environment be
	return start, end, errStart == nil && errEnd == nil && start > 0 && end > start && end-start < most
}
