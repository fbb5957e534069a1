package chromium

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/relogin"
)

// processes are those of the browser that works on a profile.
func processes(t *testing.T, profile string) []int {
	t.Helper()
	var pids []int
	groups := map[string]bool{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 { // first the groups, then all that are in them
		for _, stat := range stats {
			text, err := os.ReadFile(stat)
			if err != nil {
				continue
			}
			fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
			if fields[0] == "Z" {
				continue
			}
			dir := filepath.Dir(stat)
			if round == 0 {
				if args, err := os.ReadFile(filepath.Join(dir, "cmdline")); err == nil && bytes.Contains(args, []byte("--user-data-dir="+profile)) {
					groups[fields[2]] = true
				}
			} else if groups[fields[2]] {
				pid, err := strconv.Atoi(filepath.Base(dir))
				if err != nil {
					t.Fatal(err)
				}
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// during runs look while a visit waits for its page.
func during(t *testing.T, v relogin.Visit, s *site, look func()) (string, error) {
	t.Helper()
	return duringWith(t, new(Driver), v, s, func(<-chan struct{}) { look() })
}

// duringWith is during with a driver of its own. look may wait for the visit's end,
// which then is not by the redirect.
func duringWith(t *testing.T, d *Driver, v relogin.Visit, s *site, look func(ended <-chan struct{})) (string, error) {
	t.Helper()
	arrived, goOn := make(chan struct{}), make(chan struct{})
	s.mux.HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-goOn:
		case <-r.Context().Done():
			return
		}
		http.Redirect(w, r, callback+"?code=the-canary-code&state=the-canary-state", http.StatusFound)
	})
	v.URL = s.URL + "/wait?state=the-canary-state"
	ended := make(chan struct{})
	var address string
	var err error
	go func() {
		defer close(ended)
		address, _, err = openWith(t, d, v, time.Minute)
	}()
	select {
	case <-arrived:
		look(ended)
	case <-ended:
		t.Errorf("the visit ended early: %v", err)
	}
	close(goOn)
	<-ended
	return address, err
}

func TestABrowserShowsNothingToItsNeighbours(t *testing.T) {
	s := newSite(t)
	v := s.visit(t)
	v.Environ = append(os.Environ(), "OAUTHMUX_PASSPHRASE=the-canary-passphrase")
	secret := filepath.Join(t.TempDir(), "inherited")
	f, err := os.Create(secret)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	inherited, err := syscall.Dup(int(f.Fd())) // stays open in children, as one from our parent would
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(inherited) }()

	address, err := during(t, v, s, func() {
		pids := processes(t, v.Profile)
		if len(pids) < 2 {
			t.Errorf("the browser has %d processes, want more", len(pids))
		}
		var memory int
		for _, pid := range pids {
			dir := filepath.Join("/proc", strconv.Itoa(pid))
			for _, name := range []string{"cmdline", "environ"} {
				text, err := os.ReadFile(filepath.Join(dir, name))
				if err == nil && bytes.Contains(text, []byte("canary")) || bytes.Contains(text, []byte(s.host())) {
					t.Errorf("the %s of process %d tells what is secret", name, pid)
				}
			}
			links, _ := filepath.Glob(filepath.Join(dir, "fd", "*"))
			for _, link := range links {
				if to, _ := os.Readlink(link); to == secret {
					t.Errorf("process %d has a file open that is not its own", pid)
				}
			}
			memory += proportional(dir)
		}
		t.Logf("%d processes, %d MiB", len(pids), memory>>10)
		listensNowhere(t, pids)
	})
	if err != nil || !strings.Contains(address, "code=the-canary-code") {
		t.Fatalf("the visit ended at %q: %v", address, err)
	}
	if left := processes(t, v.Profile); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	if held := holding(t, v.Profile, "the-canary-code"); len(held) > 0 {
		t.Errorf("the code is in %v", held)
	}
}

// proportional is the memory of a process in KiB, with its part of what is shared.
func proportional(dir string) int {
	text, err := os.ReadFile(filepath.Join(dir, "smaps_rollup"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "Pss:" {
			kib, _ := strconv.Atoi(fields[1])
			return kib
		}
	}
	return 0
}

func listensNowhere(t *testing.T, pids []int) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ss", "-ltnpH").Output()
	if err != nil {
		t.Logf("ss: %v", err)
		if _, err := exec.LookPath("ss"); err != nil {
			t.Log("ss is missing: apt install iproute2")
			if os.Getenv("OAUTHMUX_REQUIRE_ALL") == "1" {
				t.Error("nobody looked for listening sockets")
			}
		}
		return
	}
	for line := range strings.Lines(string(out)) {
		for _, pid := range pids {
			if strings.Contains(line, "pid="+strconv.Itoa(pid)+",") {
				t.Errorf("the browser listens: %s", line)
			}
		}
	}
}

func TestABrowserEndsWithItsParent(t *testing.T) {
	s := newSite(t)
	v := s.visit(t)
	arrived := make(chan struct{})
	s.mux.HandleFunc("/wait", func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), childVisit+"="+v.Profile, "OAUTHMUX_TEST_URL="+s.URL+"/wait")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-arrived:
	case <-ctx.Done():
		t.Fatal("the child never came to its page")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	killed := time.Now()
	for len(processes(t, v.Profile)) > 0 {
		if time.Since(killed) > 5*time.Second {
			t.Fatalf("processes %v outlived their parent", processes(t, v.Profile))
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("gone after %s", time.Since(killed))

	// The profile is as good as before.
	s.page("/oauth/authorize", `<script>location = "/grant"</script>`)
	if address, _, err := open(t, v, time.Minute); err != nil {
		t.Errorf("the next visit ended at %q: %v", address, err)
	}
}

func TestABrowserThatIsKilledIsNoticed(t *testing.T) {
	s := newSite(t)
	v := s.visit(t)
	var killed time.Time
	_, err := during(t, v, s, func() {
		for _, pid := range processes(t, v.Profile) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		killed = time.Now()
	})
	if want := "the browser ended by itself"; err == nil || err.Error() != want {
		t.Errorf("the visit ended with %v, want %q", err, want)
	}
	if took := time.Since(killed); took > 10*time.Second {
		t.Errorf("it took %s to notice", took)
	}
}

func TestTwoBrowsersDoNotWorkOnOneProfile(t *testing.T) {
	s := newSite(t)
	v := s.visit(t)
	_, err := during(t, v, s, func() {
		_, _, err := open(t, v, time.Minute)
		if used, ok := err.(*relogin.InUseError); !ok || used.PID == 0 || used.Host != "" { //nolint:errorlint // it is not wrapped
			t.Errorf("the second visit ended with %v, want an error that says the profile is in use", err)
		}
	})
	if err != nil {
		t.Errorf("the first visit ended with %v", err)
	}
}

func TestAFullDiskIsNamed(t *testing.T) {
	path := browserPath(t)
	if os.Geteuid() != 0 {
		lacking(t, "a disk that fills up", "run as root")
	}
	const want = "no space left on its disk"
	for _, size := range []string{"512k", "3m"} {
		t.Run(size, func(t *testing.T) {
			dir := newProfile(t)
			if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
				t.Skipf("no disk can be made here: %v", err)
			}
			defer func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }()
			s := newSite(t)
			s.page("/oauth/authorize", `<script>location = "/grant"</script>`)
			v := s.visit(t)
			v.Browser, v.Profile = path, dir
			_, _, err := open(t, v, 30*time.Second)
			problem, ok := err.(*relogin.ProfileError) //nolint:errorlint // it is not wrapped
			if !ok || problem.Problem != want || problem.Hint == "" {
				t.Errorf("the visit ended with %v, want %q", err, want)
			}
		})
	}
}
