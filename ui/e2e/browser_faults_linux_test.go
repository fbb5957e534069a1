package e2e

import (
	"context"
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

// What can be wrong with a browser or its profile has a name, and costs nothing.
func TestWhatIsWrongWithAProfileHasAName(t *testing.T) {
	t.Parallel()
	h, p := withSession(t, "[relogin]", "daily_budget = 100")
	profile := h.profile("work")
	data := filepath.Join(profile, "profile") // the browser's own folder
	lock := filepath.Join(data, "SingletonLock")

	t.Run("in use", func(t *testing.T) {
		h := h.of(t)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		other := exec.CommandContext(ctx, "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
			"--disable-background-networking", "--user-data-dir="+data, "about:blank")
		other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := other.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the other browser has the profile", 20*time.Second, func() bool { _, err := os.Readlink(lock); return err == nil })
		h.fails(1, "another browser", "browser", "login", "work")
		if len(browsersOf(profile)) == 0 {
			t.Error("the other browser was ended")
		}
		_ = syscall.Kill(-other.Process.Pid, syscall.SIGKILL)
		_ = other.Wait() // it was killed
		eventually(t, "the other browser is gone", 10*time.Second, func() bool { return len(browsersOf(profile)) == 0 })
		h.ok("browser", "login", "work") // what a kill leaves behind is no obstacle
	})

	t.Run("of another computer", func(t *testing.T) {
		h := h.of(t)
		_ = os.Remove(lock)
		if err := os.Symlink("attic-4711", lock); err != nil {
			t.Fatal(err)
		}
		r := h.run("browser", "login", "work", "--json")
		if r.status != 1 || !strings.Contains(r.stdout, `"code":"`+control.CodeElsewhere+`"`) || !strings.Contains(r.stdout, "attic") {
			t.Errorf("%v", r)
		}
		if to, err := os.Readlink(lock); err != nil || to != "attic-4711" {
			t.Errorf("the lock is %q, %v", to, err)
		}
		who := newPerson(t)
		if r := h.inWindow(who, who.grants, "work", "--take-over"); r.status != 0 {
			t.Errorf("taken over: %v", r)
		}
		h.ok("browser", "login", "work")
	})

	t.Run("open to others", func(t *testing.T) {
		h := h.of(t)
		if err := os.Chmod(profile, 0o755); err != nil {
			t.Fatal(err)
		}
		h.ok("browser", "login", "work")
		if info, err := os.Stat(profile); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("it is %v, %v", info, err)
		}
	})

	t.Run("another user's", func(t *testing.T) {
		if os.Geteuid() != 0 {
			missing(t, "another user", "run as root")
		}
		h := h.of(t)
		if err := os.Chown(profile, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		h.fails(1, "belongs to another user", "browser", "login", "work")
		if err := os.Chown(profile, 0, 0); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("on a full disk", func(t *testing.T) {
		if os.Geteuid() != 0 {
			missing(t, "a small disk", "run as root")
		}
		h := h.of(t)
		small := h.path("small")
		if err := os.Mkdir(small, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=64m,mode=0700"); err != nil {
			missing(t, "the right to mount", "run where root may mount a tmpfs: "+err.Error())
		}
		defer syscall.Unmount(small, syscall.MNT_DETACH) //nolint:errcheck // the machine of a test
		if out, err := exec.CommandContext(t.Context(), "cp", "-a", profile+"/.", small).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		fill(t, filepath.Join(small, "filling"))
		if err := syscall.Mount(small, profile, "", syscall.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		r := h.run("browser", "login", "work")
		if err := syscall.Unmount(profile, syscall.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
		h.failed(r, 1, "no space left", []string{"browser", "login", "work"})
		h.ok("browser", "login", "work")
	})

	t.Run("no browser", func(t *testing.T) {
		h := h.of(t)
		h.with("OAUTHMUX_BROWSER=/nowhere/chromium").fails(1, "there is no browser at /nowhere/chromium", "browser", "login", "work")
		h.with("OAUTHMUX_BROWSER=/bin/false").fails(1, "the browser", "browser", "login", "work")
	})

	t.Run("no screen", func(t *testing.T) {
		h.of(t).fails(1, "no display", "browser", "setup", "work")
	})

	if a := h.account("work"); a.State == control.StateLoginNeeded {
		t.Errorf("work is %+v", a)
	}
	p.noViolations(t)
}

// fill writes until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // there is no space for what it might still write
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}

// The person goes away, closes the window, or says no.
func TestAWindowThatIsLeft(t *testing.T) {
	t.Parallel()
	who := newPerson(t)
	p := newProvider(t, simulator.Options{Pages: true}, people("work")...)
	h := newHome(t, p)
	h.login("work")

	r := h.inWindow(who, func() {
		who.sees(pageTitles.email)
		who.presses("alt+F4", "ctrl+shift+w")
	}, "work")
	h.failed(r, 1, "the window was closed", []string{"browser", "setup", "work"})
	if b := h.browser("work"); b.State != control.BrowserNone {
		t.Errorf("a session is left: %+v", b)
	}

	seeing := h.with("DISPLAY=" + who.display)
	cmd, _, _ := seeing.command(t.Context(), "browser", "setup", "work")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	who.sees(pageTitles.email)
	_ = cmd.Process.Signal(syscall.SIGINT)
	_ = cmd.Wait() // the status says it
	if status := cmd.ProcessState.ExitCode(); status != 1 {
		t.Errorf("given up it ended with %d", status)
	}
	if n := len(who.windows()); n != 0 {
		t.Errorf("%d windows are left", n)
	}
	// Killed, it leaves no window; what was on its way to become a session goes with
	// the next look at sessions.
	cmd, _, _ = seeing.command(t.Context(), "browser", "setup", "work")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	who.sees(pageTitles.email)
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	eventually(t, "the window is gone", 20*time.Second, func() bool { return len(who.windows()) == 0 })
	h.ok("browser", "status")
	if left, err := filepath.Glob(filepath.Join(h.dir, "browsers", simulator.Plays, "new-*")); err != nil || len(left) > 0 {
		t.Errorf("there are left %q, %v", left, err)
	}
	if a := h.account("work"); a.State != control.StateReady || a.Browser != control.BrowserNone {
		t.Errorf("work is %+v", a)
	}
}
