package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/99designs/keyring"
)

func TestC11EveryKeyringStateHasItsName(t *testing.T) {
	fail := func(call string, err error) func(*ring) {
		return func(r *ring) {
			r.setHook(func(c string) error {
				if strings.HasPrefix(c, call) {
					return err
				}
				return nil
			})
		}
	}
	panics := func(r *ring) {
		r.setHook(func(string) error { panic("interface conversion: string is not dbus.ObjectPath") })
	}
	for _, tt := range []struct {
		name        string
		interactive bool
		spoil       func(*ring)
		want        KeyState
	}{
		{"no such service", false, fail("open", keyring.ErrNoAvailImpl), KeyAbsent},
		{"the prompt closed, and libsecret panics", true, panics, KeyDismissed},
		{"a panic in the background", false, panics, KeyLocked},
		{"the item is gone", false, fail("get", keyring.ErrKeyNotFound), KeyMissing},
		{"another key", false, func(r *ring) { r.change(make([]byte, keySize)) }, KeyMismatch},
		{"a truncated item", false, func(r *ring) { r.change(make([]byte, 5)) }, KeyMismatch},
		{"an empty item", false, func(r *ring) { r.change(nil) }, KeyMismatch},
		{"an item of another program", false, fail("get", json.Unmarshal([]byte("{"), new(int))), KeyMismatch},
		{"access denied", false, fail("get", os.ErrPermission), KeyDenied},
		{"something else", false, fail("get", errors.New("no idea")), KeyDenied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, r, s := newMemDisk(), newRing(), &server{}
			first := with(t, d, r)
			if err := errors.Join(first.Unlock(t.Context(), "", false), login(t.Context(), first, s)); err != nil {
				t.Fatal(err)
			}
			before := maps.Clone(r.items)
			wrote := len(d.trace)
			tt.spoil(r)
			broken := maps.Clone(r.items)

			v := with(t, d, r)
			if v.State() != KeyUnasked {
				t.Errorf("before it was asked: %s", v.State())
			}
			for range 2 {
				if got := stateIn(v.Unlock(t.Context(), "", tt.interactive)); got != tt.want || v.State() != tt.want {
					t.Errorf("got %s, then %s, want %s", got, v.State(), tt.want)
				}
			}
			if _, err := v.Read(account); stateIn(err) != tt.want {
				t.Errorf("a record reads: %v", err)
			}
			h := hold(t, v)
			if _, err := h.Begin(token(1)); stateIn(err) != tt.want {
				t.Errorf("a token may be presented: %v", err)
			}
			if err := h.Store(Record{RefreshToken: "x"}); stateIn(err) != tt.want {
				t.Errorf("a record was stored: %v", err)
			}
			h.Release()
			if len(d.trace) != wrote {
				t.Errorf("the disk was changed: %v", d.trace[wrote:])
			}
			if !maps.EqualFunc(r.items, broken, func(a, b keyring.Item) bool { return bytes.Equal(a.Data, b.Data) }) {
				t.Error("the keyring was changed")
			}
			// With the keyring as it was, all is there.
			r.setHook(nil)
			r.items = before
			if err := v.Unlock(t.Context(), "", false); err != nil || v.State() != KeyOK {
				t.Fatal(err)
			}
			if got, err := v.Read(account); err != nil || got.Generation != 1 {
				t.Errorf("got %v, %v", got, err)
			}
			// In the middle of a run, whatever becomes of it changes nothing.
			tt.spoil(r)
			if err := errors.Join(v.Unlock(t.Context(), "", false), renew(t.Context(), v, s)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestC11AHangingKeyring(t *testing.T) {
	for _, call := range []string{"open", "get"} {
		t.Run(call, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, r := newMemDisk(), newRing()
				if err := with(t, d, r).Unlock(t.Context(), "", false); err != nil {
					t.Fatal(err)
				}
				answer := make(chan struct{})
				r.forget()
				r.setHook(func(c string) error {
					if strings.HasPrefix(c, call) {
						<-answer
					}
					return nil
				})
				v := with(t, d, r)
				changes := 0
				v.OnChange(func() { changes++ })
				for _, interactive := range []bool{false, false, true} {
					start := time.Now()
					err := v.Unlock(t.Context(), "", interactive)
					if stateIn(err) != KeyTimeout || v.State() != KeyTimeout {
						t.Errorf("got %v, %s", err, v.State())
					}
					want := quickPatience
					if interactive {
						want = longPatience
					}
					if took := time.Since(start); took != want {
						t.Errorf("it took %v, want %v", took, want)
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := v.Unlock(ctx, "", true); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the caller left: %v", err)
				}
				if n := len(slices.DeleteFunc(r.called(), func(c string) bool { return !strings.HasPrefix(c, call) })); n != 1 {
					t.Errorf("a keyring that hangs was called %d times: %v", n, r.called())
				}
				if changes != 1 {
					t.Errorf("%d changes were announced", changes)
				}
				// What it says in the end is taken.
				close(answer)
				synctest.Wait()
				if v.State() != KeyOK || changes != 2 {
					t.Errorf("after it answered: %s, %d changes", v.State(), changes)
				}
			})
		})
	}
}

func TestUnlocksAtTheSameTimeShareOneAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, r := newMemDisk(), newRing()
		if err := with(t, d, r).Unlock(t.Context(), "", false); err != nil {
			t.Fatal(err)
		}
		v := with(t, d, r)
		r.forget()
		r.setHook(func(string) error { time.Sleep(time.Second); return nil })
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				if err := v.Unlock(t.Context(), "", i%2 == 0); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if want := []string{"open secret-service", "get"}; !slices.Equal(r.called(), want) {
			t.Errorf("the keyring was called for %v, want %v", r.called(), want)
		}
	})
}

// Somebody who brings more than the attempt under way gets one of his own.
func TestAPersonDoesNotShareTheFateOfTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, r := newMemDisk(), newRing()
		if err := with(t, d, r).Unlock(t.Context(), "", false); err != nil {
			t.Fatal(err)
		}
		v := with(t, d, r)
		first := true
		r.setHook(func(string) error {
			if !first {
				return nil
			}
			first = false
			time.Sleep(time.Second)
			return keyring.ErrNoAvailImpl
		})
		var background error
		var wg sync.WaitGroup
		wg.Go(func() { background = v.Unlock(t.Context(), "", false) })
		synctest.Wait()
		if err := v.Unlock(t.Context(), "", true); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if stateIn(background) != KeyAbsent || v.State() != KeyOK {
			t.Errorf("got %v, %s", background, v.State())
		}
	})
}

func TestC15ADamagedStore(t *testing.T) {
	d, r := newMemDisk(), newRing()
	v := with(t, d, r)
	if err := errors.Join(v.Unlock(t.Context(), "", false), login(t.Context(), v, &server{})); err != nil {
		t.Fatal(err)
	}
	root, err := v.open()
	if err != nil {
		t.Fatal(err)
	}
	good, err := root.read(storeName)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, n int, data []byte) {
		t.Helper()
		if err := errors.Join(removeAny(root, storeName), writeNew(root, storeName, data)); err != nil {
			t.Fatal(err)
		}
		v := with(t, d, r)
		err := v.Unlock(t.Context(), "", false)
		if err == nil {
			if got, err := v.Read(account); err != nil || got.Generation != 1 {
				t.Errorf("%s %d: it unlocks, and reads %v, %v", what, n, got, err)
			}
		} else if state := stateIn(err); state != KeyDamaged && state != KeyMismatch {
			t.Errorf("%s %d: %v", what, n, err)
		}
		if len(r.items) != 1 {
			t.Fatalf("%s %d: another key was made", what, n)
		}
		if after, err := root.read(storeName); err != nil || !bytes.Equal(after, data) {
			t.Fatalf("%s %d: the file was changed", what, n)
		}
	}
	for n := range good {
		try("cut at", n, good[:n])
	}
	for n := range len(good) * 8 {
		flipped := slices.Clone(good)
		flipped[n/8] ^= 1 << (n % 8)
		try("flipped bit", n, flipped)
	}
	for n, data := range []string{"null", "[]", "{}", `""`, "\xef\xbb\xbf" + string(good), string(good) + "x", strings.Repeat("[", 10000)} {
		try("instead", n, []byte(data))
	}
	newer := bytes.Replace(good, []byte(`"version": 1`), []byte(`"version": 2`), 1)
	try("newer", 0, newer)

	// Gone, it is not made anew over what was sealed with the lost one's key.
	if err := root.remove(storeName); err != nil {
		t.Fatal(err)
	}
	v = with(t, d, r)
	if err := v.Unlock(t.Context(), "", true); stateIn(err) != KeyDamaged || len(r.items) != 1 || v.FirstUse() {
		t.Errorf("got %v, %d items", err, len(r.items))
	}
	if _, _, err := v.inMemory(); stateIn(err) == KeyOK {
		t.Error("a key in memory is drawn over sealed records")
	}
}

func TestAClosedVaultStaysClosed(t *testing.T) {
	v := with(t, newMemDisk(), newRing())
	if err := v.Unlock(t.Context(), "", false); err != nil {
		t.Fatal(err)
	}
	v.Close()
	if err := v.Unlock(t.Context(), "", false); err == nil || v.State() == KeyOK {
		t.Errorf("it opened: %v, %s", err, v.State())
	}
	v.Close()
}

func TestDescribeEveryState(t *testing.T) {
	for _, s := range []KeyState{
		KeyUnasked, KeyOK, KeyLocked, KeyAbsent, KeyDismissed, KeyTimeout, KeyMissing, KeyMismatch, KeyDenied,
		KeyPassphraseNeeded, KeyWrongPassphrase, KeyDamaged, KeyUnwritable,
	} {
		message, hint := s.Describe()
		if message == "" || (hint == "") != (s == KeyOK || s == KeyUnasked) {
			t.Errorf("%s: %q, %q", s, message, hint)
		}
		err := &KeyError{State: s, Err: os.ErrPermission}
		if !strings.HasPrefix(err.Error(), message) || !errors.Is(err, os.ErrPermission) || err.Hint() != hint {
			t.Errorf("%s: %v, %q", s, err, err.Hint())
		}
	}
}
