package dashboard

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/oauthmux/oauthmux/ui/control"
	"github.com/oauthmux/oauthmux/ui/crash"
)

const crashSecret = "sk-ant-oat01-of-the-account"

// faulty is an engine that panics at one of the things it is asked for.
type faulty struct {
	fakeEngine
	at string
}

func (e *faulty) Watch(ctx context.Context) (<-chan control.State, error) {
	if e.at == "watch" {
		panic(crashSecret)
	}
	return e.fakeEngine.Watch(ctx)
}

func (e *faulty) Do(ctx context.Context, r control.Request) (control.Reply, error) {
	if e.at == "do" {
		panic(errors.New(crashSecret))
	}
	return e.fakeEngine.Do(ctx, r)
}

func TestAPanicEndsTheScreenInOrder(t *testing.T) {
	for _, at := range []string{"watch", "do"} {
		t.Run(at, func(t *testing.T) {
			in, keyboard := io.Pipe()
			t.Cleanup(func() { _ = in.Close() })
			var out safeBuffer
			e := &faulty{fakeEngine{state: busy()}, at}
			o := Options{Engine: e, In: in, Out: &out}
			done := make(chan error, 1)
			go func() { done <- Run(t.Context(), o) }()
			if at != "watch" {
				until(t, func() bool { return strings.Contains(out.String(), "4 accounts, 2 ready") })
				if _, err := keyboard.Write([]byte("u")); err != nil {
					t.Fatal(err)
				}
			}
			var err error
			select {
			case err = <-done:
			case <-time.After(30 * time.Second):
				t.Fatal("the panic does not end the screen")
			}
			report, ok := errors.AsType[*crash.PanicError](err)
			if !ok {
				t.Fatalf("Run ended with %v", err)
			}
			if !strings.Contains(report.Stack, "dashboard.") || strings.Contains(report.Stack+report.Error()+out.String(), crashSecret) {
				t.Errorf("the report is %v\n%s", report, report.Stack)
			}
			s := out.String()
			for _, restored := range []string{"\x1b[?1049l", "\x1b[?25h", "\x1b[?2004l", "\x1b[?1002l"} {
				if strings.LastIndex(s, restored) < strings.LastIndex(s, strings.Replace(strings.Replace(restored, "l", "h", 1), "25h", "25l", 1)) {
					t.Errorf("the terminal lacks %q at the end", restored)
				}
			}
			if strings.Contains(s, "panic") {
				t.Error("the panic is printed on the terminal")
			}
		})
	}
}

// broken is an overlay that panics in the middle of its work.
type broken struct{}

func (broken) update(tea.Msg) tea.Cmd { panic(crashSecret) }
func (broken) view(int, int) panel    { return panel{} }
func (broken) keys() []key.Binding    { return nil }

func TestAPanicInUpdateIsTheLastThingThatTheModelDoes(t *testing.T) {
	onScreen(t, 80, 24, busy(), func(s *screen) {
		g := &guarded{model: s.m}
		s.m.overlay = broken{}
		_, cmd := g.Update(keyMsg("x"))
		if g.report == nil || g.report.Value != "string" || !strings.Contains(g.report.Stack, "broken.update") {
			t.Fatalf("the report is %+v", g.report)
		}
		s.start(cmd)
		s.settle()
		if !s.quit {
			t.Error("the screen does not end")
		}
		if _, cmd := g.Update(keyMsg("x")); cmd != nil {
			t.Error("the model goes on")
		}
	})
}
