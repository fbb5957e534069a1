package dashboard

import (
	"io"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

// ink is a set of styles by meaning, on one background.
type ink struct {
	g *glyphs

	text   lipgloss.Style // ordinary words
	strong lipgloss.Style // what the eye should find first
	dim    lipgloss.Style // what it may skip
	track  lipgloss.Style // the empty part of a bar, rules
	accent lipgloss.Style // the program itself: keys, marks, frames
	ok     lipgloss.Style
	warn   lipgloss.Style
	bad    lipgloss.Style
	// The same for the filled part of a bar, which is a surface and not a line,
	// and would shout in the colours of words.
	okFill, warnFill, badFill, oldFill lipgloss.Style
	info                               lipgloss.Style // neither good nor bad: renewing, cooling is warn
	caret                              lipgloss.Style // the cell where typing goes on
}

// theme is everything about looks: colours for this terminal and the glyphs.
type theme struct {
	ink        // on the terminal's own background
	picked ink // on the selected row
	// The same for accounts that nothing can be served from at the moment.
	quiet, quietPicked ink
	badge              lipgloss.Style
	toast              map[tone]lipgloss.Style

	profile termenv.Profile
	dark    bool
	ascii   bool
}

// tone is how a message is meant.
type tone int

const (
	toneInfo tone = iota
	toneGood
	toneWarn
	toneBad
)

// shade is one colour for each kind of terminal: 24 bit, 256 and 16 colours, on
// a dark and on a light background.
func shade(dark, dark256, dark16, light, light256, light16 string) lipgloss.CompleteAdaptiveColor {
	return lipgloss.CompleteAdaptiveColor{
		Dark:  lipgloss.CompleteColor{TrueColor: dark, ANSI256: dark256, ANSI: dark16},
		Light: lipgloss.CompleteColor{TrueColor: light, ANSI256: light256, ANSI: light16},
	}
}

var (
	dimShade      = shade("#7f88a6", "103", "", "#68708a", "243", "") // of 16 none: see newTheme
	trackShade    = shade("#3d4560", "239", "8", "#c3c9d9", "251", "7")
	accentShade   = shade("#8ab4ff", "111", "12", "#2f5fd0", "26", "4")
	okShade       = shade("#8fd18a", "114", "10", "#2f8f3a", "28", "2")
	warnShade     = shade("#f0c060", "221", "11", "#a86400", "130", "3")
	badShade      = shade("#ff7a85", "210", "9", "#c8243c", "160", "1")
	infoShade     = shade("#7ed0d6", "116", "14", "#0f7f8c", "30", "6")
	okFillShade   = shade("#5da868", "71", "2", "#4fa85c", "71", "2")
	warnFillShade = shade("#d6a243", "179", "3", "#d9932a", "172", "3")
	badFillShade  = shade("#de5f6c", "167", "1", "#dc4a5c", "167", "1")
	oldFillShade  = shade("#5b6484", "60", "8", "#a3abc0", "248", "7")
	pickedShade   = shade("#232a42", "236", "0", "#e6ebf7", "254", "7")
	wordShade     = shade("#d5daea", "253", "15", "#1f2434", "235", "0")
	paperShade    = shade("#10131c", "233", "0", "#ffffff", "231", "15")
)

// newTheme makes the theme for a terminal. Nothing is asked of the terminal
// here: who makes a theme says what it knows.
func newTheme(profile termenv.Profile, dark, inASCII bool) *theme {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(profile)
	r.SetHasDarkBackground(dark)

	g := &unicodeGlyphs
	if inASCII {
		g = &asciiGlyphs
	}
	base := r.NewStyle()
	dim := base.Foreground(dimShade)
	if profile == termenv.ANSI { // colour 8 is the background's own in some palettes of 16
		dim = base.Faint(true)
	}
	t := &theme{ink: newInk(base, dim, g), profile: profile, dark: dark, ascii: inASCII}
	t.picked = t.ink
	if profile == termenv.TrueColor || profile == termenv.ANSI256 {
		// With 16 colours a background takes some foreground away with it: the
		// mark at the left says enough.
		// The words name their colour: the terminal's own may be for another background
		// than the one that was chosen.
		t.picked = newInk(base.Foreground(wordShade).Background(pickedShade), dim.Background(pickedShade), g)
	}
	t.quiet, t.quietPicked = t.quieted(), t.picked.quieted()
	t.badge = base.Bold(true).Foreground(paperShade).Background(accentShade)
	if profile == termenv.ANSI { // bold black is colour 8 for many
		t.badge = base.Bold(true).Foreground(accentShade).Reverse(true)
	}
	t.toast = map[tone]lipgloss.Style{
		toneInfo: base.Foreground(infoShade),
		toneGood: base.Foreground(okShade),
		toneWarn: base.Foreground(warnShade),
		toneBad:  base.Foreground(badShade).Bold(true),
	}
	return t
}

func newInk(base, dim lipgloss.Style, g *glyphs) ink {
	return ink{
		g:      g,
		text:   base,
		strong: base.Bold(true),
		dim:    dim,
		track:  base.Foreground(trackShade),
		accent: base.Foreground(accentShade),
		ok:     base.Foreground(okShade),
		warn:   base.Foreground(warnShade),
		bad:    base.Foreground(badShade),
		info:   base.Foreground(infoShade),

		okFill:   base.Foreground(okFillShade),
		warnFill: base.Foreground(warnFillShade),
		badFill:  base.Foreground(badFillShade),
		oldFill:  base.Foreground(oldFillShade),

		caret: base.Reverse(true),
	}
}

// quieted is k without anything that promises or warns.
func (k ink) quieted() ink {
	k.text, k.strong = k.dim, k.dim
	k.ok, k.warn, k.bad, k.info = k.dim, k.dim, k.dim, k.dim
	k.okFill, k.warnFill, k.badFill = k.oldFill, k.oldFill, k.oldFill
	return k
}

// tone is the style of a message.
func (t *theme) tone(n tone) lipgloss.Style { return t.toast[n] }
