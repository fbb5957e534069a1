package ui

import (
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/oauthmux/oauthmux/rotation"
	"github.com/oauthmux/oauthmux/ui/config"
	"github.com/oauthmux/oauthmux/ui/control"
)

// planned is an App over dir whose configuration comes from such a file, such
// flags and no environment.
func planned(t *testing.T, dir, file string, flags map[string]string) *App {
	t.Helper()
	paths, err := config.FindPaths(func(name string) string { return map[string]string{"OAUTHMUX_HOME": dir}[name] })
	if err == nil {
		err = os.WriteFile(paths.ConfigFile, []byte(file), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(t.Context(), config.Sources{File: paths.ConfigFile, Getenv: func(string) string { return "" }, Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	a, err := openApp(appOptions{Config: c, Paths: paths, Log: slog.New(slog.DiscardHandler), Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func choose(t *testing.T, a *App, strategy string) (control.Reply, error) {
	t.Helper()
	return a.Do(t.Context(), control.Request{Action: control.ActionStrategy, Strategy: strategy})
}

func strategyOf(t *testing.T, a *App) control.Strategy {
	t.Helper()
	s, err := a.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Strategy
}

// What was chosen on the screen holds after a restart, above config.toml and below
// flags; and what config.toml says anyway is not remembered.
func TestAStrategyIsRemembered(t *testing.T) {
	dir := t.TempDir()
	a := planned(t, dir, "", nil)
	if got := strategyOf(t, a); got.Name != rotation.StrategySticky || got.Config != got.Name || got.Fixed != "" || len(got.All) != len(rotation.Strategies()) {
		t.Errorf("at first it is %+v", got)
	}
	reply, err := choose(t, a, rotation.StrategyLeastUsed)
	if err != nil || !strings.Contains(reply.Message, "emptiest") {
		t.Errorf("choosing said %q, %v", reply.Message, err)
	}
	if got := strategyOf(t, a).Name; got != rotation.StrategyLeastUsed {
		t.Errorf("after choosing it is %s", got)
	}
	if feed := a.feedLines(); len(feed) != 1 || !strings.Contains(feed[0].Text, "least-used") {
		t.Errorf("the feed says %+v", feed)
	}
	a.Close()

	const roundRobin = "[rotation]\nstrategy = \"round-robin\"\n"
	a = planned(t, dir, roundRobin, nil)
	if got := strategyOf(t, a); got.Name != rotation.StrategyLeastUsed || got.Config != rotation.StrategyRoundRobin {
		t.Errorf("after a restart it is %+v", got)
	}
	if _, err := choose(t, a, rotation.StrategyRoundRobin); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if got := strategyOf(t, planned(t, dir, "", nil)).Name; got != rotation.StrategySticky {
		t.Errorf("with config.toml's choice gone it is %s", got)
	}
}

func TestAStrategyGivenByFlagCannotBeChosen(t *testing.T) {
	dir := t.TempDir()
	a := planned(t, dir, "", nil)
	if _, err := choose(t, a, rotation.StrategyLeastUsed); err != nil {
		t.Fatal(err)
	}
	a.Close()
	a = planned(t, dir, "", map[string]string{"rotation-strategy": rotation.StrategySoonestReset})
	if got := strategyOf(t, a); got.Name != rotation.StrategySoonestReset || got.Fixed != "--rotation-strategy" {
		t.Errorf("with the flag it is %+v", got)
	}
	_, err := choose(t, a, rotation.StrategySticky)
	if e, ok := errors.AsType[*control.Error](err); !ok || !strings.Contains(e.Message, "--rotation-strategy") || e.Hint == "" {
		t.Errorf("choosing said %v", err)
	}
	if _, err := choose(t, a, "fastest"); err == nil || !strings.Contains(err.Error(), "fastest") {
		t.Errorf("a strategy that is none: %v", err)
	}
}

// The words that config.toml may say are the strategies there are.
func TestTheConfigurationKnowsEveryStrategy(t *testing.T) {
	for _, s := range rotation.Strategies() {
		a := planned(t, t.TempDir(), "[rotation]\nstrategy = \""+s.Name+"\"\n", nil)
		if got := strategyOf(t, a).Name; got != s.Name {
			t.Errorf("%s is %s", s.Name, got)
		}
	}
}
