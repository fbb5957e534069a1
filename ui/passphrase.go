package ui

import (
	"os"
	"strings"
)

const passphraseVariable = "OAUTHMUX_PASSPHRASE" //nolint:gosec // the name of the variable, not its value

// takePassphrase reads OAUTHMUX_PASSPHRASE and takes it out of the environment:
// no child gets it, and where the system allows it neither does whoever reads
// this process's environment later. Call it before anything starts a child.
func takePassphrase() string {
	passphrase := strings.Clone(os.Getenv(passphraseVariable)) // the memory behind it is wiped below
	if passphrase == "" {
		return ""
	}
	_ = os.Unsetenv(passphraseVariable) // the name is a constant that cannot fail
	wipeEnviron(passphraseVariable)
	return passphrase
}
