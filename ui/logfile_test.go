package ui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheLogFileNamesUnitsOfTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "oauthmux.log")
	log, closeLog := openLog(path, nil)
	log.Info("cut off", "after", 5*time.Second)
	closeLog()
	line, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"after":"5s"`; !strings.Contains(string(line), want) {
		t.Errorf("%s does not say %s", line, want)
	}
}
