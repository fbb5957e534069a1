// Command oauthmux makes several OAuth subscriptions behave as one.
package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/oauthmux/oauthmux/accounts/early"
	"github.com/oauthmux/oauthmux/ui"
)

var version string // set with -X main.version

func main() {
	early.Restore()
	ctx, stop := signal.NotifyContext(context.Background(), ui.EndSignals()...)
	status := ui.Main(ctx, ui.System(version))
	stop()
	os.Exit(status)
}
