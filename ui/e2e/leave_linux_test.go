package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/ui/control"
)

// engineUp waits for an engine whose vault is open.
func (h *home) engineUp() control.Info {
	h.t.Helper()
	var info control.Info
	eventually(h.t, "an engine with an open vault", commandLimit, func() bool {
		info = h.status().Engine
		return info.Running && info.Key == "ok"
	})
	return info
}

// asks sends a request and returns where its answer comes.
func (c client) asks() <-chan error {
	result := make(chan error, 1)
	go func() {
		a, err := c.ask()
		if err == nil && a.status != 200 {
			err = fmt.Errorf("answered %v", a)
		}
		result <- err
	}()
	return result
}

// goesOn waits for the words about the engine that was left running, and returns
// its process. It is killed in the end, if a test that failed did not end it.
func (s *screen) goesOn(t *testing.T, listen string) int {
	t.Helper()
	said := s.shows(t, `oauthmux: the engine keeps running \(pid (\d+), `+regexp.QuoteMeta(listen)+`\); .oauthmux. shows it, .oauthmux serve --stop. ends it`)
	pid, err := strconv.Atoi(said)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	if status := s.wait(t); status != 0 {
		t.Errorf("the screen ended with %d", status)
	}
	return pid
}

// ends ends an engine that nobody here has started.
func (h *home) ends(pid int) {
	h.t.Helper()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		h.t.Fatal(err)
	}
	eventually(h.t, "the end of the engine", commandLimit, func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(stat), ") Z ") // nobody may be there to take it away
	})
	if info := h.status().Engine; info.Running {
		h.t.Errorf("there is still an engine: %+v", info)
	}
}

// leaves has an engine left while a request is under way.
func (h *home) leaves() (s *screen, was control.Info, held *hold, under <-chan error) {
	h.t.Helper()
	s = h.onScreen(plain)
	was = h.engineUp()
	held = h.provider.hold(simulator.PathMessages)
	under = h.client().asks()
	held.wait(h.t)
	s.shows(h.t, `1 in flight`)
	s.does(h.t, "Q", `the engine goes on when 1 request has ended`)
	return s, was, held, under
}

func TestTheEngineGoesOnWithoutItsScreen(t *testing.T) {
	h := signedIn(t)
	s, was, held, under := h.leaves()
	next := h.client().asks() // nobody accepts it now, and nobody refuses it
	held.release()
	if err := <-under; err != nil {
		t.Errorf("the request under way: %v", err)
	}
	pid := s.goesOn(t, was.Listen)
	if err := <-next; err != nil {
		t.Errorf("a request between the two: %v", err)
	}

	now := h.engineUp()
	if now.PID != pid || now.PID == was.PID || now.Listen != was.Listen {
		t.Errorf("the engine was %+v and is %+v", was, now)
	}
	h.client().served()
	about := map[string]string{}
	for _, name := range []string{"environ", "cmdline"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil {
			t.Fatal(err)
		}
		about[name] = string(text)
		h.seen.note(name+" of the engine that goes on", about[name])
	}
	if strings.Contains(about["environ"], "OAUTHMUX_PASSPHRASE") {
		t.Error("its environment has the variable of the passphrase")
	}
	if sid, _, errno := syscall.Syscall(syscall.SYS_GETSID, uintptr(pid), 0, 0); errno != 0 || int(sid) != pid {
		t.Errorf("it is in the session %d: %v", sid, errno)
	}
	for fd := range 3 {
		if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd)); err != nil || strings.HasPrefix(to, "/dev/pts") {
			t.Errorf("its descriptor %d is %s, %v", fd, to, err)
		}
	}

	other := h.onScreen(plain)
	other.shows(t, `attached to `+regexp.QuoteMeta(was.Listen))
	other.does(t, "Q", fmt.Sprintf(`keeps running \(pid %d`, pid))
	if status := other.wait(t); status != 0 {
		t.Errorf("the second screen ended with %d", status)
	}
	h.ends(pid)
	if n := strings.Count(h.read("oauthmux.log"), `"engine stopped"`); n != 2 {
		t.Errorf("%d engines ended in order, want 2", n)
	}
}

func TestAPassphraseThatWasTypedOpensTheNextEngineToo(t *testing.T) {
	signed := signedIn(t)
	h := signed.with("OAUTHMUX_PASSPHRASE")
	s := h.onScreen(plain)
	s.shows(t, `passphrase`)
	s.does(t, signed.passphrase, `•|\*`)
	s.press(t, "\r")
	was := h.engineUp()
	held := h.provider.hold(simulator.PathMessages)
	under := h.client().asks()
	held.wait(t)
	s.shows(t, `1 in flight`)
	s.does(t, "q", `Quit\?`)
	s.does(t, "k", `1 request has ended`)
	s.press(t, "\x03") // the terminal is the shell's again: it cuts the request, and the engine goes on all the same
	if err := <-under; err == nil {
		t.Error("the request that was cut looked whole")
	}
	held.release()
	pid := s.goesOn(t, was.Listen)
	if now := h.engineUp(); now.PID != pid {
		t.Errorf("the engine is %+v, want process %d", now, pid)
	}
	h.client().served()
	h.ends(pid)
}

// What would keep another process from being the engine is seen before this one ends:
// it goes on here.
func TestAnEngineThatNoOtherCanFollowGoesOnWhereItIs(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, h *home, program string)
		words string
	}{
		"a file of settings that is wrong": {
			func(t *testing.T, h *home, _ string) { t.Helper(); h.write("config.toml", "[proxy]\nnonsense = 1\n") },
			`nonsense`,
		},
		"a program that is gone": {
			func(t *testing.T, _ *home, program string) {
				t.Helper()
				if err := os.Remove(program); err != nil {
					t.Fatal(err)
				}
			},
			`the program's file is not there any more`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := signedIn(t)
			program := filepath.Join(t.TempDir(), "oauthmux")
			if err := os.Link(plain, program); err != nil {
				t.Fatal(err)
			}
			s := h.onScreen(program)
			was := h.engineUp()
			s.shows(t, `1 ready`)
			config := h.read("config.toml")
			c.spoil(t, h, program)
			s.does(t, "Q", `(?s)the engine goes on in this process, until ctrl\+c: no other one can take its place: .*`+c.words)
			h.write("config.toml", config)
			if now := h.engineUp(); now.PID != was.PID {
				t.Errorf("the engine was %+v and is %+v", was, now)
			}
			h.client().served()
			s.press(t, "\x03")
			if status := s.wait(t); status != 0 {
				t.Errorf("it ended with %d", status)
			}
			if info := h.status().Engine; info.Running {
				t.Errorf("there is still an engine: %+v", info)
			}
		})
	}
}

// A window that is closed while requests come to their ends takes nothing along.
func TestTheEngineGoesOnThoughItsTerminalGoes(t *testing.T) {
	h := signedIn(t)
	s, was, held, under := h.leaves()
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	held.release()
	if err := <-under; err != nil {
		t.Errorf("the request under way: %v", err)
	}
	pid := s.goesOn(t, was.Listen)
	if now := h.engineUp(); now.PID != pid || now.PID == was.PID || now.Listen != was.Listen {
		t.Errorf("the engine was %+v and is %+v", was, now)
	}
	h.client().served()
	if r := h.run("serve", "--stop"); r.status != 0 || r.stdout != fmt.Sprintf("the engine has ended (pid %d)\n", pid) {
		t.Errorf("serve --stop: %v", r)
	}
	if info := h.status().Engine; info.Running {
		t.Errorf("there is still an engine: %+v", info)
	}
}

// An engine is ended with its screen, which leaves the terminal in order and says why.
func TestAnEngineIsEndedFromElsewhere(t *testing.T) {
	h := signedIn(t)
	s := h.onScreen(plain)
	pid := h.engineUp().PID
	s.shows(t, `1 ready`)
	if r := h.run("serve", "--stop"); r.status != 0 || r.stdout != fmt.Sprintf("the engine has ended (pid %d)\n", pid) {
		t.Errorf("serve --stop: %v", r)
	}
	s.shows(t, `(?s)1049l.*oauthmux: somebody had the engine end: oauthmux serve --stop`)
	if status := s.wait(t); status != 0 {
		t.Errorf("the screen ended with %d", status)
	}
}

// Where a person happened to be when they left an engine is not kept in use.
func TestAnEngineThatGoesOnStandsAtHome(t *testing.T) {
	h := signedIn(t)
	s := h.onScreen(plain)
	was := h.engineUp()
	s.shows(t, `1 ready`)
	s.press(t, "Q")
	pid := s.goesOn(t, was.Listen)
	if at, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err != nil || at != h.dir {
		t.Errorf("it stands in %s, %v", at, err)
	}
	h.ends(pid)
}
