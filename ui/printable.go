package ui

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// maxText bounds a text from outside in a table: a label, an organisation.
const maxText = 40

// printable returns s as one line that cannot do anything to a terminal but be
// read (SAFETY T34), cut to maxText cells.
func printable(s string) string {
	return ansi.Truncate(stripped(s, false), maxText, "…")
}

// printableLines is printable for a message of our own with words from outside
// in it: not cut, and its line breaks stay.
func printableLines(s string) string { return stripped(s, true) }

// stripped drops control and format characters (C0, C1, DEL, bidi controls,
// zero-width ones) and broken UTF-8; other white space becomes a space.
func stripped(s string, lines bool) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' && lines:
			return r
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError, unicode.In(r, unicode.C, unicode.Z), r >= 0xfe00 && r <= 0xfe0f:
			return -1
		}
		return r
	}, s))
}
