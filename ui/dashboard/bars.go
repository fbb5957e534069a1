package dashboard

import (
	"math"
	"strings"

	"github.com/charmbracelet/lipgloss"
)

// Shares from which a window is drawn in another colour.
const (
	warnFrom = 0.75
	badFrom  = 0.90
)

// bar draws used as width cells, to an eighth of a cell where the glyphs allow.
// It is full only when the window is.
func (k *ink) bar(used float64, width int, stale bool) string {
	steps := len(k.g.bar) - 1 // steps of one cell; the last is the full one
	filled := 0
	if !math.IsNaN(used) && used > 0 {
		filled = int(min(used, 1)*float64(width*steps) + 1e-9)
	}
	full, part := filled/steps, filled%steps
	body := strings.Repeat(k.g.bar[steps], full)
	if part > 0 {
		body += k.g.bar[part]
		full++
	}
	return k.fill(used, stale).Render(body) + k.track.Render(strings.Repeat(k.g.track, width-full))
}

// fill is the colour of a bar.
func (k *ink) fill(used float64, stale bool) lipgloss.Style {
	switch {
	case stale:
		return k.oldFill
	case used >= badFrom:
		return k.badFill
	case used >= warnFrom:
		return k.warnFill
	default:
		return k.okFill
	}
}

// level is the colour of a share in words.
func (k *ink) level(used float64, stale bool) lipgloss.Style {
	switch {
	case stale:
		return k.dim
	case used >= badFrom:
		return k.bad
	case used >= warnFrom:
		return k.warn
	default:
		return k.ok
	}
}
