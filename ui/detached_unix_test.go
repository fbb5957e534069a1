//go:build unix

package ui

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// An engine that was left running writes to a stderr that nobody reads: it goes on.
func TestAnUnheardProcessGoesOn(t *testing.T) {
	const variable = "OAUTHMUX_TEST_UNHEARD"
	if os.Getenv(variable) != "" {
		unheard()
		for range 3 {
			fmt.Fprintln(os.Stderr, "a line of some library")
		}
		fmt.Println("it goes on")
		return
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = read.Close()
	defer write.Close() //nolint:errcheck // nobody reads it
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run", "^"+t.Name()+"$", "-test.count", "1")
	cmd.Env = append(os.Environ(), variable+"=1")
	cmd.Stderr = write
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "it goes on") {
		t.Errorf("it ended with %v, and said %q", err, out)
	}
}
