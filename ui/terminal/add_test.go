//go:build unix

package terminal

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTheFirstAccountsAreAddedByTheKeyboard(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada, mary)
	m := open(t, size{80, 24}, h.environment()...)
	m.runs("oauthmux")
	first := m.shows("no account yet", "q quit")
	m.called("first-start")
	if !has(first, " a  ", "oauthmux demo") {
		t.Errorf("the first start does not say what to do:\n%s", first)
	}

	m.press("a")
	m.shows("terms", "enter")
	m.called("add-terms")
	m.press("Enter")
	m.shows("How do you want to sign in?")
	m.called("add-how")
	m.press("Down", "Enter")
	m.shows("Paste the code", "left")
	m.called("add-paste")
	at := address(m)
	if got := m.pressed("y"); got != at {
		t.Errorf("y copied %q; on the screen stands %q", got, at)
	}
	if link := "\x1b]8;id=sign-in;" + at; !strings.Contains(m.recorded(), link) {
		t.Errorf("the screen does not link to %q", at)
	}

	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	for name, wrong := range map[string]string{
		"a code of another sign-in": "abcdefgh#" + strings.Repeat("x", 43),
		"a code that is none":       "abcdefgh#" + u.Query().Get("state"),
	} {
		m.pastes(wrong)
		m.press("Enter")
		m.shows("\n  ! ", "Paste the code") // the problem is said where the code was asked for
		if screen := m.screen(); strings.Contains(screen, "abcdefgh") {
			t.Errorf("%s stands on the screen:\n%s", name, screen)
		}
		m.called("add-wrong")
		m.types("x") // typing takes the problem away
		m.hides("\n  ! ")
		m.press("BSpace")
	}

	m.pastes(h.code(at, "ada"))
	m.press("Enter")
	m.shows("signed in as ada@acme.example", "Acme Inc", "Max 20x", "Label")
	m.called("add-who")
	m.press("Enter")
	m.until("a row for ada", func(screen string) bool { return row(screen, `ada\S*`) != "" && !has(screen, "Label") })
	label := h.labels()

	m.press("a") // the notice was accepted, and nothing asks twice
	m.shows("How do you want to sign in?")
	m.press("Down", "Enter")
	m.shows("Paste the code")
	m.pastes(h.code(address(m), "mary"))
	m.press("Enter")
	m.shows("signed in as mary@home.example", "That makes two")
	m.called("add-second")
	m.press("C-u")
	m.types(label)
	m.press("Enter")
	m.shows("another account has this label")
	m.press("C-u")
	m.types("home")
	m.press("Enter")
	m.until("a row for home", func(screen string) bool { return row(screen, "home") != "" && !has(screen, "Label") })
	if got := h.labels(); got != label+" home" {
		t.Errorf("the accounts are %s", got)
	}

	m.press("a") // an identity that is here already gets its login renewed
	m.shows("How do you want to sign in?")
	m.press("Down", "Enter")
	m.shows("Paste the code")
	m.pastes(h.code(address(m), "mary"))
	m.press("Enter")
	m.shows("signed in as mary@home.example", "its login was renewed")
	m.called("add-renewed")
	m.press("Escape")
	m.hides("its login was renewed")
	if got := h.labels(); got != label+" home" {
		t.Errorf("after a login that was there already the accounts are %s", got)
	}
	leave(m)
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	isClean(t, m)
	if v := h.provider.Counts().Violations; len(v) != 2 { // the codes that were wrong
		t.Logf("violations: %v", v)
	}
}

// address reads the address of the sign-in page off the screen: it begins at the
// left edge, and goes on until the first empty line.
func address(m *terminal) string {
	m.t.Helper()
	found := regexp.MustCompile(`(?ms)^https?://.+?\n\n`).FindString(m.screen() + "\n\n")
	return strings.ReplaceAll(found, "\n", "")
}

// pressed presses a key that copies something, and returns that.
func (m *terminal) pressed(key string) string {
	m.t.Helper()
	m.press(key)
	return m.copied()
}

func TestASignInInTheBrowserComesBackByItself(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada)
	bin := filepath.Join(h.dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, opener := range []string{"xdg-open", "open"} { // the browser of the person: it writes down where it was sent
		script := "#!/bin/sh\nprintf %s \"$1\" >" + quote(filepath.Join(h.dir, "page.part")) +
			" && mv " + quote(filepath.Join(h.dir, "page.part")) + " " + quote(filepath.Join(h.dir, "page")) + "\n"
		if err := os.WriteFile(filepath.Join(bin, opener), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	m := open(t, ordinary, append(h.environment(), "DISPLAY=:0", "OAUTHMUX_BROWSER=/nowhere", "PATH="+bin+":"+filepath.Dir(program)+":"+os.Getenv("PATH"))...)
	m.runs("oauthmux")
	m.shows("no account yet")
	m.press("a")
	m.shows("terms")
	m.press("Enter")
	m.shows("How do you want to sign in?")
	m.press("Enter")
	m.shows("opened in your browser", "waiting")
	m.called("add-browser")
	m.pastes("abcdefgh") // no code: the sign-in goes on
	m.press("Enter")
	m.shows("\n  ! ", "the code was refused", "waiting")
	m.called("add-browser-wrong")
	page := filepath.Join(h.dir, "page")
	h.until("the browser", func() bool { _, err := os.Stat(page); return err == nil })
	opened := read(t, page)
	if at := address(m); at != opened {
		t.Errorf("the browser was sent to %q; on the screen stands %q", opened, at)
	}
	redirect, err := h.provider.Authorize(opened, "ada")
	if err != nil {
		t.Fatal(err)
	}
	browser := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := browser.Get(redirect)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if closing := resp.Body.Close(); err != nil || closing != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the browser ends on %s %s: %v %v", resp.Status, body, err, closing)
	}
	m.shows("signed in as ada@acme.example")
	m.press("Escape")
	m.hides("signed in as ada")
	m.until("a row for ada", func(screen string) bool { return row(screen, `ada\S*`) != "" })
	leave(m)
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}
