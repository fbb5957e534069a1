package chromium

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/relogin"
)

// display starts a screen that nobody sees, and returns an environment with it.
func display(t *testing.T) []string {
	t.Helper()
	path, err := exec.LookPath("Xvfb")
	if err != nil {
		lacking(t, "Xvfb", "apt install xvfb")
	}
	number, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = number.Close() }()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, "-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp", "-noreset")
	cmd.ExtraFiles = []*os.File{theirs}
	err = cmd.Start()
	_ = theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(number).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb named no display: %v", err)
	}
	return append(os.Environ(), "DISPLAY=:"+strings.TrimSpace(line), "WAYLAND_DISPLAY=")
}

// closePages closes the pages of a browser that listens on a port, as a person does.
func closePages(t *testing.T, profile string) {
	t.Helper()
	address, ok := readPort(filepath.Join(profile, portFile))
	if !ok {
		t.Fatal("the browser listens on no port")
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path string) []byte {
		t.Helper()
		res, err := http.Get("http://" + u.Host + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	var pages []struct{ ID, Type string }
	if err := json.Unmarshal(ask("/json/list"), &pages); err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if page.Type == "page" {
			ask("/json/close/" + page.ID)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestADisplayThatIsNotThereIsNamed(t *testing.T) {
	for _, display := range []string{"DISPLAY=:4242", "WAYLAND_DISPLAY=none-4242"} {
		v := relogin.Visit{Profile: newProfile(t), URL: "https://claude.example/", Browser: browserPath(t), Visible: true}
		v.Environ = append(environment(nil).without("DISPLAY"), display)
		_, _, err := open(t, v, time.Minute)
		if _, ok := errors.AsType[*relogin.DisplayError](err); !ok {
			t.Errorf("%s: got %v, want a display error", display, err)
		}
	}
}

func TestAWindowIsAPersons(t *testing.T) {
	browserPath(t)
	environ := display(t)
	visit := func(t *testing.T, html string) (*site, relogin.Visit) {
		t.Helper()
		s := newSite(t)
		s.consent(html)
		v := s.visit(t)
		v.Visible, v.Environ = true, environ
		return s, v
	}
	const button = `<button>Authorize</button>`

	t.Run("who goes to the redirect in their own time", func(t *testing.T) {
		s, v := visit(t, button+`<script>setTimeout(() => document.forms[0].submit(), 3000)</script>`)
		begun := time.Now()
		address, told, err := open(t, v, time.Minute)
		if err != nil || !strings.Contains(address, "code=the-code") {
			t.Errorf("the visit ended at %q: %v; told %q", address, err, told)
		}
		if got := s.granted(); got != 1 || time.Since(begun) < 3*time.Second {
			t.Errorf("access was granted %d times, want once, by the person", got)
		}
	})

	t.Run("who closes it", func(t *testing.T) {
		s, v := visit(t, "")
		wired := &Driver{wire: func(profile string) wiring { return &portWiring{profile: profile} }}
		_, err := duringWith(t, wired, v, s, func(ended <-chan struct{}) {
			closePages(t, v.Profile)
			<-ended
		})
		if !errors.Is(err, relogin.ErrWindowClosed) {
			t.Errorf("the visit ended with %v, want %v", err, relogin.ErrWindowClosed)
		}
	})

	t.Run("who ends the browser", func(t *testing.T) {
		s, v := visit(t, "")
		_, err := duringWith(t, new(Driver), v, s, func(ended <-chan struct{}) {
			_ = syscall.Kill(processes(t, v.Profile)[0], syscall.SIGTERM)
			<-ended
		})
		if !errors.Is(err, relogin.ErrWindowClosed) {
			t.Errorf("the visit ended with %v, want %v", err, relogin.ErrWindowClosed)
		}
	})

	t.Run("who wants to go elsewhere", func(t *testing.T) {
		s, v := visit(t, `<script>location = "//elsewhere.localhost:" + location.port + "/elsewhere?secret"</script>`)
		to := strings.Replace(s.host(), "127.0.0.1", "elsewhere.localhost", 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		why := errors.New("the person gave up")
		stopped, stop := context.WithCancelCause(ctx)
		said := ""
		v.Progress = func(step string) {
			if strings.Contains(step, "which is not part of") {
				said = step
				time.AfterFunc(time.Second, func() { stop(why) })
			}
		}
		if _, err := new(Driver).Open(stopped, v); !errors.Is(err, why) {
			t.Errorf("the visit ended with %v, want %v", err, why)
		}
		if want := "the window wanted to go to " + to + ", which is not part of the sign-in"; said != want {
			t.Errorf("told %q, want %q", said, want)
		}
		if got := s.seen("/elsewhere"); got != 0 {
			t.Errorf("the address off the list was asked for %d times", got)
		}
	})

	t.Run("a panic beside the visit", func(t *testing.T) {
		_, v := visit(t, button)
		v.Progress = func(step string) {
			if strings.Contains(step, "a window is open") {
				panic("https://elsewhere.localhost/?secret")
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := new(Driver).Open(ctx, v)
		if broken, ok := errors.AsType[*relogin.BrowserError](err); !ok || !strings.Contains(broken.Problem, "internal error") || strings.Contains(err.Error(), "secret") {
			t.Errorf("the visit ended with %v", err)
		}
		if left := processes(t, v.Profile); len(left) > 0 {
			t.Errorf("of the browser there are left %v", left)
		}
	})
}
