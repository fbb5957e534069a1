package ui

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/history"
	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/ui/config"
	"github.com/oauthmux/oauthmux/ui/control"
	"github.com/oauthmux/oauthmux/usage"
)

// Requests of real clients, through the proxy, to the simulator: their windows fill as
// they do, and the state tells it, also after the engine has ended.
func TestTrafficBecomesAForecast(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d, err := openDemo(ctx, demoOptions{Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- d.Run(ctx) }()
	seen := eventually(t, d.app, func(s control.State) bool {
		for _, a := range s.Accounts {
			for _, w := range a.Windows {
				if w.Forecast != nil && w.Name == usage.FiveHour && (w.Forecast.FullAt != nil || *w.Forecast.UsedAtReset > *w.Used) {
					return len(s.Traffic) > 0
				}
			}
		}
		return false
	})
	for _, traffic := range seen.Traffic {
		if traffic.Span != time.Second || len(traffic.Requests) == 0 || traffic.Ends.Before(seen.Now.Add(-traffic.Span)) {
			t.Errorf("traffic %+v at %v", traffic, seen.Now)
		}
	}
	cancel()
	if err := <-gone; err != nil {
		t.Error(err)
	}
	kept, err := history.New(d.app.paths.History, nil).Load()
	if err != nil || len(kept) == 0 {
		t.Errorf("kept in the demo's home: %d accounts, %v", len(kept), err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// withoutEngine is the graph that a command works with, of a home with one account
// whose 5-hour window was read for an hour.
func withoutEngine(t *testing.T, paths config.Paths) *App {
	t.Helper()
	cfg, err := config.Load(t.Context(), config.Sources{File: paths.ConfigFile, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	app, err := openApp(appOptions{
		Config: cfg, Paths: paths, Version: "test", Log: slog.New(slog.DiscardHandler), Passphrase: "p",
		Getenv: func(string) string { return "" },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(app.Close)
	return app
}

func aHome(t *testing.T) (config.Paths, accounts.ID) {
	t.Helper()
	home := t.TempDir()
	paths, err := config.FindPaths(func(name string) string { return map[string]string{"OAUTHMUX_HOME": home}[name] })
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	registry, err := accounts.OpenRegistry(accounts.RegistryOptions{Dir: paths.Data, LockPath: paths.StateLock})
	if err != nil {
		t.Fatal(err)
	}
	series := usage.Series{Name: usage.FiveHour, Length: 5 * time.Hour}
	for i := range 31 {
		series.Readings = append(series.Readings, usage.Reading{
			At: now.Add(time.Duration(i-30) * 2 * time.Minute), Used: 0.5 + 0.004*float64(i), ResetsAt: now.Add(time.Hour),
		})
	}
	last := series.Readings[30]
	a, err := registry.Add(accounts.Account{Provider: simulator.Plays, Label: "work", Usage: usage.Snapshot{
		At: last.At, Source: usage.SourceHeaders, Windows: []usage.Window{{Name: usage.FiveHour, Used: last.Used, ResetsAt: last.ResetsAt, Length: 5 * time.Hour}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var tally usage.Tally
	tally.Add(now, 10*time.Minute, 12)
	err = history.New(paths.History, nil).Save(map[accounts.ID]usage.Past{a.ID: {Series: []usage.Series{series}, Tally: tally}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return paths, a.ID
}

func TestCommandsKnowTheForecastWithoutAnEngine(t *testing.T) {
	paths, id := aHome(t)
	before, err := os.ReadFile(paths.History)
	if err != nil {
		t.Fatal(err)
	}
	s, err := withoutEngine(t, paths).State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := s.Accounts[0].Windows[0].Forecast
	if f == nil || f.UsedAtReset == nil || *f.UsedAtReset < 0.72 || *f.UsedAtReset > 0.76 || f.FullAt != nil || f.Basis == "" {
		t.Errorf("forecast %+v, want 74 %% at the reset", f)
	}
	if s.Accounts[0].Windows[1].Forecast != nil {
		t.Errorf("the week has a forecast without readings: %+v", s.Accounts[0].Windows[1].Forecast)
	}
	if len(s.Traffic) != 1 || s.Traffic[0].Account != string(id) || s.Traffic[0].Requests[len(s.Traffic[0].Requests)-1] != 12 && s.Traffic[0].Requests[len(s.Traffic[0].Requests)-2] != 12 {
		t.Errorf("traffic %+v", s.Traffic)
	}
	after, err := os.ReadFile(paths.History)
	if err != nil || string(after) != string(before) {
		t.Errorf("a command that shows wrote to the history: %v", err)
	}
}

func TestAHistoryThatIsDamagedIsNoReasonForAnything(t *testing.T) {
	paths, _ := aHome(t)
	if err := os.WriteFile(paths.History, []byte("this is no history"), 0o600); err != nil {
		t.Fatal(err)
	}
	app := withoutEngine(t, paths)
	s, err := app.State(t.Context())
	if err != nil || len(s.Accounts) != 1 || s.Accounts[0].Windows[0].Forecast != nil {
		t.Errorf("state %+v, %v", s.Accounts, err)
	}
	if left, _ := filepath.Glob(paths.History + ".bad-*"); len(left) > 0 {
		t.Errorf("a command that shows moved it aside: %v", left)
	}
}

func TestTheHistoryGoesWithItsAccount(t *testing.T) {
	paths, id := aHome(t)
	app := withoutEngine(t, paths)
	if _, err := app.Do(t.Context(), control.Request{Action: control.ActionRemove, Account: string(id)}); err != nil {
		t.Fatal(err)
	}
	kept, err := history.New(paths.History, nil).Load()
	if err != nil || len(kept) != 0 {
		t.Errorf("kept: %+v, %v", kept, err)
	}
	if _, err := os.Stat(paths.History); errors.Is(err, os.ErrNotExist) {
		t.Error("the file is gone, not what was kept of the account")
	}
}
