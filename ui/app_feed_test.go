package ui

import (
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

func TestFeedTellsWhatHappenedAndWhatItDidToTheRequest(t *testing.T) {
	at := time.Date(2026, 1, 5, 14, 2, 11, 0, time.Local)
	label := func(id accounts.ID) string { return "the " + string(id) }
	for _, c := range []struct {
		name    string
		entries []accounts.Entry
		want    []string
	}{
		{
			"a cooldown and the failover it caused are one line",
			[]accounts.Entry{
				{Seq: 1, At: at, Kind: accounts.EntryCooling, Account: "lab", Until: at.Add(38 * time.Minute), Evidence: "5-hour limit reached (429)"},
				{Seq: 2, At: at.Add(time.Millisecond), Kind: accounts.EntryFailover, Account: "lab", Other: "work", Took: 143 * time.Millisecond, Evidence: "5-hour limit reached (429)"},
			},
			[]string{"5-hour limit reached (429): cooling until 14:40; the request went on with the work (+143 ms)"},
		},
		{
			"a cooldown of one model family names it",
			[]accounts.Entry{{Seq: 1, At: at, Kind: accounts.EntryCooling, Account: "lab", Scope: "opus", Until: at.Add(time.Hour), Evidence: "7-day model limit reached (429)"}},
			[]string{"7-day model limit reached (429): opus cooling until 15:02"},
		},
		{
			"a failover long after the cooldown has a line of its own",
			[]accounts.Entry{
				{Seq: 1, At: at, Kind: accounts.EntryCooling, Account: "lab", Until: at.Add(time.Minute), Evidence: "429"},
				{Seq: 2, At: at.Add(time.Minute), Kind: accounts.EntryFailover, Account: "lab", Other: "work", Took: time.Microsecond, Evidence: "401 twice"},
			},
			[]string{"429: cooling until 14:03:11", "401 twice; the request went on with the work (+0.1 ms)"},
		},
		{
			"the failover of another account is not put on this one's line",
			[]accounts.Entry{
				{Seq: 1, At: at, Kind: accounts.EntryCooling, Account: "lab", Until: at.Add(time.Minute), Evidence: "429"},
				{Seq: 2, At: at, Kind: accounts.EntryFailover, Account: "home", Other: "work", Took: time.Millisecond},
			},
			[]string{"429: cooling until 14:03:11", "the request went on with the work (+1.0 ms)"},
		},
		{
			"a renewal says how long the token is good for",
			[]accounts.Entry{{Seq: 1, At: at, Kind: accounts.EntryRenewed, Account: "lab", Until: at.Add(8 * time.Hour)}},
			[]string{"token renewed, valid 8 h"},
		},
		{
			"a login that ended says why",
			[]accounts.Entry{{Seq: 1, At: at, Kind: accounts.EntryLoginNeeded, Account: "lab", Evidence: accounts.LoginRevoked}},
			[]string{"sign in again: the provider refused to renew the login"},
		},
		{
			"a browser's sign-in is told from its begin to its end",
			[]accounts.Entry{
				{Seq: 1, At: at, Kind: accounts.EntryLoginBegun, Account: "lab"},
				{Seq: 2, At: at, Kind: accounts.EntryLoginFailed, Account: "lab", Evidence: "the browser ended by itself"},
				{Seq: 3, At: at, Kind: accounts.EntryNeedsYou, Account: "lab", Evidence: "acme.example asks to sign in"},
				{Seq: 4, At: at, Kind: accounts.EntryLogin, Account: "lab"},
			},
			[]string{
				"signing in again through its browser session", "not signed in again: the browser ended by itself",
				"needs you: acme.example asks to sign in", "signed in",
			},
		},
		{
			"a login that will end says when",
			[]accounts.Entry{
				{Seq: 1, At: at, Kind: accounts.EntryLoginEnds, Account: "lab", Until: at.Add(71 * time.Hour)},
				{Seq: 2, At: at, Kind: accounts.EntryLoginEnds, Account: "lab", Until: at.Add(26 * time.Hour)},
				{Seq: 3, At: at, Kind: accounts.EntryLoginEnds, Account: "lab", Until: at},
			},
			[]string{
				"the login is expected to end in 2 days", "the login is expected to end in 1 d 2 h", "the login is expected to end any time",
			},
		},
		{
			"everybody out says when the first is back",
			[]accounts.Entry{{Seq: 1, At: at, Kind: accounts.EntryExhausted, Until: at.Add(26 * time.Hour)}},
			[]string{"every account is out; the first is back at Tue 16:02"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines := feed(c.entries, label)
			var got []string
			for _, l := range lines {
				got = append(got, l.Text)
			}
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("line %d: got %q, want %q", i, got[i], c.want[i])
				}
			}
			if last := lines[len(lines)-1].Seq; last != c.entries[len(c.entries)-1].Seq {
				t.Errorf("the last line is numbered %d: a screen would not see it is new", last)
			}
		})
	}
}

func TestFeedKeepsTheNewestLines(t *testing.T) {
	var entries []accounts.Entry
	for i := range 3 * feedLines {
		entries = append(entries, accounts.Entry{Seq: uint64(i + 1), Kind: accounts.EntryNotice, Evidence: "x"})
	}
	lines := feed(entries, func(id accounts.ID) string { return string(id) })
	if len(lines) != feedLines || lines[len(lines)-1].Seq != 3*feedLines {
		t.Errorf("got %d lines up to number %d", len(lines), lines[len(lines)-1].Seq)
	}
}

func TestOnlyEverybodyOutRingsTheBell(t *testing.T) {
	for _, kind := range []accounts.EntryKind{
		accounts.EntryFailover, accounts.EntryCooling, accounts.EntryBack, accounts.EntryRenewed, accounts.EntryRenewFailed,
		accounts.EntryLoginNeeded, accounts.EntryLogin, accounts.EntryExhausted, accounts.EntryPreferred, accounts.EntryPings, accounts.EntryPaused, accounts.EntryResumed, accounts.EntryRemoved, accounts.EntryNotice,
	} {
		l := line(accounts.Entry{Kind: kind, Evidence: "why"}, func(accounts.ID) string { return "" })
		if l.Bell != (kind == accounts.EntryExhausted) {
			t.Errorf("%s: bell %v", kind, l.Bell)
		}
		if l.Text == "" {
			t.Errorf("%s: no words", kind)
		}
	}
}

func TestSpan(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"8 h": 8 * time.Hour, "6 h 2 min": 6*time.Hour + 2*time.Minute, "4 d 3 h": 99 * time.Hour, "59 min": 59*time.Minute + 20*time.Second, "30 s": 30 * time.Second,
	} {
		if got := span(d); got != want {
			t.Errorf("span(%s) = %q, want %q", d, got, want)
		}
	}
}
