package ui

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/ui/config"
)

// A browser that is installed while the engine runs is found, and no state waits
// for the look.
func TestABrowserIsFoundWhenItComes(t *testing.T) {
	program := filepath.Join(t.TempDir(), "chromium")
	synctest.Test(t, func(t *testing.T) {
		set, err := accounts.NewSet(nil)
		if err != nil {
			t.Fatal(err)
		}
		a := &App{providers: set, bus: &accounts.Bus{}, config: config.Config{Tuning: config.Tuning{Relogin: config.Relogin{Browser: program}}}}
		id := set.All()[0].ID
		box := a.bus.Subscribe(10, accounts.AccountsChanged)
		defer box.Close()
		if a.hasBrowser(id) {
			t.Error("it is there before anybody has looked")
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.findBrowsers(ctx) }()
		synctest.Wait()
		if a.hasBrowser(id) {
			t.Error("it is there before it was installed")
		}
		box.Drain()
		if err := os.WriteFile(program, nil, 0o700); err != nil {
			t.Fatal(err)
		}
		if !wait(ctx, findAgain+1) {
			t.Fatal("the test ended")
		}
		synctest.Wait()
		if events, _ := box.Drain(); !a.hasBrowser(id) || len(events) != 1 {
			t.Errorf("it was not found, or not told: %v", events)
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}
