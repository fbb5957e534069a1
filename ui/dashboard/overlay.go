package dashboard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
)

// overlay is a question or an answer in front of the table. It gets every key
// while it is open, the replies to what it asked, and new states.
type overlay interface {
	update(msg tea.Msg) tea.Cmd
	view(width, height int) panel
	keys() []key.Binding // for the footer
}

// panel is a drawn overlay.
type panel struct {
	title string
	lines []string
	// sheet is as wide as the screen and has no sides, so that what stands in it
	// can be selected with a mouse and copied.
	sheet bool
	// broad is a box that may be as wide as the screen lets it.
	broad bool
}

// closing is an overlay that has something to tell the engine when it goes away
// with the screen.
type closing interface{ leave() tea.Cmd }

// orphan is an overlay that still cares for an answer that comes after it was closed.
type orphan interface {
	orphaned(msg replyMsg) tea.Cmd
}

const (
	boxWidth  = 76 // the widest the inside of a box gets
	boxSides  = 6  // border and padding of a box
	boxEnds   = 2  // its first and last line
	boxMargin = 2  // what stays visible beside it
)

func (m *model) boxInside() (width, height int) {
	return min(boxWidth, m.broadInside()), m.height - 1 - boxEnds
}

// broadInside is the width that the inside of a broad box can have.
func (m *model) broadInside() int { return m.width - boxSides - boxMargin }

// drawOverlay lays p over a dimmed screen. The footer stays: it shows the
// overlay's keys.
func (m *model) drawOverlay(base []string, p panel) []string {
	box := m.drawBox(p)
	if p.sheet {
		box = m.drawSheet(p)
	}
	last := len(base) - 1
	box = box[:min(len(box), last)]
	top := (last - len(box)) / 3
	out := make([]string, 0, len(base))
	for i, line := range base[:last] {
		line = fit(ansi.Strip(line), m.width)
		if i < top || i >= top+len(box) {
			out = append(out, m.th.track.Render(line))
			continue
		}
		over := box[i-top]
		if !p.sheet && ansi.StringWidth(over)+2 <= m.width { // nothing touches the frame
			over = " " + over + " "
		}
		w := ansi.StringWidth(over)
		left := (m.width - w) / 2
		out = append(out, m.th.track.Render(fit(ansi.Truncate(line, left, ""), left))+over+
			m.th.track.Render(fitRight(ansi.TruncateLeft(line, left+w, ""), m.width-left-w)))
	}
	return append(out, base[last])
}

func (m *model) drawBox(p panel) []string {
	b, t := m.th.g.border, m.th
	inside, most := m.boxInside()
	if p.broad {
		inside = m.broadInside()
	}
	width := ansi.StringWidth(p.title) + 2
	for _, l := range p.lines {
		width = max(width, ansi.StringWidth(l))
	}
	width = min(width, inside)
	title := ansi.Truncate(p.title, width, "…")
	lines := []string{
		t.accent.Render(b.topLeft+b.across+" ") + t.accent.Bold(true).Render(title) +
			t.accent.Render(" "+strings.Repeat(b.across, max(0, width+1-ansi.StringWidth(title)))+b.topRight),
	}
	inner := p.lines[:min(len(p.lines), most)]
	if len(inner)+2 <= most && m.height >= airyHeight {
		inner = slices.Concat([]string{""}, inner, []string{""})
	}
	for _, l := range inner {
		l = ansi.Truncate(l, width, "…")
		lines = append(lines, t.accent.Render(b.down)+"  "+l+strings.Repeat(" ", width-ansi.StringWidth(l))+"  "+t.accent.Render(b.down))
	}
	return append(lines, t.accent.Render(b.bottomLeft+strings.Repeat(b.across, width+4)+b.bottomRight))
}

func (m *model) drawSheet(p panel) []string {
	t, across := m.th, m.th.g.border.across
	title := ansi.Truncate(p.title, m.width-6, "…")
	lines := []string{
		t.accent.Render(across+across+" ") + t.accent.Bold(true).Render(title) +
			t.accent.Render(" "+strings.Repeat(across, max(0, m.width-4-ansi.StringWidth(title)))),
	}
	for _, l := range p.lines {
		l = ansi.Truncate(l, m.width, "…")
		lines = append(lines, l+strings.Repeat(" ", m.width-ansi.StringWidth(l)))
	}
	return append(lines, t.accent.Render(strings.Repeat(across, m.width)))
}

// close closes the overlay; under the question whether to quit, which stays.
func (m *model) close() {
	if q, ok := m.overlay.(*quitOverlay); ok {
		q.under = nil
		return
	}
	m.overlay = nil
}

// open reports whether o is open, be it under the question whether to quit.
func (m *model) open(o overlay) bool {
	q, ok := m.overlay.(*quitOverlay)
	return m.overlay == o || (ok && q.under == o)
}

// wrap breaks a text into lines, each drawn with style.
func (m *model) wrap(text string, width int, draw func(...string) string) []string {
	var out []string
	for _, l := range breakLines(text, max(width, 1)) {
		out = append(out, draw(l))
	}
	return out
}

// problem draws what went wrong, and what to do about it.
func (m *model) problemLines(problem, hint string, width int) []string {
	var out []string
	if problem != "" {
		out = append(out, m.wrap(m.th.g.needsYou+" "+problem, width, m.th.bad.Render)...)
	}
	if hint != "" {
		out = append(out, m.wrap(hint, width, m.th.dim.Render)...)
	}
	return out
}

// scroller shows lines of which only some fit.
type scroller struct {
	m     *model
	top   int
	lines int // how many there are
	room  int // how many fit
}

// key scrolls, or closes the overlay.
func (s *scroller) key(msg tea.KeyMsg) {
	switch {
	case matches(msg, keys.Back, keys.Quit):
		s.m.close()
	case matches(msg, keys.Up):
		s.top--
	case matches(msg, keys.Down):
		s.top++
	case matches(msg, keys.PageUp):
		s.top -= s.room
	case matches(msg, keys.PageDown):
		s.top += s.room
	case matches(msg, keys.Top):
		s.top = 0
	case matches(msg, keys.Bottom):
		s.top = s.lines
	}
	s.bound()
}

// more reports whether there is something below what is shown.
func (s *scroller) more() bool { return s.top < s.lines-s.room }

func (s *scroller) bound() { s.top = max(0, min(s.top, s.lines-s.room)) }

// window returns the lines that fit, and says where they are among all.
func (s *scroller) window(lines []string, height int) []string {
	s.lines, s.room = len(lines), height
	if len(lines) > height {
		s.room = height - 1
	}
	s.bound()
	if len(lines) <= height {
		return lines
	}
	end := min(s.top+s.room, len(lines))
	where := fmt.Sprintf("%d-%d of %d", s.top+1, end, len(lines))
	return append(append([]string{}, lines[s.top:end]...), s.m.th.dim.Render(where))
}

func (s *scroller) keys() []key.Binding {
	if s.lines > s.room {
		return []key.Binding{keys.Scroll, keys.Back}
	}
	return []key.Binding{keys.Back}
}
