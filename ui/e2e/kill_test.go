//go:build unix

package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/ui/control"
)

// Killed while the refresh token is on its way, which the server has not seen:
// presenting it once more, by whoever comes next, is all it takes.
func TestAnEngineKilledInARenewalLosesNoLogin(t *testing.T) {
	t.Parallel()
	p := newProvider(t, simulator.Options{}, people("work")...)
	h := newHome(t, p)
	h.expire("work")
	held := p.hold(simulator.PathToken) // before the engine is there: it renews without being asked, too
	e := h.serve()
	go func() { _, _ = e.client.ask() }() // it fails with the engine
	held.wait(t)
	e.kill()
	held.release()

	h.serve().servedInTheEnd()
	if a := h.account("work"); a.State == control.StateLoginNeeded {
		t.Errorf("work is %s: %s", a.State, a.Reason)
	}
	p.renewedOnce(t)
}

// servedInTheEnd sends a request until it is served. A token whose answer may be
// on its way to nobody is left alone for ten seconds (SAFETY 2.2).
func (e *engine) servedInTheEnd() {
	e.h.t.Helper()
	eventually(e.h.t, "a request is served", 40*time.Second, func() bool {
		a, err := e.client.ask()
		if err != nil {
			e.h.t.Fatal(err)
		}
		if a.status != http.StatusOK && !strings.Contains(string(a.body), "renewed") {
			e.h.t.Errorf("meanwhile the answer is %v", a)
		}
		return a.status == http.StatusOK
	})
}

// Killed after the server has rotated and before its answer came: where the
// server repeats itself for a while, the login goes on.
func TestAnAnswerLostWithItsEngineIsAskedForAgain(t *testing.T) {
	t.Parallel()
	p := newProvider(t, simulator.Options{Policy: simulator.Grace, Grace: time.Minute}, people("work")...)
	h := newHome(t, p)
	h.expire("work")
	p.Inject(simulator.Fault{Kind: simulator.Slow, Path: simulator.PathToken, Delay: time.Minute})
	e := h.serve()
	go func() { _, _ = e.client.ask() }()
	eventually(t, "the server rotates", 10*time.Second, func() bool { return p.Counts().TotalRefreshes() == 1 })
	e.kill()

	h.serve().servedInTheEnd()
	if c := p.Counts(); c.SupersededPresented != 0 {
		t.Errorf("superseded tokens were presented %d times", c.SupersededPresented)
	}
}

// Where the server does not repeat itself the login is lost, and by nobody's
// fault: it is said to be so, and the next sign-in mends it in its place.
func TestAnAnswerLostForGoodIsSaidToBeLost(t *testing.T) {
	t.Parallel()
	p := newProvider(t, simulator.Options{}, people("work", "home")...)
	h := newHome(t, p)
	h.expire("work")
	h.login("home")
	p.Inject(simulator.Fault{Kind: simulator.Slow, User: "work", Path: simulator.PathToken, Delay: time.Minute})
	e := h.serve()
	go func() { _, _ = e.client.ask() }()
	eventually(t, "the server rotates", 10*time.Second, func() bool { return p.Counts().TotalRefreshes() == 1 })
	e.kill()

	if a := h.serve().client.served(); a.account != h.account("home").ID {
		t.Errorf("the request was not served by the other account: %v", a)
	}
	eventually(t, "work needs a login", 20*time.Second, func() bool { return h.account("work").State == control.StateLoginNeeded })
	if reason := h.account("work").Reason; !strings.Contains(reason, "answer") {
		t.Errorf("the reason is %q", reason)
	}
	if n := p.Counts().Reuse; n != 1 {
		t.Errorf("the spent token was presented %d times, want once", n)
	}
	if r := h.signIn("work"); r.status != 0 || !strings.Contains(r.stdout, "signed in again") {
		t.Errorf("login: %v", r)
	}
	if got := h.account("work"); got.State != control.StateReady || got.Order != 1 {
		t.Errorf("work is %+v", got)
	}
	h.token("work")
}

func TestACooldownOutlivesAKill(t *testing.T) {
	t.Parallel()
	p := newProvider(t, simulator.Options{}, people("work", "home")...)
	h := newHome(t, p)
	h.login("work", "home")
	h.ok("switch", "work")
	e := h.serve()
	p.Inject(simulator.Fault{Kind: simulator.QuotaFiveHour, User: "work", ResetsIn: time.Hour})
	first := e.client.served()
	if first.attempts != "2" {
		t.Errorf("the first request took %s attempts", first.attempts)
	}
	// It is written beside the requests: they do not wait for the disk.
	eventually(t, "the cooldown is on the disk", 20*time.Second, func() bool { return strings.Contains(h.read("accounts.json"), `"until"`) })
	e.kill()

	before := h.account("work")
	if before.State != control.StateCooling || len(before.Cooldowns) != 1 {
		t.Fatalf("after the kill work is %+v", before)
	}
	if left := time.Until(before.Cooldowns[0].Until); left < 55*time.Minute || left > 61*time.Minute {
		t.Errorf("it cools for %v, want an hour", left)
	}
	next := h.serve()
	if a := h.account("work"); len(a.Cooldowns) != 1 || !a.Cooldowns[0].Until.Equal(before.Cooldowns[0].Until) || !a.Preferred {
		t.Errorf("after the restart work is %+v", a)
	}
	if a := next.client.served(); a.account != first.account || a.attempts != "1" {
		t.Errorf("after the restart %s served, after %s attempts", a.account, a.attempts)
	}
	p.noViolations(t)
}

func TestASecondEngineSaysWhoIsTheFirst(t *testing.T) {
	t.Parallel()
	h := signedIn(t)
	e := h.serve()
	info := e.info()
	r := h.fails(1, "runs already for this home: pid ", "serve")
	if !strings.Contains(r.stderr, "pid "+itoa(info.PID)+", "+info.Listen) || info.PID != e.cmd.Process.Pid {
		t.Errorf("the second engine says %q of %+v", r.stderr, info)
	}
	if !e.running() {
		t.Error("the first engine has ended")
	}
	e.client.served()
	// Suspended it is still the engine, and the commands say that it does not
	// answer rather than to work behind its back.
	if err := e.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer e.cmd.Process.Signal(syscall.SIGCONT) //nolint:errcheck // it runs, or the test has failed
	r = h.run("serve")
	if r.status != 1 || r.stderr == "" || r.took > 20*time.Second {
		t.Errorf("beside a suspended engine, after %v: %v", r.took, r)
	}
	if err := e.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	e.client.served()
}

func TestAnEngineThatIsToldToEndFinishesItsRenewal(t *testing.T) {
	t.Parallel()
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, simulator.Options{}, people("work")...)
			h := newHome(t, p)
			h.expire("work")
			held := p.hold(simulator.PathToken)
			e := h.serve()
			go func() { _, _ = e.client.ask() }() // whether it is answered is not the point
			held.wait(t)
			if err := e.cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			time.Sleep(300 * time.Millisecond) // long enough to end, for one that does not wait
			if !e.running() {
				t.Fatal("it ended in the middle of a renewal")
			}
			held.release()
			if status := e.wait(20 * time.Second); status != 0 {
				t.Errorf("it ended with %d: %s", status, e.stderr)
			}
			if user, live := p.Owner(h.token("work")); user != "work" || !live {
				t.Errorf("the stored token is that of %q, and live is %v", user, live)
			}
			p.renewedOnce(t)
		})
	}
}

func TestAnEngineThatIsToldToEndDoesSo(t *testing.T) {
	t.Parallel()
	h := signedIn(t)
	took := time.Hour
	for try := 0; try < 3 && took > 3*time.Second; try++ { // the machine may have been busy: the best counts
		e := h.serve()
		e.client.served()
		began := time.Now()
		if status := e.stop(); status != 0 {
			t.Errorf("it ended with %d: %s", status, e.stderr)
		}
		took = time.Since(began)
	}
	if took > 3*time.Second {
		t.Errorf("with nothing to do it took %v to end, at best", took)
	}
	if s := h.status(); s.Engine.Running || s.Engine.Listen != "" || s.Engine.PID != 0 {
		t.Errorf("status says %+v", s.Engine)
	}
}

// asNobody is a command that runs as another user.
func asNobody(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() == 0 {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = "/"
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		return cmd
	}
	sudo := []string{"-n", "-u", "nobody", "--"}
	if err := exec.CommandContext(t.Context(), "sudo", append(sudo, "true")...).Run(); err != nil {
		missing(t, "another user", "run as root, or allow sudo without a password")
	}
	cmd := exec.CommandContext(t.Context(), "sudo", append(sudo, args...)...)
	cmd.Dir = "/"
	return cmd
}

// Another user of the machine can open nothing: not the home, not the socket,
// and at the proxy the local key is what counts (SAFETY T03).
func TestT03AnotherUserIsKeptOut(t *testing.T) {
	t.Parallel()
	curl := need(t, "curl", "curl")
	h := signedIn(t)
	e := h.serve()
	env := h.with("OAUTHMUX_PASSPHRASE", "LC_ALL=C").env
	as := func(name string, args ...string) string {
		cmd := asNobody(t, append(append(append([]string{"env", "-i"}, env...), name), args...)...)
		out, _ := cmd.CombinedOutput() // failing is what it should do
		return string(out)
	}
	if out := as(plain, "version"); !strings.Contains(out, version) {
		missing(t, "a folder from which another user can run the program", "set TMPDIR to one: "+out)
	}
	// The folder above the home is open to all here: the home's own mode counts.
	if err := os.Chmod(h.root, 0o755); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(h.dir, "control.sock")
	for _, args := range [][]string{
		{"ls", h.dir},
		{"cat", filepath.Join(h.dir, "accounts.json")},
		{"cat", filepath.Join(h.dir, "vault", "local.key")},
		{curl, "-sS", "--unix-socket", socket, "http://localhost/"},
	} {
		if got := as(args[0], args[1:]...); !strings.Contains(strings.ToLower(got), "permission denied") && !strings.Contains(got, "Couldn't connect") && !strings.Contains(got, "Failed to connect") {
			t.Errorf("%q: %s", args, got)
		}
	}
	for _, args := range [][]string{{"list"}, {"token"}, {"status"}, {"serve"}} {
		got := as(plain, args...)
		if !strings.Contains(got, "oauthmux: ") || strings.Contains(got, "work") {
			t.Errorf("oauthmux %q as another user: %s", args, got)
		}
	}
	h.alone(h.dir)
	for _, key := range []string{"", "omx_" + strings.Repeat("A", 43)} {
		got := as(curl, "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Authorization: Bearer "+key, "-H", "Content-Type: application/json",
			"-d", question, e.client.base+simulator.PathMessages)
		if got != itoa(http.StatusUnauthorized) {
			t.Errorf("the proxy answered %s", got)
		}
	}
	e.client.served()
	h.provider.noViolations(t)
}
