package ui

import (
	"context"
	"fmt"
	"strings"

	"github.com/oauthmux/oauthmux/ui/config"
)

// finding is what a check found, before it is printed.
type finding struct {
	state, message, hint string
	mend                 *mend // nil: nothing that could be done safely
}

// mend is something that --fix does. What it does loses nothing, and it can be
// done any number of times.
type mend struct {
	would string // "make /home/me/.local/share/oauthmux private (0700)"
	do    func(ctx context.Context) error
}

// worse returns a finding at least as bad as f's.
func (f *finding) worse(state string) {
	rank := map[string]int{checkOK: 0, checkWarn: 1, checkWrong: 2}
	if rank[state] > rank[f.state] {
		f.state = state
	}
}

// examination is one check: a name that programs know, and what it makes of the
// facts. It looks at nothing else.
type examination struct {
	name  string
	judge func(*facts) finding
}

// examinations are all checks, in the order in which they are best read: what
// the others stand on comes first.
var examinations = []examination{
	{"config", (*facts).judgeConfig},
	{"folders", (*facts).judgeFolders},
	{"disk", (*facts).judgeDisk},
	{"locking", (*facts).judgeLocking},
	{"locks", (*facts).judgeLocks},
	{"engine", (*facts).judgeEngine},
	{"port", (*facts).judgePort},
	{"proxy", (*facts).judgeProxy},
	{"endpoints", (*facts).judgeEndpoints},
	{"browser", (*facts).judgeBrowser},
	{"vault", (*facts).judgeVault},
	{"keyring", (*facts).judgeKeyring},
	{"records", (*facts).judgeRecords},
	{"accounts", (*facts).judgeAccounts},
	{"clock", (*facts).judgeClock},
}

// checks examines this home and, with fix, mends it and looks again.
func (p *program) checks(ctx context.Context, fix bool) []check {
	paths, err := config.FindPaths(p.Getenv)
	if err != nil { // there is no home to look at
		e := forPerson(err)
		return []check{{Name: "folders", State: checkWrong, Message: e.Message, Hint: e.Hint}}
	}
	f := &facts{
		paths: paths, getenv: p.Getenv, environ: p.Environ(), flags: p.configFlags, version: p.Version, passphrase: p.Passphrase,
	}
	defer f.close()
	f.gather(ctx)
	checks := make([]check, len(examinations))
	mended := false
	for i, e := range examinations {
		found := e.judge(f)
		checks[i] = check{Name: e.name, State: found.state, Message: found.message, Hint: found.hint}
		if found.mend == nil {
			continue
		}
		checks[i].Fix = "would " + found.mend.would
		if fix {
			mended = true
			checks[i].Fix = carryOut(ctx, found.mend)
		}
	}
	if !mended {
		return checks
	}
	f.gatherAgain(ctx)
	for i, e := range examinations {
		found := e.judge(f)
		checks[i].State, checks[i].Message, checks[i].Hint = found.state, found.message, found.hint
	}
	return checks
}

// carryOut does what would be done, and says how that went.
func carryOut(ctx context.Context, m *mend) string {
	if err := m.do(ctx); err != nil {
		return fmt.Sprintf("could not %s: %v", m.would, forPerson(err).Message)
	}
	return "done: " + m.would
}

// maxNamed is how many things a check names; of the others it says how many.
const maxNamed = 5

// listed joins what a check found into one line.
func listed(all []string) string {
	if len(all) > maxNamed {
		all = append(all[:maxNamed:maxNamed], fmt.Sprintf("and %d more", len(all)-maxNamed))
	}
	return strings.Join(all, "; ")
}
