package ui

import (
	"os"
	"os/signal"
	"syscall"
)

// EndSignals are the signals that end the program in order. A hang-up is one of
// them, unless it is ignored, as under nohup. It also makes a broken pipe an
// error of the write in place of a sudden end: a token that is being renewed
// must not be lost to `oauthmux serve | head`.
func EndSignals() []os.Signal {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // not Ignore: children would inherit that
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		ends = append(ends, syscall.SIGHUP)
	}
	return ends
}
