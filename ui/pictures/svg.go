package main

import (
	"fmt"
	"html"
	"strings"
	"time"
)

// The picture's measures. Every text is given its length in cells, so that it keeps
// to the grid in whatever monospace font the reader has.
const (
	cellWidth  = 9.0
	cellHeight = 20.0
	fontSize   = 15.0
	baseline   = 14.5 // of a text, below the top of its cell
	margin     = 16.0
	pitch      = cellHeight + 6 // from one look of a strip to the next: no edge of one shows beside another
	overlap    = 2.0            // of a row's slit with the rows beside it: lines that go through both have no gap
	titleBar   = 38.0

	fonts = `ui-monospace,SFMono-Regular,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace`
)

// The terminal's own colors. The rest are the program's.
const (
	ink   = "#d5daea"
	paper = "#10131c"
	frame = "#1a1f2e"
	edge  = "#333b54"
	quiet = "#aab3cf"
)

// svg draws a film in a window. It has no script and needs nothing from elsewhere:
// it moves where only a plain image is shown. Whoever asks for less motion sees
// its first frame.
func svg(f film) string {
	width, height := 2*margin+float64(f.columns)*cellWidth, titleBar+2*margin+float64(f.rows)*cellHeight
	var css, body strings.Builder
	fmt.Fprintf(&css, "text{font:%spx %s;fill:%s;white-space:pre}.b{font-weight:700}.t{fill:%s}", number(fontSize), fonts, ink, quiet)
	fmt.Fprintf(&body, `<rect x=".5" y=".5" width="%s" height="%s" rx="10" fill="%s" stroke="%s"/>`, number(width-1), number(height-1), paper, edge)
	fmt.Fprintf(&body, `<path d="M1 %s V10.5 a9.5 9.5 0 0 1 9.5 -9.5 H%s a9.5 9.5 0 0 1 9.5 9.5 V%[1]s z" fill="%[3]s"/>`, number(titleBar), number(width-10.5), frame)
	for i, c := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(&body, `<circle cx="%d" cy="19" r="6" fill="%s"/>`, 22+20*i, c)
	}
	body.WriteByte('\n')
	titles(&css, &body, f, width)
	for i, s := range f.strips {
		draw(&css, &body, fmt.Sprintf("r%d", i), titleBar+margin+float64(i)*cellHeight, s, f)
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="%[1]s" height="%[2]s" role="img"><title>%s</title>`+"\n"+
		"<style>%s\n@media(prefers-reduced-motion:reduce){g{animation:none!important}}</style>\n%s</svg>\n",
		number(width), number(height), html.EscapeString(f.title), html.EscapeString(css.String()), body.String())
}

// titles puts the film's captions into the title bar, or its title.
func titles(css, body *strings.Builder, f film, width float64) {
	captions := f.captions
	if len(captions) == 0 {
		captions = []event{{Data: f.title}}
	}
	for i, c := range captions {
		until := f.length
		if i+1 < len(captions) {
			until = captions[i+1].At
		}
		class := ""
		if len(captions) > 1 {
			class = fmt.Sprintf(` class="c%d"`, i)
			first := "0"
			if i == 0 {
				first = "1" // it is the one that is seen where nothing moves
			}
			fmt.Fprintf(css, "\n.c%d{opacity:%s;animation:c%[1]d %[3]ss step-end infinite}@keyframes c%[1]d{0%%{opacity:0}%[4]s{opacity:1}%[5]s{opacity:0}}",
				i, first, seconds(f.length), percent(c.At, f.length), percent(until, f.length))
		}
		fmt.Fprintf(body, `<g%s><text class="t" x="%s" y="24" text-anchor="middle">%s</text></g>`+"\n", class, number(width/2), html.EscapeString(c.Data))
	}
}

// draw draws a strip: its looks one below the other behind a slit of one row, past
// which they are moved.
func draw(css, body *strings.Builder, name string, y float64, s strip, f film) {
	var looks strings.Builder
	for i, look := range s.looks {
		drawRow(&looks, float64(i)*pitch, look)
	}
	if looks.Len() == 0 {
		return
	}
	across := number(float64(f.columns) * cellWidth)
	fmt.Fprintf(body, `<svg x="%s" y="%s" width="%s" height="%s" viewBox="0 %s %[3]s %[4]s"`,
		number(margin), number(y-overlap), across, number(cellHeight+2*overlap), number(-overlap))
	if len(s.cuts) == 1 {
		fmt.Fprintf(body, ">%s</svg>\n", looks.String())
		return
	}
	fmt.Fprintf(body, "><g class=\"%s\">%s</g></svg>\n", name, looks.String())
	fmt.Fprintf(css, "\n.%s{animation:%[1]s %ss step-end infinite}@keyframes %[1]s{", name, seconds(f.length))
	for i, c := range s.cuts {
		if i == 0 {
			c.at = 0
		}
		fmt.Fprintf(css, "%s{transform:translateY(%spx)}", percent(c.at, f.length), number(-float64(c.look)*pitch))
	}
	css.WriteString("}")
}

// drawRow draws the backgrounds of a row, then what stands on them, a run of one
// style and one kind at a time.
func drawRow(out *strings.Builder, y float64, row []cell) {
	for from := 0; from < len(row); {
		to := from + 1
		for to < len(row) && row[to].bg == row[from].bg {
			to++
		}
		if bg := row[from].bg; bg != "" {
			rect(out, float64(from)*cellWidth, y, float64(to-from)*cellWidth, cellHeight, bg, 1)
		}
		from = to
	}
	for from := 0; from < len(row); {
		kind := kindOf(row[from].text)
		to := from + 1
		for to < len(row) && joins(kind, row[from], row[to]) {
			to++
		}
		drawers[kind](out, float64(from)*cellWidth, y, row[from:to])
		from = to
	}
}

// drawText draws words. Spaces at the ends and wide gaps take no part: stretched
// to its length, a short text keeps its letters in their cells.
func drawText(out *strings.Builder, x, y float64, run []cell) {
	var text strings.Builder
	for _, c := range run {
		text.WriteString(c.text)
	}
	words := strings.TrimRight(text.String(), " ")
	if words == "" {
		return
	}
	attributes := ""
	if run[0].fg != "" {
		attributes += fmt.Sprintf(` style="fill:%s"`, run[0].fg)
	}
	if run[0].bold {
		attributes += ` class="b"`
	}
	cells := len(run) - (text.Len() - len(words))
	fmt.Fprintf(out, `<text x="%s" y="%s" textLength="%s"%s>%s</text>`, number(x), number(y+baseline), number(float64(cells)*cellWidth), attributes, html.EscapeString(words))
}

func rect(out *strings.Builder, x, y, w, h float64, fill string, opacity float64) {
	fmt.Fprintf(out, `<rect x="%s" y="%s" width="%s" height="%s" fill="%s"`, number(x), number(y), number(w), number(h), fill)
	if opacity < 1 {
		fmt.Fprintf(out, ` fill-opacity="%s"`, number(opacity))
	}
	out.WriteString("/>")
}

func colorOf(c cell) string {
	if c.fg == "" {
		return ink
	}
	return c.fg
}

// number is a number without more digits than a picture needs.
func number(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", f), "0"), ".")
}

func seconds(d time.Duration) string { return number(d.Seconds()) }

func percent(at, of time.Duration) string { return number(100*at.Seconds()/of.Seconds()) + "%" }
