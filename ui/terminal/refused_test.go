//go:build unix

package terminal

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func TestWithoutATerminalTheScreenSaysSo(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for _, args := range [][]string{nil, {"demo"}} {
		cmd := exec.Command(program, args...)
		cmd.Env = h.environment()
		out, err := cmd.CombinedOutput()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != 2 {
			t.Errorf("oauthmux %v: %v, want exit status 2", args, err)
		}
		isPlain(t, string(out))
	}

	m := open(t, ordinary, h.environment()...)
	for _, command := range []string{
		"oauthmux </dev/null",
		"oauthmux >out",
		"TERM=dumb oauthmux",
		"TERM=dumb oauthmux demo",
		"TERM= oauthmux",
	} {
		before := len(m.recorded())
		m.runs(command)
		if status := m.status(); status != 2 {
			t.Errorf("%s: exit status %d", command, status)
		}
		isPlain(t, strings.ReplaceAll(m.recorded()[before:], "\r", ""))
	}
}

// isPlain checks that a text is an error for people and nothing else.
func isPlain(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, "\x1b") {
		t.Errorf("there are escape sequences in %q", text)
	}
	if !has(text, "terminal", "hint: ") {
		t.Errorf("%q does not say that a terminal is needed, and what to do", text)
	}
}
