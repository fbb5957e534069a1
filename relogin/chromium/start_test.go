package chromium

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/relogin"
)

// fake is a visit with a program that is no browser.
func fake(t *testing.T, program string) relogin.Visit {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the programs of this test are shell scripts")
	}
	return relogin.Visit{Profile: newProfile(t), URL: "https://claude.example/", Browser: program}
}

func TestAProgramThatIsNoBrowserIsNamed(t *testing.T) {
	cases := []struct{ name, line, want string }{
		{"ends at once", "exit 0", "the browser ended at its start, without an error: it may not be a browser"},
		{"ends with an error", "echo https://x/?code=secret >&2; exit 3", "the browser ended at its start: exit status 3"},
		{"has no display", `echo "[1:1:ERROR:x.cc] Missing X server or \$DISPLAY" >&2; exit 1`, "there is no display to show a window on"},
		{"finds another one", `echo "Failed to create a ProcessSingleton for your profile directory." >&2; exit 21`, "another browser uses the profile"},
		{"has no sandbox", `echo "FATAL: No usable sandbox!" >&2; kill -ABRT $$`, "the browser found no usable sandbox: this system does not let it make user namespaces"},
		{"talks nonsense", `echo -n "nonsense" >&4; printf '\0' >&4; sleep 0.2`, "the browser ended at its start, without an error: it may not be a browser"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v, started := fake(t, script(t, c.line)), 0
			v.Started = func() { started++ }
			_, _, err := open(t, v, 30*time.Second)
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if started != 1 {
				t.Errorf("a start was told of %d times", started)
			}
		})
	}
}

func TestAProgramThatNeverAnswersIsEnded(t *testing.T) {
	v := fake(t, script(t, "sleep 100 & yes"))
	begun := time.Now()
	if _, _, err := open(t, v, 500*time.Millisecond); !errors.Is(err, relogin.ErrNotInTime) {
		t.Errorf("got %v, want %v", err, relogin.ErrNotInTime)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestABrowserThatIsMissingIsNamed(t *testing.T) {
	dir := t.TempDir()
	notAProgram := filepath.Join(dir, "text")
	if err := os.WriteFile(notAProgram, []byte("hello"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "missing"), dir, notAProgram} {
		v := fake(t, path)
		v.Started = func() { t.Errorf("%s: a start was told of", path) }
		_, _, err := open(t, v, time.Minute)
		if lost, ok := errors.AsType[*relogin.BrowserMissingError](err); !ok || lost.Path != path || lost.Hint == "" {
			t.Errorf("%s: got %v, want that there is none", path, err)
		}
	}
}

func TestBrowsersAreLookedForInPath(t *testing.T) {
	dir := t.TempDir()
	environ := []string{"PATH=/nowhere", "PATH=relative" + string(filepath.ListSeparator) + dir}
	if found, err := Find("", environ); err == nil {
		t.Logf("%s is found without PATH", found)
	} else if lost, ok := errors.AsType[*relogin.BrowserMissingError](err); !ok || lost.Path != "" || lost.Hint == "" {
		t.Errorf("got %v, want that none was found", err)
	}
	if runtime.GOOS != "linux" {
		t.Skip("programs have other names here")
	}
	for _, name := range []string{"vivaldi", "chromium", "google-chrome"} { // each is preferred to those before it
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
		if found, err := Find("", environ); err != nil || found != filepath.Join(dir, name) {
			t.Errorf("found %q: %v, want %s", found, err, name)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "google-chrome"), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := Find("", environ); err != nil || found != filepath.Join(dir, "chromium") {
		t.Errorf("found %q: %v, want chromium, which can be run", found, err)
	}
}

func TestAWindowWithoutADisplayIsNotTried(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is always a display here")
	}
	v := fake(t, script(t, "touch started; exit 0"))
	v.Visible, v.Environ = true, []string{"PATH=" + os.Getenv("PATH")}
	_, _, err := open(t, v, time.Minute)
	if _, ok := errors.AsType[*relogin.DisplayError](err); !ok {
		t.Errorf("got %v, want a display error", err)
	}
	if entries, err := os.ReadDir(v.Profile); err != nil || len(entries) > 0 {
		t.Errorf("the browser was started: %v, %v", entries, err)
	}
}

func TestAVisitEndsWithItsContext(t *testing.T) {
	s := newSite(t)
	s.page("/oauth/authorize", `<script>setInterval(() => history.pushState("", "", "/oauth/" + Math.random()), 500)</script>`)
	v := s.visit(t)
	why := errors.New("the code came another way")
	for cause, want := range map[error]error{why: why, context.DeadlineExceeded: relogin.ErrNotInTime} {
		if err := openFor(t, v, 3*time.Second, cause); !errors.Is(err, want) {
			t.Errorf("the visit ended with %v, want %v", err, want)
		}
	}
}

func TestAPortWillDoWherePipesWillNot(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.consent(`<button>Authorize</button>`)
	v := s.visit(t)
	if err := os.WriteFile(filepath.Join(v.Profile, portFile), []byte("1\n/devtools/browser/old"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &Driver{wire: func(profile string) wiring { return &portWiring{profile: profile} }}
	address, told, err := openWith(t, d, v, time.Minute)
	if err != nil || !strings.Contains(address, "code=the-code") {
		t.Errorf("the visit ended at %q: %v; told %q", address, err, told)
	}
}

func TestAPortIsReadWhenItIsWhole(t *testing.T) {
	file := filepath.Join(t.TempDir(), portFile)
	if _, ok := readPort(file); ok {
		t.Error("a port was read that is not there")
	}
	for text, want := range map[string]string{
		"":                                    "",
		"4711":                                "",
		"4711\n":                              "",
		"4711\n/devtools":                     "",
		"47110\n/devtools/browser/x":          "ws://127.0.0.1:47110/devtools/browser/x",
		"47110\r\n/devtools/browser/x\r\n":    "",
		"1@evil.example\n/devtools/browser/x": "",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, _ := readPort(file); got != want {
			t.Errorf("readPort of %q is %q, want %q", text, got, want)
		}
	}
}

func TestABrowserTellsItsVersion(t *testing.T) {
	version, err := Version(t.Context(), browserPath(t))
	if err != nil || !strings.Contains(version, ".") {
		t.Errorf("the version is %q: %v", version, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for line, want := range map[string]string{
		"exit 1": "the browser did not tell its version",
		"true":   "the browser did not tell its version",
	} {
		if _, err := Version(t.Context(), script(t, line)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %q", line, err, want)
		}
	}
	if _, err := Version(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.As(err, new(*relogin.BrowserMissingError)) {
		t.Errorf("got %v, want that there is none", err)
	}
}
