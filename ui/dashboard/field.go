package dashboard

import (
	"slices"
	"strings"
	"unicode"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"
)

// field is a line to type into. It takes what is pasted without the line breaks
// that a terminal put into it.
type field struct {
	runes  []rune
	at     int  // where typing goes on
	masked bool // shows how much was typed, not what
	limit  int  // runes; 0: fieldMax
}

// fieldMax bounds what one may type or paste: an address is the longest of it.
const fieldMax = 4096

func newField(s string, limit int) field {
	f := field{limit: limit}
	f.insert([]rune(s))
	return f
}

func (f *field) value() string { return string(f.runes) }

func (f *field) insert(rs []rune) {
	limit := f.limit
	if limit == 0 {
		limit = fieldMax
	}
	var in []rune
	for _, r := range rs {
		if unicode.IsControl(r) {
			continue
		}
		if !f.masked { // a secret is taken as it is
			r = visible(r)
		}
		if r >= 0 && len(f.runes)+len(in) < limit {
			in = append(in, r)
		}
	}
	f.runes = slices.Insert(f.runes, f.at, in...)
	f.at += len(in)
}

// update takes a key, and reports whether it changed anything in the field.
func (f *field) update(msg tea.KeyMsg) bool {
	if msg.Alt {
		return false
	}
	switch msg.Type {
	case tea.KeyRunes, tea.KeySpace:
		f.insert(msg.Runes)
	case tea.KeyBackspace, tea.KeyCtrlH:
		if f.at > 0 {
			f.at--
			f.runes = slices.Delete(f.runes, f.at, f.at+1)
		}
	case tea.KeyDelete, tea.KeyCtrlD:
		if f.at < len(f.runes) {
			f.runes = slices.Delete(f.runes, f.at, f.at+1)
		}
	case tea.KeyCtrlU:
		f.runes = slices.Delete(f.runes, 0, f.at)
		f.at = 0
	case tea.KeyCtrlK:
		f.runes = f.runes[:f.at]
	case tea.KeyCtrlW:
		from := f.at
		for from > 0 && unicode.IsSpace(f.runes[from-1]) {
			from--
		}
		for from > 0 && !unicode.IsSpace(f.runes[from-1]) {
			from--
		}
		f.runes = slices.Delete(f.runes, from, f.at)
		f.at = from
	case tea.KeyLeft, tea.KeyCtrlB:
		f.at = max(0, f.at-1)
	case tea.KeyRight, tea.KeyCtrlF:
		f.at = min(len(f.runes), f.at+1)
	case tea.KeyHome, tea.KeyCtrlA:
		f.at = 0
	case tea.KeyEnd, tea.KeyCtrlE:
		f.at = len(f.runes)
	default:
		return false
	}
	return true
}

// view draws the field width cells wide, with the place where typing goes on in sight.
func (f *field) view(t *theme, width int) string {
	shown := func(rs []rune) string {
		if f.masked {
			return strings.Repeat(t.g.mask, len(rs))
		}
		s := clean(string(rs), fieldMax)
		if t.ascii {
			s = ascii(s)
		}
		return s
	}
	before, under, after := shown(f.runes[:f.at]), " ", ""
	if f.at < len(f.runes) {
		if s := shown(f.runes[f.at : f.at+1]); ansi.StringWidth(s) > 0 {
			under = s
		}
		after = shown(f.runes[f.at+1:])
	}
	if t.profile == termenv.Ascii { // nothing to mark a cell with but another character
		if f.at < len(f.runes) {
			after = under + after
		}
		under = t.g.caret
	}
	room := width - ansi.StringWidth(under)
	if w := ansi.StringWidth(before); w > room {
		before = ansi.TruncateLeft(before, w-room+1, "…")
	}
	room -= ansi.StringWidth(before)
	after = ansi.Truncate(after, max(room, 0), "")
	room -= ansi.StringWidth(after)
	return t.text.Render(before) + t.caret.Render(under) + t.text.Render(after+strings.Repeat(" ", max(room, 0)))
}
