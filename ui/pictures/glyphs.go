package main

import (
	"fmt"
	"strings"
)

// kind is how a run of cells is drawn. What fonts draw in different ways, or with
// gaps between one cell and the next, is drawn as shapes.
type kind int

const (
	space kind = iota
	words
	bar   // eighth blocks from the left and the shade after them
	spark // eighth blocks from below
	rule
	sign
)

var drawers = map[kind]func(out *strings.Builder, x, y float64, run []cell){
	space: func(*strings.Builder, float64, float64, []cell) {},
	words: drawText,
	bar:   drawBar,
	spark: drawSpark,
	rule:  drawRule,
	sign:  drawSign,
}

const (
	fromLeft  = "▏▎▍▌▋▊▉█" // eighths of a cell, one to eight
	fromBelow = "▁▂▃▄▅▆▇"
)

func kindOf(text string) kind {
	switch {
	case text == "" || text == " ":
		return space
	case signs[text] != "" || corners[text] != "" || text == "│":
		return sign
	case text == "─":
		return rule
	case text == "░" || strings.Contains(fromLeft, text):
		return bar
	case strings.Contains(fromBelow, text):
		return spark
	}
	return words
}

// joins reports whether a cell goes on with the run that first began. A text stops
// where the next character is not ASCII: its width is the font's own.
func joins(k kind, first, next cell) bool {
	switch k {
	case bar:
		return kindOf(next.text) == bar // fill and rest differ in color
	case rule:
		return next.text == "─" && next.style == first.style
	case words:
		return next.style == first.style && ascii(first.text) && ascii(next.text)
	default:
		return false
	}
}

func ascii(text string) bool { return len(text) == 1 && text[0] < 0x80 }

// drawBar draws a bar as a lane with its fill on it: a little lower than the row,
// so that bars below each other stay apart. A single block is a mark or a caret
// and as high as the row.
func drawBar(out *strings.Builder, x, y float64, run []cell) {
	top, height := y+3.5, cellHeight-7
	if len(run) == 1 && run[0].text != "░" {
		top, height = y, cellHeight
	}
	fill, track := 0.0, ""
	for _, c := range run {
		if c.text == "░" {
			track = colorOf(c)
			continue
		}
		fill += cellWidth * float64(eighths(fromLeft, c.text)) / 8
	}
	if track != "" {
		rect(out, x, top, float64(len(run))*cellWidth, height, track, 0.55)
	}
	if fill > 0 {
		rect(out, x, top, fill, height, colorOf(run[0]), 1)
	}
}

func drawSpark(out *strings.Builder, x, y float64, run []cell) {
	high := (cellHeight - 4) * float64(eighths(fromBelow, run[0].text)) / 8
	rect(out, x, y+cellHeight-2-high, cellWidth-1, high, colorOf(run[0]), 1)
}

// eighths is the place of a block among those of its family, from one.
func eighths(family, text string) int {
	before, _, _ := strings.Cut(family, text)
	return len([]rune(before)) + 1
}

func drawRule(out *strings.Builder, x, y float64, run []cell) {
	path(out, x, y, "M0 10H"+number(float64(len(run))*cellWidth), colorOf(run[0]), 1.2)
}

// corners are the frames of overlays, in a cell of 9 by 20.
var corners = map[string]string{
	"╭": "M4.5 20.5V15a5 5 0 0 1 4.5 -5",
	"╮": "M4.5 20.5V15a5 5 0 0 0 -4.5 -5",
	"╰": "M4.5 -0.5V5a5 5 0 0 0 4.5 5",
	"╯": "M4.5 -0.5V5a5 5 0 0 1 -4.5 5",
}

// ring is a circle with a hole.
const ring = "M0.3 10a4.2 4.2 0 1 0 8.4 0a4.2 4.2 0 1 0 -8.4 0zM1.6 10a2.9 2.9 0 1 0 5.8 0a2.9 2.9 0 1 0 -5.8 0"

// signs are the states of an account and other marks, in a cell of 9 by 20.
// A filled shape ends in z.
var signs = map[string]string{
	"●": "M0.3 10a4.2 4.2 0 1 0 8.4 0a4.2 4.2 0 1 0 -8.4 0z",
	"○": ring + "z",
	"◔": ring + "zM4.5 10V7.1A2.9 2.9 0 0 1 7.4 10z",
	"✗": "M1.2 6.7L7.8 13.3M7.8 6.7L1.2 13.3",
	"✓": "M0.8 10.5L3.5 13.5L8.3 6.5",
	"⏸": "M1.5 6H3.7V14H1.5zM5.3 6H7.5V14H5.3z",
	"↻": "M8 10A3.5 3.5 0 1 1 6.4 7.1M6.6 4.6V7.4H3.9",
	"★": "M4.5 5.2L5.7 8.4L9 8.5L6.4 10.6L7.3 13.9L4.5 12L1.7 13.9L2.6 10.6L0 8.5L3.3 8.4z",
	"↑": "M4.5 14.5V6M1.5 9L4.5 6L7.5 9",
	"↓": "M4.5 6V14.5M1.5 11.5L4.5 14.5L7.5 11.5",
	"·": "M3.5 10a1 1 0 1 0 2 0a1 1 0 1 0 -2 0z",
}

func drawSign(out *strings.Builder, x, y float64, run []cell) {
	d, width := signs[run[0].text], 1.4
	if d == "" {
		d, width = corners[run[0].text], 1.2
	}
	if d == "" {
		d = "M4.5 -1V21" // │, into the overlap
	}
	path(out, x, y, d, colorOf(run[0]), width)
}

// path draws a shape at a cell: filled if it ends so, else a line of that width.
func path(out *strings.Builder, x, y float64, d, color string, width float64) {
	paint := fmt.Sprintf(`fill="none" stroke="%s" stroke-width="%s"`, color, number(width))
	if strings.HasSuffix(d, "z") {
		paint = fmt.Sprintf(`fill="%s" fill-rule="evenodd"`, color)
	}
	fmt.Fprintf(out, `<path transform="translate(%s %s)" d="%s" %s/>`, number(x), number(y), d, paint)
}
