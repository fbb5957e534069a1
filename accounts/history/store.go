package history

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

const (
	// fileLimit bounds the file. A thousand accounts come to about a tenth of it.
	fileLimit = 64 << 20
	// keepFor is how long the readings of a window are kept after the last one.
	keepFor = 8 * 24 * time.Hour
	// writePatience and readPatience are how long another process is waited for.
	writePatience = 2 * time.Second
	readPatience  = 300 * time.Millisecond
)

// ErrDamaged says that the file is damaged, or none of ours.
var ErrDamaged = errors.New("the history is damaged")

// ErrBusy says that another process holds the file.
var ErrBusy = errors.New("another process holds the history")

// Store is the file. Its methods may be called at the same time.
type Store struct {
	path string
	log  *slog.Logger

	turn   sync.Mutex // held over I/O, by one use of the file at a time: guards what follows
	sound  bool       // the file was walked through
	pruned time.Time  // when what is out of date was last removed
}

// New names the file. It touches nothing.
func New(path string, log *slog.Logger) *Store {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Store{path: path, log: log}
}

// Load returns what is kept. It writes nothing, and waits for nobody longer than a
// moment. Errors are ErrDamaged, ErrBusy, or the system's.
func (s *Store) Load() (map[accounts.ID]usage.Past, error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	all := make(map[accounts.ID]usage.Past)
	err := s.read(func(tx *bolt.Tx) error {
		now := time.Now()
		each(tx, readings, func(k, v []byte) {
			if id, series, ok := decodeSeries(k, v); ok && current(series, now) {
				past := all[id]
				past.Series = append(past.Series, series)
				all[id] = past
			}
		})
		each(tx, tallies, func(k, v []byte) {
			if tally, ok := decodeTally(k, v); ok {
				past := all[accounts.ID(k)]
				past.Tally = tally
				all[accounts.ID(k)] = past
			}
		})
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the history: %w", err)
	}
	return all, nil
}

// Save adds readings to what is kept, replaces tallies, and removes accounts that are
// gone. A damaged file is moved aside first.
func (s *Store) Save(news map[accounts.ID]usage.Past, gone []accounts.ID) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	err := s.write(func(tx *bolt.Tx) error { return s.apply(tx, news, gone) })
	if errors.Is(err, ErrDamaged) {
		if err = s.setAside(); err == nil {
			err = s.write(func(tx *bolt.Tx) error { return s.apply(tx, news, gone) })
		}
	}
	if err != nil {
		return fmt.Errorf("write the history: %w", err)
	}
	return nil
}

// Forget removes what is kept of an account, if there is a file at all.
func (s *Store) Forget(id accounts.ID) error {
	if _, err := os.Lstat(s.path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return s.Save(nil, []accounts.ID{id})
}

// read opens the file for reading, and has it walked through first if it was not yet.
func (s *Store) read(use func(*bolt.Tx) error) error {
	if err := s.regular(); err != nil {
		return err
	}
	return guard(func() error {
		return s.open(&bolt.Options{ReadOnly: true, Timeout: readPatience}, func(db *bolt.DB) error {
			if err := s.check(); err != nil {
				return err
			}
			return db.View(use)
		})
	})
}

// write opens the file for writing, and makes it if there is none.
func (s *Store) write(use func(*bolt.Tx) error) error {
	switch err := s.read(func(*bolt.Tx) error { return nil }); {
	case errors.Is(err, fs.ErrNotExist):
		s.sound = true // it is ours from the start
	case err != nil:
		return err
	}
	return guard(func() error {
		return s.open(&bolt.Options{Timeout: writePatience, MaxSize: fileLimit}, func(db *bolt.DB) error {
			return db.Update(use)
		})
	})
}

func (s *Store) open(o *bolt.Options, use func(*bolt.DB) error) (err error) {
	o.NoStatistics, o.OpenFile = true, openHere
	db, err := bolt.Open(s.path, 0o600, o)
	if err != nil {
		return named(err)
	}
	defer func() { err = errors.Join(err, db.Close()) }() // after a panic, too: it holds the lock
	if err := use(db); err != nil {
		return named(err)
	}
	return nil
}

// openHere makes a file for its owner alone, whatever the umask.
func openHere(path string, flag int, mode os.FileMode) (*os.File, error) {
	_, err := os.Lstat(path)
	made := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(path, flag, mode)
	if err != nil {
		return nil, err
	}
	if made {
		if err := f.Chmod(mode); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// regular refuses what is no file of ours to open: opening a pipe would wait for ever.
func (s *Store) regular() error {
	info, err := os.Lstat(s.path)
	switch {
	case err != nil:
		return err
	case info.Mode().IsRegular() && info.Size() == 0:
		return fs.ErrNotExist // made, and nothing was written yet
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is no regular file", ErrDamaged)
	case info.Size() > fileLimit:
		return fmt.Errorf("%w: it is larger than %d MiB", ErrDamaged, fileLimit>>20)
	}
	return nil
}

// check walks through the file, which is locked, once: bbolt takes it for sound.
func (s *Store) check() error {
	if s.sound {
		return nil
	}
	raw, _, err := accounts.ReadRegular(s.path, fileLimit)
	if err != nil {
		return err
	}
	if err := walk(raw); err != nil {
		return err
	}
	s.sound = true
	return nil
}

// guard makes errors of what bbolt does with a file that changes under it.
func guard(use func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // pages that are mapped and no longer there
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return use()
}

// named tells what bbolt says of a file apart from what the system says.
func named(err error) error {
	switch {
	case errors.Is(err, ErrDamaged):
		return err
	case errors.Is(err, berrors.ErrTimeout):
		return ErrBusy
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	if _, ok := errors.AsType[syscall.Errno](err); ok {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// setAside renames a damaged file, so that nothing of it is lost.
func (s *Store) setAside() error {
	kept := s.path + ".bad-" + time.Now().UTC().Format("20060102T150405.000000000Z")
	if err := os.Rename(s.path, kept); err != nil {
		return fmt.Errorf("move the damaged history aside: %w", err)
	}
	s.sound = false
	s.log.Warn("the history was damaged and has been moved aside; it begins anew", "kept", kept)
	return nil
}
