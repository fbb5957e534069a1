//go:build unix && race

package ui

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
)

// buildPlain builds it. Most commands of a script open the vault and end, which
// takes the race detector ten times as long and shows it nothing.
func buildPlain(dir string) (string, error) {
	if _, err := os.ReadFile("../main.go"); err != nil { // what is built depends on it, and so do these results
		return "", err
	}
	path := filepath.Join(dir, "oauthmux")
	out, err := exec.Command("go", "build", "-o", path, "-ldflags", "-X main.version="+scriptVersion, "github.com/oauthmux/oauthmux").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// becomePlain puts that program in the place of this process, but for what runs
// for a while: that is watched.
func becomePlain() {
	lasting := slices.ContainsFunc(os.Args[1:], func(arg string) bool { return arg == "serve" || arg == "run" || arg == "demo" })
	if path := os.Getenv(plainVariable); path != "" && !lasting {
		_ = syscall.Exec(path, os.Args, os.Environ()) // or go on as we are
	}
}
