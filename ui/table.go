package ui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// table is text in columns, readable without colour.
type table struct {
	rows  [][]string
	right map[int]bool // columns that are aligned to the right: numbers
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// String pads every column to its widest cell, two spaces apart.
func (t *table) String() string {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], ansi.StringWidth(cell))
		}
	}
	var b strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-ansi.StringWidth(cell))
			if t.right[i] {
				line.WriteString(pad + cell + "  ")
			} else {
				line.WriteString(cell + pad + "  ")
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}
