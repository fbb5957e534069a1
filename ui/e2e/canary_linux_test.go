package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/ui/control"
)

// The search finds a secret in whatever form, also a part of it: a search that
// finds nothing anywhere would please every test here.
func TestTheSearchFindsWhatIsThere(t *testing.T) {
	h := newHome(t, nil)
	secret := "sk-ant-oat01-ABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOPQRST"
	h.seen.add(secret[len("sk-ant-oat01-"):])
	index := h.seen.secrets()
	found := func(text string) (kinds int) {
		index.search(func(string, ...any) { kinds++ }, "", text, "")
		return kinds
	}
	for name, text := range map[string]string{
		"itself":            "before " + secret + " after",
		"a part":            "token=" + secret[20:35] + "...",
		"in base64":         base64.StdEncoding.EncodeToString([]byte("ab" + secret + "cde")),
		"in base64, padded": base64.URLEncoding.EncodeToString([]byte("x" + secret)),
		"in hexadecimal":    hex.EncodeToString([]byte("x" + secret)),
		"in capitals":       strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"the passphrase":    h.passphrase,
		"in a query":        "?p=" + url.QueryEscape(h.passphrase),
	} {
		if found(text) != 1 {
			t.Errorf("%s: found %d kinds", name, found(text))
		}
	}
	for _, text := range []string{"", "sk-ant-oat01-", "[redacted]", "correct horse battery staple", strings.Repeat("0123456789abcdef", 100)} {
		if found(text) != 0 {
			t.Errorf("found something in %q", text)
		}
	}
	if kinds := found(secret + " " + h.passphrase); kinds != 2 {
		t.Errorf("found %d kinds of two", kinds)
	}
}

// watchProcesses keeps the command lines and environments of every process that
// can be seen, from now until the test ends, for the search. The environment of a
// process that has just been started holds the passphrase that this test gave it:
// those of ours are looked at by settled.
func (h *home) watchProcesses() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	seen := map[string]bool{}
	given := regexp.MustCompile("OAUTHMUX_PASSPHRASE=[^\x00]*")
	look := func(pid string) {
		for _, what := range []string{"cmdline", "environ"} {
			text, err := os.ReadFile("/proc/" + pid + "/" + what)
			if err != nil || len(text) == 0 {
				continue // it has ended, or is another user's
			}
			text = given.ReplaceAll(text, nil)
			if !seen[what+string(text)] {
				seen[what+string(text)] = true
				h.seen.note("the "+what+" of a process", string(text)+"\n")
			}
		}
	}
	go func() {
		defer close(done)
		known := map[string]int{} // how often a process was looked at
		for ctx.Err() == nil {
			entries, _ := os.ReadDir("/proc") // it is there, or nothing works
			now := map[string]int{}
			for _, entry := range entries {
				pid := entry.Name()
				if pid[0] < '1' || pid[0] > '9' {
					continue
				}
				now[pid] = known[pid] + 1
				if now[pid] < 10 { // it becomes another program soon after its start, if ever
					look(pid)
				}
			}
			known = now
			time.Sleep(5 * time.Millisecond)
		}
	}()
	h.t.Cleanup(func() {
		stop()
		<-done
		if len(seen) < 100 {
			h.t.Errorf("only %d command lines and environments were seen", len(seen))
		}
	})
}

// settled looks at the environment of a process that runs for a while: the
// passphrase must be gone from it, and from those of all it has started.
func (h *home) settled(pid int) {
	h.t.Helper()
	for _, pid := range descendants(h.t, pid) {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil {
			h.t.Error(err)
		}
		if !bytes.Contains(environ, []byte("OAUTHMUX_HOME=")) {
			h.t.Errorf("the environment of %d is not one of ours", pid)
		}
		h.seen.note("the environment of a settled process", string(environ))
	}
}

// descendants are a process and all that it has started.
func descendants(t *testing.T, pid int) []int {
	t.Helper()
	all := []int{pid}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Fatal(err)
	}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is a good one
	for _, task := range tasks {
		if more, err := os.ReadFile(task); err == nil && task != fmt.Sprintf("/proc/%d/task/%d/children", pid, pid) {
			children = append(append(children, ' '), more...)
		}
	}
	for field := range strings.FieldsSeq(string(children)) {
		child, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, descendants(t, child)...)
	}
	return all
}

// A long day: logins good and bad, an engine under requests with failovers,
// renewals, refusals, a login that ends, every command in every form, clients,
// the screen, a kill. What the provider issued, and the passphrase, are then
// nowhere but in the sealed files; the local key is where it was asked for.
func TestC20NoSecretIsAnywhere(t *testing.T) {
	t.Parallel()
	names := []string{"work", "home", "lab"}
	p := newProvider(t, simulator.Options{Latency: 5 * time.Millisecond}, append(people(names...), simulator.User{Name: "other"})...)
	h := newHome(t, p)
	h.watchProcesses()
	h.login(names...)
	h.pasteBadly()
	h.everyCommand("work")

	e := h.serve()
	h.settled(e.cmd.Process.Pid)
	stop := e.traffic(8)
	h.mishaps()
	h.everyCommand("home")
	h.pasteBadly()
	h.clients()
	h.look("work")
	stop()
	e.kill()

	h.look("work")
	e = h.serve()
	h.ok("logout", "lab", "--yes", "--revoke")
	e.stop()

	if n := len(p.Secrets()); n < 20 {
		t.Errorf("%d secrets were issued: the day was short", n)
	}
	log := h.read("oauthmux.log")
	for _, word := range []string{"engine started", "account cooling down", "account needs a login", "token renewed", "token not renewed"} {
		if !strings.Contains(log, word) {
			t.Errorf("the log says nothing of %q: the day was quiet", word)
		}
	}
	c := p.Counts()
	if c.Generations < 20 || c.TotalRefreshes() < 3 || c.Reuse != 0 {
		t.Errorf("%d answers, %d renewals, %d reused", c.Generations, c.TotalRefreshes(), c.Reuse)
	}
}

// pasteBadly signs in with what is no code, and with one that was used.
func (h *home) pasteBadly() {
	h.t.Helper()
	authorize := func(address string) string {
		redirect, err := h.provider.Authorize(address, "other")
		if err != nil {
			h.t.Error(err)
		}
		return redirect
	}
	for name, browser := range map[string]func(string) string{
		"cut short":     func(a string) string { return code(h.t, authorize(a))[:40] },
		"another state": func(a string) string { return code(h.t, authorize(a)) + "xyz" },
		"another page": func(a string) string {
			return strings.Replace(authorize(a), simulator.HostedCallback, "https://evil.example/", 1)
		},
		"an error with it": func(a string) string {
			return authorize(a) + "&error=server_error&error_description=" + code(h.t, authorize(a))
		},
		"nothing": func(string) string { return "" },
	} {
		atOnce(h.t, 2, func(i int) {
			if r := h.paste(browser, "--label", []string{"bad", "work"}[i], []string{"--json", "--json=false"}[i]); r.status != 1 {
				h.t.Errorf("a paste that is %s: %v", name, r)
			}
		})
	}
	h.provider.echo.Store(&echo{simulator.PathToken, http.StatusBadRequest})
	h.paste(func(a string) string { return code(h.t, authorize(a)) })
	h.provider.echo.Store(nil)
}

// everyCommand runs every command there is, right and wrong, as text and as JSON.
func (h *home) everyCommand(name string) {
	h.t.Helper()
	for _, args := range [][]string{
		{"list"},
		{"usage"},
		{"usage", "--refresh"},
		{"status"},
		{"version"},
		{"env"},
		{"switch", name},
		{"pause", name},
		{"resume", name},
		{"rename", name, "x"},
		{"rename", "x", name},
		{"move", name, "1"},
		{"refresh", name},
		{"refresh", "nobody"},
		{"rename", name, ""},
		{"move", name, "sideways"},
		{"logout", name},
		{"switch"},
		{"login", "nobody"},
		{"login", simulator.Plays, "extra"},
		{"env", "--shell", "cmd"},
	} {
		atOnce(h.t, 2, func(i int) { h.run(append(args, []string{"--json", "--json=false"}[i])...) })
	}
	for _, args := range [][]string{
		{},
		{"help"},
		{"help", "config"},
		{"--version"},
		{"token"},
		{"token", name},
		{"token", name, "--fresh"},
		{"token", "nobody"},
		{"run", "--", "sh", "-c", "env"},
		{"run", "--account", name, "--", "sh", "-c", "env; exit 3"},
		{"run", "--", "no-such-command"},
		{"serve", "--proxy-listen", "0.0.0.0:1"},
		{"completion", "bash"},
		{"__complete", "token", ""},
		{"__complete", "login", ""},
		{"nonsense"},
		{"--nonsense"},
	} {
		h.run(args...)
	}
	wrong := h.with("OAUTHMUX_PASSPHRASE=" + h.passphrase[:len(h.passphrase)-1])
	for _, args := range [][]string{{"token", name}, {"refresh", name, "--json"}, {"run", "--", "true"}} {
		wrong.run(args...)
	}
}

// traffic sends requests until it is told to stop.
func (e *engine) traffic(clients int) (stop func()) {
	ctx, cancel := context.WithCancel(e.h.t.Context())
	var running sync.WaitGroup
	for i := range clients {
		running.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				body := question
				if n%3 == 0 {
					body = streamed
				}
				r := e.client.request(ctx, body)
				r.Header.Set("X-Claude-Code-Session-Id", "conversation-"+itoa(i))
				if n%7 == 6 {
					r.Header.Set("Authorization", "Bearer omx_wrong")
				}
				if a, err := e.client.send(r); err == nil {
					e.h.seen.note("an answer of the proxy", fmt.Sprint(a.status, a.header, string(a.body), "\n"))
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// mishaps is everything that an engine may meet: limits, refusals, servers in
// trouble, answers that are none, logins that end.
func (h *home) mishaps() {
	h.t.Helper()
	p := h.provider
	for _, kind := range []simulator.Kind{
		simulator.QuotaScoped, simulator.Throttle, simulator.Overloaded, simulator.ServerError, simulator.Expired,
		simulator.OrgForbidden, simulator.CutBefore, simulator.CutStream, simulator.StreamError, simulator.Captive, simulator.TooLarge,
	} {
		p.Inject(simulator.Fault{Kind: kind, Path: simulator.PathMessages, RetryAfter: "1", ResetsIn: time.Second})
		time.Sleep(30 * time.Millisecond)
	}
	for _, kind := range []simulator.Kind{simulator.ServerError, simulator.Throttle, simulator.CutBefore, simulator.Captive, simulator.MissingFields} {
		p.Inject(simulator.Fault{Kind: kind, Path: simulator.PathToken, User: "home", RetryAfter: "1"})
		h.run("refresh", "home")
	}
	for _, status := range []int{http.StatusBadRequest, http.StatusForbidden, http.StatusBadGateway} {
		p.echo.Store(&echo{simulator.PathToken, status})
		h.run("refresh", "home")
		h.run("refresh", "work", "--json")
	}
	p.echo.Store(nil)
	p.Inject(simulator.Fault{Kind: simulator.QuotaFiveHour, User: "home", ResetsIn: 2 * time.Second})
	for _, name := range []string{"work", "home", "lab"} {
		p.Expire(name)
		time.Sleep(100 * time.Millisecond)
	}
	p.ClearFaults()
	p.Revoke("lab")
	h.run("refresh", "lab")
	eventually(h.t, "lab needs a login", 10*time.Second, func() bool { return h.account("lab").State == control.StateLoginNeeded })
	if r := h.signIn("lab"); r.status != 0 {
		h.t.Errorf("login: %v", r)
	}
}

// clients are programs under run, looked at while they live.
func (h *home) clients() {
	h.t.Helper()
	for _, flags := range [][]string{nil, {"--account", "work"}} {
		cmd, stdout, stderr := h.command(h.t.Context(), append(append([]string{"run"}, flags...), "--", "sh", "-c", "echo ready; exec sleep 60")...)
		if err := cmd.Start(); err != nil {
			h.t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait() // the status says it
		}()
		if _, ok := stdout.line(ended); ok {
			h.settled(cmd.Process.Pid)
		}
		_ = cmd.Process.Signal(syscall.SIGTERM) // its client gets it too
		<-ended
		if status := cmd.ProcessState.ExitCode(); status != 128+int(syscall.SIGTERM) {
			h.t.Errorf("run %q ended with %d: %s", flags, status, stderr)
		}
	}
}

// look opens the screen, tries its keys, and pastes codes where one is asked for.
func (h *home) look(name string) {
	h.t.Helper()
	s := h.onScreen(watched)
	s.shows(h.t, name)
	h.settled(s.cmd.Process.Pid)
	for _, keys := range []string{"j", "k", "w", "\x1b", "u", "r", "p", "p", "e", "\x1b", "d", "n", "?", "\x1b", "\t", "\t"} {
		s.press(h.t, keys)
	}
	s.does(h.t, "a", "paste the code")
	s.press(h.t, "j")
	s.turn()
	s.press(h.t, "\r")
	address := s.shows(h.t, `\x1b\]8;[^;]*;(http[^\x1b\x07]*state=[^\x1b\x07]*)`)
	redirect, err := h.provider.Authorize(address, "other")
	if err != nil {
		h.t.Fatal(err)
	}
	whole := code(h.t, redirect)
	for _, c := range []struct{ pasted, says string }{
		{whole[:50], "the code was refused"},
		{whole + "x", "does not belong to this sign-in"},
		{whole, `other@example\.org`},
	} {
		s.does(h.t, c.pasted[:20], "send the code") // as it is typed: what was said before goes
		s.press(h.t, c.pasted[20:])                 // and as it is pasted
		s.does(h.t, "\r", c.says)
	}
	s.press(h.t, "\x1b")
	s.press(h.t, "q")
	if status := s.wait(h.t); status != 0 {
		h.t.Errorf("the screen ended with %d", status)
	}
	h.ok("logout", "other@example.org", "--yes")
}
