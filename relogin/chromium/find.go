package chromium

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/oauthmux/oauthmux/relogin"
)

// versionLimit bounds the question for a browser's version.
const versionLimit = 10 * time.Second

// Find returns the path of the browser to start: of the one asked for, or
// of the first of those that this system is known to have them by. Nothing is
// ever downloaded. environ, as os.Environ has it, says where programs are; nil:
// this process's. Its error is a *relogin.BrowserMissingError.
func Find(path string, environ []string) (string, error) {
	e := environment(environ)
	if path == "" {
		for _, candidate := range candidates(runtime.GOOS, e) {
			if found, ok := locate(candidate, e); ok {
				return found, nil
			}
		}
		return "", &relogin.BrowserMissingError{Hint: browserHint(runtime.GOOS)}
	}
	if found, ok := locate(path, e); ok {
		return found, nil
	}
	return "", missingError(path)
}

// Version returns what a browser calls itself: "Chromium 156.0.8078.79". It starts
// the browser, for this answer only, without a profile.
func Version(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, versionLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = environment(nil).without(passphraseVariable)
	cmd.WaitDelay = waitDelay
	out, err := cmd.Output()
	switch {
	case ctx.Err() != nil:
		return "", &relogin.BrowserError{Problem: "did not tell its version in time", Err: ctx.Err()}
	case missing(err):
		return "", missingError(path)
	case err != nil:
		return "", &relogin.BrowserError{Problem: "did not tell its version", Err: err}
	}
	version := oneLine(string(out))
	if version == "" {
		return "", &relogin.BrowserError{Problem: "did not tell its version"}
	}
	return version, nil
}

func missingError(path string) error {
	return &relogin.BrowserMissingError{Path: path, Hint: "give the path of a browser's program in OAUTHMUX_BROWSER or relogin.browser, " +
		"or leave both out to have one looked for"}
}

// candidates are the programs that may be a browser of Chromium's family, the
// ones a person most likely chose first: names to be found in PATH, and paths.
func candidates(system string, e env) []string {
	switch system {
	case "darwin":
		var paths []string
		for _, app := range []string{
			"Google Chrome", "Microsoft Edge", "Chromium", "Brave Browser", "Vivaldi",
		} {
			inside := filepath.Join("Applications", app+".app", "Contents", "MacOS", app)
			paths = append(paths, "/"+filepath.ToSlash(inside))
			if home := e.get("HOME"); home != "" {
				paths = append(paths, filepath.Join(home, inside))
			}
		}
		return append(paths, "google-chrome", "chromium")
	case "windows":
		var paths []string
		for _, program := range []string{
			`Google\Chrome\Application\chrome.exe`,
			`Microsoft\Edge\Application\msedge.exe`,
			`Chromium\Application\chrome.exe`,
			`BraveSoftware\Brave-Browser\Application\brave.exe`,
			`Vivaldi\Application\vivaldi.exe`,
		} {
			for _, root := range []string{"ProgramFiles", "ProgramFiles(x86)", "LocalAppData"} {
				if folder := e.get(root); folder != "" {
					paths = append(paths, folder+`\`+program)
				}
			}
		}
		return append(paths, "chrome.exe", "msedge.exe", "chromium.exe")
	default:
		return []string{
			"google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "microsoft-edge-stable",
			"chromium", "chromium-browser", "brave-browser", "brave", "vivaldi", "vivaldi-stable",
			"/usr/lib/chromium/chromium", "/snap/bin/chromium",
		}
	}
}

// locate returns the absolute path of a program that can be run.
func locate(program string, e env) (string, bool) {
	if strings.ContainsRune(filepath.ToSlash(program), '/') {
		path, err := filepath.Abs(program)
		return path, err == nil && runnable(path)
	}
	for _, folder := range filepath.SplitList(e.get("PATH")) {
		// A program of the folder one happens to be in is nobody's choice.
		if filepath.IsAbs(folder) && runnable(filepath.Join(folder, program)) {
			return filepath.Join(folder, program), true
		}
	}
	return "", false
}

func runnable(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	return runtime.GOOS == "windows" || info.Mode()&0o111 != 0
}

// browserHint says how to get a browser on this system.
func browserHint(system string) string {
	const other = "; for one elsewhere give its path in OAUTHMUX_BROWSER or relogin.browser"
	switch system {
	case "darwin":
		return "install one with brew install --cask chromium, or Google Chrome from google.com/chrome" + other
	case "windows":
		return "install Google Chrome from google.com/chrome, or Microsoft Edge" + other
	case "linux":
		return "install one: apt install chromium (Debian), the .deb of google.com/chrome (Ubuntu), " +
			"dnf install chromium (Fedora), pacman -S chromium (Arch)" + other
	}
	return "install Chromium or Google Chrome" + other
}

// env is an environment, as os.Environ has it.
type env []string

func environment(environ []string) env {
	if environ == nil {
		return os.Environ()
	}
	return environ
}

// get returns what a variable is set to; "" when it is not. The last setting
// counts, as it does for a child. Windows does not tell case apart.
func (e env) get(name string) string {
	value := ""
	for _, setting := range e {
		k, v, _ := strings.Cut(setting, "=")
		if k == name || runtime.GOOS == "windows" && strings.EqualFold(k, name) {
			value = v
		}
	}
	return value
}

// without returns the environment without a variable.
func (e env) without(name string) []string {
	kept := make([]string, 0, len(e))
	for _, setting := range e {
		if k, _, _ := strings.Cut(setting, "="); !strings.EqualFold(k, name) {
			kept = append(kept, setting)
		}
	}
	return kept
}

// oneLine returns the first line of what a program wrote, short and printable.
func oneLine(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	return printable(text, 160)
}

// missing reports whether a program vanished, or cannot be run at all.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, errNotAProgram)
}
