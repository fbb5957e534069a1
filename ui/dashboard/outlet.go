package dashboard

import (
	"encoding/base64"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// outlet is how a notice leaves the screen. The words are those of ui.notify.
type outlet string

const (
	noOutlet      outlet = ""
	outletOSC9    outlet = "osc9"    // ESC ] 9 ; text ST, of iTerm2
	outletOSC777  outlet = "osc777"  // ESC ] 777 ; notify ; title ; text ST, of rxvt-unicode
	outletOSC99   outlet = "osc99"   // ESC ] 99 ; metadata ; text ST, of kitty
	outletDesktop outlet = "desktop" // Options.Desktop

	outletAuto = "auto"
)

// chooseOutlet reads ui.notify. A terminal that shows notices comes before the
// desktop: it is where the person sits, over ssh too, and a click on its notice
// leads to it.
func chooseOutlet(choice string, env func(string) string, terminal, desktop bool) outlet {
	switch o := outlet(choice); o {
	case outletOSC9, outletOSC777, outletOSC99:
		if terminal {
			return o
		}
	case outletAuto:
		if terminal && terminalOutlet(env) != noOutlet {
			return terminalOutlet(env)
		}
		fallthrough
	case outletDesktop:
		if desktop {
			return outletDesktop
		}
	case noOutlet: // off
	}
	return noOutlet
}

// terminals are those that say of themselves, in their own documentation, that
// they show notices, and the sequence taken for each.
//
// Not here, on purpose: Windows Terminal and ConEmu, whose OSC 9 is progress and
// other commands; Terminal.app, Alacritty, the consoles and Visual Studio Code,
// which have none; VTE's (GNOME Terminal and others), which drop OSC 777 unless a
// distribution has patched them; rxvt-unicode, which needs an extension of its own
// for OSC 777. Nobody can see from here whether those two show anything, so the
// desktop is asked instead; ui.notify can say osc777.
var terminals = []struct {
	variable, value string // a value that ends in * is a prefix
	outlet          outlet
}{
	// What a terminal calls its own type is sure, and comes along over ssh.
	{"TERM", "xterm-kitty", outletOSC99},
	{"TERM", "xterm-ghostty", outletOSC9},
	{"TERM", "foot*", outletOSC777},
	{"TERM", "wezterm", outletOSC777},
	// Programs started from a terminal inherit these: other terminals set their own.
	{"TERM_PROGRAM", "ghostty", outletOSC9},
	{"TERM_PROGRAM", "WezTerm", outletOSC777},
	{"TERM_PROGRAM", "iTerm.app", outletOSC9},
	{"LC_TERMINAL", "iTerm2", outletOSC9}, // sent over ssh
}

// terminalOutlet is what the terminal itself shows notices by; none: it does not,
// or is not known to. What runs in tmux or screen is not looked through: it may be
// shown in several terminals or in none, and passes a sequence on only when told
// to.
func terminalOutlet(env func(string) string) outlet {
	term := env("TERM")
	if insideTmux(env) || env("STY") != "" || strings.HasPrefix(term, "screen") || term == "dumb" || term == "linux" {
		return noOutlet
	}
	for _, t := range terminals {
		prefix, open := strings.CutSuffix(t.value, "*")
		if v := env(t.variable); v == t.value || open && strings.HasPrefix(v, prefix) {
			return t.outlet
		}
	}
	// kitty sets no TERM_PROGRAM, and its TERM is often changed for the sake of other
	// hosts. A terminal that was started from it and says who it is, is another one.
	if env("KITTY_WINDOW_ID") != "" && env("TERM_PROGRAM") == "" && env("VTE_VERSION") == "" {
		return outletOSC99
	}
	return noOutlet
}

func insideTmux(env func(string) string) bool {
	return env("TMUX") != "" || strings.HasPrefix(env("TERM"), "tmux")
}

// sequence is a notice for a terminal. Inside tmux, where one was asked for by
// name, it goes through to the terminal outside if allow-passthrough is on.
func (o outlet) sequence(n notice, title, text string, tmux bool) string {
	// Nothing that ends or begins a sequence comes through, whoever wrote it.
	title, text = clean(title, noticeWidth), clean(text, noticeWidth)
	s := ""
	switch o {
	case outletOSC9:
		// It never begins with a number, which some take for a command of ConEmu's.
		s = "\x1b]9;" + title + ": " + text + "\x1b\\"
	case outletOSC777:
		// A semicolon would end the title or the text.
		s = "\x1b]777;notify;" + strings.ReplaceAll(title, ";", ",") + ";" + strings.ReplaceAll(text, ";", ",") + "\x1b\\"
	case outletOSC99:
		// The newest of an id takes the place of the one before.
		id := "oauthmux-" + string(n)
		if n == noticeBack {
			id = "oauthmux-" + string(noticeOut)
		}
		s = "\x1b]99;i=" + id + ":d=0:e=1:p=title;" + base64.StdEncoding.EncodeToString([]byte(title)) + "\x1b\\" +
			"\x1b]99;i=" + id + ":d=1:e=1:p=body;" + base64.StdEncoding.EncodeToString([]byte(text)) + "\x1b\\"
	case noOutlet, outletDesktop:
		return ""
	}
	if tmux {
		return ansi.TmuxPassthrough(s)
	}
	return s
}
