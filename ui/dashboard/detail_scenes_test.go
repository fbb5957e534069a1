package dashboard

import (
	"time"

	"github.com/oauthmux/oauthmux/ui/control"
)

// full is the forecast of a window that is full at a time.
func full(after time.Duration) *control.Forecast {
	return &control.Forecast{FullAt: in(after), UsedAtReset: new(1.0), Basis: "the last 2 h"}
}

// lasts is the forecast of a window of which so much is used when it resets.
func lasts(used float64) *control.Forecast {
	return &control.Forecast{UsedAtReset: new(used), Basis: "the last 2 h"}
}

// forecasting is busy with what an engine knows that has run for a while: what
// becomes of the windows, what the accounts took, and conversations.
func forecasting() control.State {
	s := busy()
	w := s.Accounts[0].Windows
	w[0].Forecast, w[1].Forecast = full(49*time.Minute), lasts(0.61)
	w = s.Accounts[1].Windows
	w[0].Forecast, w[1].Forecast = lasts(0.18), full(26*hour)
	w = s.Accounts[2].Windows
	w[1].Forecast = lasts(0.93)
	s.Traffic = []control.Traffic{
		{Account: "a1", Ends: fixedNow.Add(11 * time.Minute), Span: 15 * time.Minute, Requests: []int{0, 0, 1, 4, 9, 14, 31, 44, 30, 28, 13, 9, 4, 0, 0, 2, 17, 38, 29, 6}},
		{Account: "a3", Ends: fixedNow.Add(11 * time.Minute), Span: 15 * time.Minute, Requests: []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 11, 16, 7, 2, 1, 0, 0}},
	}
	s.Sessions = nil
	for i, name := range []string{"5f2c8a10-77", "b", "91d3e0aa-12", "deadbeef-01", "0c4419f2-5d", "77aa01b3-9e", "e1e2e3e4-00", "a0b1c2d3-42", "1f00dd1e-33", "42424242-10"} {
		s.Sessions = append(s.Sessions, control.Session{Session: name, Account: "a1", Since: fixedNow.Add(-time.Duration(1+i*i*13) * time.Minute), Requests: 1 + i*i*40})
	}
	s.Sessions = append(s.Sessions, control.Session{Session: "feedfacecafe", Account: "a2", Since: fixedNow.Add(-30 * hour), Requests: 12})
	return s
}

// early is forecasting in the demo, whose time runs fast: five hours last minutes.
func early() control.State {
	s := forecasting()
	for i := range s.Traffic {
		s.Traffic[i].Span, s.Traffic[i].Ends = 7500*time.Millisecond, fixedNow.Add(3*time.Second)
	}
	s.Demo = "a simulated provider, 120 times faster: 5 hours last 2m30s; nothing leaves this machine"
	s.Accounts[0].Windows[0] = win("5h", "", 0.41, 95*time.Second)
	s.Accounts[0].Windows[0].Forecast = full(62 * time.Second)
	return s
}

// everyState is an account in each state there is, the worst first as the engine
// takes them.
func everyState() control.State {
	s := busy()
	four := s.Accounts
	s.Accounts, s.Sessions = nil, nil
	add := func(from control.Account, label, state, reason string) {
		from.ID, from.Label, from.Email, from.State, from.Reason = label, label, label+"@acme.dev", state, reason
		from.Order, from.Preferred, from.InFlight = len(s.Accounts)+1, false, 0
		s.Accounts = append(s.Accounts, from)
	}
	add(four[1], "unsaved", control.StateUnsaved, "the new token is not saved: the disk is full")
	add(four[3], "unreadable", control.StateUnreadable, "its tokens cannot be opened with this key")
	add(four[3], "needs-you", control.StateNeedsYou, blockedReason)
	add(four[3], "sign-in", control.StateLoginNeeded, "the refresh token was refused: invalid_grant")
	add(four[1], "paused", control.StatePaused, "")
	add(four[1], "renewing", control.StateRenewing, "")
	add(four[2], "cooling", control.StateCooling, "")
	add(four[0], "serving", control.StateServing, "")
	add(four[1], "ready", control.StateReady, "")
	s.Accounts[4].Paused, s.Accounts[7].InFlight, s.Accounts[8].Preferred = true, 3, true
	s.Accounts[1].Browser, s.Accounts[2].Browser = control.BrowserReady, control.BrowserLoginNeeded
	s.Accounts[7].Windows[0] = win("5h", "", 1.07, 20*time.Minute)
	return s
}

func detailScenes() []scene {
	usageless := several()
	usageless.Traffic = []control.Traffic{{Account: "m1", Ends: fixedNow.Add(time.Minute), Span: 15 * time.Minute, Requests: []int{0, 0, 3, 9, 0, 0, 1, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}}
	thin := forecasting() // too little is known of the selected account
	for i := range thin.Accounts[0].Windows {
		thin.Accounts[0].Windows[i].Forecast = nil
	}
	row := func(n int) func(*screen) {
		return func(s *screen) {
			for range n {
				s.press("j")
			}
		}
	}
	return []scene{
		{name: "forecast", state: forecasting()},
		{name: "forecast_later", state: forecasting(), play: row(1)},
		{name: "forecast_tight", state: forecasting(), play: row(2)},
		{name: "forecast_thin", state: thin},
		{name: "forecast_demo", state: early()},
		{name: "no_usage", state: usageless, play: func(s *screen) { s.press("G", "k") }},
		{name: "unsaved", state: everyState()},
		{name: "unreadable", state: everyState(), play: row(1)},
		{name: "paused", state: everyState(), play: row(4)},
		{name: "renewing", state: everyState(), play: row(5)},
		{name: "over", state: everyState(), play: row(7)},
	}
}
