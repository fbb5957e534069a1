//go:build unix

package control

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// actAs makes the test binary a client instead of running tests.
const actAs = "OAUTHMUX_TEST_CLIENT_OF"

// act says hello to the socket and prints what came back.
func act() int {
	conn, err := net.DialTimeout("unix", os.Getenv(actAs), 5*time.Second)
	if err != nil {
		fmt.Println("dial:", err)
		return 0
	}
	_, _ = conn.Write([]byte(`{"protocol":1,"method":"hello"}` + "\n"))
	got, _ := io.ReadAll(conn)
	fmt.Printf("answer: %q\n", got)
	return 0
}

// as runs the client as another user. The test binary lies where only we can
// read it, so the other user gets a copy.
func as(t *testing.T, uid uint32, path string) string {
	t.Helper()
	dir := socketDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "client")
	if err := os.WriteFile(binary, self, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = []string{actAs + "=" + path}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func TestT03ASecondUserIsKeptOut(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	const nobody = 65534
	path, _ := serve(t, &fakeEngine{})
	if got := as(t, nobody, path); !strings.Contains(got, "permission denied") {
		t.Errorf("through the folder: %s", got)
	}
	// Even where the modes were spoilt, the peer's uid is asked for.
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if got := as(t, nobody, path); got != "answer: \"\"\n" {
		t.Errorf("through the socket: %s", got)
	}
	if got := as(t, 0, path); !strings.Contains(got, `{\"protocol\":1}`) {
		t.Errorf("the owner: %s", got)
	}
}

func TestT03AFolderOfAnotherUserIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	dir := socketDir(t)
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(filepath.Join(dir, "control.sock")); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Errorf("got %v", err)
	}
}
