//go:build unix

package terminal

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSeveralScreensShowOneEngine(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada, mary)
	h.signsIn("ada", "mary")
	engine := h.serve()

	one, two := open(t, ordinary, h.environment()...), open(t, size{80, 24}, h.environment()...)
	for _, m := range []*terminal{one, two} {
		m.runs("oauthmux")
		m.shows("attached")
		prefers(m, "ada")
	}
	one.called("attached")
	one.press("Down", "Enter")
	prefers(one, "mary")
	prefers(two, "mary")
	h.does("switch", "ada")
	prefers(one, "ada")
	prefers(two, "ada")
	two.press("Down", "p")
	for _, m := range []*terminal{one, two} {
		m.until("mary to be paused", func(screen string) bool { return strings.Contains(row(screen, "mary"), "paused") })
	}
	h.does("resume", "mary")
	two.until("mary to be ready", func(screen string) bool { return strings.Contains(row(screen, "mary"), "ready") })

	one.press("q") // the engine is not its own: it need not ask
	if status := one.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	one.shows(fmt.Sprintf("the engine keeps running (pid %d", engine.Process.Pid))
	isClean(t, one)
	if e := h.status().Engine; !e.Running || e.PID != engine.Process.Pid {
		t.Errorf("after one screen was left the engine is %+v", e)
	}

	if err := engine.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	two.shows("engine does not answer")
	two.called("engine-gone")
	two.press("?") // it goes on working
	two.shows("The selected account")
	two.press("Escape")
	two.hides("The selected account")
	two.press("Enter") // an action says that it cannot be done, and nothing hangs
	two.finds(`(?m)^ ! .*engine`)
	two.called("engine-gone-action")

	engine = h.serve()
	two.hides("engine does not answer")
	two.until("the table", func(screen string) bool { return row(screen, "ada") != "" })
	h.does("switch", "mary")
	prefers(two, "mary")

	if err := engine.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := engine.Wait(); err != nil {
		t.Errorf("serve ended with %v", err)
	}
	two.shows("engine does not answer")
	two.press("q")
	if status := two.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	isClean(t, two)
}

// prefers waits until the star is in that account's row, and in no other.
func prefers(m *terminal, label string) {
	m.t.Helper()
	m.until("the star in the row of "+label, func(screen string) bool {
		return strings.Contains(row(screen, label), "★") && strings.Count(screen, "★") == 1
	})
}

func TestAClosedWindowEndsTheProgramInOrder(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada)
	h.signsIn("ada")
	m := open(t, ordinary, h.environment()...)
	m.runs("oauthmux")
	m.until("a row for ada", func(screen string) bool { return row(screen, "ada") != "" })
	pid := h.status().Engine.PID
	m.tmux("kill-window", "-t", session)
	h.until("the end of the program", func() bool { return gone(pid) })
	if e := h.status().Engine; e.Running {
		t.Errorf("there is still an engine: %+v", e)
	}
	if !strings.Contains(read(t, h.dir+"/oauthmux.log"), `"engine stopped"`) {
		t.Error("the engine did not end in order")
	}
	if _, err := os.Lstat(h.dir + "/control.sock"); err == nil {
		t.Error("control.sock was left behind")
	}
	h.serve() // and the lock is free
}

func TestTheProgramCanBeSuspendedAndGoesOn(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada, mary)
	h.signsIn("ada", "mary")
	h.serve()
	m := open(t, ordinary, h.environment()...)
	m.runs("oauthmux")
	prefers(m, "ada")
	m.press("C-z")
	m.ready()
	isCleanBut(t, m, 1) // the program itself, which is stopped
	h.does("switch", "mary")
	m.runs("fg")
	prefers(m, "mary")
	m.press("?")
	m.shows("The selected account")
	m.press("Escape")
	m.hides("The selected account")
	m.press("q")
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	isClean(t, m)
}

func TestASuspendedEngineSaysSoAndGoesOn(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada)
	h.signsIn("ada")
	m := open(t, ordinary, h.environment("OAUTHMUX_UI_MOUSE=true")...)
	m.runs("stty -g >before; oauthmux")
	prefers(m, "ada")
	m.until("the mouse", func(string) bool { return m.is("mouse_any_flag") == "1" })
	m.press("C-z")
	m.shows("oauthmux is stopped, and its proxy with it: requests wait until `fg`")
	m.runs("stty -g | diff before - && echo as before")
	m.finds(`(?m)^as before$`)
	m.ready()
	isCleanBut(t, m, 1) // the program itself, which is stopped
	m.runs("fg")
	prefers(m, "ada")
	m.until("the mouse and the other screen", func(string) bool {
		return m.is("mouse_any_flag") == "1" && m.is("alternate_on") == "1"
	})
	m.press("?")
	m.shows("The selected account")
	m.press("Escape")
	m.hides("The selected account")
	for range 3 { // the clock and the signal may come in either order
		m.press("C-z")
		m.ready()
		time.Sleep(1100 * time.Millisecond) // longer than it takes to know that nobody is stopped
		m.runs("fg")
		prefers(m, "ada")
		if screen := m.screen(); strings.Contains(screen, "there is no shell here") {
			t.Errorf("it was stopped, and denies it:\n%s", screen)
		}
	}
	m.press("q")
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	isClean(t, m)
}

func TestCtrlZWithoutAShellChangesNothing(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada)
	h.signsIn("ada")
	m := open(t, ordinary, h.environment()...)
	m.runs("exec oauthmux")
	prefers(m, "ada")
	m.press("C-z")
	m.shows("there is no shell here")
	prefers(m, "ada")
	m.press("?")
	m.shows("The selected account")
}
