package ui

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/ui/control"
)

func logOf(t *testing.T, a *App) []control.LogLine {
	t.Helper()
	reply, err := a.Do(t.Context(), control.Request{Action: control.ActionLog})
	if err != nil {
		t.Fatal(err)
	}
	return reply.Log
}

func TestTheLogIsReadFromItsEnd(t *testing.T) {
	d := stage(t, 1)
	path := d.app.paths.Log
	if got := logOf(t, d.app); len(got) != 0 {
		t.Errorf("before there is a file the log is %+v", got)
	}
	log, closeLog := openLog(path, nil)
	id := d.app.registry.All()[0].ID
	for range 4000 {
		log.Info("nothing of note")
	}
	until := time.Date(2026, 11, 27, 14, 40, 0, 123456789, time.UTC)
	log.Warn("the disk is slow", "account", id, "took", 3*time.Second, "n", 7, "scope", "", "until", until)
	closeLog()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString("{\"time\":\"2026-01") // the disk was full
	if closeErr := f.Close(); err != nil || closeErr != nil {
		t.Fatal(err, closeErr)
	}
	got := logOf(t, d.app)
	if len(got) != logLines {
		t.Fatalf("%d lines, want the newest %d", len(got), logLines)
	}
	last := got[len(got)-1]
	if last.Level != slog.LevelWarn.String() || time.Since(last.At) > time.Minute || last.Text != "the disk is slow  account=work  n=7  took=3s  until="+until.Local().Format(time.DateTime) {
		t.Errorf("the last line is %+v", last)
	}
	if got[0].Text != "nothing of note" {
		t.Errorf("the first line is %+v: cut", got[0])
	}
}

func TestALogThatCannotBeReadIsNamed(t *testing.T) {
	d := stage(t, 1)
	if err := os.Mkdir(d.app.paths.Log, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := d.app.Do(t.Context(), control.Request{Action: control.ActionLog})
	if err == nil || !strings.Contains(err.Error(), "read the log") {
		t.Errorf("a folder in its place: %v", err)
	}
}
