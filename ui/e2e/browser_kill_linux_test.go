package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/ui/control"
)

// browsersOf are the processes that have a profile's folder on their command line.
func browsersOf(profile string) []int {
	var pids []int
	entries, _ := os.ReadDir("/proc") // it is there, or nothing works
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		line, err := os.ReadFile("/proc/" + entry.Name() + "/cmdline")
		if err == nil && strings.Contains(string(line), "--user-data-dir="+profile) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// commandLines are those of processes, as far as they tell what they are.
func commandLines(pids []int) (all []string) {
	for _, pid := range pids {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // it may have ended
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		all = append(all, fmt.Sprintf("%.60s %.200s", stat, line))
	}
	return all
}

// tree is a process and all that it has started, those included that have changed
// their group or session.
func tree(pid int) []int {
	all := []int{pid}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is a good one
	for _, task := range tasks {
		children, _ := os.ReadFile(task) // it may have ended
		for field := range strings.FieldsSeq(string(children)) {
			if child, err := strconv.Atoi(field); err == nil {
				all = append(all, tree(child)...)
			}
		}
	}
	return all
}

// While a browser works nobody can reach it but who started it: no process of its
// tree listens, and what is secret is on no command line (SAFETY T21, T27).
func TestT21NoBrowserListens(t *testing.T) {
	t.Parallel()
	ss := need(t, "ss", "iproute2")
	h, p := withSession(t)
	p.ShowPage("work", simulator.PageEndless, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	cmd, _, _ := h.command(ctx, "browser", "login", "work")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the browser is at the page", 30*time.Second, func() bool { return p.Counts().PageViews[simulator.PageEndless] > 0 })
	mine := map[int]bool{}
	for _, pid := range tree(cmd.Process.Pid) {
		mine[pid] = true
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // it may have ended
		for _, secret := range []string{"state=", "code_challenge", "oauth/authorize", h.passphrase} {
			if strings.Contains(string(line), secret) {
				t.Errorf("%q is on a command line", secret)
			}
		}
		h.seen.note("the command line of a browser", string(line)+"\n")
	}
	if len(mine) < 4 {
		t.Errorf("only %d processes were looked at", len(mine))
	}
	out, err := exec.CommandContext(t.Context(), ss, "-ltnpH").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		for pid := range mine {
			if strings.Contains(line, fmt.Sprintf("pid=%d,", pid)) {
				t.Errorf("it listens: %s", line)
			}
		}
	}
	stop()
	_ = cmd.Wait() // it was killed
}

const (
	kills       = 100                     // of a test
	killHomes   = 2                       // at once, each with its share of them
	killWithin  = 2000 * time.Millisecond // of a sign-in's begin: it is at the page by then
	storeWithin = 1500 * time.Millisecond // of the code: the browser has ended, and the code is exchanged and stored by then
	orphanTime  = 5 * time.Second
)

// Killed with -9 at any moment of a sign-in, the program leaves no browser behind,
// and no half of anything: the account has a whole login after each kill, and the
// profile opens the next time (SAFETY T25).
func TestT25KillsOfTheProgramLeaveNoBrowser(t *testing.T) {
	t.Parallel()
	killsDuringSignIns(t, func(_ *home, cmd *exec.Cmd, _ string) { _ = cmd.Process.Kill() })
}

// The browser may be killed as well: its sign-in fails by name, or had come
// through, and the next one works.
func TestT25KillsOfTheBrowserAreSurvived(t *testing.T) {
	t.Parallel()
	killsDuringSignIns(t, func(_ *home, _ *exec.Cmd, profile string) {
		for _, pid := range browsersOf(profile) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
}

// pause reports false when a process ended before d had passed.
func pause(ended <-chan struct{}, d time.Duration) bool {
	select {
	case <-ended:
		return false
	case <-time.After(d):
		return true
	}
}

func killsDuringSignIns(t *testing.T, kill func(h *home, cmd *exec.Cmd, profile string)) {
	t.Helper()
	for i := range killHomes {
		t.Run(itoa(i), func(t *testing.T) {
			t.Parallel()
			h, p := withSession(t, "[relogin]", "daily_budget = 1000000")
			h.killSignIns(p, kills/killHomes, kill)
		})
	}
}

func (h *home) killSignIns(p *provider, times int, kill func(h *home, cmd *exec.Cmd, profile string)) {
	t := h.t
	profile := h.profile("work")
	worked, died, late := 0, 0, 0
	for i := range times {
		cmd, _, stderr := h.command(t.Context(), "browser", "login", "work")
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait() // the status says it
		}()
		if i%3 < 2 {
			pause(ended, rand.N(killWithin))
		} else { // from the moment on in which there is a code
			for before := p.Counts().Consents; p.Counts().Consents == before && pause(ended, 5*time.Millisecond); {
			}
			pause(ended, rand.N(storeWithin))
		}
		kill(h, cmd, profile)
		<-ended
		switch status := cmd.ProcessState.ExitCode(); status {
		case 0:
			worked++
		case -1:
			died++
		case 1:
		default:
			t.Errorf("kill %d: status %d, %s", i, status, stderr)
		}
		// Whatever was cut, there is one whole login: the old one, or the new one.
		if r := h.run("token", "work"); r.status != 0 {
			t.Errorf("kill %d: no token is left: %v", i, r)
		} else if user, live := p.Owner(strings.TrimSpace(r.stdout)); user != "work" || !live {
			t.Errorf("kill %d: the token is %q's, live %v", i, user, live)
		}
		killed := time.Now()
		for len(browsersOf(profile)) > 0 {
			if time.Since(killed) > commandLimit {
				t.Errorf("kill %d: after %v there are left %q", i, commandLimit, commandLines(browsersOf(profile)))
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		if time.Since(killed) > orphanTime {
			late++
		}
	}
	if late > times/10 { // a machine may be busy for a while, and not each time
		t.Errorf("after %d of %d kills a browser was left for longer than %v", late, times, orphanTime)
	}
	t.Logf("%d sign-ins had come through, %d were cut with their program, of %d", worked, died, times)
	if r := h.run("browser", "login", "work"); r.status != 0 {
		t.Errorf("the profile does not open: %v", r)
	}
	if a := h.account("work"); a.State != control.StateReady {
		t.Errorf("work is %+v", a)
	}
	if user, live := p.Owner(h.token("work")); user != "work" || !live {
		t.Errorf("the stored token is %q's, live %v", user, live)
	}
	if names := h.labels(); len(names) != 1 {
		t.Errorf("there are the accounts %q", names)
	}
}
