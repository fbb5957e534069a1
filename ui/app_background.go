package ui

import (
	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/rotation"
)

// background makes what works while nobody looks.
func (a *App) background() {
	a.keepalive = rotation.NewKeepalive(rotation.KeepaliveOptions{
		Accounts: a.registry, Providers: a.providers, Pool: a.pool, Refresher: a.refresher, Client: a.client,
		Settings: func(id accounts.ProviderID) rotation.KeepaliveSettings {
			k := a.config.For(id).Keepalive
			return rotation.KeepaliveSettings{
				Enabled: k.Enabled, Interval: k.Interval.Std(), FirstAfter: k.FirstAfter.Std(),
				RefreshBefore: k.RefreshBefore.Std(), Ping: k.Ping, PingModel: k.PingModel,
			}
		},
		Journal: a.journal, Log: a.log,
	})
	a.poller = rotation.NewPoller(rotation.PollerOptions{
		Accounts: a.registry, Providers: a.providers, Pool: a.pool, Refresher: a.refresher, Client: a.client,
		Interval: a.config.Usage.Poll.Std(), Bus: a.bus, Log: a.log,
	})
}
