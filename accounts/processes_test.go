package accounts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
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
	var wg sync.WaitGroup
	outputs := make([]string, processes)
	for i := range processes {
		wg.Go(func() {
			out, err := h.child(t.Context(), a.ID).CombinedOutput()
			outputs[i] = strings.TrimSpace(string(out))
			if err != nil {
				t.Errorf("process %d: %v: %s", i, err, out)
			}
		})
	}
	wg.Wait()
	for i, out := range outputs {
		if out != strconv.FormatUint(gen+1, 10) {
			t.Errorf("process %d has generation %q, want %d", i, out, gen+1)
		}
	}
	if got := h.sim.Counts().TotalRefreshes(); got != 1 {
		t.Errorf("the refresh token was presented %d times, want once", got)
	}
	h.checkClean(t)
	if got := h.token(t, a.ID); got.Generation != gen+1 {
		t.Errorf("this process has generation %d, want %d", got.Generation, gen+1)
	}
}

// TestC01_KillingProcessesLosesNoLogin kills processes in the middle of renewals.
// The server forgives a token that is presented again, and counts it.
func TestC01_KillingProcessesLosesNoLogin(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts and kills processes for seconds")
	}
	// An access token that is always due lets the next process go on at once.
	h := newSharedHome(t, simulator.Options{Policy: simulator.Grace, Grace: time.Hour, TokenLife: time.Second})
	var ids []ID
	for n := range 6 {
		name := "user" + strconv.Itoa(n)
		h.sim.AddUser(simulator.User{Name: name})
		ids = append(ids, h.addAccount(t, name, name).ID)
	}
	const workers = 3
	var kills atomic.Int32
	requests := func() int { return h.sim.Counts().Total(simulator.PathToken) }
	ends := time.Now().Add(time.Minute)
	enough := func() bool {
		return kills.Load() >= 8 && h.sim.Counts().TotalRefreshes() >= 8 || time.Now().After(ends)
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for n := 0; !enough(); n++ {
				cmd := h.child(t.Context(), append(slices.Clone(ids[2*w:]), ids[:2*w]...)...)
				cmd.Env = append(cmd.Env, childForEver+"=yes")
				if err := cmd.Start(); err != nil {
					t.Error(err)
					return
				}
				for before := requests(); requests() == before && !enough(); {
					time.Sleep(time.Millisecond)
				}
				time.Sleep(time.Duration(n*7%30) * time.Millisecond) // another moment each time
				kills.Add(1)                                         // before the kill: the kernel frees the lock before Wait returns
				if err := cmd.Process.Kill(); err != nil {
					t.Error(err)
				}
				_ = cmd.Wait() // it was killed
			}
		})
	}
	wg.Wait()
	before := h.sim.Counts()
	t.Logf("%d kills, %d renewals, %d tokens presented again", kills.Load(), before.TotalRefreshes(), before.Reuse)
	if before.TotalRefreshes() < 8 {
		t.Errorf("only %d renewals: little was tested", before.TotalRefreshes())
	}
	var last sync.WaitGroup
	for _, id := range ids {
		last.Go(func() {
			token, err := h.renewer.Renew(t.Context(), id, h.token(t, id).Generation)
			if err != nil {
				t.Errorf("the last renewal of %s: %v", id, err)
				return
			}
			if _, live := h.sim.Owner(token.RefreshToken.Reveal()); !live {
				t.Errorf("the last refresh token of %s is dead", id)
			}
		})
	}
	last.Wait()
	c := h.sim.Counts()
	delete(c.Violations, simulator.BadBody) // a request whose sender was killed
	if c.SupersededPresented != 0 || c.Reuse > int(kills.Load()) || c.TotalViolations() != 0 {
		t.Errorf("%d superseded tokens were presented, %d of them again for %d kills; violations %v", c.SupersededPresented, c.Reuse, kills.Load(), c.Violations)
	}
	if len(h.registry.All()) != len(ids) || openRegistry(t, h.dir, nil).Damage() != "" {
		t.Errorf("accounts.json has %d accounts, %q", len(h.registry.All()), h.registry.Damage())
	}
}

func TestT35_ARestoredBackupIsNotPresented(t *testing.T) {
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
	if got := h.token(t, a.ID); got.Generation != token.Generation {
		t.Errorf("generation %d is handed out after %d", got.Generation, token.Generation)
	}
	h.checkClean(t)
}

// expire makes the account's stored token one that has run out.
func (h *home) expire(t *testing.T, id ID) {
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
	record.Generation, record.ReceivedAt = 0, record.ReceivedAt.Add(-24*time.Hour)
	if err := held.Store(record); err != nil {
		t.Fatal(err)
	}
	if _, err := h.registry.Edit(id, func(a *Account) error { a.TokenExpiresAt = a.TokenExpiresAt.Add(-24 * time.Hour); return nil }); err != nil {
		t.Fatal(err)
	}
}
