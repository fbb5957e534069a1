package ui

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/ui/control"
)

// lockedBuffer may be written to and read at the same time.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestTheEndWaitsForARenewalAndBeginsNothing(t *testing.T) {
	var log lockedBuffer
	d, err := openDemo(t.Context(), demoOptions{Accounts: 1, Speed: 1, Version: "test", Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	account := d.app.registry.All()[0]
	before, err := d.app.renewer.Token(account.ID)
	if err != nil {
		t.Fatal(err)
	}
	d.server.Inject(simulator.Fault{Kind: simulator.Slow, Path: simulator.PathToken, Delay: 2 * time.Second})
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	asked := make(chan error, 1)
	go func() {
		_, err := d.app.Do(ctx, control.Request{Action: control.ActionRenew, Account: account.Label})
		asked <- err
	}()
	for d.server.Counts().Faults[simulator.Slow] == 0 { // the refresh token has reached the server
		select {
		case err := <-asked:
			t.Fatalf("the renewal ended early: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	leave()
	if e, ok := errors.AsType[*control.Error](<-asked); !ok || e.Code != control.CodeUnavailable || !strings.Contains(e.Hint, "stored all the same") {
		t.Errorf("who left is told %#v", e)
	}

	if err := d.app.settle(); err != nil {
		t.Fatal(err)
	}
	if after, err := d.app.renewer.Token(account.ID); err != nil || after.Generation <= before.Generation {
		t.Errorf("the token is of generation %d, %v", after.Generation, err)
	}
	if !strings.Contains(log.String(), "waiting for a renewal: its answer must be stored") {
		t.Errorf("the log says %s", log.String())
	}
	_, err = d.app.Do(t.Context(), control.Request{Action: control.ActionRenew, Account: account.Label})
	if e, ok := errors.AsType[*control.Error](err); !ok || e.Code != control.CodeUnavailable || !strings.Contains(e.Message, "ending") {
		t.Errorf("a renewal after the end: %v", err)
	}
	if flow, err := d.app.logins.Start(t.Context(), account.Provider, accounts.LoginPaste, ""); err == nil {
		t.Errorf("a login began after the end: %s", flow.State)
	}
}
