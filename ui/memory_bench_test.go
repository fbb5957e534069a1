package ui

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/ui/config"
	"github.com/oauthmux/oauthmux/ui/control"
	"github.com/oauthmux/oauthmux/ui/dashboard"
	"github.com/oauthmux/oauthmux/usage"
)

const mib = 1 << 20

// manyAccounts writes a home with n accounts, each with its windows and a model
// family's, of which one in ten is cooling.
func manyAccounts(tb testing.TB, n int) (home string) {
	tb.Helper()
	home = tb.TempDir()
	now := time.Now().UTC().Round(0)
	all := make([]accounts.Account, n)
	for i := range all {
		window := func(name, scope string, length time.Duration) usage.Window {
			return usage.Window{Name: name, Used: float64(i%100) / 100, ResetsAt: now.Add(length), Length: length, Scope: scope}
		}
		all[i] = accounts.Account{
			ID: accounts.ID(fmt.Sprintf("%026d", i)), Provider: simulator.Plays, Identity: fmt.Sprintf("%036d/%036d", i, i),
			Label: fmt.Sprintf("account %04d", i), Email: fmt.Sprintf("person.%04d@company.example", i), Org: fmt.Sprintf("Company %d", i), Plan: "Max 20x",
			Order: i + 1, TokenExpiresAt: now.Add(7 * time.Hour), LoggedInAt: now.Add(-24 * time.Hour),
			Usage: usage.Snapshot{At: now, Source: usage.SourcePoll, Windows: []usage.Window{
				window(usage.FiveHour, "", 5*time.Hour), window(usage.SevenDay, "", 7*24*time.Hour), window(usage.SevenDay, "opus", 7*24*time.Hour),
			}},
			LastStatus: 200, Counts: accounts.Counts{Day: now.Local().Format(time.DateOnly), Requests: i, Failovers: i / 10},
		}
		if i%10 == 9 {
			all[i].Cooldowns = []accounts.Cooldown{{Until: now.Add(5 * time.Hour), Evidence: "5-hour limit reached (429)", Kind: accounts.CoolQuota}}
		}
	}
	b, err := json.Marshal(map[string]any{"version": 1, "accounts": all, "terms": map[string]any{string(simulator.Plays): now}})
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "accounts.json"), b, 0o600); err != nil {
		tb.Fatal(err)
	}
	return home
}

// living is what is left on the heap after a collection, with nothing under way.
func living() uint64 {
	least := ^uint64(0)
	for range 10 { // between them whoever is at work on a state comes to an end
		var s runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&s)
		least = min(least, s.HeapAlloc)
		time.Sleep(20 * time.Millisecond)
	}
	return least
}

// counted counts the states that a screen has taken.
type counted struct {
	control.Engine
	taken atomic.Int64
}

func (c *counted) Watch(ctx context.Context) (<-chan control.State, error) {
	from, err := c.Engine.Watch(ctx)
	if err != nil {
		return nil, err
	}
	to := make(chan control.State)
	go func() {
		defer close(to)
		for s := range from {
			select {
			case to <- s:
				c.taken.Add(1)
			case <-ctx.Done():
			}
		}
	}()
	return to, nil
}

// heapOf is what an engine at work keeps with n accounts, and what it keeps
// together with a screen that shows it.
func heapOf(tb testing.TB, n int) (engine, both uint64) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	home := map[string]string{"OAUTHMUX_HOME": manyAccounts(tb, n)}
	getenv := func(name string) string { return home[name] }
	paths, err := config.FindPaths(getenv)
	if err != nil {
		tb.Fatal(err)
	}
	cfg, err := config.Load(ctx, config.Sources{File: paths.ConfigFile, Getenv: getenv})
	if err != nil {
		tb.Fatal(err)
	}
	cfg.Proxy.Listen, cfg.Network.Proxy, cfg.Keyring.Backend = "127.0.0.1:0", "none", "file"
	a, err := openApp(appOptions{Config: cfg, Paths: paths, Version: "test", Log: slog.New(slog.DiscardHandler), Getenv: getenv})
	if err != nil {
		tb.Fatal(err)
	}
	defer a.Close()
	ended := make(chan error, 2)
	go func() { ended <- a.Run(ctx) }()
	<-a.asked
	if s, err := a.State(ctx); err != nil || len(s.Accounts) != n {
		tb.Fatalf("%d accounts, want %d: %v", len(s.Accounts), n, err)
	}
	engine = living()

	shown := &counted{Engine: a}
	keys, keyboard := io.Pipe()
	go func() { ended <- dashboard.Run(ctx, dashboard.Options{Engine: shown, In: keys, Out: io.Discard}) }()
	for _, key := range []string{"G", "\x1b[5~", "g", "\x1b[6~"} { // rows are kept as they were drawn
		seen := shown.taken.Load()
		if _, err := io.WriteString(keyboard, key); err != nil {
			tb.Fatal(err)
		}
		a.bus.Publish(accounts.Event{Kind: accounts.AccountsChanged}) // one state comes while another is shown
		for shown.taken.Load() == seen {
			time.Sleep(10 * time.Millisecond)
		}
	}
	both = living()
	cancel()
	_ = keyboard.Close()
	for range cap(ended) {
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	}
	return engine, both
}

// What 1,000 accounts may cost, in MiB (DESIGN 8).
const (
	engineBound = 1.5
	screenBound = 0.8 // besides
)

// costOfThousand is what 1,000 accounts more cost an engine, and what they cost a
// screen with the state that it shows, in MiB.
func costOfThousand(tb testing.TB) (engine, screen float64) {
	tb.Helper()
	const few, more = 4, 1000
	engineFew, bothFew := heapOf(tb, few)
	engineMany, bothMany := heapOf(tb, few+more)
	engine = (float64(engineMany) - float64(engineFew)) / mib
	return engine, (float64(bothMany)-float64(bothFew))/mib - engine
}

// BenchmarkMemoryOfThousandAccounts is what 1,000 accounts more cost an engine, which
// must stay under engineBound, and what they cost a screen with the state that it
// shows, which must stay under screenBound.
func BenchmarkMemoryOfThousandAccounts(b *testing.B) {
	var engine, screen float64
	for b.Loop() {
		engine, screen = costOfThousand(b)
	}
	b.ReportMetric(screen, "MiB-screen")
	b.ReportMetric(engine, "MiB-engine")
	b.ReportMetric(0, "ns/op")
}
