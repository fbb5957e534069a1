package accounts

// mutation is one promise of the renewal taken out of the real code, and the tests
// that must notice.
type mutation struct {
	name   string
	breaks string // the invariants of SAFETY 2.4 that are gone, one or the other of which is seen to be
	edits  []edit
	tests  []string // here or in accounts/vault: each of them must fail
}

// edit replaces what is exactly once in a file.
type edit struct{ file, old, new string }

// Tests that are there for any of these, and what they are.
const (
	eight     = "TestI1_EightProcessesRenewAnExpiredTokenOnce"
	kills     = "TestC01_KillingProcessesLosesNoLogin" // with mutantKills of them
	powerLost = "TestI2I4PowerLostAtEveryStep"
	killed    = "TestI2I4I7KilledAtEveryStep"
	diskError = "TestI4EveryDiskErrorAtEveryStep"
)

// mutations say mutant("name") where the program differs, which is true in the
// process that has to be that one.
var mutations = []mutation{
	{"no lock", "I1, I2, I3", []edit{{
		"vault/lock.go", "	unlock, ok, err := dir.tryLock(lockName)\n	if !ok || err != nil {",
		`	if mutant("no lock") {
		h.dir, h.unlock = dir, func() {}
		return true, nil
	}
	unlock, ok, err := dir.tryLock(lockName)
	if !ok || err != nil {`,
	}}, []string{eight, kills}},
	{"sent when the lock cannot be had", "I1, I2, I3", []edit{{
		"vault/lock.go", "	unlock, ok, err := dir.tryLock(lockName)\n	if !ok || err != nil {",
		`	unlock, ok, err := dir.tryLock(lockName)
	if !ok && mutant("sent when the lock cannot be had") && again(h, 1) {
		unlock, ok = func() {}, true
	}
	if !ok || err != nil {`,
	}}, []string{kills}},
	{"not read again under the lock", "I2, I3", []edit{{
		"vault/vault.go", "	f, err := v.look(s, dir, id)\n",
		"	f, err := v.look(s, dir, id)\n	remember(v, id, f)\n",
	}, {
		"vault/recover.go", "	f, err = h.vault.look(s, h.dir, h.id)\n",
		`	f, err = h.vault.look(s, h.dir, h.id)
	if mutant("not read again under the lock") {
		f = remembered(h.vault, h.id, f)
	}
`,
	}}, []string{eight, kills}},
	{"a newer token is not taken", "I3", []edit{{
		"present.go", "case unreadable == nil && record.Generation > than",
		`case !mutant("a newer token is not taken") && unreadable == nil && record.Generation > than`,
	}}, []string{eight}},
	{"a refusal is noted after the lock", "I3", []edit{{
		"present.go", "	if o.cause != \"\" {\n",
		"	if o.cause != \"\" && !mutant(\"a refusal is noted after the lock\") {\n",
	}}, []string{"TestI3_ARefusedTokenIsNotPresentedByWhoComesNext"}},
	{"no spacing", "I3", []edit{{
		"present.go", "	until := r.notBefore(earlier, now, expiry)\n",
		"	until := r.notBefore(earlier, now, expiry)\n	if mutant(\"no spacing\") {\n		until = now\n	}\n",
	}}, []string{"TestLostAnswersAreSpacedAndBounded"}},
	{"a smaller generation is shown", "I8", []edit{{
		"renew.go", "precedes(t.Generation, t.LoggedInAt, c.token) {",
		`precedes(t.Generation, t.LoggedInAt, c.token) && !mutant("a smaller generation is shown") {`,
	}}, []string{"TestT35I8_ARestoredBackupIsNotPresented"}},

	{"no intent", "I3", []edit{{
		"vault/renewal.go", "	if err := h.writeIntent(h.newIntent(h.last.Generation, token, earlier)); err != nil {",
		"	if mutant(\"no intent\") {\n	} else if err := h.writeIntent(h.newIntent(h.last.Generation, token, earlier)); err != nil {",
	}}, []string{powerLost}},
	{"the intent is not synced", "I3", []edit{{
		"vault/intent.go", "	return f.sync()\n",
		"	if mutant(\"the intent is not synced\") {\n		return nil\n	}\n	return f.sync()\n",
	}}, []string{powerLost}},
	{"the folder of the intent is not synced", "I3", []edit{{
		"vault/intent.go", "	return dir.sync()\n",
		"	if mutant(\"the folder of the intent is not synced\") {\n		return nil\n	}\n	return dir.sync()\n",
	}}, []string{powerLost}},
	{"presented for ever", "I3", []edit{{
		"vault/renewal.go", "if earlier.Count >= maxAmbiguous {",
		`if earlier.Count >= maxAmbiguous && !mutant("presented for ever") {`,
	}}, []string{"TestI3PresentationsAreCountedAndBounded"}},
	{"a superseded token is presented", "I2", []edit{{
		"vault/renewal.go", "	if refreshToken == \"\" || ",
		"	if mutant(\"a superseded token is presented\") {\n	} else if refreshToken == \"\" || ",
	}}, []string{"TestI2BeginRefusesWhatIsNotInForce"}},
	{"the record is not synced", "I4", []edit{{
		"vault/commit.go", "	if err := f.sync(); err != nil {",
		"	if mutant(\"the record is not synced\") {\n	} else if err := f.sync(); err != nil {",
	}}, []string{powerLost}},
	{"the folder of the record is not synced", "I4", []edit{{
		"vault/commit.go", "	if err := h.dir.sync(); err != nil {",
		"	if mutant(\"the folder of the record is not synced\") {\n	} else if err := h.dir.sync(); err != nil {",
	}}, []string{powerLost}},
	{"the record is written in place", "I4, I7", []edit{{
		"vault/commit.go", "	if err := h.writeAside(aside, reserved, sealed); err != nil {",
		`	if mutant("the record is written in place") {
		_ = removeAny(h.dir, credName)
		return h.writeAside(credName, nil, sealed)
	}
	if err := h.writeAside(aside, reserved, sealed); err != nil {`,
	}}, []string{killed}},
	{"the disk's error is ignored", "I4", []edit{{
		"vault/commit.go", "	if err := h.commit(tmpName, reserved, sealed, &last.bad); err != nil {",
		"	if err := h.commit(tmpName, reserved, sealed, &last.bad); err != nil && !mutant(`the disk's error is ignored`) {",
	}}, []string{diskError}},
	{"nothing is recovered", "I4", []edit{{
		"vault/recover.go", "if e, err := s.unsealEntry(id, data); err == nil {",
		`if e, err := s.unsealEntry(id, data); err == nil && !mutant("nothing is recovered") {`,
	}}, []string{killed}},
	{"the lock of an unsaved record is free", "I2", []edit{{
		"vault/lock.go", "	if !h.kept {", "	if !h.kept || mutant(\"the lock of an unsaved record is free\") {",
	}}, []string{diskError}},
	{"an unreadable record is replaced", "I7", []edit{{
		"vault/commit.go", "	name := prevName\n	if bad {",
		"	name := prevName\n	if bad && !mutant(\"an unreadable record is replaced\") {",
	}}, []string{"TestI7UnreadableRecordsAreKept"}},
	{"a word in the log before the record", "I5", []edit{{
		"vault/commit.go", "	reserved := h.reserved\n",
		"	if mutant(\"a word in the log before the record\") {\n		h.vault.log.Info(\"got an answer\")\n	}\n	reserved := h.reserved\n",
	}}, []string{"TestI5StoreTouchesOnlyTheDisk"}},
	{"the token is in the intent", "I10", []edit{{
		"vault/renewal.go", "	token := h.seals.token(refreshToken)\n",
		"	token := h.seals.token(refreshToken)\n	if mutant(\"the token is in the intent\") {\n		token = refreshToken\n	}\n",
	}}, []string{"TestI10NoTokenOutsideTheSeal"}},
}

// mutantSources are what the edits call, one a package.
var mutantSources = map[string]string{
	"mutant.go": `package accounts

import "os"

func mutant(name string) bool { return os.Getenv("OAUTHMUX_MUTANT") == name }
`,
	"vault/mutant.go": `package vault

import (
	"os"
	"sync"
)

func mutant(name string) bool { return os.Getenv("OAUTHMUX_MUTANT") == name }

// tries counts how often each lock was in vain.
var tries sync.Map

func again(h *Held, most int) bool {
	n, _ := tries.LoadOrStore(h, new(int))
	*n.(*int)++
	return *n.(*int) > most
}

// memory is what was read without a lock.
var memory sync.Map

func remember(v *Vault, id string, f found) { memory.Store(id, f) }

func remembered(v *Vault, id string, now found) found {
	if f, ok := memory.Load(id); ok && f.(found).Generation > 0 {
		return f.(found)
	}
	return now
}
`,
}
