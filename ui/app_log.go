package ui

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/ui/control"
)

// How much of the log file a screen gets, at most.
const (
	logLines = 500
	logBytes = 256 << 10
)

// doLog hands out the end of the log file.
func (a *App) doLog(context.Context, control.Request) (control.Reply, error) {
	end, err := tail(a.paths.Log, logBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return control.Reply{}, nil
	}
	if err != nil {
		return control.Reply{}, fmt.Errorf("read the log: %w", err)
	}
	var lines []control.LogLine
	for raw := range bytes.Lines(end) {
		if l, ok := a.logLine(raw); ok {
			lines = append(lines, l)
		}
	}
	return control.Reply{Log: lines[max(0, len(lines)-logLines):]}, nil
}

// tail returns the last bytes of a file, from the beginning of a line.
func tail(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular(): // to open a pipe would wait for its other end
		return nil, errors.New("it is not a file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	from := max(0, info.Size()-most)
	end, err := io.ReadAll(io.NewSectionReader(f, from, most))
	if from > 0 {
		_, end, _ = bytes.Cut(end, []byte("\n"))
	}
	return end, err
}

// logLine words one record: its message, and what it says besides, with accounts
// by their labels.
func (a *App) logLine(raw []byte) (control.LogLine, bool) {
	var record map[string]json.RawMessage
	if json.Unmarshal(raw, &record) != nil {
		return control.LogLine{}, false // cut by a full disk, or not ours
	}
	var l control.LogLine
	at, _ := time.Parse(time.RFC3339Nano, plainValue(record["time"]))
	l.At, l.Level = at, plainValue(record["level"])
	var text strings.Builder
	text.WriteString(plainValue(record["msg"]))
	for _, name := range []string{"time", "level", "msg"} {
		delete(record, name)
	}
	for _, name := range slices.Sorted(maps.Keys(record)) {
		value := plainValue(record[name])
		if name == "account" {
			value = a.label(accounts.ID(value))
		}
		if at, err := time.Parse(time.RFC3339Nano, value); err == nil { // the file's are UTC, to the nanosecond
			value = at.Local().Format(time.DateTime)
		}
		if value != "" {
			text.WriteString("  " + name + "=" + value)
		}
	}
	l.Text = text.String()
	return l, true
}

// plainValue is a string as it is, and anything else as JSON has it.
func plainValue(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
