//go:build unix

package terminal

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	failover = regexp.MustCompile(`(?m)^ \d\d:\d\d:\d\d  (\w+) +.*(?:limit|limits) reached \(429\): .*cooling until .*went on with (\w+)`)
	cooling  = regexp.MustCompile(`cooling (\d+:\d\d)`)
)

func TestTheDemoShowsAFailoverACooldownAndAReturnWithinAMinute(t *testing.T) {
	t.Parallel()
	needsTmux(t)
	tmp := shortDir(t)
	m := open(t, ordinary, "HOME="+tmp, "TMPDIR="+tmp, "LANG=C.UTF-8", "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
	m.runs("stty -g >stty.before")
	m.runs("oauthmux demo")
	m.shows("oauthmux demo", "simulated provider", "nothing leaves this machine")
	for _, label := range []string{"work", "home", "lab", "side"} {
		m.until("a row for "+label, func(screen string) bool { return row(screen, label) != "" })
	}
	began := time.Now()

	story := failover.FindStringSubmatch(m.until("a failover in the feed", failover.MatchString))
	limited, next := story[1], story[2]
	if limited == next {
		t.Errorf("the request went on with the account that was limited: %s", limited)
	}
	first := cooldown(m.until("a cooldown of "+limited, func(screen string) bool { return cooldown(screen, limited) != "" }), limited)
	m.called("demo-cooling")
	m.until("another remaining time than "+first, func(screen string) bool {
		left := cooldown(screen, limited)
		return left != "" && left != first
	})
	m.finds(`(?m)^ \d\d:\d\d:\d\d  ` + limited + ` +back\b`)
	m.until(limited+" to be at work again", func(screen string) bool {
		return cooldown(screen, limited) == "" && regexp.MustCompile(`ready|serving`).MatchString(row(screen, limited))
	})
	if took := time.Since(began); took > time.Minute {
		t.Errorf("failover, cooldown and return took %v", took)
	}
	m.called("demo-back")

	leave(m)
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	isClean(t, m)
	m.runs("stty -g >stty.after; echo compared")
	m.finds(`(?m)^compared$`)
	before, after := read(t, filepath.Join(m.dir, "stty.before")), read(t, filepath.Join(m.dir, "stty.after"))
	if before != after {
		t.Errorf("stty was %s and is %s", before, after)
	}
	if left, err := filepath.Glob(filepath.Join(tmp, "oauthmux*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// row is the line of the table whose label matches; "": there is none.
func row(screen, label string) string {
	return regexp.MustCompile(`(?m)^.[▌> ]\S ` + label + `( .*)?$`).FindString(screen)
}

// cooldown is what is left of the cooldown in the row with that label.
func cooldown(screen, label string) string {
	if found := cooling.FindStringSubmatch(row(screen, label)); found != nil {
		return found[1]
	}
	return ""
}

// leave quits the screen, also where it asks first.
func leave(m *terminal) {
	m.t.Helper()
	m.press("q")
	asked := m.until("the end, or a question", func(screen string) bool {
		return strings.Contains(screen, "Quit?") || m.is("alternate_on") == "0"
	})
	if strings.Contains(asked, "Quit?") {
		m.press("y")
	}
}

// isClean checks that a program that has ended left the terminal as it found
// it, and no process in it.
func isClean(t *testing.T, m *terminal) {
	t.Helper()
	isCleanBut(t, m, 0)
}

// isCleanBut is isClean where so many processes of ours are meant to be left.
func isCleanBut(t *testing.T, m *terminal, left int) {
	t.Helper()
	for variable, want := range map[string]string{"alternate_on": "0", "cursor_flag": "1", "mouse_any_flag": "0", "keypad_flag": "0"} {
		if got := m.is(variable); got != want {
			t.Errorf("%s is %s", variable, got)
		}
	}
	for mode, on := range modes(m.recorded()) {
		if on != (mode == "25") { // the cursor
			t.Errorf("private mode %s was left %v", mode, on)
		}
	}
	if running := m.processes(); len(running) != 1+left {
		t.Errorf("besides the shell there still run: %v", running)
	}
}

// modes are the private modes that were set, and whether they still are.
func modes(recorded string) map[string]bool {
	on := map[string]bool{}
	for _, found := range regexp.MustCompile(`\x1b\[\?([\d;]+)([hl])`).FindAllStringSubmatch(recorded, -1) {
		for mode := range strings.SplitSeq(found[1], ";") {
			on[mode] = found[2] == "h"
		}
	}
	return on
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
