package accounts

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestRunShowsWhatAnotherProcessWrote(t *testing.T) {
	dir := t.TempDir()
	bus := &Bus{}
	mine, other := openRegistry(t, dir, bus), openRegistry(t, dir, nil)
	stop := runRegistry(t, mine)
	defer stop()
	box := bus.Subscribe(10)
	defer box.Close()
	a := add(t, other, Account{Label: "work"})
	waitUntil(t, func() bool { _, err := mine.Get(a.ID); return err == nil })
	<-box.Ready()
	if events, _ := box.Drain(); len(events) == 0 || events[0].Kind != AccountsChanged {
		t.Errorf("announced: %v", events)
	}
	if err := other.Rename(a.ID, "play"); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { got, _ := mine.Get(a.ID); return got.Label == "play" })
}

func TestRunMendsAFileThatStaysDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "accounts.json")
	r := openRegistry(t, dir, nil)
	add(t, r, Account{Label: "work"})
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	stop := runRegistry(t, r)
	defer stop()
	// An editor that writes in place: first nothing, then all of it.
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // the editor's; the empty file is looked at meanwhile
	edited := strings.Replace(string(good), "work", "play", 1)
	if err := os.WriteFile(path, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { return strings.Join(labels(r.All()), " ") == "play" })
	if bad := badFiles(t, dir); len(bad) != 0 {
		t.Errorf("a file that was being edited was moved aside: %v", bad)
	}
	if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { raw, err := os.ReadFile(path); return err == nil && string(raw) != "garbage" })
	if got := strings.Join(labels(openRegistry(t, dir, nil).All()), " "); got != "play" || len(badFiles(t, dir)) != 1 {
		t.Errorf("the accounts are %q, kept aside: %v", got, badFiles(t, dir))
	}
}

func runRegistry(t *testing.T, r *Registry) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	}
}

// Many who look at once are not in each other's way: whoever asks for the latest
// gets nothing older than what another process had written before.
func TestLatestIsTheLatestForEverybody(t *testing.T) {
	dir := t.TempDir()
	writer, reader := openRegistry(t, dir, nil), openRegistry(t, dir, nil)
	var a Account
	for n := range 100 { // so that to read them takes a while
		var err error
		if a, err = writer.Add(Account{Provider: "p", Label: strconv.Itoa(n)}); err != nil {
			t.Fatal(err)
		}
	}
	const last = 200
	var written atomic.Uint64
	var everybody sync.WaitGroup
	for range 8 {
		everybody.Go(func() {
			for written.Load() < last && !t.Failed() {
				least := written.Load()
				if got, err := reader.Latest(a.ID); err != nil || got.NeedsLoginGen < least {
					t.Errorf("generation %d is shown after %d was written, %v", got.NeedsLoginGen, least, err)
				}
			}
		})
	}
	for n := uint64(1); n <= last && !t.Failed(); n++ {
		if _, err := writer.Edit(a.ID, func(a *Account) error { a.NeedsLoginGen = n; return nil }); err != nil {
			t.Error(err)
		}
		written.Store(n)
	}
	written.Store(last)
	everybody.Wait()
}

func TestLatestShowsWhatAnotherProcessWrote(t *testing.T) {
	dir := t.TempDir()
	mine, other := openRegistry(t, dir, nil), openRegistry(t, dir, nil)
	a := add(t, other, Account{Label: "work"})
	if _, err := mine.Get(a.ID); !errors.Is(err, ErrNotFound) {
		t.Fatalf("it is known already: %v", err)
	}
	if got, err := mine.Latest(a.ID); err != nil || got.Label != "work" {
		t.Errorf("got %+v, %v", got, err)
	}
}
