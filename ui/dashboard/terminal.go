package dashboard

import (
	"context"
	"io"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"
	"golang.org/x/term"
)

// answerTime is how long a terminal has to say what its background is before
// the screen may leave without having read the answer.
const answerTime = 300 * time.Millisecond

// file is what Bubble Tea wants of a terminal: anything less it takes for a pipe.
type file interface {
	io.ReadWriteCloser
	Fd() uintptr
	Name() string
}

// terminal is the one the screen is shown on.
type terminal struct {
	in    io.Reader
	out   io.Writer
	fd    uintptr
	isTTY bool
	env   func(string) string
	probe *probe
}

func newTerminal(in io.Reader, out io.Writer, env func(string) string) *terminal {
	t := &terminal{in: in, env: env}
	t.fd, t.isTTY = isTerminal(out)
	if f, ok := out.(file); ok {
		t.out = &lockedFile{file: f}
	} else {
		t.out = &lockedWriter{w: out}
	}
	if _, keyboard := isTerminal(in); keyboard && t.isTTY && answers(env) {
		if f, ok := in.(file); ok {
			t.probe = newProbe(f)
			t.in = t.probe
		}
	}
	return t
}

// answers reports whether a terminal of that name can be asked for its
// background. The others print the question, or are two terminals at once.
func answers(env func(string) string) bool {
	name := env("TERM")
	switch {
	case runtime.GOOS == "windows", name == "", name == "dumb", name == "linux", strings.HasPrefix(name, "screen"):
		return false
	}
	return true
}

// size is the size of the terminal, so that even the first frame fits it.
func (t *terminal) size() (width, height int, ok bool) {
	if !t.isTTY {
		return 0, 0, false
	}
	width, height, err := term.GetSize(int(t.fd))
	return width, height, err == nil
}

// theme is the theme to begin with. Bubble Tea and Lip Gloss look at the terminal
// when the program starts, before its name is known to them, and keep what they
// saw; so the colours are decided here, and nothing of theirs is used.
func (t *terminal) theme(choice string) *theme {
	output := termenv.NewOutput(t.out, termenv.WithEnvironment(environ(t.env)), termenv.WithTTY(t.isTTY))
	return newTheme(output.EnvColorProfile(), darkFor(choice, hintedDark(t.env("COLORFGBG"))), inASCII(t.env))
}

// hintedDark reads COLORFGBG, which some terminals set: the last number is the
// background's colour. Without it the background is taken to be dark.
func hintedDark(hint string) bool {
	n, err := strconv.Atoi(hint[strings.LastIndexByte(hint, ';')+1:])
	return err != nil || n < 7 || n == 8
}

// environ lets termenv look at the environment that Run was given.
type environ func(string) string

func (e environ) Getenv(name string) string { return e(name) }

// Environ is never called by termenv; the interface wants it.
func (environ) Environ() []string { return nil }

// lockedFile is the terminal as a file that frames and other sequences are
// written to, one at a time.
type lockedFile struct {
	file
	mu sync.Mutex
}

func (f *lockedFile) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Write(b)
}

// lockedWriter is the same for what is no file.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (w *lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(b)
}

// question asks the terminal for its background, and then for what it is: every
// terminal answers the second, so that its answer ends the wait for the first.
var question = ansi.RequestBackgroundColor + ansi.RequestPrimaryDeviceAttributes

// askBackground sends the question beside the first frame, or when it first
// matters, and brings the answer when it comes. Nothing waits for it.
func (m *model) askBackground() tea.Cmd {
	if m.probe == nil || m.choice != themeAuto || !m.probe.asked.IsZero() {
		return nil
	}
	p := m.probe
	p.begin(m.clock())
	return m.jobs.wait(func(ctx context.Context) tea.Msg {
		if _, err := io.WriteString(m.screen, question); err != nil {
			p.settle()
			return nil // a terminal that is gone ends the program elsewhere
		}
		select {
		case dark := <-p.dark:
			return backgroundMsg{dark}
		case <-ctx.Done():
			return nil
		}
	})
}

// settle waits until the terminal has answered what it was asked, but not long:
// it has answerTime from the question on.
func (m *model) settle() tea.Cmd {
	if m.probe == nil || m.probe.asked.IsZero() {
		return nil
	}
	p, left := m.probe, answerTime-m.wall.Sub(m.probe.asked)
	return m.jobs.wait(func(ctx context.Context) tea.Msg {
		t := time.NewTimer(max(left, 0))
		defer t.Stop()
		select {
		case <-p.settled:
		case <-t.C:
		case <-ctx.Done():
		}
		return nil
	})
}
