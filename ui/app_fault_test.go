package ui

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/oauthmux/oauthmux/ui/config"
	"github.com/oauthmux/oauthmux/ui/control"
	"github.com/oauthmux/oauthmux/ui/crash"
)

const faultSecret = "sk-ant-ort01-in-a-panic"

// panicking is an engine whose actions panic.
type panicking struct{ fakeEngine }

func (*panicking) Do(context.Context, control.Request) (control.Reply, error) { panic(faultSecret) }

func (e *panicking) Watch(context.Context) (<-chan control.State, error) {
	c := make(chan control.State, 1)
	c <- e.state
	return c, nil
}

func TestAPanicOfTheScreenIsOneLineAndAReport(t *testing.T) {
	dir := t.TempDir()
	in, keyboard := io.Pipe()
	t.Cleanup(func() { _ = in.Close() })
	s := &shown{keyboard: keyboard}
	p := &program{Env: Env{Stdin: in, Stdout: &s.out, Stderr: &s.err, Getenv: func(string) string { return "" }, Version: "1.2.3"}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	gone := make(chan error, 1)
	go func() { <-ctx.Done(); gone <- nil }()
	e := engine{Engine: &panicking{fakeEngine{state: someState()}}, own: true, cut: func() {}, gone: gone}
	done := make(chan int, 1)
	go func() { done <- p.exit(nil, p.reported(p.show(ctx, cancel, e, screenLook{}), dir)) }()
	s.until(t, &s.out, "Acme Inc")
	if _, err := keyboard.Write([]byte("u")); err != nil {
		t.Fatal(err)
	}
	if status := <-done; status != 1 {
		t.Errorf("exit status %d", status)
	}
	found, err := filepath.Glob(filepath.Join(dir, "crash-*.txt"))
	if err != nil || len(found) != 1 {
		t.Fatalf("reports: %q, %v", found, err)
	}
	if want := "oauthmux: the screen failed (string): a report without secrets is in " + found[0] + "\n"; s.err.String() != want {
		t.Errorf("it says %q, want %q", s.err.String(), want)
	}
	text, err := os.ReadFile(found[0])
	if err != nil || strings.Contains(string(text)+s.out.String()+s.err.String(), faultSecret) {
		t.Errorf("the secret is told; %v", err)
	}
	if !strings.Contains(string(text), "panicking).Do") {
		t.Errorf("the report does not say where:\n%s", text)
	}
}

func TestAPanicInThePartsOfAnEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		a := &App{log: slog.New(slog.NewTextHandler(&log, nil)), paths: config.Paths{State: t.TempDir()}, version: "1"}
		err := a.vital("the proxy", func() error { panic(faultSecret) })()
		if r, ok := errors.AsType[*crash.PanicError](err); !ok || r.Path == "" {
			t.Errorf("a part that there is no engine without: %v", err)
		}
		runs := 0
		err = a.spare(t.Context(), "the keepalive", func(context.Context) error {
			if runs++; runs < 3 {
				panic(errors.New(faultSecret))
			}
			return context.Canceled // as at the end
		})()
		if err != nil || runs != 3 {
			t.Errorf("a part that can rest ran %d times and ended with %v", runs, err)
		}
		err = nil
		func() {
			defer a.caught("usage", &err)
			panic(faultSecret)
		}()
		if e, ok := errors.AsType[*control.Error](err); !ok || e.Code != control.CodeInternal {
			t.Errorf("an action: %v", err)
		}
		if strings.Contains(log.String(), faultSecret) || strings.Count(log.String(), "panicked") != 4 {
			t.Errorf("the log says %s", log.String())
		}
		if all, err := filepath.Glob(filepath.Join(a.paths.State, "crash-*")); err != nil || len(all) != 3 {
			t.Errorf("there are %d reports, %v; want one for each part", len(all), err)
		}
	})
}
