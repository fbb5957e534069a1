//go:build unix

package terminal

import (
	"regexp"
	"testing"
)

func TestTheColoursFollowTheTerminalsBackground(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada, mary)
	h.signsIn("ada", "mary")
	h.serve()
	for background, right := range map[string]func(luma float64) bool{
		"#ffffff": func(luma float64) bool { return luma > 0 && luma < 0.5 },
		"#101010": func(luma float64) bool { return luma > 0.5 },
	} {
		m := open(t, ordinary, h.environment()...)
		m.tmux("set-option", "-w", "-t", session, "window-style", "bg="+background) // and that is what it answers when asked
		m.runs("oauthmux")
		m.until("words that can be read on "+background, func(screen string) bool {
			return row(screen, "mary") != "" && right(m.luma("ready"))
		})
		m.called("on-" + background[1:])
		m.press("q")
		if status := m.status(); status != 0 {
			t.Errorf("exit status %d", status)
		}
		isClean(t, m)
	}
}

// luma is how light the colour is that a word on the screen is drawn in; 0: the
// word is not there, or in no colour.
func (m *terminal) luma(word string) float64 {
	m.t.Helper()
	drawn := m.tmux("capture-pane", "-e", "-p", "-t", session)
	found := regexp.MustCompile(`\x1b\[[\d;]*38;2;(\d+);(\d+);(\d+)[\d;]*m` + word).FindStringSubmatch(drawn)
	if found == nil {
		return 0
	}
	r, g, b := atoi(m.t, found[1]), atoi(m.t, found[2]), atoi(m.t, found[3])
	return (0.299*float64(r) + 0.587*float64(g) + 0.114*float64(b)) / 255
}
