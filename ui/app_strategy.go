package ui

import (
	"context"
	"fmt"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/rotation"
	"github.com/oauthmux/oauthmux/ui/control"
)

// strategyKey is the key of the configuration that names the strategy.
const strategyKey = "rotation.strategy"

// strategy is how accounts are chosen: a flag or the environment says it, else
// what was chosen on the screen, else config.toml.
func (a *App) strategy() string {
	name := a.config.Rotation.Strategy
	if chosen := a.registry.Strategy(); a.config.Laid(strategyKey) == "" {
		if _, known := rotation.SelectorNamed(chosen); known { // a later version may know more
			name = chosen
		}
	}
	return name
}

// chooseBy has the pool choose by a strategy, and remembers which that is: the
// file may say something else by now.
func (a *App) chooseBy(name string) {
	if s, ok := rotation.SelectorNamed(name); ok {
		a.pool.Choose(s)
		a.chosen.Store(&name)
	}
}

// strategies are the strategies in the words of the contract.
func (a *App) strategies() control.Strategy {
	s := control.Strategy{Name: *a.chosen.Load(), Fixed: a.config.Laid(strategyKey), Config: a.config.Rotation.Strategy}
	for _, choice := range rotation.Strategies() {
		s.All = append(s.All, control.Choice{Name: choice.Name, Means: choice.Means})
	}
	return s
}

// doStrategy chooses a strategy. What the configuration says anyway is not
// remembered, so that a later change of the file counts.
func (a *App) doStrategy(_ context.Context, r control.Request) (control.Reply, error) {
	var chosen *rotation.Strategy
	for _, s := range rotation.Strategies() {
		if s.Name == r.Strategy {
			chosen = &s
		}
	}
	if chosen == nil {
		return control.Reply{}, &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("there is no strategy %q", r.Strategy)}
	}
	if source := a.config.Laid(strategyKey); source != "" {
		return control.Reply{}, &control.Error{
			Code: control.CodeConfig, Message: "the strategy of this engine is fixed by " + source,
			Hint: "start it without, and choose here",
		}
	}
	kept := chosen.Name
	if kept == a.config.Rotation.Strategy {
		kept = ""
	}
	a.choosing.Lock() // two screens may choose at once: the file and the pool must agree
	defer a.choosing.Unlock()
	before := *a.chosen.Load()
	if err := a.registry.SetStrategy(kept); err != nil {
		return control.Reply{}, err
	}
	a.chooseBy(chosen.Name)
	words := chosen.Name + ": " + chosen.Means
	if before != chosen.Name {
		a.journal.Add(accounts.Entry{Kind: accounts.EntryNotice, Evidence: words})
	}
	return control.Reply{Message: words}, nil
}
