package ui

import (
	"os/exec"
	"testing"
)

func TestAssignmentsReachTheShellAsTheyAre(t *testing.T) {
	for _, value := range []string{"http://127.0.0.1:4747/x", "omx_a-b.c", "it's *.acme.example", `a\b"c$d`, ""} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", assignment("sh", "VALUE", value)+"; printf %s \"$VALUE\"").Output()
		if err != nil {
			t.Skip("needs a POSIX shell: " + err.Error())
		}
		if string(out) != value {
			t.Errorf("%q came out as %q", value, out)
		}
	}
	for shell, want := range map[string]string{
		"fish": `set -gx VALUE 'it\'s \\'`,
		"pwsh": `$env:VALUE = 'it''s \'`,
		"sh":   `export VALUE='it'\''s \'`,
	} {
		if got := assignment(shell, "VALUE", `it's \`); got != want {
			t.Errorf("%s: got %s, want %s", shell, got, want)
		}
	}
}
