//go:build unix

package terminal

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// passphrase opens the vault of every home here.
const passphrase = "correct horse battery staple"

// The people who have accounts with the provider.
var (
	ada  = simulator.User{Name: "ada", Email: "ada@acme.example", Org: "Acme Inc", Plan: simulator.Max20x}
	mary = simulator.User{Name: "mary", Email: "mary@home.example", Org: "Müller & Söhne", Plan: simulator.Pro}
	rosa = simulator.User{Name: "rosa", Email: "rosa@lab.example", Org: "Lab", Plan: simulator.Max5x}
)

// home is a home of the program, and the provider that its config.toml names.
type home struct {
	t        *testing.T
	dir      string
	provider *simulator.Server
}

func newHome(t *testing.T, people ...simulator.User) *home {
	t.Helper()
	needsTmux(t)
	h := &home{t: t, dir: shortDir(t), provider: simulator.New(simulator.Options{})}
	for _, u := range people {
		h.provider.AddUser(u)
	}
	if err := h.provider.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.provider.Close)
	at := h.provider.URL()
	config := fmt.Sprintf("[providers.%s]\nauthorize_url = %q\ntoken_url = %q\nupstream = %q\n",
		simulator.Plays, at+simulator.PathAuthorize, at+simulator.PathToken, at)
	if err := os.WriteFile(filepath.Join(h.dir, "config.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

// environment is that of the person who has this home. The key is in a file: the
// keyring of whoever runs the tests is not theirs to touch.
func (h *home) environment(more ...string) []string {
	return append([]string{
		"HOME=" + h.dir, "OAUTHMUX_HOME=" + h.dir, "SHELL=/bin/sh", "LANG=C.UTF-8", "TZ=UTC",
		"PATH=" + filepath.Dir(program) + ":" + os.Getenv("PATH"),
		"OAUTHMUX_PROXY_LISTEN=127.0.0.1:0", "OAUTHMUX_KEYRING_BACKEND=file", "OAUTHMUX_PASSPHRASE=" + passphrase,
	}, more...)
}

// does runs a command that must succeed and returns what it printed.
func (h *home) does(args ...string) string {
	h.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = h.environment()
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("oauthmux %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// signsIn adds accounts from the shell, each under the name of its person.
func (h *home) signsIn(people ...string) {
	h.t.Helper()
	for _, name := range people {
		if err := h.signIn(name); err != nil {
			h.t.Fatalf("sign %s in: %v", name, err)
		}
	}
}

func (h *home) signIn(name string) error {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "login", "--paste", "--no-open", "--accept-terms", "--label", name)
	cmd.Env = h.environment()
	var said strings.Builder
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	printed := bufio.NewReader(out)
	address, err := printed.ReadString('\n')
	if err == nil {
		_, err = fmt.Fprintln(in, h.code(strings.TrimSpace(address), name))
	}
	_, rest := io.Copy(io.Discard, printed)
	if err := errors.Join(err, rest, cmd.Wait()); err != nil {
		return fmt.Errorf("%w: %s", err, said.String())
	}
	return nil
}

// code is what the page at that address shows to a person who consents.
func (h *home) code(address, person string) string {
	h.t.Helper()
	redirect, err := h.provider.Authorize(address, person)
	if err != nil {
		h.t.Fatalf("the page at %q: %v", address, err)
	}
	u, err := url.Parse(redirect)
	if err != nil {
		h.t.Fatal(err)
	}
	return u.Query().Get("code") + "#" + u.Query().Get("state")
}

// status is what `oauthmux status --json` says.
type status struct {
	Engine struct {
		Running bool   `json:"running"`
		PID     int    `json:"pid"`
		Listen  string `json:"listen"`
	} `json:"engine"`
	Accounts []struct {
		ID        string `json:"id"`
		Label     string `json:"label"`
		Email     string `json:"email"`
		Preferred bool   `json:"preferred"`
		Paused    bool   `json:"paused"`
		Requests  int    `json:"requests"`
	} `json:"accounts"`
}

func (h *home) status() status {
	h.t.Helper()
	var s status
	if err := json.Unmarshal([]byte(h.does("status", "--json")), &s); err != nil {
		h.t.Fatal(err)
	}
	return s
}

// labels are the accounts' labels in their order.
func (h *home) labels() string {
	h.t.Helper()
	var all []string
	for _, a := range h.status().Accounts {
		all = append(all, a.Label)
	}
	return strings.Join(all, " ")
}

// serve starts an engine without a screen.
func (h *home) serve() *exec.Cmd {
	h.t.Helper()
	cmd := exec.Command(program, "serve")
	cmd.Env = h.environment()
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	h.until("an engine", func() bool { return h.status().Engine.PID == cmd.Process.Pid })
	return cmd
}

// until waits for something that is not on a screen.
func (h *home) until(what string, ok func() bool) {
	h.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(glance) {
		if time.Now().After(end) {
			h.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// gone reports whether a process has ended. One that nobody has taken away yet
// has ended too.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err != nil || strings.HasPrefix(strings.TrimSpace(string(state)), "Z")
}
