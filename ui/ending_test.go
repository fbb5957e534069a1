package ui

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/rotation"
	"github.com/oauthmux/oauthmux/ui/control"
)

// shown is a screen with an engine of its own that one request waits on.
type shown struct {
	cancel   context.CancelFunc
	keyboard io.Writer
	out, err lockedBuffer
	done     chan error // of show
	request  chan error // of the request
}

func showServing(t *testing.T) *shown {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	d, err := openDemo(ctx, demoOptions{Accounts: 1, Speed: 1, Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	d.server.Inject(simulator.Fault{Kind: simulator.Slow, Path: simulator.PathMessages, Delay: time.Minute})
	gone := make(chan error, 1)
	go func() { gone <- d.app.Run(ctx) }()
	<-d.app.ready
	in, keyboard := io.Pipe()
	s := &shown{cancel: cancel, keyboard: keyboard, done: make(chan error, 1), request: make(chan error, 1)}
	p := &program{Env: Env{Stdin: in, Stdout: &s.out, Stderr: &s.err, Getenv: func(string) string { return "" }, Version: "test"}}
	go func() {
		s.done <- p.show(ctx, cancel, engine{Engine: d.app, own: true, cut: d.app.proxy.Cut, gone: gone}, screenLook{})
	}()
	t.Cleanup(func() {
		_ = in.Close()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	go func() { s.request <- oneMessage(t.Context(), d.app) }()
	eventually(t, d.app, func(s control.State) bool { return s.Accounts[0].InFlight == 1 })
	s.until(t, &s.out, "1 in flight")
	return s
}

// oneMessage sends one request and returns how it ended.
func oneMessage(ctx context.Context, app *App) error {
	reply, err := app.Do(ctx, control.Request{Action: control.ActionClient})
	if err != nil {
		return err
	}
	body := strings.NewReader(`{"model":"claude-sonnet-4-5","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, reply.Client.BaseURL+"/v1/messages", body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+reply.Client.Key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func (s *shown) until(t *testing.T, b *lockedBuffer, text string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(b.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never said %q: %s", text, b.String())
		}
	}
}

func TestAYesToCuttingCutsAtOnce(t *testing.T) {
	s := showServing(t)
	for _, key := range []string{"q", "y"} {
		if _, err := s.keyboard.Write([]byte(key)); err != nil {
			t.Fatal(err)
		}
		s.until(t, &s.out, "leaving stops the proxy and cuts it")
	}
	begun := time.Now()
	if err := <-s.done; err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > rotation.EndGrace/2 {
		t.Errorf("the end took %v", took)
	}
	if err := <-s.request; err == nil {
		t.Error("the request came to a good end")
	}
	if s.err.String() != "" {
		t.Errorf("it said %s", s.err.String())
	}
}

func TestASignalLeavesRequestsTheirTimeAndSaysSo(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the grace to pass")
	}
	s := showServing(t)
	begun := time.Now()
	s.cancel()
	s.until(t, &s.err, "oauthmux: finishing 1 request, 5 s at most; ctrl+c cuts it\n")
	if err := <-s.done; err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < rotation.EndGrace {
		t.Errorf("the request was cut after %v", took)
	}
	if err := <-s.request; err == nil {
		t.Error("the request came to a good end")
	}
	if n := strings.Count(s.err.String(), "finishing"); n != 1 {
		t.Errorf("it said so %d times: %s", n, s.err.String())
	}
}

// ending is an engine that does not end until it is told to cut.
type ending struct {
	fakeEngine
	cut chan struct{}
}

func TestCtrlCCutsWhatTheEndWaitsFor(t *testing.T) {
	st := someState()
	st.Accounts[1].State = control.StateRenewing
	e := &ending{fakeEngine{state: st}, make(chan struct{})}
	var said lockedBuffer
	p := &program{Env: Env{Stderr: &said}}
	gone := make(chan error, 1)
	interrupts := make(chan os.Signal, 1)
	go func() { <-e.cut; gone <- errors.New("cut") }()
	done := make(chan error, 1)
	go func() {
		done <- p.awaitEnd(t.Context(), engine{Engine: e, own: true, cut: func() { close(e.cut) }}, gone, interrupts)
	}()
	(&shown{}).until(t, &said, "oauthmux: finishing 2 requests, 5 s at most; ctrl+c cuts them\n")
	interrupts <- os.Interrupt
	if err := <-done; err == nil || err.Error() != "cut" {
		t.Errorf("it ended with %v", err)
	}
}

func TestARenewalIsWhatTheEndWaitsForLast(t *testing.T) {
	st := someState()
	st.Accounts[0].InFlight, st.Accounts[0].State = 0, control.StateRenewing
	if what, words := unfinished(st); what != "renewals" || !strings.Contains(words, "renewal") {
		t.Errorf("%q, %q", what, words)
	}
	st.Accounts[0].State, st.Accounts[0].Label = control.StateUnsaved, "work"
	if what, words := unfinished(st); what != "unsaved" || !strings.Contains(words, "token of work is not saved") {
		t.Errorf("%q, %q", what, words)
	}
	st.Accounts[0].State = control.StateReady
	if what, words := unfinished(st); what != "" || words != "" {
		t.Errorf("%q, %q", what, words)
	}
}
