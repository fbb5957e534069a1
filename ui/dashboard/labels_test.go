package dashboard

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

// foreign is busy with labels of other scripts: double width, combining marks,
// joined emoji, flags, and from right to left.
func foreign() control.State {
	s := forecasting()
	s.Accounts[0].Label, s.Accounts[0].Org = "仕事のアカウント", "株式会社アクメ"
	s.Accounts[1].Label = "дом 👩‍👩‍👧‍👦 🇩🇪"
	s.Accounts[2].Label = "לימודים"
	s.Accounts[3].Label = "cafe\u0301 Zu\u0308rich"
	more := s.Accounts[1]
	for i, label := range []string{"عمل ٣", "한국어 회사", "👍🏽 ok ❤️", "ไทยที่นี่"} {
		more.ID, more.Label, more.Order = "x"+label, label, 5+i
		s.Accounts = append(s.Accounts, more)
	}
	for i := range s.Feed {
		for _, a := range s.Accounts {
			if a.ID == s.Feed[i].Account {
				s.Feed[i].Label = a.Label
			}
		}
	}
	return s
}

func labelScenes() []scene {
	return []scene{
		{name: "foreign", state: foreign()},
		{name: "foreign_right_to_left", state: foreign(), play: func(s *screen) { s.press("j", "j") }},
	}
}

// A word from right to left turns nothing around but itself.
func TestAWordFromRightToLeftIsFenced(t *testing.T) {
	for label, fenced := range map[string]bool{"לימודים": true, "عمل ٣": true, "仕事": false, "work": false, "Zürich": false} {
		for _, preferred := range []bool{true, false} {
			st := forecasting()
			st.Accounts[0].Label, st.Accounts[0].Preferred = label, preferred
			st.Feed[3].Label = label
			onScreen(t, 80, 24, st, func(s *screen) {
				for _, l := range []string{s.selectedLine(), s.lineWith("14:02:11", label)} {
					_, after, ok := strings.Cut(l, label)
					before, _, found := strings.Cut(after, "\u2800")
					if !ok || found != fenced || found && strings.Trim(before, " ★") != "" {
						t.Errorf("%q, preferred %v: %q", label, preferred, l)
					}
				}
				if w := ansi.StringWidth(s.selectedLine()); w != 80 {
					t.Errorf("the row of %q is %d wide", label, w)
				}
			})
		}
	}
}

// Labels of whatever script leave the columns where they are.
func TestColumnsStandBelowEachOther(t *testing.T) {
	for _, size := range sizes {
		onScreen(t, size.width, size.height, foreign(), func(s *screen) {
			m := s.m
			bars := 4 + m.lay.columns.label + 2
			if m.lay.columns.plan > 0 {
				bars += m.lay.columns.plan + 2
			}
			for i, l := range strings.Split(s.text(), "\n")[m.lay.first:][:m.lay.table] {
				if w := ansi.StringWidth(l); w != size.width {
					t.Errorf("row %d is %d wide on %d: %q", i, w, size.width, l)
				}
				if cell := ansi.Cut(l, bars, bars+1); cell == "" || !strings.Contains("█▏▎▍▌▋▊▉n", cell) { //nolint:gocritic // it is one of these
					t.Errorf("%d columns, row %d: %q stands where its bar should: %q", size.width, i, cell, l)
				}
			}
		})
	}
}

// Skin tones go: whether they are drawn into the sign before them or take two cells
// of their own is up to the terminal.
func TestSkinTonesDoNotMoveAColumn(t *testing.T) {
	if got := clean("👍🏽 ok", 20); got != "👍 ok" {
		t.Errorf("it is %q", got)
	}
}
