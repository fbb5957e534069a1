package ui

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/gofrs/flock"
)

// folderFact is what the data or the state folder is like.
type folderFact struct {
	path    string
	missing bool
	problem string // why it can hold nothing of ours; "": it can
	hint    string
	loose   bool  // its mode is not 0700
	unwrit  error // why nothing can be written to it
	noLocks error // why locks do not work in it

	free    uint64 // bytes that this user may still write
	freeErr error
}

// usable reports whether files can be made in it, so that more could be tried.
func (f folderFact) usable() bool { return !f.missing && f.problem == "" && f.unwrit == nil }

// lookAtFolders looks at the data and the state folder, which may be one.
func (f *facts) lookAtFolders() {
	f.folders = nil
	if f.paths.Data != f.paths.State {
		f.folders = append(f.folders, lookAtFolder(f.paths.Data))
	}
	state := lookAtFolder(f.paths.State)
	if info, err := os.Lstat(f.paths.State); err == nil && info.Mode().Type() == fs.ModeSymlink {
		state.problem, state.hint = "is a link, and no engine starts in one", "set OAUTHMUX_HOME (or XDG_STATE_HOME) to where it points"
	}
	f.folders = append(f.folders, state)
}

func lookAtFolder(path string) folderFact {
	fact := folderFact{path: path}
	fact.free, fact.freeErr = freeSpace(existing(path))
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fact.missing = true
		if info, err := os.Stat(filepath.Dir(path)); err == nil && !info.IsDir() {
			fact.problem, fact.hint = "lies in something that is not a folder", "set OAUTHMUX_HOME to a folder of your own"
		}
		return fact
	case err != nil:
		fact.problem, fact.hint = "cannot be looked at: "+reason(err).Error(), "set OAUTHMUX_HOME to a folder of your own"
		return fact
	case !info.IsDir():
		fact.problem, fact.hint = "is not a folder", "move it away, or set OAUTHMUX_HOME to a folder"
		return fact
	case !ownedBySelf(info):
		fact.problem, fact.hint = "belongs to another user", "set OAUTHMUX_HOME to a folder of your own"
		return fact
	}
	if above, err := os.Stat(filepath.Dir(path)); err == nil && replaceable(above) {
		fact.problem, fact.hint = "lies in a folder in which others may replace it", "take the right to write "+filepath.Dir(path)+" away from others, or set OAUTHMUX_HOME"
	}
	fact.loose = wide(info, 0o077) || short(info, 0o700)
	fact.unwrit, fact.noLocks = tryFolder(path)
	return fact
}

// existing returns path or the nearest folder above it that is there.
func existing(path string) string {
	for {
		above := filepath.Dir(path)
		if _, err := os.Stat(path); err == nil || above == path {
			return path
		}
		path = above
	}
}

// tryFolder makes a file and locks it twice: the second time must fail, which on
// some network file systems it does not. The file is gone when it returns.
func tryFolder(path string) (unwritable, noLocks error) {
	file, err := os.CreateTemp(path, ".doctor-*")
	if err != nil {
		return reason(err), nil
	}
	defer os.Remove(file.Name()) //nolint:errcheck // an empty file with a name of its own does no harm
	_ = file.Close()
	first, second := flock.New(file.Name()), flock.New(file.Name())
	defer first.Close()  //nolint:errcheck // the kernel frees it in any case
	defer second.Close() //nolint:errcheck // the same
	if ok, err := first.TryLock(); err != nil || !ok {
		return nil, errors.Join(errors.New("a free lock cannot be taken"), err)
	}
	switch ok, err := second.TryLock(); {
	case err != nil:
		return nil, err
	case ok:
		return nil, errors.New("a lock that is held can be taken once more")
	}
	return nil, nil
}

// judgeFolders is about whether files can be kept, and kept to oneself.
func (f *facts) judgeFolders() finding {
	found := f.judgeLoose(false)
	create := func(would string) *mend {
		return &mend{would: would, do: func(context.Context) error { return errors.Join(f.paths.Create(), f.narrow(false)) }}
	}
	for _, folder := range f.folders {
		switch {
		case folder.problem != "":
			return finding{state: checkWrong, message: folder.path + " " + folder.problem, hint: folder.hint}
		case folder.missing:
			if found.state == checkOK {
				found.message = folder.path + " is not there yet: the first command makes it"
			}
			found.mend = create("make " + folder.path + ", for this user alone")
		case folder.loose:
			return finding{state: checkWrong, message: "others can open " + folder.path + ", or this user cannot", hint: "make it 0700", mend: create("make private: " + folder.path)}
		case folder.unwrit != nil:
			return finding{
				state: checkWrong, message: "nothing can be written to " + folder.path + ": " + folder.unwrit.Error(),
				hint: "no token can be renewed like that; make it writable, or set OAUTHMUX_HOME to a folder that is",
			}
		}
	}
	if found.state == checkOK && found.message == "" {
		var paths []string
		for _, folder := range f.folders {
			paths = append(paths, folder.path)
		}
		found.message = strings.Join(paths, " and ") + ", open to nobody else"
	}
	return found
}

// Free space below which a renewal may not find room for its answer, and below
// which it is time to look: a sealed answer, its reservation and the log.
const (
	tooLittleSpace = 4 << 20
	littleSpace    = 64 << 20
)

// judgeDisk is about room for what a server issues.
func (f *facts) judgeDisk() finding {
	found := finding{state: checkOK}
	for _, folder := range f.folders {
		if folder.freeErr != nil {
			if found.state == checkOK {
				found = finding{state: checkWarn, message: "how much room there is cannot be told: " + folder.freeErr.Error()}
			}
			continue
		}
		room := humanize.IBytes(folder.free) + " free at " + folder.path
		switch {
		case folder.free < tooLittleSpace:
			return finding{state: checkWrong, message: "only " + room, hint: "free some space: a token that cannot be stored is not renewed"}
		case folder.free < littleSpace:
			found = finding{state: checkWarn, message: "only " + room, hint: "free some space before tokens can no longer be stored"}
		case found.message == "":
			found.message = room
		}
	}
	return found
}

// judgeLocking is about whether locks exclude anybody where the files are.
func (f *facts) judgeLocking() finding {
	for _, folder := range f.folders {
		if folder.noLocks != nil {
			return finding{
				state: checkWrong, message: "locks do not work in " + folder.path + ": " + reason(folder.noLocks).Error(),
				hint: "no token is renewed there, since two processes could do it at once: set OAUTHMUX_HOME to a folder on a local disk",
			}
		}
	}
	for _, folder := range f.folders {
		if !folder.usable() {
			if folder.missing && folder.problem == "" {
				return finding{state: checkOK, message: "not tried yet: the folder is not there"}
			}
			return finding{state: checkWarn, message: "not tried: no file can be made in " + folder.path, hint: "see folders above"}
		}
	}
	return finding{state: checkOK, message: "a lock that is held keeps others out"}
}
