package dashboard

import (
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/ui/control"
)

func TestTheEndOfALogin(t *testing.T) {
	for _, tt := range []struct {
		left  time.Duration
		words string
		soon  bool
	}{
		{21*day + hour, "ends in 21 days", false},
		{3*day + time.Second, "ends in 3 days", false},
		{3 * day, "ends in 3 days", true},
		{2*day + 23*hour, "ends in 2 days", true},
		{day, "ends in 1 day", true},
		{7*hour + 12*time.Minute, "ends in 7h12m", true},
		{0, "has ended", true},
		{-day, "has ended", true},
	} {
		m := &model{now: fixedNow}
		if words, soon := m.loginEnds(fixedNow.Add(tt.left)); words != tt.words || soon != tt.soon {
			t.Errorf("with %v left it %q, soon %v, want %q, %v", tt.left, words, soon, tt.words, tt.soon)
		}
	}
}

func TestTheDetailTellsOfLoginAndBrowserSession(t *testing.T) {
	for _, tt := range []struct {
		name    string
		browser string
		ends    *time.Time
		want    string
	}{
		{"as drawn", control.BrowserReady, in(21*day + hour), "token 6h02m   login 21 days left   browser session ready   1,214 requests, 3 failovers today"},
		{"soon", control.BrowserReady, in(2*day + hour), "login ends in 2 days   browser session ready"},
		{"none", control.BrowserNone, nil, "signed in 9 days ago   no browser session   1,214"},
		{"needs you", control.BrowserLoginNeeded, nil, "browser session needs you"},
		{"an engine that knows none", "", nil, "signed in 9 days ago   1,214 requests"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := busy()
			st.Accounts[0].Browser, st.Accounts[0].LoginExpiresAt = tt.browser, tt.ends
			onScreen(t, 110, 30, st, func(s *screen) { s.wants(tt.want) })
		})
	}
}

func TestAnAccountThatNeedsYouSaysWhyAndHow(t *testing.T) {
	for _, width := range []int{160, 110, 80} {
		onScreen(t, width, 30, withBrowsers(), func(s *screen) {
			s.press("G")
			s.wants("! old", "! needs you · "+blockedReason, "b opens a window at the right page")
			s.show(withFlow(withBrowsers(), headlessFlow("a4")))
			s.wants("signing in · opening the sign-in page")
			s.lacks("b opens a window at the right page")
		})
	}
}
