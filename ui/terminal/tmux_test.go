//go:build unix

package terminal

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// captures is a folder for what the screens looked like, colours and all, for
// somebody to look at.
var captures = flag.String("captures", "", "a `folder` to write every screen to that a test calls by a name")

const (
	patience = 40 * time.Second        // how long a screen may take to show what it must
	glance   = 40 * time.Millisecond   // between two looks at it
	prompt   = "$ "                    // the shell's
	session  = "oauthmux"              // the one that every tmux server here has
	tmuxConf = "set -g status off\n" + // the window is as large as the terminal
		"set -s set-clipboard on\n" + // what a program copies is in tmux's buffer
		"set -s escape-time 0\n"
)

// size is that of a terminal.
type size struct{ columns, rows int }

func (s size) String() string { return fmt.Sprintf("%dx%d", s.columns, s.rows) }

// ordinary is a terminal with room for everything.
var ordinary = size{110, 30}

// sizes are those that people have, the last but one the smallest with a table.
var sizes = []size{{160, 45}, {110, 30}, {100, 30}, {80, 24}, {60, 15}, {40, 8}}

// terminal is a terminal in which a shell runs.
type terminal struct {
	t   *testing.T
	dir string // its socket, the recording, and where the shell is

	asked int // how often for a status
}

// open opens a terminal of that size. The shell has only the environment given;
// the last of two values of a name counts.
func open(t *testing.T, s size, env ...string) *terminal {
	t.Helper()
	needsTmux(t)
	m := &terminal{t: t, dir: shortDir(t)}
	conf := filepath.Join(m.dir, "tmux.conf")
	if err := os.WriteFile(conf, []byte(tmuxConf), 0o600); err != nil {
		t.Fatal(err)
	}
	shell := []string{"exec env -i"}
	for _, entry := range append([]string{"TERM=xterm-256color", "COLORTERM=truecolor", "PS1=" + prompt}, env...) {
		shell = append(shell, quote(entry))
	}
	t.Cleanup(m.close)
	m.tmux("-f", conf, "new-session", "-d", "-s", session, "-c", m.dir, "-x", strconv.Itoa(s.columns), "-y", strconv.Itoa(s.rows), strings.Join(shell, " ")+" sh")
	m.tmux("pipe-pane", "-O", "-t", session, "exec cat >"+quote(m.recording()))
	m.until("the recording", func(string) bool { _, err := os.Stat(m.recording()); return err == nil })
	m.ready()
	return m
}

// close ends the terminal as closing its window does.
func (m *terminal) close() {
	_ = m.command("kill-server").Run() // it may have ended with its shell
}

// shortDir is a folder whose path leaves room for the name of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "omx-") //nolint:usetesting // the path of t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (m *terminal) command(args ...string) *exec.Cmd {
	cmd := exec.Command("tmux", append([]string{"-u", "-L", "terminal"}, args...)...)
	cmd.Env = []string{"TMUX_TMPDIR=" + m.dir, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "SHELL=/bin/sh", "TERM=xterm-256color"}
	return cmd
}

// tmux asks the terminal for something and returns the answer.
func (m *terminal) tmux(args ...string) string {
	m.t.Helper()
	var problem strings.Builder
	cmd := m.command(args...)
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		m.t.Fatalf("tmux %s: %v %s", strings.Join(args, " "), err, problem.String())
	}
	return string(out)
}

// is asks for one of tmux's variables.
func (m *terminal) is(variable string) string {
	m.t.Helper()
	return strings.TrimSpace(m.tmux("display-message", "-p", "-t", session, "#{"+variable+"}"))
}

// screen is what the terminal shows: lines without the spaces at their ends, and
// none of the empty ones at the bottom.
func (m *terminal) screen() string {
	m.t.Helper()
	return strings.TrimRight(m.tmux("capture-pane", "-p", "-t", session), "\n ")
}

// until waits until the screen is as wanted, and returns it.
func (m *terminal) until(what string, ok func(screen string) bool) string {
	m.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(glance) {
		screen := m.screen()
		if ok(screen) {
			return m.whole(screen, ok)
		}
		if time.Now().After(end) {
			m.t.Fatalf("waited in vain for %s; the screen shows:\n%s", what, screen)
		}
	}
}

// whole is the screen when the rest of its frame has come, too: a terminal takes a
// frame in pieces. It does not wait for one that goes on changing, and returns none
// that is not as wanted any more.
func (m *terminal) whole(screen string, ok func(screen string) bool) string {
	m.t.Helper()
	for range 10 {
		time.Sleep(glance)
		next := m.screen()
		if next == screen || !ok(next) {
			break
		}
		screen = next
	}
	return screen
}

// shows waits until every text is on the screen.
func (m *terminal) shows(texts ...string) string {
	m.t.Helper()
	return m.until(fmt.Sprintf("%q", texts), func(screen string) bool { return has(screen, texts...) })
}

// hides waits until none of the texts is on the screen any more.
func (m *terminal) hides(texts ...string) string {
	m.t.Helper()
	return m.until(fmt.Sprintf("the end of %q", texts), func(screen string) bool {
		for _, text := range texts {
			if strings.Contains(screen, text) {
				return false
			}
		}
		return true
	})
}

// finds waits until the screen matches, and returns the match and its groups.
func (m *terminal) finds(pattern string) []string {
	m.t.Helper()
	re := regexp.MustCompile(pattern)
	return re.FindStringSubmatch(m.until("a match for "+pattern, re.MatchString))
}

func has(screen string, texts ...string) bool {
	for _, text := range texts {
		if !strings.Contains(screen, text) {
			return false
		}
	}
	return true
}

// press presses keys, by tmux's names for them: Down, Enter, C-c, a.
func (m *terminal) press(keys ...string) {
	m.t.Helper()
	m.tmux(append([]string{"send-keys", "-t", session}, keys...)...)
}

// types types a text, one key after the other.
func (m *terminal) types(text string) {
	m.t.Helper()
	m.tmux("send-keys", "-t", session, "-l", text)
}

// pastes pastes a text as a terminal does.
func (m *terminal) pastes(text string) {
	m.t.Helper()
	m.tmux("set-buffer", "-b", "pasted", text)
	m.tmux("paste-buffer", "-p", "-d", "-b", "pasted", "-t", session)
}

// ready waits until the shell wants a command.
func (m *terminal) ready() {
	m.t.Helper()
	m.until("the shell's prompt", func(screen string) bool {
		return screen[strings.LastIndex(screen, "\n")+1:] == prompt[:1]
	})
}

// runs types a command into the shell.
func (m *terminal) runs(command string) {
	m.t.Helper()
	m.ready()
	m.types(command)
	m.until("the command", func(screen string) bool { return strings.HasSuffix(screen, prompt+command) })
	m.press("Enter")
}

// copied waits until a program has put something on the clipboard, and takes it.
func (m *terminal) copied() string {
	m.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(glance) {
		text, err := m.command("show-buffer").Output()
		if err == nil {
			m.tmux("delete-buffer")
			return string(text)
		}
		if time.Now().After(end) {
			m.t.Fatalf("nothing was copied; the screen shows:\n%s", m.screen())
		}
	}
}

// resize makes the terminal another size, as dragging its corner does.
func (m *terminal) resize(s size) {
	m.t.Helper()
	m.tmux("resize-window", "-t", session, "-x", strconv.Itoa(s.columns), "-y", strconv.Itoa(s.rows))
}

// status waits for the end of what the shell runs and returns its exit status.
func (m *terminal) status() int {
	m.t.Helper()
	m.asked++
	m.runs(fmt.Sprintf("echo status %d=$?", m.asked))
	status := m.finds(fmt.Sprintf(`(?m)^status %d=(\d+)$`, m.asked))
	// The recording is another process, which may be slower than the screen.
	m.until("the end of the recording", func(string) bool { return strings.Contains(m.recorded(), "\n"+status[0]) })
	return atoi(m.t, status[1])
}

// recording is the file with every byte that was written to the terminal.
func (m *terminal) recording() string { return filepath.Join(m.dir, "recording") }

// recorded is what was written to the terminal so far.
func (m *terminal) recorded() string {
	m.t.Helper()
	b, err := os.ReadFile(m.recording())
	if err != nil {
		m.t.Fatal(err)
	}
	return string(b)
}

// called writes the screen with its colours, in the sizes that people have, to
// the folder of -captures.
func (m *terminal) called(name string) {
	m.t.Helper()
	if *captures == "" {
		return
	}
	was := size{atoi(m.t, m.is("window_width")), atoi(m.t, m.is("window_height"))}
	for _, s := range append(slices.Clone(sizes), was) {
		before := len(m.recorded())
		m.resize(s)
		m.until("a frame of "+s.String(), func(screen string) bool {
			drawn := len(m.recorded())
			time.Sleep(glance)
			return drawn > before && drawn == len(m.recorded()) && fits(screen, s)
		})
		out := m.tmux("capture-pane", "-e", "-N", "-p", "-t", session)
		if err := os.WriteFile(filepath.Join(*captures, fmt.Sprintf("%s-%s.ansi", name, s)), []byte(out), 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
}

// fits reports whether a frame fills a terminal of that size: there are keys in
// the last line, or words on the size where that is too small.
func fits(screen string, s size) bool {
	return strings.Count(screen, "\n") == s.rows-1 || strings.Contains(screen, "this is "+s.String())
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// processes are the commands that run in the terminal, its shell among them.
func (m *terminal) processes() []string {
	m.t.Helper()
	out, err := exec.Command("ps", "-t", strings.TrimPrefix(m.is("pane_tty"), "/dev/"), "-o", "pid=,stat=,args=").Output()
	if err != nil {
		m.t.Fatalf("ps: %v", err)
	}
	var all []string
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 2 && !strings.HasPrefix(f[1], "Z") {
			all = append(all, strings.Join(f, " "))
		}
	}
	return all
}
