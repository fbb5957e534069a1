package accounts

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/accounts/vault"
)

func TestARestartKeepsEverything(t *testing.T) {
	h := newSharedHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	if _, err := h.renewer.Renew(t.Context(), a.ID, h.token(t, a.ID).Generation); err != nil {
		t.Fatal(err)
	}
	if err := h.registry.Prefer(a.ID); err != nil {
		t.Fatal(err)
	}
	token := h.token(t, a.ID)
	before, _ := h.registry.Get(a.ID)

	next := &home{dir: h.dir, sim: h.sim}
	next.open(t, h.sim.URL(), sharedKey(h.dir))
	after, err := next.registry.Get(a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("after a restart the account is\n%+v, before\n%+v", after, before)
	}
	if got := next.token(t, a.ID); got.AccessToken != token.AccessToken || got.Generation != token.Generation || !got.Expiry.Equal(token.Expiry) {
		t.Errorf("after a restart the token is of generation %d, before %d", got.Generation, token.Generation)
	}
	if next.registry.Preferred(simulated) != a.ID || !next.registry.TermsAccepted(simulated) {
		t.Error("the choice or the terms are forgotten")
	}
}

func TestI1_EightProcessesRenewAnExpiredTokenOnce(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts eight processes")
	}
	h := newSharedHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	h.expire(t, a.ID)
	gen := h.token(t, a.ID).Generation
	const processes = 8
	var ready, all sync.WaitGroup
	begin := make(chan struct{})
	for i := range processes {
		ready.Add(1)
		all.Go(func() {
			got, err := h.renewWhenTold(t.Context(), a.ID, ready.Done, begin)
			if err != nil || got != strconv.FormatUint(gen+1, 10) {
				t.Errorf("process %d has generation %q, want %d: %v", i, got, gen+1, err)
			}
		})
	}
	ready.Wait()
	close(begin)
	all.Wait()
	if got := h.sim.Counts().TotalRefreshes(); got != 1 {
		t.Errorf("the refresh token was presented %d times, want once", got)
	}
	h.checkClean(t)
	if got := h.token(t, a.ID); got.Generation != gen+1 {
		t.Errorf("this process has generation %d, want %d", got.Generation, gen+1)
	}
}

// renewWhenTold has another process renew an account as soon as begin is closed,
// and returns which generation it has then.
func (h *home) renewWhenTold(ctx context.Context, id ID, ready func(), begin <-chan struct{}) (string, error) {
	isReady := sync.OnceFunc(ready)
	defer isReady() // nobody waits for one that has failed
	cmd := h.child(ctx, id)
	cmd.Env = append(cmd.Env, childWaits+"=yes")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	said := bufio.NewReader(out)
	if _, err := said.ReadString('\n'); err == nil {
		isReady()
		<-begin
	}
	_ = in.Close() // an error: the process has ended
	got, readErr := io.ReadAll(said)
	if err := errors.Join(readErr, cmd.Wait()); err != nil {
		return "", fmt.Errorf("%w: %s", err, stderr.String())
	}
	return strings.TrimSpace(string(got)), nil
}

func TestT35I8_ARestoredBackupIsNotPresented(t *testing.T) {
	h := newHome(t, simulator.Options{})
	a := h.addAccount(t, "ada", "work")
	path := filepath.Join(h.dir, "vault", string(a.ID), "cred")
	backup, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	token, err := h.renewer.Renew(t.Context(), a.ID, h.token(t, a.ID).Generation)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.renewer.Renew(t.Context(), a.ID, token.Generation); !errors.Is(err, ErrRolledBack) {
		t.Errorf("got %v", err)
	}
	check := func() {
		t.Helper()
		if got := h.token(t, a.ID); got.Generation != token.Generation {
			t.Errorf("generation %d is handed out after %d", got.Generation, token.Generation)
		}
	}
	check()
	// Now as if another process had stored one: the vault is read again.
	if _, err := h.registry.Edit(a.ID, func(a *Account) error { a.TokenExpiresAt = a.TokenExpiresAt.Add(time.Second); return nil }); err != nil {
		t.Fatal(err)
	}
	check()
	h.checkClean(t)
}

// A login makes good what a restored backup broke, in the running process.
func TestT35_ALoginAfterARestoredBackupIsTaken(t *testing.T) {
	for _, noticed := range []bool{true, false} { // by the process, before it renews
		h := newHome(t, simulator.Options{})
		a := h.addAccount(t, "ada", "work")
		path := filepath.Join(h.dir, "vault", string(a.ID), "cred")
		backup, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		first := h.token(t, a.ID)
		last := first
		for range 3 {
			if last, err = h.renewer.Renew(t.Context(), a.ID, last.Generation); err != nil {
				t.Fatal(err)
			}
		}
		restore := func() {
			t.Helper()
			if err := os.WriteFile(path, backup, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		restore()
		if _, err := h.renewer.Renew(t.Context(), a.ID, last.Generation); !errors.Is(err, ErrRolledBack) {
			t.Errorf("got %v", err)
		}
		if got := h.signIn(t, "ada", ""); !got.Renewed {
			t.Fatalf("%+v", got)
		}
		presented := h.sim.Counts().TotalRefreshes()
		if !noticed { // as another process's login is not, at once
			h.renewer.mu.Lock()
			now, _ := h.registry.Get(a.ID)
			c := h.renewer.tokens[a.ID]
			c.named, c.readAt = now.TokenExpiresAt, time.Now()
			h.renewer.tokens[a.ID] = c
			h.renewer.mu.Unlock()
		}
		got, err := h.renewer.Renew(t.Context(), a.ID, last.Generation) // whoever had the token of before
		if err != nil || !got.LoggedInAt.After(first.LoggedInAt) || got.Generation != first.Generation+1 || got != h.token(t, a.ID) {
			t.Fatalf("the login is not taken: generation %d, %v", got.Generation, err)
		}
		if n := h.sim.Counts().TotalRefreshes() - presented; n != 0 {
			t.Errorf("its refresh token was presented %d times for nothing", n)
		}
		next, err := h.renewer.Renew(t.Context(), a.ID, got.Generation)
		if err != nil || next.Generation != got.Generation+1 {
			t.Errorf("its renewal: generation %d, %v", next.Generation, err)
		}
		restore() // a backup of the login before is none of this one
		if _, err := h.renewer.Renew(t.Context(), a.ID, next.Generation); !errors.Is(err, ErrRolledBack) {
			t.Errorf("once more: %v", err)
		}
		h.checkClean(t)
	}
}

// rewrite stores the account's record once more, with a change.
func (h *home) rewrite(t *testing.T, id ID, change func(*vault.Record)) {
	t.Helper()
	held, err := h.vault.Lock(t.Context(), string(id))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	record, err := held.Read()
	if err != nil {
		t.Fatal(err)
	}
	record.Generation = 0
	change(&record)
	if err := held.Store(record); err != nil {
		t.Fatal(err)
	}
}

// expire makes the account's stored token one that has run out.
func (h *home) expire(t *testing.T, id ID) {
	t.Helper()
	h.rewrite(t, id, func(r *vault.Record) { r.ReceivedAt = r.ReceivedAt.Add(-24 * time.Hour) })
	if _, err := h.registry.Edit(id, func(a *Account) error { a.TokenExpiresAt = a.TokenExpiresAt.Add(-24 * time.Hour); return nil }); err != nil {
		t.Fatal(err)
	}
}
