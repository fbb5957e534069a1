//go:build unix

package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/ui/control"
)

// home is one installation: a folder of its own for everything that the program
// reads or writes, and the environment that says so.
type home struct {
	t          *testing.T
	root       string // everything is below it
	dir        string // OAUTHMUX_HOME
	passphrase string
	provider   *provider
	env        []string
	umask      string // "": the test's own
	seen       *canaries
}

// newHome makes an installation whose provider is p, with more lines of config.toml.
func newHome(t *testing.T, p *provider, config ...string) *home {
	t.Helper()
	if err := readSources(); err != nil {
		t.Fatal(err)
	}
	root, err := os.MkdirTemp("", "omx-") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	h := &home{
		t: t, root: root, dir: filepath.Join(root, "home"), provider: p,
		passphrase: "pass phrase/+ü " + rand.Text(),
	}
	h.seen = &canaries{h: h}
	t.Cleanup(func() {
		h.seen.sweep()
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	for _, folder := range []string{h.dir, h.path("tmp"), h.path("run"), h.path("user")} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	h.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + h.path("user"), "TMPDIR=" + h.path("tmp"),
		"XDG_RUNTIME_DIR=" + h.path("run"), "TERM=xterm-256color", "LANG=C.UTF-8", "TZ=UTC",
		"DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent",
		"GORACE=halt_on_error=1 exitcode=66 atexit_sleep_ms=0", // it sleeps for a second at each exit otherwise
		"OAUTHMUX_HOME=" + h.dir, "OAUTHMUX_PASSPHRASE=" + h.passphrase,
	}
	h.config(config...)
	return h
}

// path is a place below the root.
func (h *home) path(name string) string { return filepath.Join(h.root, name) }

// config writes config.toml: the provider, the file keyring, a free port, no
// network of the machine's, and more lines, which come first.
func (h *home) config(more ...string) {
	h.t.Helper()
	lines := more
	all := strings.Join(more, "\n")
	for table, line := range map[string]string{
		"proxy": `listen = "127.0.0.1:0"`, "keyring": `backend = "file"`, "network": `proxy = "none"`,
	} {
		if !strings.Contains(all, "["+table+"]") {
			lines = append(lines, "["+table+"]", line)
		}
	}
	if h.provider != nil {
		lines = append(lines, fmt.Sprintf("[providers.%s]\nauthorize_url = %q\ntoken_url = %q\nupstream = %q",
			simulator.Plays, h.provider.url+simulator.PathAuthorize, h.provider.url+simulator.PathToken, h.provider.url))
	}
	h.write("config.toml", strings.Join(lines, "\n")+"\n")
}

// write writes a file of the home, read reads one.
func (h *home) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) read(name string) string {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, name))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// with returns the same home in an environment with other values: "NAME=value",
// or "NAME" for none.
func (h *home) with(values ...string) *home {
	other := *h
	other.env = slices.Clone(h.env)
	for _, v := range values {
		name, _, set := strings.Cut(v, "=")
		other.env = slices.DeleteFunc(other.env, func(entry string) bool { return strings.HasPrefix(entry, name+"=") })
		if set {
			other.env = append(other.env, v)
		}
	}
	return &other
}

// of returns the same home for a subtest.
func (h *home) of(t *testing.T) *home {
	t.Helper()
	other := *h
	other.t = t
	return &other
}

// result is how a command ended.
type result struct {
	stdout, stderr string
	status         int
	took           time.Duration
}

// String is for messages of tests. A token that was asked for is not in it.
func (r result) String() string {
	return fmt.Sprintf("status %d\nstdout: %.2000s\nstderr: %.2000s", r.status, r.stdout, r.stderr)
}

// commandLimit is far beyond what any command takes that does not wait for a person.
const commandLimit = 60 * time.Second

// command is one that can be started. What it prints is kept for the search.
func (h *home) command(ctx context.Context, args ...string) (cmd *exec.Cmd, stdout, stderr *output) {
	cmd = exec.CommandContext(ctx, program(args), args...)
	if h.umask != "" {
		cmd = exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", `umask "$0"; exec "$@"`, h.umask, program(args)}, args...)...)
	}
	cmd.Env = h.env
	cmd.WaitDelay = 10 * time.Second
	stdout, stderr = h.seen.output("stdout", args), h.seen.output("stderr", args)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}

// run runs the program to its end, with nothing on stdin.
func (h *home) run(args ...string) result {
	h.t.Helper()
	return h.runWith(nil, args...)
}

func (h *home) runWith(stdin io.Reader, args ...string) result {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), commandLimit)
	defer cancel()
	cmd, stdout, stderr := h.command(ctx, args...)
	cmd.Stdin = stdin
	began := time.Now()
	err := cmd.Run()
	r := result{stdout: stdout.String(), stderr: stderr.String(), took: time.Since(began)}
	if cmd.ProcessState == nil {
		h.t.Fatalf("oauthmux %q: %v", args, err)
	}
	r.status = cmd.ProcessState.ExitCode()
	if ctx.Err() != nil {
		h.t.Errorf("oauthmux %q did not end in %v", args, commandLimit)
	}
	h.sane(args, r)
	return r
}

// sane fails the test for what no command may do, whatever it was asked for.
func (h *home) sane(args []string, r result) {
	h.t.Helper()
	if strings.Contains(r.stderr, "DATA RACE") || strings.Contains(r.stderr, "panic:") || strings.Contains(r.stderr, "goroutine ") {
		h.t.Errorf("oauthmux %q: %v", args, r)
	}
}

// ok runs a command that must succeed, and returns its stdout.
func (h *home) ok(args ...string) string {
	h.t.Helper()
	r := h.run(args...)
	if r.status != 0 {
		h.t.Fatalf("oauthmux %q: %v", args, r)
	}
	return r.stdout
}

// fails runs a command that must end with a status and say something about it on
// stderr, and returns the result.
func (h *home) fails(status int, says string, args ...string) result {
	h.t.Helper()
	r := h.run(args...)
	h.failed(r, status, says, args)
	return r
}

func (h *home) failed(r result, status int, says string, args []string) {
	h.t.Helper()
	if r.status != status || !strings.Contains(r.stderr, says) || !strings.HasPrefix(r.stderr, "oauthmux: ") && !strings.Contains(r.stderr, "\noauthmux: ") {
		h.t.Errorf("oauthmux %q, want status %d and %q: %v", args, status, says, r)
	}
}

// token is what `oauthmux token` prints.
func (h *home) token(args ...string) string {
	h.t.Helper()
	return strings.TrimSuffix(h.ok(append([]string{"token"}, args...)...), "\n")
}

// login adds an account of the user of that name, as a script does it, and gives
// it the same label.
func (h *home) login(names ...string) {
	h.t.Helper()
	for _, name := range names {
		r := h.signIn(name, "--label", name)
		if r.status != 0 {
			h.t.Fatalf("login of %s: %v", name, r)
		}
	}
}

// signedIn is a home with one account.
func signedIn(t *testing.T) *home {
	t.Helper()
	h := newHome(t, newProvider(t, simulator.Options{}, people("work")...))
	h.login("work")
	return h
}

// signIn runs `login --paste` for a user of the provider.
func (h *home) signIn(user string, flags ...string) result {
	h.t.Helper()
	return h.paste(func(address string) string {
		redirect, err := h.provider.Authorize(address, user)
		if err != nil {
			h.t.Errorf("authorize %s: %v", user, err)
		}
		return redirect
	}, flags...)
}

// paste runs `login --paste` with what browser makes of the address.
func (h *home) paste(browser func(address string) string, flags ...string) result {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), commandLimit)
	defer cancel()
	args := append([]string{"login", simulator.Plays, "--paste", "--no-open", "--accept-terms"}, flags...)
	cmd, stdout, stderr := h.command(ctx, args...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // the status says it
	}()
	if line, ok := stdout.line(ended); ok {
		_, _ = io.WriteString(stdin, browser(urlIn(line))+"\n") // a command that has ended says why
	}
	_ = stdin.Close()
	<-ended
	r := result{stdout: stdout.String(), stderr: stderr.String(), status: cmd.ProcessState.ExitCode()}
	h.sane(args, r)
	return r
}

// urlIn is the authorization URL in the first line of a login's stdout.
func urlIn(line string) string {
	var document struct {
		URL string `json:"url"`
	}
	if json.Unmarshal([]byte(line), &document) == nil {
		return document.URL
	}
	return line
}

// code is CODE#STATE, as the provider's page shows it, out of its redirect.
func code(t *testing.T, redirect string) string {
	t.Helper()
	u, err := url.Parse(redirect)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("code") + "#" + u.Query().Get("state")
}

// status is `status --json`.
func (h *home) status() control.Status {
	h.t.Helper()
	var s control.Status
	decode(h.t, h.ok("status", "--json"), &s)
	return s
}

// account is one account of `list --json`.
func (h *home) account(label string) control.Account {
	h.t.Helper()
	var list struct {
		Accounts []control.Account `json:"accounts"`
	}
	decode(h.t, h.ok("list", "--json"), &list)
	for _, a := range list.Accounts {
		if a.Label == label {
			return a
		}
	}
	h.t.Fatalf("no account %q in %+v", label, list.Accounts)
	return control.Account{}
}

// labels are those of all accounts in their order.
func (h *home) labels() []string {
	h.t.Helper()
	var labels []string
	for _, a := range h.status().Accounts {
		labels = append(labels, a.Label)
	}
	return labels
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %.500s", err, text)
	}
}

// output is one stream of one command, as it comes.
type output struct {
	name string
	args []string

	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// line waits for the first line. It is false when the command ends without one.
func (o *output) line(ended <-chan struct{}) (string, bool) {
	for {
		if line, _, whole := strings.Cut(o.String(), "\n"); whole {
			return line, true
		}
		select {
		case <-ended:
			return "", false
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// eventually polls for something that is about to happen.
func eventually(t *testing.T, what string, limit time.Duration, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !happened(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v in vain: %s", limit, what)
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
