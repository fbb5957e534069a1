package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk is a disk of its own, of that size.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if os.Geteuid() != 0 {
		missing(t, "a disk that fills up", "run the tests as root, in a container that may mount")
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		missing(t, "a disk that fills up: "+err.Error(), "run the tests in a container that may mount: --privileged")
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillDisk leaves so many bytes free on the disk of dir.
func fillDisk(t *testing.T, dir string, leave int64) (empty func()) {
	t.Helper()
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "filler")
	if size := int64(disk.Bfree)*disk.Bsize - leave; size > 0 {
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(syscall.Fallocate(int(f.Fd()), 0, 0, size), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return func() { _ = os.Remove(path) } // it may have been full already
}

// outcomes counts how renewals ended on a disk that refuses something.
type outcomes struct{ stored, refused, unsaved int }

// renewOnFullDisk renews and checks that the newest token that was issued is at
// hand, and that another process reads the old record or the new one; the new one
// where the renewal says that it is stored.
func (o *outcomes) renewOnFullDisk(v *Vault, s *server, other func() (*Vault, error)) error {
	before := s.issued
	err := renew(context.Background(), v, s)
	switch {
	case err == nil && s.issued == before+1:
		o.stored++
	case errors.Is(err, ErrUnsaved) && s.issued == before+1:
		o.unsaved++
	case err != nil && s.issued == before:
		o.refused++
	default:
		return fmt.Errorf("%w, after the server issued %d tokens", err, s.issued-before)
	}
	if r, readErr := v.Read(account); readErr != nil || r.RefreshToken != token(s.issued) {
		return fmt.Errorf("the process has generation %d of %d: %w", r.Generation, s.issued, readErr)
	}
	next, openErr := other()
	if openErr != nil {
		return openErr
	}
	defer next.Close()
	r, readErr := next.Read(account)
	if readErr != nil || r.RefreshToken != token(s.issued) && (r.RefreshToken != token(before) || err == nil) {
		return fmt.Errorf("another process reads generation %d of %d: %w", r.Generation, s.issued, readErr)
	}
	return nil
}

// recovered waits until nothing is unsaved, and renews once more.
func recovered(v *Vault, s *server) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := v.Flush(ctx); err != nil {
		return err
	}
	if r, err := v.Read(account); err != nil || r.RefreshToken != token(s.issued) {
		return fmt.Errorf("generation %d of %d is left: %w", r.Generation, s.issued, err)
	}
	return renew(ctx, v, s)
}

// TestC08_AFullDiskLosesNothing fills a small disk up to every step before a renewal,
// and wholly while a token is being presented: then there is the space set aside.
func TestC08_AFullDiskLosesNothing(t *testing.T) {
	dir := smallDisk(t, "1m")
	seals, s := testSeals(t), &server{}
	open := func() (*Vault, error) {
		v, err := Open(Options{Dir: filepath.Join(dir, "vault"), Memory: true, Rescue: []string{}})
		if err == nil {
			v.seals, v.state = seals, KeyOK
		}
		return v, err
	}
	v, err := open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	if err := login(t.Context(), v, s); err != nil {
		t.Fatal(err)
	}
	const step = 512
	for name, c := range map[string]struct {
		from, to   int64
		presenting bool // the disk fills up only then
		want       func(o outcomes) bool
	}{
		"at the end":              {0, 64 << 10, false, func(o outcomes) bool { return o.refused > 0 && o.stored == 0 && o.unsaved == 0 }},
		"about what is set aside": {reservedSize - 8<<10, reservedSize + 32<<10, false, func(o outcomes) bool { return o.refused > 0 && o.stored > 0 && o.unsaved == 0 }},
		"while one is presented":  {0, 16 << 10, true, func(o outcomes) bool { return o.stored > 0 && o.refused == 0 && o.unsaved == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			var o outcomes
			for left := c.from; left <= c.to; left += step {
				empty := func() {}
				s.asked = nil
				if c.presenting {
					s.asked = func(string) { empty = fillDisk(t, dir, left) }
				} else {
					empty = fillDisk(t, dir, left)
				}
				err := o.renewOnFullDisk(v, s, open)
				empty()
				s.asked = nil
				if err == nil {
					err = recovered(v, s)
				}
				if err != nil {
					t.Fatalf("%d bytes free: %v", left, err)
				}
			}
			t.Logf("%+v", o)
			if !c.want(o) {
				t.Errorf("the renewals ended otherwise than they should: %+v", o)
			}
		})
	}
}

// TestC08_AFileSizeLimitLosesNothing has another process meet a limit on the size of
// its files, of every step up to 64 KiB: before a renewal, and in the middle of it.
func TestC08_AFileSizeLimitLosesNothing(t *testing.T) {
	cmd := child(t, "limit", t.TempDir(), "")
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, cmd.Stderr)
	}
	t.Log(strings.TrimSpace(out.String()))
}

// The role is one of this system alone.
func init() { roles["limit"] = roleLimit }

// roleLimit is what the other process does. The limit is its own: it cannot be had
// for one thread.
func roleLimit(home, _ string) error {
	st, key, err := newStore()
	if err != nil {
		return err
	}
	seals, err := newSealer(key, st.id())
	if err != nil {
		return err
	}
	open := func() (*Vault, error) {
		v, err := Open(Options{Dir: filepath.Join(home, "vault"), Memory: true, Rescue: []string{filepath.Join(home, "rescue")}})
		if err == nil {
			v.seals, v.state = seals, KeyOK
		}
		return v, err
	}
	v, err := open()
	if err != nil {
		return err
	}
	defer v.Close()
	s := &server{}
	if err := login(context.Background(), v, s); err != nil {
		return err
	}
	var unlimited syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &unlimited); err != nil {
		return err
	}
	limit := func(size uint64) error {
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: min(size, unlimited.Max), Max: unlimited.Max})
	}
	for _, presenting := range []bool{false, true} {
		var o outcomes
		for size := uint64(0); size <= 64<<10; size += 512 {
			s.asked = nil
			set := func() { err = limit(size) }
			if presenting {
				if size > 4<<10 && size%(16<<10) != 0 { // a record is smaller: most of these are alike
					continue
				}
				s.asked = func(string) { set() }
			} else {
				set()
			}
			failure := o.renewOnFullDisk(v, s, open)
			if failure = errors.Join(failure, err, limit(unlimited.Cur)); failure == nil {
				s.asked = nil
				failure = recovered(v, s)
			}
			if failure != nil {
				return fmt.Errorf("a limit of %d bytes, in the middle %v: %w", size, presenting, failure)
			}
		}
		fmt.Printf("in the middle %v: %+v\n", presenting, o)
		if presenting && (o.unsaved == 0 || o.stored == 0) || !presenting && o.refused == 0 {
			return fmt.Errorf("some outcome never came: %+v", o)
		}
	}
	return nil
}
