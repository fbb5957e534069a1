package e2e

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// person sits at a screen of a test's own and does in windows what people do:
// looks at the title, types, presses keys.
type person struct {
	t       *testing.T
	display string
	screen  string        // a file with every pixel of it
	said    func() string // by the program whose window is waited for; nil: it is not known
}

// newPerson starts an X server, which ends with the test.
func newPerson(t *testing.T) *person {
	t.Helper()
	need(t, "chromium", "chromium")
	need(t, "xdotool", "xdotool")
	number, writes, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	pixels := t.TempDir()
	server := exec.CommandContext(context.WithoutCancel(t.Context()), need(t, "Xvfb", "xvfb"),
		"-displayfd", "3", "-fbdir", pixels, "-screen", "0", "1280x900x24", "-nolisten", "tcp",
		"-noreset") // else it begins anew when its last client leaves, and cuts off who comes just then
	server.ExtraFiles = []*os.File{writes}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait() // it was killed
	})
	_ = writes.Close()
	line, err := bufio.NewReader(number).ReadString('\n')
	_ = number.Close()
	if err != nil {
		t.Fatalf("Xvfb names no display: %v", err)
	}
	return &person{t: t, display: ":" + strings.TrimSpace(line), screen: filepath.Join(pixels, "Xvfb_screen0")}
}

func (p *person) xdotool(args ...string) string {
	cmd := exec.CommandContext(p.t.Context(), "xdotool", args...)
	cmd.Env = append(os.Environ(), "DISPLAY="+p.display)
	out, _ := cmd.Output() // a window that is not there yet is no fault
	return strings.TrimSpace(string(out))
}

// windows are the ids of the browser's windows.
func (p *person) windows() []string {
	return strings.Fields(p.xdotool("search", "--onlyvisible", "--class", "chrom"))
}

// sees waits for a window whose title holds a text, and turns to it.
func (p *person) sees(title string) {
	p.t.Helper()
	if !p.waitsFor(title, commandLimit) {
		said := ""
		if p.said != nil {
			said = "; " + p.said()
		}
		p.t.Fatalf("no window says %q; there are %q%s", title, p.titles(), said)
	}
}

func (p *person) waitsFor(title string, patience time.Duration) bool {
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		for _, w := range p.windows() {
			if strings.Contains(p.xdotool("getwindowname", w), title) {
				p.xdotool("windowfocus", "--sync", w)
				time.Sleep(reading)
				return true
			}
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// personLimit is for everything that is done in one window, on a busy machine.
const personLimit = 4 * time.Minute

// reading is how long somebody looks at a page before doing something: its title
// is there before the rest of it.
const reading = 500 * time.Millisecond

func (p *person) titles() (all []string) {
	for _, w := range p.windows() {
		all = append(all, p.xdotool("getwindowname", w))
	}
	return all
}

// enters types into the field that waits for it, and again if the page has not
// taken it, until the next page comes.
func (p *person) enters(text, next string) {
	p.t.Helper()
	for range 4 {
		p.presses("ctrl+a")
		p.xdotool("type", "--delay", "12", text)
		p.presses("Return")
		if p.waitsFor(next, 15*time.Second) {
			return
		}
	}
	p.t.Fatalf("after it was entered no window says %q; there are %q", next, p.titles())
}

func (p *person) presses(keys ...string) { p.xdotool(append([]string{"key"}, keys...)...) }

// signsIn is somebody who does all that the pages ask for, from the e-mail
// address to the button that grants.
func (p *person) signsIn(user simulator.User) {
	p.t.Helper()
	p.sees(pageTitles.email)
	p.enters(user.Email, pageTitles.password)
	if user.OneTimeCode != "" {
		p.enters(user.Password, pageTitles.code)
		p.enters(user.OneTimeCode, pageTitles.consent)
	} else {
		p.enters(user.Password, pageTitles.consent)
	}
	p.grants()
}

// grants presses the button of the consent page.
func (p *person) grants() {
	p.t.Helper()
	p.sees(pageTitles.consent)
	p.still()
	p.moves("Tab") // past the one that declines
	p.moves("Tab")
	p.moves("Return")
}

// picture tells one look of the screen from another.
func (p *person) picture() string {
	p.t.Helper()
	pixels, err := os.ReadFile(p.screen)
	if err != nil {
		p.t.Fatal(err)
	}
	return sum(pixels)
}

// still waits until nothing moves on the screen any more: a page takes no keys
// before it has been drawn.
func (p *person) still() {
	p.t.Helper()
	last, since := p.picture(), time.Now()
	eventually(p.t, "the page is drawn", commandLimit, func() bool {
		if now := p.picture(); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > reading
	})
}

// moves presses a key and waits for what it does on a screen that is still, and
// presses it again if the page has not taken it.
func (p *person) moves(key string) {
	p.t.Helper()
	for range 4 {
		before := p.picture()
		p.presses(key)
		for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if p.picture() != before {
				return
			}
		}
	}
	p.t.Fatalf("%s does nothing; there are %q", key, p.titles())
}

// pageTitles are those of the simulator's pages.
var pageTitles = struct{ email, password, code, consent string }{
	"Sign in", "Enter your password", "Check your authenticator", "Access to your account",
}

// user is somebody as the simulator knows them, with everything filled in.
func (h *home) user(name string) simulator.User {
	h.t.Helper()
	u, ok := h.provider.User(name)
	if !ok {
		h.t.Fatalf("the provider knows no %q", name)
	}
	return u
}

// inWindow runs `browser setup` while does is done in its window.
func (h *home) inWindow(who *person, does func(), args ...string) result {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), personLimit)
	defer cancel()
	args = append([]string{"browser", "setup"}, args...)
	cmd, stdout, stderr := h.with("DISPLAY="+who.display).command(ctx, args...)
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	who.said = func() string {
		log, _ := os.ReadFile(filepath.Join(h.dir, "oauthmux.log")) // there may be none yet
		return fmt.Sprintf("oauthmux said %q, %q; its browser is %q; the log is %q",
			stdout, stderr, commandLines(browsersOf(filepath.Join(h.dir, "browsers"))), log)
	}
	does()
	who.said = nil
	_ = cmd.Wait() // the status says it
	r := result{stdout: stdout.String(), stderr: stderr.String(), status: cmd.ProcessState.ExitCode()}
	if ctx.Err() != nil {
		h.t.Errorf("oauthmux %q did not end in %v", args, personLimit)
	}
	h.sane(args, r)
	return r
}

// session sets an account's browser session up, by the hands of its owner.
func (h *home) session(who *person, names ...string) {
	h.t.Helper()
	for _, name := range names {
		if r := h.inWindow(who, func() { who.signsIn(h.user(name)) }, name); r.status != 0 {
			h.t.Fatalf("browser setup %s: %v", name, r)
		}
		if b := h.browser(name); b.State != "ready" {
			h.t.Fatalf("after its setup %s is %+v", name, b)
		}
	}
}

// counted makes the home use a browser that notes each of its starts, and returns
// how often it was started. flags are given to it besides.
func (h *home) counted(flags ...string) (other *home, starts func() int) {
	h.t.Helper()
	script, list := h.path("browser.sh"), h.path("starts")
	text := fmt.Sprintf("#!/bin/sh\ncase \" $* \" in *--user-data-dir=*) echo started >>%s ;; esac\nexec %s \"$@\" %s\n",
		list, need(h.t, "chromium", "chromium"), strings.Join(flags, " "))
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		h.t.Fatal(err)
	}
	return h.with("OAUTHMUX_BROWSER=" + script), func() int {
		text, _ := os.ReadFile(list) // it is not there before the first start
		return strings.Count(string(text), "\n")
	}
}

// profile is the folder of an account's browser session.
func (h *home) profile(name string) string {
	h.t.Helper()
	return filepath.Join(h.dir, "browsers", simulator.Plays, h.account(name).ID)
}
