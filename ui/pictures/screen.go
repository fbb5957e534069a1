package main

import (
	"fmt"
	"image/color"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// style is how a cell looks. A color is "#rrggbb"; "" is the terminal's own.
type style struct {
	fg, bg string
	bold   bool
}

// cell is one place of the screen. The cell after a wide character is empty.
type cell struct {
	text string
	style
}

var blank = cell{text: " "}

// screen is a terminal's grid, as far as recordings of this package need one: text,
// colors, the cursor's place and the rest of a line erased.
type screen struct {
	columns, rows int
	cells         [][]cell

	row, column int
	pen         style
}

func newScreen(columns, rows int) *screen {
	s := &screen{columns: columns, rows: rows, cells: make([][]cell, rows)}
	for i := range s.cells {
		s.cells[i] = make([]cell, columns)
		s.erase(i, 0)
	}
	return s
}

func (s *screen) erase(row, from int) {
	for i := from; i < s.columns; i++ {
		s.cells[row][i] = blank
	}
}

// write shows what a program would have sent.
func (s *screen) write(data string) {
	p := ansi.NewParser()
	var state byte
	for len(data) > 0 {
		seq, width, n, next := ansi.DecodeSequence(data, state, p)
		data, state = data[n:], next
		switch {
		case width > 0:
			s.put(seq, width)
		case seq == "\n": // a capture ends its lines so
			s.row, s.column = s.row+1, 0
		case strings.HasPrefix(seq, "\x1b["):
			s.control(ansi.Cmd(p.Command()), p.Params())
		}
	}
}

func (s *screen) put(text string, width int) {
	if s.row < s.rows && s.column+width <= s.columns {
		s.cells[s.row][s.column] = cell{text, s.pen}
		for i := 1; i < width; i++ {
			s.cells[s.row][s.column+i] = cell{"", s.pen}
		}
	}
	s.column += width
}

func (s *screen) control(c ansi.Cmd, params ansi.Params) {
	switch c.Final() {
	case 'H': // CUP
		row, _, _ := params.Param(0, 1)
		column, _, _ := params.Param(1, 1)
		s.row, s.column = row-1, column-1
	case 'K': // EL, to the right
		if s.row < s.rows {
			s.erase(s.row, s.column)
		}
	case 'm': // SGR
		s.paint(params)
	}
}

func (s *screen) paint(params ansi.Params) {
	if len(params) == 0 {
		s.pen = style{}
	}
	for i := 0; i < len(params); i++ {
		switch code := params[i].Param(0); {
		case code == 0:
			s.pen = style{}
		case code == 1:
			s.pen.bold = true
		case code == 22:
			s.pen.bold = false
		case code == 38 || code == 48:
			var c color.Color
			i += max(ansi.ReadStyleColor(params[i:], &c)-1, 0)
			s.color(code, hex(c))
		case code == 39 || code == 49:
			s.color(code-1, "")
		case code >= 30 && code <= 37, code >= 40 && code <= 47:
			s.color(code/10*10+8, hex(ansi.BasicColor(code%10))) //nolint:gosec // it is below 8
		case code >= 90 && code <= 97, code >= 100 && code <= 107:
			s.color(code/10*10-52, hex(ansi.BasicColor(8+code%10))) //nolint:gosec // it is below 16
		}
	}
}

// color sets the pen's: the foreground for code 38, the background for 48.
func (s *screen) color(code int, to string) {
	if code == 38 {
		s.pen.fg = to
	} else {
		s.pen.bg = to
	}
}

func hex(c color.Color) string {
	if c == nil {
		return ""
	}
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}

// line is a row as a program would send it, complete in itself: the row of a
// capture may begin in the colors of the one above.
func line(row []cell) string {
	end := len(row)
	for end > 0 && row[end-1] == blank {
		end--
	}
	var out strings.Builder
	var pen style
	for _, c := range row[:end] {
		if c.text != "" && c.style != pen {
			out.WriteString(sgr(c.style))
			pen = c.style
		}
		out.WriteString(c.text)
	}
	if pen != (style{}) {
		out.WriteString("\x1b[m")
	}
	return out.String()
}

func sgr(s style) string {
	out := "\x1b[0"
	if s.bold {
		out += ";1"
	}
	return out + rgb("38", s.fg) + rgb("48", s.bg) + "m"
}

func rgb(code, color string) string {
	var r, g, b int
	if n, _ := fmt.Sscanf(color, "#%02x%02x%02x", &r, &g, &b); n != 3 {
		return ""
	}
	return fmt.Sprintf(";%s;2;%d;%d;%d", code, r, g, b)
}

// String is the text of the screen, without the spaces at the ends of its lines.
func (s *screen) String() string {
	var out strings.Builder
	for _, row := range s.cells {
		var text strings.Builder
		for _, c := range row {
			text.WriteString(c.text)
		}
		out.WriteString(strings.TrimRight(text.String(), " ") + "\n")
	}
	return out.String()
}
