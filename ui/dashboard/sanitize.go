package dashboard

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// maxBytes bounds the work done for one text, however long it came.
const maxBytes = 4096

// maxMarks is how many combining marks one character may carry. Real scripts
// need three at most; more only climb out of their line.
const maxMarks = 3

// clean returns s as a single line that cannot do anything to a terminal but be
// shown, cut to width cells. Labels, e-mail addresses, organisations, error
// messages and the like pass here and nowhere else before they are drawn.
//
// Dropped: C0, C1 and DEL, format characters (bidi controls, zero-width ones,
// tags, the soft hyphen), variation selectors and skin tones, which change a width
// after the fact, and fillers that show as nothing. Line breaks and odd spaces become a
// space, broken UTF-8 becomes the replacement character.
func clean(s string, width int) string {
	if len(s) > maxBytes {
		s = s[:maxBytes]
	}
	if plain(s) {
		if len(s) <= width {
			return s
		}
		return ansi.Truncate(s, width, "…")
	}
	var b strings.Builder
	marks := 0
	for _, r := range s {
		mark := unicode.Is(unicode.M, r)
		if r = visible(r); r < 0 || mark && marks >= maxMarks {
			continue
		}
		if mark {
			marks++
		} else {
			marks = 0
		}
		b.WriteRune(r) // a broken byte decodes to U+FFFD, and is written as that
	}
	if out := b.String(); ansi.StringWidth(out) <= width {
		return out
	}
	return ansi.Truncate(b.String(), width, "…")
}

// visible returns r, a space in place of another kind of one, or -1 where r shows as
// nothing.
func visible(r rune) rune {
	switch {
	case unicode.IsSpace(r) || unicode.Is(unicode.Z, r):
		return ' '
	case unicode.Is(unicode.C, r), invisible(r):
		return -1
	}
	return r
}

// plain reports whether s is printable ASCII alone.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// invisible reports whether r belongs to no control category and yet shows as
// nothing, or changes how its neighbour is drawn.
func invisible(r rune) bool {
	switch {
	case r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0100 && r <= 0xe01ef: // variation selectors
		return true
	case r >= 0x180b && r <= 0x180f: // Mongolian variation selectors and vowel separator
		return true
	case r >= 0x1f3fb && r <= 0x1f3ff: // skin tones, for which some terminals take two cells more
		return true
	case r == 0x034f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x3164, r == 0xffa0:
		return true // joiners and fillers
	}
	return false
}

// ascii returns s with every character that is not ASCII replaced by one that
// is: what stands for it where there is something, else a question mark. It
// replaces one by one, so that what was measured stays as wide.
func ascii(s string) string {
	if plain(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf {
			return r
		}
		if stand, ok := standIns[r]; ok {
			return stand
		}
		return '?'
	}, s)
}

var standIns = map[rune]rune{
	'·': '-', '…': '~', '–': '-', '—': '-', '•': '*', '→': '>', '↑': '^', '↓': 'v', '’': '\'', '‘': '\'', '“': '"', '”': '"',
}

// fence is the space behind s in a line that goes on. A terminal that knows of
// scripts from right to left takes bars and digits behind such a word for a part
// of it, and turns all of them around; so there the space is the blank pattern of
// Braille, which looks the same and is a letter from left to right (UAX #9).
func fence(s string) string {
	if strings.ContainsFunc(s, rightToLeft) {
		return "\u2800"
	}
	return " "
}

// rightToLeft reports whether r is in a block of such a script.
func rightToLeft(r rune) bool {
	return r >= 0x0590 && r <= 0x08ff || r >= 0xfb1d && r <= 0xfdff || r >= 0xfe70 && r <= 0xfeff ||
		r >= 0x10800 && r <= 0x10fff || r >= 0x1e800 && r <= 0x1efff
}

// fit cuts or pads s, which carries no styling, to exactly width cells.
func fit(s string, width int) string {
	if width <= 0 {
		return ""
	}
	w := ansi.StringWidth(s)
	if w > width {
		s = ansi.Truncate(s, width, "…")
		w = ansi.StringWidth(s)
	}
	return s + strings.Repeat(" ", max(0, width-w))
}

// fitRight is fit with the padding in front.
func fitRight(s string, width int) string {
	if w := ansi.StringWidth(s); w < width {
		return strings.Repeat(" ", width-w) + s
	}
	return fit(s, width)
}
