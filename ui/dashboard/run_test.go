package dashboard

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/exp/teatest"

	"github.com/oauthmux/oauthmux/ui/control"
)

// realModel is a model whose commands Bubble Tea runs.
func realModel(t *testing.T, e *fakeEngine) *model {
	t.Helper()
	jobs := newJobs(t.Context())
	t.Cleanup(jobs.end)
	m := newModel(Options{Engine: e, Env: func(string) string { return "" }}, jobs, plainTheme())
	m.zone, m.pid = time.UTC, ourPID
	return m
}

func waitFor(t *testing.T, r io.Reader, text string) {
	t.Helper()
	teatest.WaitFor(t, r, func(b []byte) bool { return bytes.Contains(b, []byte(text)) },
		teatest.WithDuration(10*time.Second), teatest.WithCheckInterval(5*time.Millisecond))
}

func TestSwitchingInARealProgram(t *testing.T) {
	e := &fakeEngine{state: busy()}
	e.answer = func(control.Request) (control.Reply, error) {
		return control.Reply{Message: "new conversations start on home"}, nil
	}
	tm := teatest.NewTestModel(t, realModel(t, e), teatest.WithInitialTermSize(110, 30))
	waitFor(t, tm.Output(), "4 accounts, 2 ready")
	tm.Send(keyMsg("down"))
	tm.Send(keyMsg("enter"))
	waitFor(t, tm.Output(), "new conversations start on home")
	tm.Type("q")
	waitFor(t, tm.Output(), "2 requests in flight")
	tm.Type("y")
	tm.WaitFinished(t, teatest.WithFinalTimeout(10*time.Second))
	if got := e.requests(); len(got) != 1 || got[0] != (control.Request{Action: control.ActionSwitch, Account: "a2"}) {
		t.Errorf("asked %+v", got)
	}
}

func TestAddingInARealProgram(t *testing.T) {
	e := loginEngine(oneAccount())
	tm := teatest.NewTestModel(t, realModel(t, e), teatest.WithInitialTermSize(110, 30))
	waitFor(t, tm.Output(), "1 account, 1 ready")
	tm.Type("a")
	waitFor(t, tm.Output(), "paste the code")
	tm.Send(keyMsg("down"))
	tm.Send(keyMsg("enter"))
	waitFor(t, tm.Output(), "waiting for you to sign in")
	tm.Send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("good"), Paste: true})
	tm.Send(keyMsg("enter"))
	waitFor(t, tm.Output(), "asking who it is")
	st := oneAccount()
	st.Accounts = busy().Accounts[:2]
	e.set(st)
	waitFor(t, tm.Output(), "That makes two")
	tm.Send(keyMsg("enter"))
	tm.Send(keyMsg("q"))
	tm.Send(keyMsg("y"))
	tm.WaitFinished(t, teatest.WithFinalTimeout(10*time.Second))
}

func TestRunShowsTheScreenAndLeavesTheTerminalAsItWas(t *testing.T) {
	st := busy()
	st.Engine.PID = 99
	in, keyboard := io.Pipe()
	t.Cleanup(func() { _ = in.Close() })
	var out safeBuffer
	done := make(chan error, 1)
	go func() {
		done <- Run(t.Context(), Options{Engine: &fakeEngine{state: st}, In: in, Out: &out})
	}()
	until(t, func() bool { return strings.Contains(out.String(), "4 accounts, 2 ready") })
	if _, err := keyboard.Write([]byte("q")); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.Contains(s, "\x1b[?1049l") || !strings.HasSuffix(s, "the engine keeps running (pid 99, 127.0.0.1:4747); `oauthmux` shows it, `oauthmux serve --stop` ends it\n") {
		t.Errorf("the terminal was left with %q", s)
	}
	if strings.Contains(out.String(), "\x1b]11;") {
		t.Error("a pipe was asked for its background")
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out safeBuffer
	in, keyboard := io.Pipe()
	t.Cleanup(func() { _ = keyboard.Close() })
	done := make(chan error, 1)
	go func() { done <- Run(ctx, Options{Engine: &fakeEngine{state: busy()}, In: in, Out: &out}) }()
	until(t, func() bool { return strings.Contains(out.String(), "\x1b[?1049h") })
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Run does not end with its context")
	}
}

// Only an answer to the question cuts: a signal, and a q that cost nothing as far
// as the screen knew, leave requests their time.
func TestRunTellsWhetherRequestsMayBeCut(t *testing.T) {
	idle := busy()
	idle.Engine.PID = os.Getpid()
	idle.Accounts[0].State, idle.Accounts[0].InFlight = control.StateReady, 0
	serving := busy()
	serving.Engine.PID = os.Getpid()
	for name, tt := range map[string]struct {
		state control.State
		keys  []string // the second one when the question is there
		want  bool
	}{
		"nothing under way": {idle, []string{"q"}, false},
		"yes":               {serving, []string{"q", "y"}, true},
		"q again is no yes": {serving, []string{"q", "q"}, false},
		"ctrl+c again":      {serving, []string{"\x03", "\x03"}, true},
		"a signal":          {serving, []string{"q"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			in, keyboard := io.Pipe()
			t.Cleanup(func() { _ = in.Close() })
			var out safeBuffer
			cut := false
			done := make(chan error, 1)
			go func() {
				done <- Run(ctx, Options{Engine: &fakeEngine{state: tt.state}, In: in, Out: &out, Cut: func() { cut = true }})
			}()
			until(t, func() bool { return strings.Contains(out.String(), "4 accounts, 2 ready") })
			for i, k := range tt.keys {
				if i > 0 {
					until(t, func() bool { return strings.Contains(out.String(), "Quit?") })
				}
				if _, err := keyboard.Write([]byte(k)); err != nil {
					t.Fatal(err)
				}
			}
			if name == "a signal" || name == "q again is no yes" {
				until(t, func() bool { return strings.Contains(out.String(), "Quit?") })
				select {
				case err := <-done:
					t.Fatalf("the screen is gone: %v", err)
				case <-time.After(100 * time.Millisecond):
				}
				cancel()
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if cut != tt.want {
				t.Errorf("cut: %v, want %v", cut, tt.want)
			}
		})
	}
}

func TestRunTellsWhetherTheEngineIsToGoOn(t *testing.T) {
	serving := busy()
	serving.Engine.PID = os.Getpid()
	for keys, want := range map[string][2]bool{"qy": {false, true}, "qk": {true, false}, "Q": {true, false}} {
		t.Run(keys, func(t *testing.T) {
			in, keyboard := io.Pipe()
			t.Cleanup(func() { _ = in.Close() })
			var out safeBuffer
			left, cut := false, false
			done := make(chan error, 1)
			go func() {
				done <- Run(t.Context(), Options{
					Engine: &fakeEngine{state: serving}, In: in, Out: &out,
					Leave: func() { left = true }, Cut: func() { cut = true },
				})
			}()
			until(t, func() bool { return strings.Contains(out.String(), "4 accounts, 2 ready") })
			for i, k := range []byte(keys) {
				if i > 0 {
					until(t, func() bool { return strings.Contains(out.String(), "Quit?") })
				}
				if _, err := keyboard.Write([]byte{k}); err != nil {
					t.Fatal(err)
				}
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if got := [2]bool{left, cut}; got != want {
				t.Errorf("left and cut: %v, want %v", got, want)
			}
		})
	}
}

func TestRunNeedsAnEngine(t *testing.T) {
	if err := Run(t.Context(), Options{In: strings.NewReader(""), Out: io.Discard}); err == nil {
		t.Error("Run shows nothing of nothing")
	}
}

// until waits for the outside world.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen")
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// safeBuffer is a bytes.Buffer for two goroutines.
type safeBuffer struct{ lockedBuilder }

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.b == nil {
		b.b = &strings.Builder{}
	}
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.b == nil {
		return ""
	}
	return b.b.String()
}

// Not a byte goes to the terminal while nothing on the screen changes, however often
// the engine says the same; and what does change costs its own
// lines alone.
func TestNothingIsWrittenWhileNothingChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := several()
		st.Accounts[2].State, st.Accounts[2].Cooldowns = control.StateReady, nil
		begin := time.Now()
		st.Now = begin.Truncate(time.Minute) // so that the clock stands for one
		for i := range st.Accounts {
			st.Accounts[i].UsageAt, st.Accounts[i].TokenExpiresAt, st.Accounts[i].LoggedInAt, st.Accounts[i].LoginExpiresAt = nil, nil, nil, nil
			for j := range st.Accounts[i].Windows {
				if st.Accounts[i].Windows[j].ResetsAt != nil {
					st.Accounts[i].Windows[j].ResetsAt = new(st.Now.Add(3*hour + 30*time.Second))
				}
			}
		}
		e := &fakeEngine{state: st}
		in, keyboard := io.Pipe()
		var out safeBuffer
		done := make(chan error, 1)
		go func() { done <- Run(t.Context(), Options{Engine: e, In: in, Out: &out}) }()
		time.Sleep(2 * time.Second) // after one, Bubble Tea draws its own frame, which is nothing
		first := len(out.String())
		if !strings.Contains(out.String(), "7 accounts") {
			t.Errorf("the screen shows %q", out.String())
		}
		for range 25 {
			same := st
			same.Now = st.Now.Add(time.Since(begin))
			e.set(same)
			time.Sleep(time.Second)
		}
		if s := out.String(); len(s) != first {
			t.Errorf("%d bytes were written while nothing changed: %q", len(s)-first, s[first:])
		}
		if _, err := io.WriteString(keyboard, "p"); err != nil { // what does change is written
			t.Error(err)
		}
		other := st
		other.Now = st.Now.Add(time.Since(begin))
		other.Accounts = slices.Clone(st.Accounts)
		other.Accounts[1].InFlight, other.Accounts[1].State = 1, control.StateServing
		e.set(other)
		time.Sleep(time.Second)
		if n := len(out.String()) - first; n == 0 || n > first/2 {
			t.Errorf("one row that changed cost %d bytes of a frame's %d", n, first)
		}
		if _, err := io.WriteString(keyboard, "q"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if strings.Contains(out.String(), "Quit?") {
			_, _ = io.WriteString(keyboard, "y")
		}
		_ = in.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
