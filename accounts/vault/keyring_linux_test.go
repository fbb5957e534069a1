package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/99designs/keyring"
	"github.com/godbus/dbus"
)

func init() {
	roles["secret-service"] = roleSecretService
	roles["no-collection"] = roleNoCollection
	roles["mute-bus"] = roleMuteBus
}

// The errors by which the Secret Service and the bus are told apart, as a real
// gnome-keyring and dbus-daemon sent them.
func TestC11ErrorsOfTheSecretService(t *testing.T) {
	for _, tt := range []struct {
		err         error
		interactive bool
		want        KeyState
	}{
		{dbus.Error{Name: "org.freedesktop.Secret.Error.IsLocked", Body: []any{"Cannot get secret of a locked object"}}, false, KeyLocked},
		{dbus.Error{Name: "org.freedesktop.Secret.Error.IsLocked"}, true, KeyDismissed},
		{dbus.Error{Name: "org.freedesktop.Secret.Error.NoSession"}, false, KeyAbsent},
		{dbus.Error{Name: "org.freedesktop.DBus.Error.ServiceUnknown"}, false, KeyAbsent},
		{dbus.Error{Name: "org.freedesktop.DBus.Error.Spawn.ChildExited"}, false, KeyAbsent},
		{dbus.Error{Name: "org.freedesktop.DBus.Error.NoReply"}, false, KeyTimeout},
		{dbus.Error{Name: "org.freedesktop.DBus.Error.TimedOut"}, false, KeyTimeout},
		{dbus.Error{Name: "org.freedesktop.DBus.Error.AccessDenied"}, false, KeyDenied},
		{dbus.Error{Name: "org.freedesktop.DBus.Error.UnknownMethod"}, false, KeyUnwritable},
		{dbus.ErrClosed, false, KeyAbsent},
		{fmt.Errorf("wrapped: %w", dbus.Error{Name: "org.freedesktop.Secret.Error.IsLocked"}), false, KeyLocked},
		{&exec.ExitError{}, false, KeyLocked},
		{&exec.ExitError{}, true, KeyDismissed},
	} {
		if got := stateOf(tt.err, tt.interactive, KeyUnwritable); got != tt.want {
			t.Errorf("%v, a person there: %v: %s, want %s", tt.err, tt.interactive, got, tt.want)
		}
	}
}

func TestAPassThatWasNeverSetUpIsAbsent(t *testing.T) {
	t.Setenv("PASSWORD_STORE_DIR", t.TempDir())
	v, err := Open(Options{Dir: filepath.Join(t.TempDir(), "vault"), Backend: backendPass})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	if got := stateIn(v.Unlock(t.Context(), "", false)); got != KeyAbsent {
		t.Errorf("got %s", got)
	}
}

// A real pass with a key of its own: what is made is read again.
func TestRealPass(t *testing.T) {
	for _, program := range []string{"pass", "gpg"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program, "apt-get install pass gnupg")
		}
	}
	home := filepath.Join(t.TempDir(), "gpg")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GNUPGHOME", home)
	t.Setenv("PASSWORD_STORE_DIR", filepath.Join(home, "store"))
	for _, args := range [][]string{
		{"gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "oauthmux test", "rsa2048", "encrypt,sign", "never"},
		{"pass", "init", "oauthmux test"},
	} {
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	t.Cleanup(func() { _ = exec.Command("gpgconf", "--kill", "gpg-agent").Run() })
	dir := filepath.Join(t.TempDir(), "vault")
	for range 2 {
		v, err := Open(Options{Dir: dir, Backend: backendPass})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(v.Close)
		if err := v.Unlock(t.Context(), "", true); err != nil { // gpg takes its time
			t.Fatal(err)
		}
		if _, err := v.Read(account); errors.Is(err, ErrNotFound) {
			err = login(t.Context(), v, &server{})
			if err != nil {
				t.Fatal(err)
			}
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// What lies behind a bus that accepts and says nothing is unknown: no other
// keyring is taken in its place.
func TestAMuteBusIsNoReasonForAnotherKeyring(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // never accepted: the kernel does
	cmd := child(t, "mute-bus", home, "")
	cmd.Env = append(cmd.Env, "DBUS_SESSION_BUS_ADDRESS=unix:path="+path)
	if err := cmd.Run(); err != nil {
		t.Errorf("%v: %s", err, cmd.Stderr)
	}
}

func roleMuteBus(home, _ string) error {
	dir := filepath.Join(home, "vault")
	v, err := Open(Options{Dir: dir, Passphrase: passphrase})
	if err != nil {
		return err
	}
	if err := v.Unlock(context.Background(), "", false); stateIn(err) != KeyTimeout || !v.FirstUse() {
		return fmt.Errorf("first use: %w", err)
	}
	// One that needs no bus is not held up.
	if v, err = inFile(home); err != nil {
		return err
	}
	if v.State() != KeyOK {
		return fmt.Errorf("the encrypted file: %s", v.State())
	}
	return nil
}

// A real gnome-keyring on a bus of its own.
func TestRealSecretService(t *testing.T) {
	inSession(t, "secret-service")
}

// One that was never set up, with nobody there who could: not ours.
func TestRealSecretServiceWithoutACollection(t *testing.T) {
	inSession(t, "no-collection")
}

// inSession plays a role on a session bus of its own.
func inSession(t *testing.T, role string) {
	t.Helper()
	for _, program := range []string{"dbus-run-session", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program, "apt-get install dbus gnome-keyring")
		}
	}
	home := t.TempDir()
	runtime := filepath.Join(home, "run")
	if err := os.Mkdir(runtime, 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	// The session ends with the test binary in its role, and the keyring with
	// the session.
	cmd := exec.CommandContext(ctx, "dbus-run-session", "--", os.Args[0])
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + runtime,
		roleVariable + "=" + role, homeVariable + "=" + home,
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
}

// startService starts an unlocked gnome-keyring and waits until it says so.
func startService(bus *dbus.Conn) error {
	cmd := exec.Command("gnome-keyring-daemon", "--unlock", "--components=secrets")
	cmd.Stdin = strings.NewReader("testpass")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	for range 600 { // half a minute, on a busy machine
		// Asked too early, the bus would start another one.
		var owned bool
		err := bus.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, secretService).Store(&owned)
		if err != nil || !owned {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		locked, err := bus.Object(secretService, collectionPath).GetProperty(lockedProperty)
		if err == nil && locked.Value() == false {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("gnome-keyring does not unlock")
}

func roleNoCollection(home, _ string) error {
	v, err := Open(Options{Dir: filepath.Join(home, "vault")})
	if err != nil {
		return err
	}
	if err := v.Unlock(context.Background(), "", false); stateIn(err) != KeyPassphraseNeeded {
		return fmt.Errorf("it is not passed over: %w", err)
	}
	v, err = Open(Options{Dir: filepath.Join(home, "vault"), Backend: backendSecretService})
	if err != nil {
		return err
	}
	if err := v.Unlock(context.Background(), "", false); stateIn(err) != KeyAbsent {
		return fmt.Errorf("asked for by name: %w", err)
	}
	return nil
}

// roleSecretService lives through what a desktop may do to a keyring.
func roleSecretService(home, _ string) error {
	bus, err := dbus.SessionBus()
	if err != nil {
		return err
	}
	service := bus.Object(secretService, "/org/freedesktop/secrets")
	lockService := func() error {
		var locked []dbus.ObjectPath
		var prompt dbus.ObjectPath
		return service.Call("org.freedesktop.Secret.Service.Lock", 0, []dbus.ObjectPath{collectionPath}).Store(&locked, &prompt)
	}
	unlockService := func() error {
		var output dbus.Variant
		var session dbus.ObjectPath
		err := service.Call("org.freedesktop.Secret.Service.OpenSession", 0, "plain", dbus.MakeVariant("")).Store(&output, &session)
		if err != nil {
			return err
		}
		// What a prompt does with the password that a person typed.
		const unlock = "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface.UnlockWithMasterPassword"
		password := struct {
			Session           dbus.ObjectPath
			Parameters, Value []byte
			ContentType       string
		}{session, []byte{}, []byte("testpass"), "text/plain"}
		return service.Call(unlock, 0, dbus.ObjectPath(collectionPath), password).Err
	}
	ctx := context.Background()
	open := func(name string) *Vault {
		v, err := Open(Options{Dir: filepath.Join(home, name, "vault")})
		if err != nil {
			panic(err)
		}
		return v
	}
	expect := func(what string, v *Vault, interactive bool, want KeyState) error {
		start := time.Now()
		err := v.Unlock(ctx, "", interactive)
		if took := time.Since(start); stateIn(err) != want || v.State() != want || took > 5*time.Second {
			return fmt.Errorf("%s: %w, state %s, want %s, after %v", what, err, v.State(), want, took)
		}
		return nil
	}

	if err := startService(bus); err != nil {
		return err
	}
	v := open("one")
	err = errors.Join(expect("first use", v, false, KeyOK), login(ctx, v, &server{}),
		expect("the second time", open("one"), false, KeyOK), expect("another home", open("two"), false, KeyOK))
	if err != nil {
		return err
	}
	if s, err := v.readStore(); err != nil || s.Backend != backendSecretService {
		return fmt.Errorf("the key is in %q, %w", s.Backend, err)
	}

	if err := lockService(); err != nil {
		return err
	}
	v = open("one")
	err = errors.Join(expect("locked", v, false, KeyLocked), expect("locked, and no prompt possible", v, true, KeyDismissed),
		expect("locked, first use", open("three"), false, KeyLocked))
	if err != nil {
		return err
	}
	if err := unlockService(); err != nil {
		return err
	}
	if err := expect("unlocked again", v, false, KeyOK); err != nil {
		return err
	}
	if r, err := v.Read(account); err != nil || r.Generation != 1 {
		return fmt.Errorf("got %v, %w", r, err)
	}

	// The item is gone: that is no reason for a second key.
	ring, err := keyring.Open(keyring.Config{AllowedBackends: []keyring.BackendType{keyring.SecretServiceBackend}, LibSecretCollectionName: secretCollection})
	if err != nil {
		return err
	}
	s, err := v.readStore()
	if err != nil {
		return err
	}
	kept, err := ring.Get(s.Item)
	if err != nil {
		return err
	}
	if err := ring.Remove(s.Item); err != nil {
		return err
	}
	if err := expect("gone", open("one"), false, KeyMissing); err != nil {
		return err
	}
	if err := ring.Set(kept); err != nil {
		return err
	}

	// It hangs.
	var pid uint32
	if err := bus.BusObject().Call("org.freedesktop.DBus.GetConnectionUnixProcessID", 0, secretService).Store(&pid); err != nil {
		return err
	}
	if err := syscall.Kill(int(pid), syscall.SIGSTOP); err != nil {
		return err
	}
	v = open("one")
	hung := expect("hanging", v, false, KeyTimeout)
	if err := errors.Join(hung, syscall.Kill(int(pid), syscall.SIGCONT)); err != nil {
		return err
	}
	if err := expect("awake again", v, false, KeyOK); err != nil {
		return err
	}
	// It died: the bus starts another one, and that one is locked.
	if err := syscall.Kill(int(pid), syscall.SIGKILL); err != nil {
		return err
	}
	for owned := true; owned; time.Sleep(time.Millisecond) { // until the bus has noticed
		if err := bus.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, secretService).Store(&owned); err != nil {
			return err
		}
	}
	return expect("another service", open("one"), false, KeyLocked)
}
