package ui

import (
	"log/slog"
	"os"

	"gopkg.in/natefinch/lumberjack.v2"
)

// The log is rotated at logSize megabytes, and logBackups old ones are kept.
const (
	logSize    = 10
	logBackups = 3
)

// openLog returns a logger that writes JSON lines to a file, 0600, and the same
// records to also, unless that is nil. The file is made with the first line.
func openLog(path string, also slog.Handler) (*slog.Logger, func()) {
	// lumberjack makes a file 0600 and keeps the mode of one that is there.
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		_ = os.Chmod(path, 0o600) // the folder is private in any case
	}
	file := &lumberjack.Logger{Filename: path, MaxSize: logSize, MaxBackups: logBackups}
	var handler slog.Handler = slog.NewJSONHandler(file, &slog.HandlerOptions{ReplaceAttr: wordDurations})
	if also != nil {
		handler = slog.NewMultiHandler(handler, also)
	}
	return slog.New(handler), func() { _ = file.Close() }
}

// wordDurations writes a length of time with its units: slog's JSON has bare
// nanoseconds.
func wordDurations(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().String())
	}
	return a
}
