package vault

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// onFiles returns a vault in a folder of the real disk, with a key in memory.
func onFiles(tb testing.TB) *Vault {
	tb.Helper()
	return at(tb, filepath.Join(tb.TempDir(), "vault"), testSeals(tb))
}

// at opens another one there, as another process would.
func at(tb testing.TB, dir string, seals *sealer) *Vault {
	tb.Helper()
	v, err := Open(Options{Dir: dir, Memory: true, Rescue: []string{}})
	if err != nil {
		tb.Fatal(err)
	}
	v.seals, v.state = seals, KeyOK
	tb.Cleanup(v.Close)
	return v
}

func TestI1OneHolderAmongProcesses(t *testing.T) {
	all(t, 4, "exclude", t.TempDir(), "50")
}

func TestI1OneHolderInTheProcess(t *testing.T) {
	v := onFiles(t)
	other := at(t, v.options.Dir, v.seals)
	var inside, entered int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 8 {
		v := []*Vault{v, other}[i%2]
		wg.Go(func() {
			for range 20 {
				h, err := v.Lock(t.Context(), account)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				inside++
				entered++
				if inside > 1 {
					t.Errorf("%d hold the lock", inside)
				}
				mu.Unlock()
				mu.Lock()
				inside--
				mu.Unlock()
				h.Release()
				h.Release() // a second time does nothing
			}
		})
	}
	wg.Wait()
	if entered != 8*20 {
		t.Errorf("%d entered", entered)
	}
}

func TestI6ProcessesRenewInTurn(t *testing.T) {
	const renewals = 60
	home := t.TempDir()
	v, err := inFile(home)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	if err := login(t.Context(), v, &server{}); err != nil {
		t.Fatal(err)
	}
	// Each token is good for one use, whoever uses it.
	var mu sync.Mutex
	current, reuse := 1, 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case string(body) != token(current):
			reuse++
			http.Error(w, "reused", http.StatusBadRequest)
		case current > renewals:
			http.Error(w, "enough", http.StatusGone)
		default:
			current++
			_, _ = io.WriteString(w, token(current))
		}
	}))
	t.Cleanup(s.Close)
	all(t, 4, "renew", home, s.URL)
	if r, err := v.Read(account); err != nil || reuse != 0 || r.Generation != renewals+1 {
		t.Errorf("%d reused, %v, %v", reuse, r, err)
	}
}

func TestI8ReadersNeverGoBack(t *testing.T) {
	v := onFiles(t)
	s := &server{}
	if err := login(t.Context(), v, s); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		v := at(t, v.options.Dir, v.seals)
		wg.Go(func() {
			for last := uint64(0); ; {
				r, err := v.Read(account)
				if err != nil || r.Generation < last || r.RefreshToken != token(int(r.Generation)) {
					t.Errorf("after %d: %v, %v", last, r, err)
					return
				}
				last = r.Generation
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for range 60 {
		if err := renew(t.Context(), v, s); err != nil {
			t.Error(err)
			break
		}
	}
	close(done)
	wg.Wait()
}

func TestABusyLock(t *testing.T) {
	v := onFiles(t)
	if err := login(t.Context(), v, &server{}); err != nil {
		t.Fatal(err)
	}
	h := hold(t, v)
	if _, err := h.Begin(token(1)); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]*Vault{"in the process": v, "across processes": at(t, v.options.Dir, v.seals)} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := v.Lock(ctx, account)
		cancel()
		if busy, ok := errors.AsType[*BusyError](err); !ok || !errors.Is(err, ErrBusy) || busy.PID != os.Getpid() || time.Since(busy.Since) > time.Minute {
			t.Errorf("%s: %v", name, err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		if _, err := v.Lock(ctx, account); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, and the caller left: %v", name, err)
		}
	}
	// One account's lock delays no other's.
	other, err := v.Lock(t.Context(), "acct-2")
	if err != nil {
		t.Fatal(err)
	}
	other.Release()
	h.Release()
	hold(t, v).Release()
}

// leakyLocks is a disk whose locks exclude nobody, as some network ones are.
type leakyLocks struct{ *memDisk }

func (d leakyLocks) open(path string, create bool) (folder, error) {
	f, err := d.memDisk.open(path, create)
	return leakyFolder{f}, err
}

type leakyFolder struct{ folder }

func (f leakyFolder) sub(name string, create bool) (folder, error) {
	s, err := f.folder.sub(name, create)
	return leakyFolder{s}, err
}

func (leakyFolder) tryLock(string) (func(), bool, error) { return func() {}, true, nil }

func TestLocksThatExcludeNobodyAreNoticed(t *testing.T) {
	v := onDisk(t, leakyLocks{newMemDisk()}, testSeals(t))
	if _, err := v.Lock(t.Context(), account); !errors.Is(err, ErrLocksBroken) {
		t.Errorf("got %v", err)
	}
	if _, err := v.Lock(t.Context(), account); !errors.Is(err, ErrLocksBroken) {
		t.Errorf("the second time: %v", err)
	}
}

// A lock file that was removed with its account locks nothing any more, and who
// waited for it begins again.
func TestALockOfARemovedFolderIsNotTaken(t *testing.T) {
	for name, goes := range map[string]func(dir folder, path string) error{
		"removed": func(dir folder, path string) error {
			return errors.Join(dir.remove(lockName), os.Remove(path))
		},
		"moved away": func(_ folder, path string) error {
			return os.Rename(path, path+"-was")
		},
		"replaced": func(_ folder, path string) error {
			return errors.Join(os.Rename(path, path+"-was"), os.Mkdir(path, 0o700),
				os.WriteFile(filepath.Join(path, lockName), nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := onFiles(t)
			root, err := v.open()
			if err != nil {
				t.Fatal(err)
			}
			defer root.close()
			dir, err := root.sub(account, true)
			if err != nil {
				t.Fatal(err)
			}
			defer dir.close()
			unlock, ok, err := dir.tryLock(lockName)
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			unlock()
			if err := goes(dir, filepath.Join(v.options.Dir, account)); err != nil {
				t.Fatal(err)
			}
			if _, ok, err := dir.tryLock(lockName); ok || err != nil {
				t.Errorf("got %v, %v; want neither a lock nor an error", ok, err)
			}
			hold(t, v).Release()
		})
	}
}

// In the process nobody polls: the lock goes from hand to hand, in order.
func TestWaitersInTheProcessComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := onDisk(t, newMemDisk(), testSeals(t))
		first := hold(t, v)
		var order []int
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				h := hold(t, v)
				order = append(order, i)
				h.Release()
			})
			synctest.Wait()
		}
		start := time.Now()
		first.Release()
		wg.Wait()
		if !slices.IsSorted(order) || len(order) != 5 || time.Since(start) > 0 {
			t.Errorf("they came as %v, in %v", order, time.Since(start))
		}
	})
}
