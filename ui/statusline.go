package ui

import (
	"io"
	"time"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"
)

// linePace is how often a status line is drawn anew.
const linePace = 120 * time.Millisecond

// statusLine is one line in the shell that says what is waited for, with a sign
// that moves. Where stderr is no terminal, each text is said once.
type statusLine struct {
	p     *program
	fd    int
	tty   bool
	shown string
	frame int
}

func (p *program) statusLine() *statusLine {
	l := &statusLine{p: p}
	l.fd, l.tty = terminal(p.Stderr)
	return l
}

func (l *statusLine) show(text string) {
	if !l.tty {
		if text != l.shown {
			l.p.say("oauthmux: %s", text)
		}
		l.shown = text
		return
	}
	const signs = `|/-\`
	line := string(signs[l.frame%len(signs)]) + " oauthmux: " + text
	l.frame++
	l.shown = text
	if width, _, err := term.GetSize(l.fd); err == nil && width > 1 {
		line = ansi.Truncate(line, width-1, "")
	}
	_, _ = io.WriteString(l.p.Stderr, "\r"+line+ansi.EraseLineRight)
}

// clear takes the line away.
func (l *statusLine) clear() {
	if l.tty && l.shown != "" {
		_, _ = io.WriteString(l.p.Stderr, "\r"+ansi.EraseLineRight)
	}
	l.shown = ""
}
