package dashboard

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"
	"go.uber.org/goleak"

	"github.com/oauthmux/oauthmux/ui/control"
)

var frames = flag.String("frames", "", "write every golden frame with its colours to this folder, to look at")

// updating reports whether -update was given, which teatest has defined.
func updating() bool { return flag.Lookup("update").Value.String() == "true" }

func TestMain(m *testing.M) {
	// teatest keeps one goroutine until the binary ends.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/charmbracelet/x/exp/teatest.NewTestModel.func2"))
}

// fakeEngine answers from memory and remembers what it was asked.
type fakeEngine struct {
	mu        sync.Mutex
	state     control.State
	watchers  []chan control.State
	asked     []control.Request
	answer    func(control.Request) (control.Reply, error) // nil: everything succeeds
	block     chan struct{}                                // not nil: Do waits for it, as a keyring would
	blocked   string                                       // the action that waits for block; "": each
	loginEnds chan struct{}                                // closed: the wait for a login is answered; nil: it never is
	down      error                                        // Watch fails with it
	windows   bool                                         // they can be opened where its screen is
	taint     func(control.State) control.State            // what becomes of every state on its way; nil: nothing
}

func (e *fakeEngine) State(context.Context) (control.State, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state, nil
}

func (e *fakeEngine) Watch(context.Context) (<-chan control.State, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.down != nil {
		return nil, e.down
	}
	c := make(chan control.State, 1)
	if !e.state.Now.IsZero() {
		c <- e.state
	}
	e.watchers = append(e.watchers, c)
	return c, nil
}

func (e *fakeEngine) Do(ctx context.Context, r control.Request) (control.Reply, error) {
	e.mu.Lock()
	e.asked = append(e.asked, r)
	answer, block, ends := e.answer, e.block, e.loginEnds
	e.mu.Unlock()
	if e.blocked != "" && r.Action != e.blocked {
		block = nil
	}
	if r.Action == control.ActionLoginWait {
		block = ends
	}
	if r.Action == control.ActionLoginWait || block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return control.Reply{}, ctx.Err()
		}
	}
	if answer == nil {
		return control.Reply{}, nil
	}
	return answer(r)
}

// set makes the engine say s.
func (e *fakeEngine) set(s control.State) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.taint != nil {
		s = e.taint(s)
	}
	e.state = s
	for _, c := range e.watchers {
		select {
		case <-c:
		default:
		}
		c <- s
	}
}

// die ends every watch.
func (e *fakeEngine) die(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = err
	for _, c := range e.watchers {
		close(c)
	}
	e.watchers = nil
}

// requests are the actions asked for, without the waiting for logins.
func (e *fakeEngine) requests() []control.Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(e.asked), func(r control.Request) bool { return r.Action == control.ActionLoginWait })
}

// screen runs a model as Bubble Tea does, in the virtual time of a synctest bubble.
type screen struct {
	t      *testing.T
	m      *model
	engine *fakeEngine
	env    map[string]string
	opened []string
	sent   *strings.Builder // what went to the terminal beside the frames
	msgs   chan tea.Msg
	quit   bool
	drawn  int // frames that differed from the one before
}

// lock makes a strings.Builder safe for commands.
type lockedBuilder struct {
	mu sync.Mutex
	b  *strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func plainTheme() *theme { return newTheme(termenv.Ascii, true, false) }

const ourPID = 4242

// onScreen runs f with a screen of that size that shows the state s.
func onScreen(t *testing.T, width, height int, s control.State, f func(*screen)) {
	t.Helper()
	onScreenWith(t, width, height, &fakeEngine{state: s}, plainTheme(), f)
}

func onScreenWith(t *testing.T, width, height int, e *fakeEngine, th *theme, f func(*screen)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s := &screen{t: t, engine: e, env: map[string]string{}, sent: &strings.Builder{}, msgs: make(chan tea.Msg, 100)}
		jobs := newJobs(ctx)
		defer jobs.end()
		s.m = newModel(Options{
			Engine:  e,
			Version: "1.2.3",
			Bell:    true,
			Env:     func(name string) string { return s.env[name] },
			OpenURL: func(u string) error { s.opened = append(s.opened, u); return nil },
			Leave:   func() {},
		}, jobs, th)
		s.m.screen = &lockedBuilder{b: s.sent}
		s.m.zone, s.m.pid, s.m.desktop = time.UTC, ourPID, e.windows
		s.m.setSize(width, height)
		s.start(s.m.Init())
		s.settle()
		f(s)
	})
}

// start runs a command.
func (s *screen) start(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	go func() { s.deliver(cmd()) }()
}

func (s *screen) deliver(msg tea.Msg) {
	switch msg := msg.(type) {
	case nil:
	case tea.BatchMsg:
		for _, c := range msg {
			s.start(c)
		}
	default:
		if v := reflect.ValueOf(msg); v.Kind() == reflect.Slice && v.Type().Elem() == reflect.TypeFor[tea.Cmd]() {
			for i := range v.Len() { // tea.Sequence
				if c, _ := reflect.TypeAssert[tea.Cmd](v.Index(i)); c != nil {
					s.deliver(c())
				}
			}
			return
		}
		s.msgs <- msg
	}
}

// settle lets everything happen that does not need time to pass.
func (s *screen) settle() {
	for {
		synctest.Wait()
		select {
		case msg := <-s.msgs:
			s.feed(msg)
		default:
			return
		}
	}
}

func (s *screen) feed(msg tea.Msg) {
	if _, ok := msg.(tea.QuitMsg); ok {
		s.quit = true
		return
	}
	before := s.m.View()
	_, cmd := s.m.Update(msg)
	if s.m.View() != before {
		s.drawn++
	}
	s.start(cmd)
}

// wait lets time pass, and everything happen that happens meanwhile.
func (s *screen) wait(d time.Duration) {
	end := time.Now().Add(d)
	for {
		s.settle()
		left := time.Until(end)
		if left <= 0 {
			return
		}
		select {
		case msg := <-s.msgs:
			s.feed(msg)
		case <-time.After(left):
		}
	}
}

// show makes the engine say st, and waits until it is on the screen.
func (s *screen) show(st control.State) {
	s.engine.set(st)
	s.wait(2 * pace)
}

// press presses keys: names as Bubble Tea writes them.
func (s *screen) press(names ...string) {
	for _, name := range names {
		s.feed(keyMsg(name))
		s.settle()
	}
}

// paste pastes text, as a terminal with bracketed paste reports it.
func (s *screen) paste(text string) {
	s.feed(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(text), Paste: true})
	s.settle()
}

// typed types text, one key a character.
func (s *screen) typed(text string) {
	for _, r := range text {
		s.press(string(r))
	}
}

func keyMsg(name string) tea.KeyMsg {
	for t := tea.KeyType(-100); t < 128; t++ {
		if k := (tea.KeyMsg{Type: t}); t != tea.KeyRunes && k.String() == name {
			if t == tea.KeySpace {
				k.Runes = []rune{' '}
			}
			return k
		}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(name)}
}

// text is the frame without colours.
func (s *screen) text() string { return ansi.Strip(s.m.View()) }

// selectedLine is the line with the mark of the selected row.
func (s *screen) selectedLine() string {
	for l := range strings.SplitSeq(s.text(), "\n") {
		if rs := []rune(l); len(rs) > 1 && string(rs[1]) == s.m.th.g.cursor {
			return l
		}
	}
	return ""
}

func (s *screen) wants(parts ...string) {
	s.t.Helper()
	for _, p := range parts {
		if !strings.Contains(s.text(), p) {
			s.t.Fatalf("the screen lacks %q:\n%s", p, s.text())
		}
	}
}

// inOrder wants the texts one after the other, with whatever between them.
func (s *screen) inOrder(parts ...string) {
	s.t.Helper()
	rest := s.text()
	for _, p := range parts {
		_, after, found := strings.Cut(rest, p)
		if !found {
			s.t.Errorf("the screen lacks %q after what was found before it:\n%s", p, s.text())
			return
		}
		rest = after
	}
}

func (s *screen) lacks(parts ...string) {
	s.t.Helper()
	for _, p := range parts {
		if strings.Contains(s.text(), p) {
			s.t.Fatalf("the screen shows %q:\n%s", p, s.text())
		}
	}
}

// asked wants the last request to be r.
func (s *screen) asked(r control.Request) {
	s.t.Helper()
	all := s.engine.requests()
	if len(all) == 0 {
		s.t.Fatalf("nothing was asked of the engine, want %+v", r)
	}
	if got := all[len(all)-1]; got != r {
		s.t.Fatalf("asked %+v, want %+v", got, r)
	}
}

// fataler is what a check needs of a test, whoever runs it.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkFrame wants a frame to fit the screen: as many lines, none wider.
func checkFrame(t fataler, frame string, width, height int) {
	t.Helper()
	lines := strings.Split(frame, "\n")
	if len(lines) != height {
		t.Fatalf("%d lines on a screen of %d:\n%s", len(lines), height, frame)
	}
	for _, l := range lines {
		if w := ansi.StringWidth(l); w > width {
			t.Fatalf("a line of %d on a screen of %d: %q", w, width, ansi.Strip(l))
		}
	}
}

// golden compares a frame with testdata/name.golden.
func golden(t *testing.T, name, frame string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if updating() {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(frame+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%s does not exist: run go test -update", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := frame + "\n"; got != string(want) {
		t.Errorf("the frame differs from %s (go test -update rewrites it):\n%s", path, got)
	}
}
