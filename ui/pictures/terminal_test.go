//go:build unix

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAStoryIsRecordedInATerminal(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		const missing = "tmux is missing: apt-get install tmux, or brew install tmux"
		if os.Getenv("OAUTHMUX_REQUIRE_ALL") == "1" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	ctx := t.Context()
	const program = `printf '\033[32mwaiting\033[m'; read -r line; printf 'went on with %s\n' "$line"; read -r line`
	term, err := open(ctx, 40, 5, "sh", "-c", program)
	if err != nil {
		t.Fatal(err)
	}
	term.record("a story")
	stills, err := act(ctx, term, []step{
		{caption: "it waits", shows: `waiting`},
		{caption: "it goes on", keys: []string{"h", "o", "m", "e", "Enter"}, shows: `went on with home`, still: "on"},
	})
	recorded := term.recording.cast
	if closeErr := term.close(ctx); closeErr != nil {
		t.Error(closeErr)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(term.dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", term.dir, err)
	}
	if s := stills["on"]; s == nil || !strings.Contains(s.String(), "went on with home") {
		t.Errorf("the still shows %v", s)
	}
	f := develop(recorded, time.Second)
	var captions []string
	for _, c := range f.captions {
		captions = append(captions, c.Data)
	}
	if got, want := strings.Join(captions, ", "), "it waits, it goes on"; got != want {
		t.Errorf("captions are %q, want %q", got, want)
	}
	drawn := svg(f)
	for _, want := range []string{">waiting<", "went on with home"} {
		if !strings.Contains(drawn, want) {
			t.Errorf("the picture does not show %q:\n%s", want, drawn)
		}
	}
}
