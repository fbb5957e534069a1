package ui

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/vault"
	"github.com/oauthmux/oauthmux/ui/control"
)

// judgeKeyring is about the key: where it is, and why it cannot be had.
func (f *facts) judgeKeyring() finding {
	switch {
	case f.viewErr != nil:
		return finding{state: checkWrong, message: "not asked: the vault cannot be opened", hint: "see vault above"}
	case f.view == nil || f.view.FirstUse():
		if f.engine != nil && f.engine.Key.Trouble() {
			return finding{state: checkWrong, message: "the engine has no key: " + f.engine.Key.Message, hint: f.engine.Key.Hint}
		}
		return f.judgeFirstKey()
	}
	found := finding{state: checkOK, message: "the vault opens"}
	switch ke, ok := errors.AsType[*vault.KeyError](f.keyErr); {
	case f.engine != nil && f.engine.Key.State == string(vault.KeyOK):
		found.message = "the engine has the key"
		if f.keyErr != nil {
			found.message += "; from here: " + f.keyErr.Error()
		}
	case f.engine != nil:
		found = finding{state: checkWrong, message: "the engine has no key: " + f.engine.Key.Message, hint: f.engine.Key.Hint}
	case ok:
		found = finding{state: checkWrong, message: ke.Error(), hint: ke.Hint()}
		if ke.State == vault.KeyPassphraseNeeded {
			found.state = checkWarn // nobody was asked for it here
		}
	case f.keyErr != nil:
		found = finding{state: checkWrong, message: f.keyErr.Error(), hint: "try again"}
	}
	pinned := f.view.Backend()
	if pinned == "" {
		return found // store.json is what is wrong
	}
	found.message += " (" + pinned + ")"
	if asked := f.config.Keyring.Backend; asked != "" && asked != pinned {
		found.worse(checkWarn)
		found.message += "; keyring.backend says " + asked + " and is not followed"
		if found.hint == "" {
			found.hint = "the key stays in the keyring it was made in: take keyring.backend out, or write " + pinned
		}
	}
	return found
}

// judgeFirstKey is about where a key would go. Nobody is asked: a keyring that
// was asked might make something.
func (f *facts) judgeFirstKey() finding {
	offered := vault.Offered(f.config.Keyring.Backend)
	if len(offered) == 0 {
		return finding{
			state: checkWrong, message: "there is no key yet, and this system has no " + or(f.config.Keyring.Backend, "keyring"),
			hint: `keep the key in an encrypted file: keyring.backend = "file"`,
		}
	}
	found := finding{state: checkOK, message: "there is no key yet: the first login makes one in " + strings.Join(offered, ", or else ")}
	if runtime.GOOS == "darwin" && offered[0] != "keychain" && f.config.Keyring.Backend == "" {
		found.worse(checkWarn)
		found.message += "; this program was built without the Keychain"
		found.hint = "build it with cgo, or keep the key elsewhere"
	}
	if offered[0] == "file" && f.passphrase == "" {
		found.hint = "it will ask for a passphrase, or take it from OAUTHMUX_PASSPHRASE"
	}
	return found
}

// judgeRecords is about what the vault holds of each account, and whether it and
// accounts.json speak of the same ones.
func (f *facts) judgeRecords() finding {
	if f.viewErr != nil || f.listErr != nil {
		return finding{state: checkWrong, message: "not looked at: the vault cannot be opened", hint: "see vault above"}
	}
	found := finding{state: checkOK}
	var all []string
	note := func(state, hint, format string, args ...any) {
		all = append(all, fmt.Sprintf(format, args...))
		if found.worse(state); found.hint == "" {
			found.hint = hint
		}
	}
	unsaved := f.engineSays(control.StateUnsaved)
	held := 0
	for _, t := range f.traces {
		label := f.label(t.ID)
		if t.Record {
			held++
		}
		switch problem := f.problem(t); {
		case unsaved[t.ID]:
			note(checkWrong, "free some space, and keep the engine running", "%s: the new token is only in the engine's memory", label)
		case problem != nil:
			note(checkWrong, "restore the vault from a backup, or sign in again: oauthmux login", "%s: %v", label, problem)
		case t.CutShort && t.PID != 0:
			note(checkWarn, "nothing to do: the next renewal sees to it", "%s: a renewal was cut short at %s (process %d)", label, clock(t.Since, f.now), t.PID)
		case t.CutShort:
			note(checkWarn, "nothing to do: the next renewal sees to it", "%s: a renewal was cut short", label)
		}
		if len(t.Kept) > 0 {
			note(checkWarn, "move what was kept away once the account works", "%s: an unreadable record is kept as %s", label, listed(t.Kept))
		}
	}
	f.compare(note)
	if len(f.unknown()) > 0 {
		found.mend = f.rebuild("add to accounts.json what only the vault knows")
	}
	switch {
	case len(all) > 0:
		found.message = listed(all)
	case held == 0:
		found.message = "there are none yet"
	case f.opened():
		found.message = count(held, "record") + ", all of them readable"
	default:
		found.message = count(held, "record") + ", looked at from outside: without the key they cannot be opened"
	}
	return found
}

// problem says why a record cannot be read. With the key that is certain; an
// engine that has it knows too, as of when it looked.
func (f *facts) problem(t vault.Trace) error {
	switch {
	case !t.Record:
		return nil
	case f.opened():
		return f.broken[t.ID]
	case t.Problem != nil:
		return t.Problem
	case f.engineSays(control.StateUnreadable)[t.ID]:
		return vault.ErrUnreadable
	}
	return nil
}

// engineSays returns the accounts that the engine says are in a state.
func (f *facts) engineSays(state string) map[string]bool {
	accounts := map[string]bool{}
	if f.engine != nil {
		for _, a := range f.engine.Accounts {
			if a.State == state {
				accounts[a.ID] = true
			}
		}
	}
	return accounts
}

// compare notes accounts that only one of vault and accounts.json knows. Where
// accounts.json cannot be used at all, that is another check's.
func (f *facts) compare(note func(state, hint, format string, args ...any)) {
	if f.metaErr != nil || f.meta.Damage != "" || f.meta.Missing {
		return
	}
	holds := map[string]bool{}
	for _, t := range f.traces {
		holds[t.ID] = t.Record
	}
	for i := range f.meta.Accounts {
		if a := &f.meta.Accounts[i]; !holds[string(a.ID)] {
			note(checkWrong, "sign in again with: oauthmux login, or remove the account with: oauthmux logout", "%s: the vault has no token for it", a.Label)
		}
	}
	for _, id := range f.unknown() {
		if twin := f.twin(id); twin != "" {
			note(checkWarn, "nothing to do: the engine gives it to the account if it is newer than its own, else removes it", "%s: a login of %s waits there, because its sign-in was cut short", id, twin)
			continue
		}
		note(checkWrong, "the next command that opens the vault adds it to the accounts", "%s: accounts.json does not know it", id)
	}
}

// unknown returns the records whose account accounts.json does not know though
// it can be read, sorted.
func (f *facts) unknown() []string {
	if f.metaErr != nil || f.meta.Damage != "" || f.meta.Missing {
		return nil
	}
	var ids []string
	for _, t := range f.traces {
		known := slices.ContainsFunc(f.meta.Accounts, func(a accounts.Account) bool { return string(a.ID) == t.ID })
		if t.Record && !known {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

// twin returns the account that a record is another copy of: accounts.json does
// not take it in, since two accounts must never share a login. An account without
// a record has no copy of it (see accounts.Registry.Rebuild).
func (f *facts) twin(id string) string {
	r, ok := f.records[id]
	if !ok {
		return ""
	}
	for i := range f.meta.Accounts {
		a := &f.meta.Accounts[i]
		other, ok := f.records[string(a.ID)]
		sealed := slices.ContainsFunc(f.traces, func(t vault.Trace) bool { return t.ID == string(a.ID) && t.Record })
		if r.For != "" && r.For == string(a.ID) || r.Identity != "" && r.Identity == a.Identity && r.Provider == string(a.Provider) && sealed || ok && r.RefreshToken != "" && r.RefreshToken == other.RefreshToken {
			return a.Label
		}
	}
	return ""
}

// judgeAccounts is about accounts.json.
func (f *facts) judgeAccounts() finding {
	stored := 0
	for _, t := range f.traces {
		if t.Record {
			stored++
		}
	}
	switch {
	case f.metaErr != nil:
		return finding{state: checkWrong, message: "accounts.json cannot be read: " + reason(f.metaErr).Error(), hint: "see to its rights, or move it away: the accounts are rebuilt from the vault"}
	case f.meta.Damage != "":
		return f.lost("accounts.json is damaged: "+f.meta.Damage, "keep the damaged accounts.json aside, and rebuild it from the vault")
	case f.meta.Missing && stored > 0:
		return f.lost("accounts.json is missing, and the vault holds "+count(stored, "account"), "rebuild accounts.json from the vault")
	}
	found := finding{state: checkOK, message: count(len(f.meta.Accounts), "account")}
	if f.meta.Missing {
		found.message = "there are none yet: add one with oauthmux login"
	}
	if len(f.meta.Kept) > 0 {
		found.state = checkWarn
		found.message += "; a damaged accounts.json is kept as " + listed(f.meta.Kept)
		found.hint = "remove what was kept once no account, order or label is missed"
	}
	return found
}

// lost is an accounts.json that has to be rebuilt.
func (f *facts) lost(message, would string) finding {
	found := finding{state: checkWrong, message: message, mend: f.rebuild(would)}
	switch {
	case f.engineRuns():
		found.hint = "the engine that runs writes it again by itself; if it does not, unlock its vault"
	case !slices.ContainsFunc(f.traces, func(t vault.Trace) bool { return t.Record }):
		found.hint = "the vault holds no account to rebuild it from: the next command keeps the damaged one aside, so mend it by hand before"
	case found.mend == nil:
		found.hint = "the accounts are rebuilt from the vault as soon as that opens: see keyring"
	default:
		found.hint = "nothing is lost: the accounts are rebuilt from the vault"
	}
	return found
}

// rebuild fills accounts.json from the records that were read. It is nil where
// the key is missing, and where an engine runs: accounts.json is the engine's
// to write then.
func (f *facts) rebuild(would string) *mend {
	if !f.opened() || f.engineRuns() || !slices.ContainsFunc(slices.Collect(maps.Keys(f.records)), func(id string) bool { return f.twin(id) == "" }) {
		return nil
	}
	return &mend{would: would, do: func(context.Context) error {
		registry, err := accounts.OpenRegistry(accounts.RegistryOptions{Dir: f.paths.Data, LockPath: f.paths.StateLock})
		if err != nil {
			return err
		}
		records := make(map[accounts.ID]vault.Record, len(f.records))
		for id, record := range f.records {
			records[accounts.ID(id)] = record
		}
		return registry.Rebuild(records)
	}}
}
