package vault

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/99designs/keyring"
	"github.com/gofrs/flock"
	"golang.org/x/crypto/chacha20poly1305"
)

// View is a vault that is looked at: nothing done with it makes, changes or
// narrows a file, and it never makes a key. It is for whoever wants to know what
// is wrong before anything mends it.
type View struct {
	vault *Vault
	store store
	err   error // of store.json
}

// Look opens a vault to look at it. fs.ErrNotExist: there is none yet.
func Look(o Options) (*View, error) {
	v, err := openOn(o, lookDisk{})
	if err != nil {
		return nil, err
	}
	w := &View{vault: v}
	w.store, w.err = v.readStore()
	return w, nil
}

// FirstUse reports whether there is no key yet.
func (w *View) FirstUse() bool { return errors.Is(w.err, errNoStore) }

// Backend returns the keyring that store.json names; "" when it names none.
func (w *View) Backend() string { return w.store.Backend }

// Offered returns the keyrings that a key may be made in, best first, as far as
// can be told without asking one.
func Offered(backend string) []string {
	available := keyring.AvailableBackends()
	v := &Vault{options: Options{Backend: backend}}
	return slices.DeleteFunc(v.candidates(), func(name string) bool {
		return !slices.Contains(available, keyring.BackendType(name)) || name == backendPass && !hasPassStore()
	})
}

// Ask gets the key as Unlock does without a person: within 3 s, from the keyring
// that store.json names. The error is a *KeyError, or ctx's.
func (w *View) Ask(ctx context.Context) error {
	switch {
	case w.FirstUse():
		return &KeyError{State: KeyMissing, FirstUse: true}
	case w.err != nil:
		return w.err
	case w.store.Backend == backendFile && !w.vault.replacedKeyring():
		// keyring would make the folder that it looks into.
		if there, err := w.hasItem(); err != nil {
			return &KeyError{State: KeyDenied, Err: err}
		} else if !there {
			return &KeyError{State: KeyMissing}
		}
	}
	return w.vault.Unlock(ctx, "", false)
}

func (w *View) hasItem() (bool, error) {
	root, err := w.vault.open()
	if err != nil {
		return false, err
	}
	defer root.close()
	dir, err := root.sub(keyringFolder, false)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer dir.close()
	names, err := dir.names()
	return slices.Contains(names, w.store.Item), err
}

// Read is Vault.Read.
func (w *View) Read(id string) (Record, error) { return w.vault.Read(id) }

// Close forgets the key.
func (w *View) Close() { w.vault.Close() }

// Trace is what can be seen of an account without the key.
type Trace struct {
	ID      string
	Record  bool      // there is a record, or one beside its place that a killed process left
	Written time.Time // when the record was written; zero: there is none in its place
	Problem error     // why the record in its place cannot be one of this vault

	Lock     string // path of the account's lock
	Busy     bool   // somebody holds it
	CutShort bool   // a presentation was begun, and whoever began it is gone

	// Who began the presentation that is noted, and when; zero: none is, or that
	// is not known.
	PID   int
	Since time.Time

	Kept []string // unreadable records that were kept aside
}

// Accounts returns the traces of every account, sorted by id.
func (w *View) Accounts() ([]Trace, error) {
	root, err := w.vault.open()
	if err != nil {
		return nil, err
	}
	defer root.close()
	names, err := root.names()
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var traces []Trace
	for _, name := range names {
		if checkID(name) != nil {
			continue
		}
		dir, err := root.sub(name, false)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotOurs) {
			continue // removed since, or not an account's folder at all
		}
		if err != nil {
			traces = append(traces, Trace{ID: name, Record: true, Problem: err})
			continue
		}
		t := Trace{ID: name, Lock: dir.path(lockName)}
		if err := w.trace(root, dir.(*lookFolder), &t); err != nil {
			t.Record, t.Problem = true, err
		}
		dir.close()
		traces = append(traces, t)
	}
	return traces, nil
}

func (w *View) trace(root folder, dir *lookFolder, t *Trace) error {
	// A renewal that ends while this looks must not pass for one that was cut
	// short: its note is gone by the second look.
	before, err := readIntent(dir)
	if err != nil {
		return err
	}
	t.Busy = dir.held(lockName)
	after, err := readIntent(dir)
	if err != nil {
		return err
	}
	if after != nil {
		t.PID, t.Since = after.PID, after.StartedAt
		t.CutShort = !t.Busy && before != nil && before.Sender == after.Sender && before.StartedAt.Equal(after.StartedAt)
	}
	names, err := dir.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, badName) {
			t.Kept = append(t.Kept, name)
		}
	}
	slices.Sort(t.Kept)
	if t.Record, err = w.vault.holdsRecord(root, t.ID); err != nil || !slices.Contains(names, credName) {
		return err
	}
	info, err := dir.root.Lstat(credName)
	if err != nil {
		return err
	}
	t.Written = info.ModTime()
	data, err := dir.read(credName)
	if err != nil {
		return err
	}
	t.Problem = w.outside(data)
	return nil
}

// outside says why bytes are no record of this vault, as far as their header
// tells.
func (w *View) outside(data []byte) error {
	_, store, ok := peek(data)
	switch {
	case !ok:
		return fmt.Errorf("%s is no sealed record", credName)
	case w.err == nil && store != w.store.id():
		return fmt.Errorf("%s was sealed in another vault", credName)
	case int64(len(data)-headerSize-chacha20poly1305.NonceSizeX) < int64(binary.BigEndian.Uint32(data[offLength:])):
		return fmt.Errorf("%s is cut short", credName)
	}
	return nil
}

// errLooking says that a View changes nothing.
var errLooking = errors.New("the vault is only being looked at")

// lookDisk is the real file system behind a View.
type lookDisk struct{}

// lookFolder makes the checks of osFolder, but for those that mend.
type lookFolder struct{ *osFolder }

// open makes no folder: whoever looks at what is not there sees nothing.
func (lookDisk) open(path string, _ bool) (folder, error) {
	named, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !named.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errNotOurs}
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return lookInto(root, named)
}

func lookInto(root *os.Root, named fs.FileInfo) (_ folder, err error) {
	f := &lookFolder{&osFolder{root: root}}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if f.dir, err = root.Open("."); err != nil {
		return nil, err
	}
	opened, err := f.dir.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(named, opened) || !ownedByUs(opened) {
		return nil, &fs.PathError{Op: "open", Path: root.Name(), Err: errNotOurs}
	}
	return f, nil
}

func (f *lookFolder) sub(name string, _ bool) (folder, error) {
	named, err := f.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !named.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: f.path(name), Err: errNotOurs}
	}
	root, err := f.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return lookInto(root, named)
}

func (f *lookFolder) read(name string) ([]byte, error) {
	named, err := f.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !named.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: f.path(name), Err: errNotOurs}
	}
	opened, err := f.root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	defer opened.Close() //nolint:errcheck // opened for reading only
	is, err := opened.Stat()
	if err != nil {
		return nil, err
	}
	if links := linkCount(is); !is.Mode().IsRegular() || !ownedByUs(is) || links > 2 || links == 2 && name != credName {
		return nil, &fs.PathError{Op: "open", Path: f.path(name), Err: errNotOurs}
	}
	data, err := io.ReadAll(io.LimitReader(opened, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: larger than any file of ours", f.path(name))
	}
	return data, nil
}

// held reports whether somebody holds the lock of a file. It takes the lock for
// a moment, shared, which whoever wants it waits out.
func (f *lookFolder) held(name string) bool {
	info, err := f.root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	lock := flock.New(f.path(name), flock.SetFlag(os.O_RDONLY|openFlags|noFollow))
	free, err := lock.TryRLock()
	if err != nil {
		return false
	}
	_ = lock.Close()
	return !free
}

func (*lookFolder) create(string) (file, error)          { return nil, errLooking }
func (*lookFolder) rename(string, string) error          { return errLooking }
func (*lookFolder) link(string, string) error            { return errLooking }
func (*lookFolder) remove(string) error                  { return errLooking }
func (*lookFolder) sync() error                          { return errLooking }
func (*lookFolder) tryLock(string) (func(), bool, error) { return nil, false, errLooking }
