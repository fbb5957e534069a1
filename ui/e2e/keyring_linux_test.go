package e2e

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// desktop is a session bus with a real keyring behind it, for this test alone.
// It returns the bus's address, and what allows or forbids everybody to speak to
// the keyring.
func desktop(t *testing.T) (address string, allow func(bool)) {
	t.Helper()
	dbus, send := need(t, "dbus-daemon", "dbus"), need(t, "dbus-send", "dbus")
	keyring := need(t, "gnome-keyring-daemon", "gnome-keyring")
	home := newHome(t, nil) // for the keyring's own files
	env := home.with("DBUS_SESSION_BUS_ADDRESS", "OAUTHMUX_PASSPHRASE", "OAUTHMUX_HOME").env

	// Nothing is started by asking for it: another keyring, which is locked, could be
	// faster than ours.
	config := home.path("bus.conf")
	err := os.WriteFile(config, []byte(`<busconfig><type>session</type><listen>unix:path=`+home.path("bus")+`</listen>
		<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	bus := background(t, env, nil, dbus, "--config-file="+config, "--nofork", "--nopidfile", "--print-address=1")
	address, err = bufio.NewReader(bus).ReadString('\n')
	if err != nil {
		t.Fatalf("dbus-daemon names no address: %v", err)
	}
	address = strings.TrimSpace(address)
	env = append(env, "DBUS_SESSION_BUS_ADDRESS="+address)
	background(t, env, strings.NewReader("keyring password"), keyring, "--foreground", "--unlock", "--components=secrets", "--control-directory="+home.path("run"))
	eventually(t, "the keyring is on the bus", 20*time.Second, func() bool {
		ask := exec.CommandContext(t.Context(), send, "--session", "--print-reply", "--dest=org.freedesktop.secrets",
			"/org/freedesktop/secrets/aliases/default", "org.freedesktop.DBus.Properties.Get",
			"string:org.freedesktop.Secret.Collection", "string:Locked")
		ask.Env = env
		out, err := ask.Output()
		return err == nil && strings.Contains(string(out), "boolean false")
	})
	return address, allowing(t, config, address, send)
}

// background runs a program until the test ends, and returns its stdout.
func background(t *testing.T, env []string, stdin io.Reader, program string, args ...string) io.Reader {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	cmd.Env, cmd.Stdin = env, stdin
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		if err := cmd.Wait(); err != nil {
			if _, ended := errors.AsType[*exec.ExitError](err); !ended {
				t.Errorf("%s: %v", program, err)
			}
		}
	})
	return out
}

// Two homes keep their keys in one keyring, each its own: neither sees, replaces
// or removes the other's.
func TestTwoHomesShareAKeyringAndNoKey(t *testing.T) {
	t.Parallel()
	address, _ := desktop(t)
	p := newProvider(t, simulator.Options{}, people("work", "home")...)
	var homes []*home
	for _, name := range []string{"work", "home"} {
		h := newHome(t, p, "[keyring]", `backend = "secret-service"`)
		h = h.with("OAUTHMUX_PASSPHRASE", "DBUS_SESSION_BUS_ADDRESS="+address)
		h.login(name)
		homes = append(homes, h)
	}
	check := func() {
		t.Helper()
		for i, name := range []string{"work", "home"} {
			h := homes[i]
			if user, live := p.Owner(h.token("--fresh")); user != name || !live {
				t.Errorf("the token of %s is that of %q, and live is %v", name, user, live)
			}
		}
	}
	check()
	if homes[0].read("vault/store.json") == homes[1].read("vault/store.json") {
		t.Error("both homes name the same key")
	}
	first, second := homes[0].serve(), homes[1].serve()
	first.client.served()
	second.client.served()
	// One home's key does not open the other's vault, whatever is beside it.
	if a, err := newClient(t, second.client.base, first.client.key).ask(); err != nil || a.status != 401 {
		t.Errorf("with the other home's key: %v, %v", a, err)
	}
	check()
	// The first loses its only account: the key of the second is still there.
	homes[0].ok("logout", "work", "--yes")
	if user, live := p.Owner(homes[1].token("--fresh")); user != "home" || !live {
		t.Errorf("the token of home is that of %q, and live is %v", user, live)
	}
	for _, h := range homes {
		if names, err := filepath.Glob(filepath.Join(h.dir, "vault", "keyring", "*")); err != nil || len(names) != 0 {
			t.Errorf("beside the keyring there is %q, %v", names, err)
		}
	}
	p.noViolations(t)
}
