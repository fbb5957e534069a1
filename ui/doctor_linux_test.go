package ui

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/oauthmux/oauthmux/ui/config"
	"github.com/oauthmux/oauthmux/ui/control"
)

func TestWhoHoldsALock(t *testing.T) {
	const locks = `1: POSIX  ADVISORY  WRITE 10 08:01:7 0 EOF
2: FLOCK  ADVISORY  WRITE -1 08:01:7 0 EOF
3: FLOCK  ADVISORY  WRITE 42 08:01:7 0 EOF
3: -> FLOCK  ADVISORY  WRITE 43 08:01:8 0 EOF
nonsense
`
	for file, want := range map[string]int{"08:01:7": 42, "08:01:8": 0, "08:02:7": 0} {
		if got := holderIn(strings.NewReader(locks), file); got != want {
			t.Errorf("%s: %d, want %d", file, got, want)
		}
	}
	path := filepath.Join(t.TempDir(), "engine.lock")
	if isHeld(path) || lockHolder(path) != 0 {
		t.Error("there is no lock yet")
	}
	release, err := control.LockEngine(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if !isHeld(path) || lockHolder(path) != os.Getpid() {
		t.Errorf("held %v by %d, want by %d", isHeld(path), lockHolder(path), os.Getpid())
	}
}

func TestWhatDoesNotBelongThere(t *testing.T) {
	home := t.TempDir()
	paths := config.Paths{Data: home, State: home, Vault: filepath.Join(home, "vault")}
	for _, dir := range []string{"vault", "vault/a", "vault/a/deep", "vault/a/deep/deeper", "engine.lock"} {
		if err := os.Mkdir(filepath.Join(home, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(home, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(home, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("accounts.json", 0o600)
	write("accounts.json.bad-1", 0o640)
	write("mine.txt", 0o644) // none of our business
	write("vault/a/cred", 0o200)
	write("vault/a/deep/deeper/still", 0o644) // deeper than any of ours
	if err := errors.Join(syscall.Mkfifo(filepath.Join(home, "vault/local.key"), 0o600), os.Symlink("/etc/passwd", filepath.Join(home, "vault/a/intent"))); err != nil {
		t.Fatal(err)
	}
	f := &facts{paths: paths}
	f.lookAtFolders()
	f.lookAtFiles()
	got := map[string]string{}
	for _, l := range f.loose {
		name, _ := filepath.Rel(home, l.path)
		got[name] = fmt.Sprintf("%v %o %s", l.vault, l.want, l.strange)
	}
	want := map[string]string{
		"accounts.json.bad-1": "false 600 ", "engine.lock": "false 0 is a folder",
		"vault/a/cred": "true 600 ", "vault/a/intent": "true 0 is a link", "vault/local.key": "true 0 is no plain file",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for _, inVault := range []bool{true, false} {
		if err := f.narrow(inVault); err != nil {
			t.Error(err)
		}
	}
	f.lookAtFiles()
	for _, l := range f.loose {
		if l.strange == "" {
			t.Errorf("%s is as it was", l.path)
		}
	}
	if info, err := os.Stat(filepath.Join(home, "mine.txt")); err != nil || info.Mode() != 0o644 {
		t.Errorf("mine.txt: %v, %v", info, err)
	}
}

// In a home on a read-only file system, doctor says that and looks at the rest.
func TestDoctorInAReadOnlyHome(t *testing.T) {
	if err := exec.Command("unshare", "-rm", "true").Run(); err != nil {
		t.Skipf("no file system can be mounted read-only here: unshare: %v", err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	home, program := filepath.Join(dir, "home"), filepath.Join(dir, "oauthmux") // the test binary is the program under this name
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, program); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"doctor", "doctor --fix"} {
		cmd := exec.Command("unshare", "-rm", "sh", "-c", `mount --bind "$H" "$H" && mount -o remount,ro,bind "$H" && exec "$P" `+command)
		cmd.Env = append(os.Environ(), "H="+home, "P="+program, "OAUTHMUX_HOME="+home, "OAUTHMUX_PROXY_LISTEN=127.0.0.1:0", "OAUTHMUX_KEYRING_BACKEND=file")
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(out), "✗ wrong  folders    nothing can be written to "+home+": read-only file system") ||
			!strings.Contains(string(out), "\n✓ ok     clock ") {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
}
