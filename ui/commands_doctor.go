package ui

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oauthmux/oauthmux/ui/control"
)

// Words of a check's state.
const (
	checkOK    = "ok"
	checkWarn  = "warn"
	checkWrong = "wrong"
)

// checkSigns make the states readable at a glance; the words beside them make
// them readable at all.
var checkSigns = map[string]string{checkOK: "✓", checkWarn: "!", checkWrong: "✗"}

// checkup is the document of doctor.
type checkup struct {
	Schema int     `json:"schema"`
	Checks []check `json:"checks"`
}

// check is one line of it.
type check struct {
	Name    string `json:"name"`
	State   string `json:"state"` // one of the words above
	Message string `json:"message"`
	Hint    string `json:"hint"` // what a person can do; "": nothing
	Fix     string `json:"fix"`  // what --fix would do or, with it, has done; "": nothing
}

func (p *program) doctorCommand() *cobra.Command {
	var fix bool
	c := p.command("doctor", "Look for what is wrong with this installation", `  oauthmux doctor
  oauthmux doctor --fix
  oauthmux doctor --json | jq '.checks[] | select(.state != "ok")'`, none, func(ctx context.Context, _ []string) error {
		return p.examine(ctx, fix)
	})
	c.Long = `Looks at the configuration, the files and their modes, the keyring, the
records, the clock, the locks, the disk and the port, and says of each what is
wrong and what to do. It asks no server, and changes nothing; exit status 1
says that something is wrong.

--fix mends what can be mended without losing anything: modes, folders, a
control socket that was left behind, and accounts.json, rebuilt from the vault.
It never makes a key and never deletes a record.`
	c.Flags().BoolVar(&fix, "fix", false, "mend what is safe to mend")
	p.jsonFlag(c)
	return c
}

// examine prints the checks, having mended what can be if it should.
func (p *program) examine(ctx context.Context, fix bool) error {
	checks := p.checks(ctx, fix)
	wrong := false
	for _, c := range checks {
		wrong = wrong || c.State == checkWrong
	}
	var err error
	if p.json {
		err = p.document(checkup{control.Schema, checks})
	} else {
		err = p.print(checksText(checks, fix))
	}
	if err == nil && wrong {
		err = &failure{status: exitFailed} // the checks have said it all
	}
	return err
}

// checksText is a line for each check, and lines for what can be done about it.
func checksText(checks []check, fix bool) string {
	width := 0
	for _, c := range checks {
		width = max(width, len(c.Name))
	}
	var b strings.Builder
	fixes := false
	counts := map[string]int{}
	for _, c := range checks {
		counts[c.State]++
		fmt.Fprintf(&b, "%s %-5s  %-*s  %s\n", checkSigns[c.State], c.State, width, c.Name, oneLine(c.Message))
		indent := strings.Repeat(" ", 2+5+2+width+2)
		if c.Hint != "" {
			b.WriteString(indent + "hint: " + oneLine(c.Hint) + "\n")
		}
		if c.Fix != "" {
			fixes = true
			b.WriteString(indent + "fix:  " + oneLine(c.Fix) + "\n")
		}
	}
	b.WriteString("\n")
	switch {
	case counts[checkWrong] > 0:
		fmt.Fprintf(&b, "%d wrong, %s\n", counts[checkWrong], count(counts[checkWarn], "warning"))
	case counts[checkWarn] > 0:
		fmt.Fprintf(&b, "nothing is wrong; %s\n", count(counts[checkWarn], "warning"))
	default:
		b.WriteString("nothing is wrong\n")
	}
	if fixes && !fix {
		b.WriteString("what --fix would do is done by: oauthmux doctor --fix\n")
	}
	return b.String()
}

// oneLine takes out what would break a line or move the cursor.
func oneLine(s string) string { return stripped(s, false) }
