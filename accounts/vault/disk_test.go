package vault

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What a disk that cannot set space aside gets instead.
func TestReservedSpaceIsZeros(t *testing.T) {
	for name, reserve := range map[string]func(*os.File, int64) error{"fill": fill, "reserve": reserve} {
		f, err := os.Create(filepath.Join(t.TempDir(), "f"))
		if err != nil {
			t.Fatal(err)
		}
		const size = 64<<10 + 1000
		if err := errors.Join(reserve(f, size), f.Close()); err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(f.Name()); err != nil || string(data) != strings.Repeat("\x00", size) {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
}

func TestAFileTooLargeIsNotRead(t *testing.T) {
	v := onFiles(t)
	root, err := v.open()
	if err != nil {
		t.Fatal(err)
	}
	defer root.close()
	for size, ok := range map[int64]bool{maxFile: true, maxFile + 1: false, 1 << 40: false} {
		if err := errors.Join(os.WriteFile(root.path("f"), nil, 0o600), os.Truncate(root.path("f"), size)); err != nil {
			t.Fatal(err)
		}
		if data, err := root.read("f"); (err == nil) != ok {
			t.Errorf("of %d bytes, %d were read: %v", size, len(data), err)
		}
	}
}

func TestBusyErrorTellsWho(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for want, err := range map[string]error{
		"the account is busy": &BusyError{},
		"the account is busy: process 7 renews it since 03:04:05": &BusyError{PID: 7, Since: since},
	} {
		if err.Error() != want || !errors.Is(err, ErrBusy) {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}
