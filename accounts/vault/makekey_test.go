package vault

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/99designs/keyring"
)

func TestAKeyThatCannotBeMade(t *testing.T) {
	for _, tt := range []struct {
		name string
		hook func(r *ring, call string) error
		want KeyState
	}{
		{"it cannot be written", func(_ *ring, call string) error {
			if call == "set" {
				return errors.New("read only")
			}
			return nil
		}, KeyUnwritable},
		{"another value comes back", func(r *ring, call string) error {
			if call == "get" {
				r.change(make([]byte, keySize))
			}
			return nil
		}, KeyUnwritable},
		{"nothing comes back", func(_ *ring, call string) error {
			if call == "get" {
				return keyring.ErrKeyNotFound
			}
			return nil
		}, KeyMissing},
		{"it is not there", func(_ *ring, call string) error {
			if strings.HasPrefix(call, "open") {
				return keyring.ErrNoAvailImpl
			}
			return nil
		}, KeyAbsent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, r := newMemDisk(), newRing()
			v := with(t, d, r)
			r.setHook(func(call string) error { return tt.hook(r, call) })
			err := v.Unlock(t.Context(), "", false)
			ke, ok := errors.AsType[*KeyError](err)
			if !ok || ke.State != tt.want || !ke.FirstUse {
				t.Fatalf("got %v", err)
			}
			if tt.want == KeyAbsent && !strings.Contains(ke.Hint(), "keyring.backend") {
				t.Errorf("the hint is %q", ke.Hint())
			}
			if !v.FirstUse() || len(r.items) != 0 {
				t.Errorf("something is left: %v", r.items)
			}
			r.setHook(nil)
			if err := v.Unlock(t.Context(), "", false); err != nil || v.FirstUse() {
				t.Error(err)
			}
		})
	}
}

// A key that is being made is never lost and never forked, wherever the process
// dies: at any change of the disk, and at any call of the keyring.
func TestC12KilledWhileTheKeyIsMade(t *testing.T) {
	for n := 0; ; n++ {
		d, r, s := newMemDisk(), newRing(), &server{}
		left := n
		step := func(string) error {
			if left--; left < 0 {
				panic(killed{})
			}
			return nil
		}
		d.setHook(step)
		r.setHook(step)
		v := with(t, d, r)
		dead, err := run(func() error {
			_, key, err := v.makeKey(&flight{until: time.Now().Add(time.Minute)})
			clear(key)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		r.setHook(nil)
		for _, image := range []*memDisk{d.afterKill(), d.afterPowerLoss(nil)} {
			items := len(r.items)
			v := with(t, image, r)
			made := v.FirstUse()
			if err := errors.Join(v.Unlock(t.Context(), "", false), login(t.Context(), v, s)); err != nil {
				t.Fatalf("killed at step %d: %v", n, err)
			}
			if want := items + map[bool]int{true: 1}[made]; len(r.items) != want {
				t.Fatalf("killed at step %d: %d items are in the keyring, want %d", n, len(r.items), want)
			}
			later := with(t, image, r)
			if err := later.Unlock(t.Context(), "", false); err != nil {
				t.Fatalf("killed at step %d: %v", n, err)
			}
			if got, err := later.Read(account); err != nil || got.Generation != 1 {
				t.Fatalf("killed at step %d: %v, %v", n, got, err)
			}
		}
		if !dead {
			if n < 8 {
				t.Errorf("only %d steps", n)
			}
			break
		}
	}
}

func TestTwoHomesOnOneKeyring(t *testing.T) {
	shared := keyring.NewArrayKeyring(nil)
	open := func(keyring.Config) (keyring.Keyring, error) { return shared, nil }
	dirs := []string{filepath.Join(t.TempDir(), "vault"), filepath.Join(t.TempDir(), "vault")}
	for range 2 {
		for i, dir := range dirs {
			v, err := Open(Options{Dir: dir, OpenKeyring: open})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(v.Close)
			if err := v.Unlock(t.Context(), "", false); err != nil {
				t.Fatal(err)
			}
			if _, err := v.Read(account); errors.Is(err, ErrNotFound) {
				if err := login(t.Context(), v, &server{}); err != nil {
					t.Fatal(err)
				}
			} else if err != nil {
				t.Errorf("home %d: %v", i, err)
			}
		}
	}
	if keys, err := shared.Keys(); err != nil || len(keys) != 2 {
		t.Errorf("%d items, %v", len(keys), err)
	}
	// One's record is not the other's, even under the same id.
	data, err := os.ReadFile(filepath.Join(dirs[0], account, credName))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dirs[1], account, credName), data, 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := Open(Options{Dir: dirs[1], OpenKeyring: open})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	if err := v.Unlock(t.Context(), "", false); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Read(account); !errors.Is(err, ErrUnreadable) {
		t.Errorf("another home's record reads: %v", err)
	}
}

func TestTheBackendIsPinned(t *testing.T) {
	d, r := newMemDisk(), newRing()
	// Best of the system: what is not there is passed over, and the kernel's
	// own keyring, which forgets at reboot, is never asked.
	r.setHook(func(call string) error {
		if call == "open secret-service" || call == "open keychain" || call == "open wincred" {
			return keyring.ErrNoAvailImpl
		}
		return nil
	})
	opened := func(o Options) (*Vault, *bytes.Buffer) {
		var log bytes.Buffer
		o.Dir, o.OpenKeyring, o.Rescue, o.Log = "/vault", r.open, []string{}, slog.New(slog.NewTextHandler(&log, nil))
		v, err := openOn(o, d)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(v.Close)
		return v, &log
	}
	v, _ := opened(Options{Passphrase: passphrase})
	if err := v.Unlock(t.Context(), "", false); err != nil {
		t.Fatal(err)
	}
	s, err := v.readStore()
	if err != nil || s.Backend == backendSecretService || slices.Contains(r.called(), "open keyctl") {
		t.Fatalf("%v in %q, %v", r.called(), s.Backend, err)
	}
	// Later there is a better one, and somebody asks for it by name.
	r.setHook(nil)
	for _, asked := range []string{"", backendSecretService} {
		r.forget()
		v, log := opened(Options{Backend: asked, Passphrase: passphrase})
		if err := v.Unlock(t.Context(), "", false); err != nil {
			t.Fatal(err)
		}
		if want := []string{"open " + s.Backend, "get"}; !slices.Equal(r.called(), want) {
			t.Errorf("asked for %q: %v, want %v", asked, r.called(), want)
		}
		if warned := strings.Contains(log.String(), "level=WARN"); warned != (asked != "") {
			t.Errorf("asked for %q, the log says %q", asked, log)
		}
	}
	if _, err := Open(Options{Dir: t.TempDir(), Backend: "keyctl"}); err == nil {
		t.Error("the kernel's keyring may be asked for")
	}
	if _, err := Open(Options{Dir: "relative"}); err == nil {
		t.Error("a relative path is a vault")
	}
}

// Only what is certainly not there is passed over.
func TestALockedKeyringIsNotPassedOver(t *testing.T) {
	for _, err := range []error{os.ErrPermission, errors.New("who knows")} {
		d, r := newMemDisk(), newRing()
		r.setHook(func(call string) error {
			if call == "set" {
				return err
			}
			return nil
		})
		v, openErr := openOn(Options{Dir: "/vault", OpenKeyring: r.open, Passphrase: passphrase}, d)
		if openErr != nil {
			t.Fatal(openErr)
		}
		t.Cleanup(v.Close)
		if err := v.Unlock(t.Context(), "", true); err == nil || len(r.called()) != 2 {
			t.Errorf("got %v after %v", err, r.called())
		}
	}
}

func TestAKeyInMemory(t *testing.T) {
	d := newMemDisk()
	open := func() *Vault {
		v, err := openOn(Options{Dir: "/vault", Memory: true, OpenKeyring: func(keyring.Config) (keyring.Keyring, error) {
			t.Error("a keyring was asked")
			return nil, keyring.ErrNoAvailImpl
		}}, d)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(v.Close)
		return v
	}
	v := open()
	if err := errors.Join(v.Unlock(t.Context(), "", false), login(t.Context(), v, &server{})); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(files(t, d), []string{credName}) {
		t.Errorf("files: %v", files(t, d))
	}
	if names, err := (&memFolder{d, "/vault"}).names(); err != nil || slices.Contains(names, storeName) {
		t.Errorf("it names a key in a keyring: %v, %v", names, err)
	}
}

// A disk that refuses one step leaves a home that can begin again.
func TestAKeyIsMadeOnADiskThatRefuses(t *testing.T) {
	for n := 0; ; n++ {
		d, r := newMemDisk(), newRing()
		left := n
		d.setHook(func(string) error {
			if left--; left == -1 {
				return errHalf
			}
			return nil
		})
		err := with(t, d, r).Unlock(t.Context(), "", false)
		if left >= 0 {
			if err != nil || n < 4 {
				t.Errorf("after %d steps: %v", n, err)
			}
			break
		}
		if stateIn(err) != KeyUnwritable {
			t.Errorf("an error at step %d: %v", n, err)
		}
		d.setHook(nil)
		for _, image := range []*memDisk{d.afterKill(), d.afterPowerLoss(nil)} {
			v := with(t, image, r)
			if err := errors.Join(v.Unlock(t.Context(), "", false), login(t.Context(), v, &server{})); err != nil {
				t.Errorf("after an error at step %d: %v", n, err)
			}
		}
	}
}
