package ui

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/oauthmux/oauthmux/ui/config"
)

// fileFact is a file or folder of ours that is not as it should be.
type fileFact struct {
	path    string
	vault   bool        // it is the vault, or in it
	want    fs.FileMode // the mode it should have; 0: that is not what is wrong
	strange string      // what is wrong instead: nobody but a person can mend it
}

// ownNames are what lies in the data and the state folder besides the vault.
// What else is there is none of our business.
var ownNames = []string{"accounts.json*", "engine.lock", "state.lock", "notices.lock", "control.sock", "oauthmux*.log", "history.db*", "crash-*.txt"}

// lookAtFiles finds what others may use, what this user cannot, and what is
// something else than it should be.
func (f *facts) lookAtFiles() { f.loose = looseFiles(f.paths, f.folders) }

func looseFiles(paths config.Paths, folders []folderFact) []fileFact {
	var found []fileFact
	for _, folder := range folders {
		entries, _ := os.ReadDir(folder.path) // one that is missing or cannot be listed is another check's
		for _, e := range entries {
			for _, pattern := range ownNames {
				if match, _ := filepath.Match(pattern, e.Name()); match { // the patterns are good
					found = appendLoose(found, filepath.Join(folder.path, e.Name()), false)
				}
			}
		}
	}
	_ = filepath.WalkDir(paths.Vault, func(path string, _ fs.DirEntry, err error) error { // errors are skipped one by one
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			found = appendLoose(found, path, true)
		}
		if rel, _ := filepath.Rel(paths.Vault, path); err != nil || strings.Count(rel, string(filepath.Separator)) > 1 {
			return fs.SkipDir // a folder that cannot be listed, or one deeper than any of ours
		}
		return nil
	})
	return found
}

// appendLoose adds the file if something is wrong with it. WalkDir comes twice
// to a folder that it cannot list.
func appendLoose(found []fileFact, path string, inVault bool) []fileFact {
	info, err := os.Lstat(path)
	if err != nil || len(found) > 0 && found[len(found)-1].path == path {
		return found
	}
	fact := fileFact{path: path, vault: inVault}
	switch mode := info.Mode(); {
	case !ownedBySelf(info):
		fact.strange = "belongs to another user"
	case mode.Type() == fs.ModeSymlink:
		fact.strange = "is a link"
	case mode.IsDir() && !inVault:
		fact.strange = "is a folder"
	case mode.IsDir():
		if wide(info, 0o077) || short(info, 0o700) {
			fact.want = 0o700
		}
	case !mode.IsRegular() && filepath.Base(path) != "control.sock":
		fact.strange = "is no plain file"
	case wide(info, 0o077), short(info, 0o400):
		fact.want = 0o600
	}
	if fact.want == 0 && fact.strange == "" {
		return found
	}
	return append(found, fact)
}

// judgeVault is about who can open the vault's files.
func (f *facts) judgeVault() finding {
	switch {
	case f.viewErr != nil:
		found := f.judgeLoose(true)
		if found.state == checkOK {
			found.message = "the vault cannot be opened: " + f.viewErr.Error()
			found.hint = "see to " + f.paths.Vault + ", or restore it from a backup"
		} else {
			found.message = "the vault cannot be opened: " + found.message
		}
		found.state = checkWrong
		return found
	case f.listErr != nil:
		return finding{state: checkWrong, message: "the vault cannot be listed: " + f.listErr.Error(), hint: "see to " + f.paths.Vault, mend: f.judgeLoose(true).mend}
	case f.view == nil:
		return finding{state: checkOK, message: "there is no vault yet: the first login makes it"}
	}
	found := f.judgeLoose(true)
	if found.state == checkOK {
		found.message = f.paths.Vault + ", open to nobody else"
	}
	return found
}

// judgeLoose says what is wrong with the files in the vault, or outside of it.
func (f *facts) judgeLoose(inVault bool) finding {
	found := finding{state: checkOK}
	var open, strange []string
	for _, l := range f.loose {
		switch {
		case l.vault != inVault:
		case l.strange != "":
			strange = append(strange, l.path+" "+l.strange)
		default:
			open = append(open, l.path)
		}
	}
	if len(open) > 0 {
		found.state = checkWrong
		found.message = "others can open, or this user cannot: " + listed(open)
		found.hint = "make it 0600, or 0700 for a folder"
		found.mend = &mend{would: "make private: " + listed(open), do: func(context.Context) error { return f.narrow(inVault) }}
	}
	if len(strange) > 0 {
		found.state = checkWrong
		if found.message != "" {
			found.message += "; "
		}
		found.message += listed(strange)
		found.hint = "oauthmux did not put that there, and uses none of it: look at it and move it away"
	}
	return found
}

// narrow gives files the modes they should have. A folder that opens up shows
// more, so it looks again: the vault is three levels deep.
func (f *facts) narrow(inVault bool) error {
	for range 3 {
		changed := false
		for _, l := range looseFiles(f.paths, f.folders) {
			if l.vault != inVault || l.want == 0 {
				continue
			}
			if err := chmod(l.path, l.want); err != nil {
				return err
			}
			changed = true
		}
		if !changed {
			return nil
		}
	}
	return nil
}

// chmod follows no link out of the folder: others may be able to write to it.
func chmod(path string, mode fs.FileMode) error {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // nothing was written through it
	if err := root.Chmod(filepath.Base(path), mode); err != nil {
		return fmt.Errorf("make %s private: %w", path, err)
	}
	return nil
}
