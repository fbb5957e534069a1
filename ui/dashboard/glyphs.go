package dashboard

import "strings"

// glyphs are the characters that draw the screen.
type glyphs struct {
	bar     []string // nothing, then the steps of one cell; the last is a full one
	track   string   // the rest of a bar
	spark   []string // the steps of a line of numbers; the first is none
	early   string   // a window that will be full before it resets
	rule    string   // a line across the screen
	cursor  string   // left of the selected row
	star    string   // after the preferred account's label
	caret   string   // where typing goes on, without colours
	mask    string   // stands for a character of a passphrase
	more    string   // there is more below, above
	less    string
	tick    string
	active  string // requests are in flight
	idle    string
	spinner []string
	border  border

	serving, ready, cooling, paused, renewing, login, needsYou, unknown string
}

// border is the frame of an overlay.
type border struct{ topLeft, topRight, bottomLeft, bottomRight, across, down string }

var unicodeGlyphs = glyphs{
	bar:     []string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"},
	track:   "░",
	spark:   []string{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
	early:   "▲",
	rule:    "─",
	cursor:  "▌",
	star:    "★",
	caret:   "▏",
	mask:    "•",
	more:    "↓",
	less:    "↑",
	tick:    "✓",
	active:  "●",
	idle:    "○",
	spinner: strings.Split("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", ""),
	border:  border{"╭", "╮", "╰", "╯", "─", "│"},
	serving: "●", ready: "○", cooling: "◔", paused: "⏸", renewing: "↻", login: "✗", needsYou: "!", unknown: "?",
}

var asciiGlyphs = glyphs{
	bar:     []string{"", "-", "#"},
	track:   ".",
	spark:   strings.Split("_.:-=+*#", ""),
	early:   "^",
	rule:    "-",
	cursor:  ">",
	star:    "+",
	caret:   "_",
	mask:    "*",
	more:    "v",
	less:    "^",
	tick:    "+",
	active:  "*",
	idle:    "o",
	spinner: strings.Split(`|/-\`, ""),
	border:  border{"+", "+", "+", "+", "-", "|"},
	serving: "*", ready: "o", cooling: "~", paused: "=", renewing: "@", login: "x", needsYou: "!", unknown: "?",
}

// inASCII reports whether the screen is to be drawn with ASCII alone: because
// the person says so, or because the locale names another character set than
// UTF-8. A locale that is not set says nothing, and terminals of today show UTF-8.
func inASCII(env func(string) string) bool {
	switch env("OAUTHMUX_ASCII") {
	case "":
	case "0", "false", "no":
		return false
	default:
		return true
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} { // the first that is set counts (POSIX, 8.2)
		if v := env(name); v != "" {
			v = strings.ToLower(v)
			return !strings.Contains(v, "utf-8") && !strings.Contains(v, "utf8")
		}
	}
	return false
}
