package ui

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// runBrowser is the command `xdg-open ADDRESS`: the browser of BROWSER_USER, who
// is signed in already and agrees.
func runBrowser() error {
	resp, err := http.Get(os.Args[1] + "&login_hint=" + url.QueryEscape(os.Getenv("BROWSER_USER")))
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	page, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the browser got %s: %s", resp.Status, page)
	}
	return err
}

// elsewhere are the README's commands that no script can run, and what does.
var elsewhere = map[string]string{
	"oauthmux":      "ui/terminal opens the dashboard in a real terminal",
	"go run . demo": "ui/terminal runs the demo in a real terminal",
	"go test ./...": "this is it",
	"go install github.com/oauthmux/oauthmux@latest": "needs a release",
}

func TestEveryCommandOfTheREADMEIsRun(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/script/readme.txtar")
	if err != nil {
		t.Fatal(err)
	}
	commands, err := readmeCommands(string(readme))
	if err != nil {
		t.Fatal(err)
	}
	if len(commands) < 20 {
		t.Fatalf("only %d commands found: %q", len(commands), commands)
	}
	for _, c := range commands {
		if elsewhere[c] == "" && !strings.Contains(string(script), c) {
			t.Errorf("no script runs %q", c)
		}
	}
}

var (
	commandSpan = regexp.MustCompile("`(oauthmux[^`]*)`")
	placeholder = regexp.MustCompile(`[\[<A-Z].*`)
)

// readmeCommands are the commands in blocks, to the letter, and those in running
// text up to their first placeholder.
func readmeCommands(text string) ([]string, error) {
	var commands []string
	inBlock := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			inBlock = !inBlock
			continue
		}
		if inBlock {
			command, _, _ := strings.Cut(line, "  #")
			command = strings.TrimSpace(command)
			for _, first := range []string{"oauthmux ", "go ", "eval "} {
				if strings.HasPrefix(command+" ", first) && !strings.HasPrefix(command, "oauthmux  ") {
					commands = append(commands, command)
				}
			}
			continue
		}
		for _, span := range commandSpan.FindAllStringSubmatch(line, -1) {
			commands = append(commands, strings.TrimSpace(placeholder.ReplaceAllString(span[1], "")))
		}
	}
	if inBlock {
		return nil, errors.New("a block does not end")
	}
	return commands, nil
}
