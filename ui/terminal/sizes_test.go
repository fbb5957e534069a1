//go:build unix

package terminal

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// share is a row's percentage.
var feedLine = regexp.MustCompile(`(?m)^ \d\d:\d\d:\d\d  \w+ +[57]-(hour|day)`)

var requestsToday = regexp.MustCompile(`\d+ requests?(, \d+ failovers?)? today`)

var share = regexp.MustCompile(`\d+%`)

func TestEverySizeShowsWhatFits(t *testing.T) {
	t.Parallel()
	needsTmux(t)
	tmp := shortDir(t)
	m := open(t, sizes[0], "HOME="+tmp, "TMPDIR="+tmp, "LANG=C.UTF-8", "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
	m.runs("oauthmux demo")
	m.until("a failover in the feed", failover.MatchString)
	for _, s := range append(sizes, size{60, 15}, size{80, 24}, size{110, 30}) {
		m.resize(s)
		if s.columns < 60 {
			m.shows("60x15", "this is "+s.String())
			continue
		}
		screen := m.until("a frame of "+s.String(), func(screen string) bool {
			lines := strings.Split(screen, "\n")
			return len(lines) == s.rows && strings.HasPrefix(lines[0], " oauthmux demo") && strings.HasSuffix(lines[s.rows-1], "q quit") &&
				strings.Contains(screen, "PLAN") == (s.columns >= 110)
		})
		for _, label := range []string{"work", "home", "lab", "side"} {
			line := row(screen, label)
			if len(share.FindAllString(line, -1)) < 2 || !regexp.MustCompile(`serving|ready|cooling|renewing`).MatchString(line) {
				t.Errorf("%s: the row of %s has not both shares and a state: %q", s, label, line)
			}
			if s.columns >= 110 && !regexp.MustCompile(`\d+% +(\d+s|\d+m)`).MatchString(line) {
				t.Errorf("%s: the row of %s says of no window when it ends: %q", s, label, line)
			}
		}
		if requestsToday.MatchString(screen) != (s.rows >= 24) {
			t.Errorf("%s: the detail is there when it should not be, or is not:\n%s", s, screen)
		}
		if s.rows >= 24 && !feedLine.MatchString(screen) {
			t.Errorf("%s: the feed is not there:\n%s", s, screen)
		}
		if !strings.Contains(screen, "simulated provider") {
			t.Errorf("%s: nothing says that this is the demo:\n%s", s, screen)
		}
	}
	leave(m)
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if !colours(m.recorded()) {
		t.Error("there are no colours, and nobody asked for none")
	}
}

func TestEverySizeFitsFromTheStart(t *testing.T) {
	t.Parallel()
	empty, full := newHome(t), newHome(t, ada, mary)
	full.signsIn("ada", "mary")
	full.does("rename", "mary", "Zürich 事務所 and more words")
	for _, s := range sizes {
		for _, h := range []*home{empty, full} {
			m := open(t, s, h.environment()...)
			m.runs("oauthmux")
			switch {
			case s.columns < 60:
				m.shows("60x15", "this is "+s.String())
			case h == empty:
				m.shows("no account yet", "oauthmux demo", "q quit")
			default:
				m.until("a table with words to the edge", func(screen string) bool {
					return strings.Contains(row(screen, "ada"), "ready") && strings.Contains(row(screen, "Zürich.*"), "ready") && has(screen, "q quit")
				})
			}
			m.fits(s)
			m.press("q") // too small to show anything is not too small to leave
			if status := m.status(); status != 0 {
				t.Errorf("%s: exit status %d", s, status)
			}
			isClean(t, m)
			m.close()
		}
	}
}

// fits checks that no line is wider than the terminal, and wrapped for that.
func (m *terminal) fits(s size) {
	m.t.Helper()
	if joined := m.tmux("capture-pane", "-J", "-p", "-t", session); strings.Count(joined, "\n") != s.rows {
		m.t.Errorf("%s: a line is wider than the terminal:\n%s", s, joined)
	}
}

// colours reports whether anything that was written asks for a colour.
func colours(recorded string) bool {
	for _, found := range regexp.MustCompile(`\x1b\[([\d;:]*)m`).FindAllStringSubmatch(recorded, -1) {
		for n := range strings.FieldsFuncSeq(found[1], func(r rune) bool { return r == ';' || r == ':' }) {
			if len(n) == 2 && strings.ContainsAny(n[:1], "349") && n != "39" && n != "49" || len(n) == 3 && strings.HasPrefix(n, "10") {
				return true
			}
		}
	}
	return false
}

// tour opens everything that can be opened.
func tour(m *terminal) {
	m.t.Helper()
	for _, label := range []string{"ada", "mary"} {
		m.until("a row for "+label, func(screen string) bool { return row(screen, label) != "" })
	}
	m.press("Down")
	for key, shows := range map[string]string{
		"?": "The selected account", "w": "Why mary", "c": "ANTHROPIC_BASE_URL", "e": "New label", "d": "Remove mary?", "a": "How do you want",
	} {
		m.press(key)
		m.shows(shows)
		m.press("Escape")
		m.hides(shows)
	}
	m.press("p")
	m.until("mary to be paused", func(screen string) bool { return strings.Contains(row(screen, "mary"), "paused") })
}

func TestNoColourWhereNoneIsWanted(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada, mary)
	h.signsIn("ada", "mary")
	m := open(t, ordinary, h.environment("NO_COLOR=1")...)
	m.runs("oauthmux")
	tour(m)
	m.called("no-color")
	leave(m)
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if colours(m.recorded()) {
		t.Error("NO_COLOR is set, and there are colours")
	}
}

func TestOnlyASCIIWhereTheTerminalKnowsNoMore(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada, mary)
	h.signsIn("ada", "mary")
	for name, environment := range map[string][]string{
		"asked for":  {"OAUTHMUX_ASCII=1"},
		"the locale": {"LANG=C"},
	} {
		m := open(t, ordinary, h.environment(environment...)...)
		m.runs("oauthmux")
		tour(m)
		m.called("ascii")
		leave(m)
		if status := m.status(); status != 0 {
			t.Errorf("exit status %d", status)
		}
		if at := regexp.MustCompile(`.{0,20}[^\x00-\x7f].{0,20}`).FindString(m.recorded()); at != "" {
			t.Errorf("%s: not only ASCII was written: %q", name, at)
		}
		h.does("resume", "mary")
	}
}
