package vault

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// The file that could not be synced may be all that is left when the process
// dies: the next attempt must not begin with removing it.
func TestASecondTryLeavesTheFirstAlone(t *testing.T) {
	for _, first := range []string{"sync cred.tmp", "write cred.tmp"} {
		t.Run(first, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seals := testSeals(t)
				d, s := newMemDisk(), &server{}
				v := onDisk(t, d, seals)
				defer v.Close()
				if err := login(t.Context(), v, s); err != nil {
					t.Fatal(err)
				}
				// One file gets its content and cannot be synced; later nothing
				// can be written any more.
				failures := 0
				d.setHook(func(op string) error {
					verb, _, _ := strings.Cut(op, " ")
					begin := failures == 0 && s.issued == 2 && op == first
					later := failures > 0 && (verb == "sync" || verb == "write" && (failures > 1 || first == "sync cred.tmp"))
					if strings.HasSuffix(op, rescueSuffix+".next") || begin || later {
						failures++
						return syscall.EIO
					}
					return nil
				})
				if err := renew(t.Context(), v, s); !errors.Is(err, ErrUnsaved) {
					t.Fatal(err)
				}
				for range 5 {
					if got := generation(t, d.afterKill(), seals); got != 2 {
						t.Fatalf("generation %d is left: %v", got, d.trace)
					}
					time.Sleep(saveEvery)
					synctest.Wait()
				}
				d.setHook(nil)
				if err := v.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := durable(d, seals); got != 2 {
					t.Errorf("generation %d is durable", got)
				}
			})
		})
	}
}

func TestFlushAndCloseWithAnUnsavedRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seals := testSeals(t)
		d, s := newMemDisk(), &server{}
		v := onDisk(t, d, seals)
		changes := 0
		v.OnChange(func() { changes++ })
		if err := login(t.Context(), v, s); err != nil {
			t.Fatal(err)
		}
		d.setHook(func(string) error {
			if s.issued == 2 {
				return syscall.EROFS
			}
			return nil
		})
		err := renew(t.Context(), v, s)
		if !errors.Is(err, ErrUnsaved) || !errors.Is(err, syscall.EROFS) {
			t.Fatal(err)
		}
		if changes != 1 {
			t.Errorf("%d changes were announced", changes)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := v.Flush(ctx); !errors.Is(err, ErrUnsaved) {
			t.Errorf("flushed a record that nobody takes: %v", err)
		}
		v.Close()
		if _, err := v.Read(account); err == nil {
			t.Error("a closed vault reads")
		}
		// The lock is free, and the next process knows that the token was sent.
		d.setHook(nil)
		h, err := onDisk(t, d, seals).Lock(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Release()
		if earlier, err := h.Earlier(token(1)); err != nil || !earlier.Ambiguous {
			t.Errorf("got %+v, %v", earlier, err)
		}
	})
}

// TestAClosedVaultTakesNothingOver closes it between an answer and its record, which
// the disk refuses, but for the copy outside.
func TestAClosedVaultTakesNothingOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which waits for what would go on trying
		seals := testSeals(t)
		d, s := newMemDisk(), &server{}
		v := onDisk(t, d, seals)
		if err := login(t.Context(), v, s); err != nil {
			t.Fatal(err)
		}
		h := hold(t, v)
		if _, err := h.Begin(token(1)); err != nil {
			t.Fatal(err)
		}
		v.Close()
		d.setHook(func(op string) error {
			if strings.HasPrefix(op, "write cred") || strings.HasPrefix(op, "create cred") {
				return syscall.ENOSPC
			}
			return nil
		})
		if err := h.Store(Record{Generation: 2, RefreshToken: token(2)}); !errors.Is(err, syscall.ENOSPC) || errors.Is(err, ErrUnsaved) {
			t.Errorf("got %v", err)
		}
		if got := v.Unsaved(); len(got) != 0 {
			t.Errorf("a closed vault keeps %v", got)
		}
		h.Release()
		d.setHook(nil)
		if got := generation(t, d, seals); got != 2 {
			t.Errorf("the next process finds generation %d", got)
		}
		next := hold(t, onDisk(t, d, seals)) // the lock is free
		next.Release()
	})
}

// faulty is a disk on which nothing new can be made below a folder.
type faulty struct {
	disk
	below string
	fails func() bool
}

func (d faulty) open(path string, create bool) (folder, error) {
	f, err := d.disk.open(path, create)
	if err != nil || path != d.below {
		return f, err
	}
	return faultyFolder{f, d.fails}, nil
}

type faultyFolder struct {
	folder
	fails func() bool
}

func (f faultyFolder) sub(name string, create bool) (folder, error) {
	s, err := f.folder.sub(name, create)
	if err != nil {
		return nil, err
	}
	return faultyFolder{s, f.fails}, nil
}

func (f faultyFolder) create(name string) (file, error) {
	if f.fails() {
		return nil, syscall.ENOSPC
	}
	made, err := f.folder.create(name)
	return faultyFile{made, f.fails}, err
}

type faultyFile struct {
	file
	fails func() bool
}

func (f faultyFile) write(p []byte) error {
	if f.fails() {
		return syscall.ENOSPC
	}
	return f.file.write(p)
}

func (f faultyFolder) rename(from, to string) error {
	if f.fails() {
		return syscall.ENOSPC
	}
	return f.folder.rename(from, to)
}

// A process dies while its record is only in a copy outside of the vault. The
// next one brings it home, whatever its own environment says.
func TestACopyOutsideIsBroughtHome(t *testing.T) {
	home, runtime := t.TempDir(), t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	dir, seals, s := filepath.Join(home, "vault"), testSeals(t), &server{}
	broken := false
	v, err := openOn(Options{Dir: dir, Memory: true}, faulty{osDisk{}, dir, func() bool { return broken }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	v.seals, v.state = seals, KeyOK
	s.asked = func(string) { broken = true }
	if err := login(t.Context(), v, s); err != nil {
		t.Fatal(err)
	}
	if err := renew(t.Context(), v, s); !errors.Is(err, ErrUnsaved) {
		t.Fatal(err)
	}
	copies := func() []string {
		found, err := filepath.Glob(filepath.Join(runtime, "oauthmux", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if len(copies()) != 1 {
		t.Fatalf("copies: %v", copies())
	}
	if info, err := os.Stat(copies()[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy is %v, %v", info.Mode(), err)
	}
	v.Close() // as good as dead: the lock is free, the record is gone from memory

	other := at(t, dir, seals) // and knows no such folder
	if r, err := other.Read(account); err != nil || r.Generation != 2 {
		t.Errorf("without the lock: %v, %v", r, err)
	}
	h := hold(t, other)
	if r, err := h.Read(); err != nil || r.Generation != 2 || r.RefreshToken != token(2) {
		t.Errorf("under the lock: %v, %v", r, err)
	}
	h.Release()
	if len(copies()) != 0 {
		t.Errorf("copies are left: %v", copies())
	}
	s.asked = nil
	if err := renew(t.Context(), other, s); err != nil {
		t.Error(err)
	}
}

// A logout of an account whose record is unsaved takes the record along.
// A login leaves no note of where its copy is: whoever comes next looks there.
func TestI4ACopyOfAFirstLoginIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seals := testSeals(t)
		d, s := newMemDisk(), &server{}
		v := onDisk(t, d, seals)
		defer v.Close()
		d.setHook(func(op string) error {
			verb, name, _ := strings.Cut(op, " ")
			if s.issued > 0 && verb != "remove" && strings.HasPrefix(name, "cred") {
				return syscall.ENOSPC
			}
			return nil
		})
		if err := login(t.Context(), v, s); !errors.Is(err, ErrUnsaved) {
			t.Fatalf("with a full disk the login is %v", err)
		}
		left := d.afterKill()
		if got := generation(t, left, seals); got != 1 {
			t.Errorf("generation %d is left", got)
		}
		next := onDisk(t, left, seals)
		if ids, err := next.IDs(); err != nil || len(ids) != 1 {
			t.Errorf("the accounts are %q, %v", ids, err)
		}
		if err := renew(t.Context(), next, s); err != nil {
			t.Error(err)
		}
		if got := durable(left, seals); got != 2 {
			t.Errorf("generation %d is durable at the end", got)
		}
	})
}

func TestRemoveOfAnUnsavedRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := newMemDisk(), &server{}
		v := onDisk(t, d, testSeals(t))
		defer v.Close()
		if err := login(t.Context(), v, s); err != nil {
			t.Fatal(err)
		}
		d.setHook(func(op string) error {
			if s.issued == 2 && !strings.Contains(op, rescueSuffix) && op != "sync folder /rescue" {
				return syscall.ENOSPC
			}
			return nil
		})
		if err := renew(t.Context(), v, s); !errors.Is(err, ErrUnsaved) {
			t.Fatal(err)
		}
		d.setHook(nil)
		if err := v.Remove(t.Context(), account); err != nil {
			t.Fatal(err)
		}
		if len(v.Unsaved()) > 0 {
			t.Errorf("unsaved: %v", v.Unsaved())
		}
		if _, err := v.Read(account); !errors.Is(err, ErrNotFound) {
			t.Errorf("it reads: %v", err)
		}
		if names, err := (&memFolder{d, "/rescue"}).names(); err != nil || len(names) > 0 {
			t.Errorf("copies are left: %v, %v", names, err)
		}
		hold(t, v).Release()
	})
}

// After Prepare nothing but the disk's refusal can keep Store from storing, and
// then the record is kept: there is no error on which an answer is lost.
func TestStoreNeedsNoLookAfterPrepare(t *testing.T) {
	for _, begun := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			d, v := loggedIn(t)
			defer v.Close()
			h := hold(t, v)
			if err := h.Prepare(); err != nil {
				t.Fatal(err)
			}
			if begun {
				if _, err := h.Begin(token(1)); err != nil {
					t.Fatal(err)
				}
			}
			d.blind = syscall.EMFILE
			if err := h.Store(Record{RefreshToken: token(2)}); !errors.Is(err, ErrUnsaved) {
				t.Fatalf("begun %v: %v", begun, err)
			}
			h.Release()
			if r, err := v.Read(account); err != nil || r.Generation != 2 {
				t.Errorf("begun %v: %v, %v", begun, r, err)
			}
			d.mu.Lock()
			d.blind = nil
			d.mu.Unlock()
			if err := v.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if r, err := onDisk(t, d, v.seals).Read(account); err != nil || r.Generation != 2 {
				t.Errorf("begun %v, afterwards: %v, %v", begun, r, err)
			}
		})
	}
}

// What cannot be read now is not what is not there.
func TestAFileThatCannotBeReadNowIsNoReasonToGoBack(t *testing.T) {
	d, v := loggedIn(t)
	d.blind = syscall.EMFILE
	if r, err := v.Read(account); !errors.Is(err, syscall.EMFILE) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnreadable) {
		t.Errorf("got %v, %v", r, err)
	}
	h := hold(t, v)
	defer h.Release()
	if _, err := h.Begin(token(1)); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("a token may be presented: %v", err)
	}
	if err := h.Store(Record{RefreshToken: token(2)}); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("a record was stored over one that nobody could read: %v", err)
	}
}

// Once an unreadable record has been kept, what is in its place is the new one,
// durable or not: it is no reason for another copy each second.
func TestAnUnreadableRecordIsKeptOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, seals := newMemDisk(), testSeals(t)
		put(t, d, credName, []byte("no record"))
		v := onDisk(t, d, seals)
		defer v.Close()
		renamed := false
		d.setHook(func(op string) error {
			renamed = renamed || op == "rename cred.tmp cred"
			if renamed && op == "sync folder /vault/"+account {
				return syscall.EIO
			}
			return nil
		})
		if err := login(t.Context(), v, &server{}); !errors.Is(err, ErrUnsaved) {
			t.Fatal(err)
		}
		time.Sleep(10*saveEvery + saveEvery/2)
		d.setHook(nil)
		if err := v.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		names := files(t, d)
		if len(names) != 2 || names[0] != credName || !strings.HasPrefix(names[1], badName) {
			t.Fatalf("after ten tries there are %v", names)
		}
		dir, err := d.open("/vault/"+account, false)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := dir.read(names[1]); err != nil || string(data) != "no record" {
			t.Errorf("what was kept is %d bytes, %v", len(data), err)
		}
		if got := generation(t, d, seals); got != 1 {
			t.Errorf("the record is generation %d", got)
		}
	})
}
