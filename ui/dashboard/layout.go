package dashboard

import (
	"github.com/charmbracelet/x/ansi"
)

// The smallest screen, and where its parts come in.
const (
	minWidth     = 60
	minHeight    = 15
	wideWidth    = 110 // the plan has a column from here on
	detailHeight = 24  // the detail pane is shown from here on
	gapHeight    = 30  // a blank line between the panes from here on
	towerHeight  = 40  // the line of traffic may be taller than one from here on
	towerMost    = 3   // by so many lines
	airyHeight   = 20  // a blank line under the header from here on
)

// Widths of the table's columns.
const (
	labelMin   = 8
	labelIdeal = 14
	labelMax   = 34 // an e-mail, and the star
	planMax    = 12
	barMin     = 6
	barFair    = 8 // bars shrink to this for the sake of labels
	barIdeal   = 20
	barMax     = 32
	stateMin   = 14 // "cooling 37:41", "sign in again"
)

// layout is where things are: it follows from the size and from what there is to show.
type layout struct {
	columns columns
	windows detailColumns
	window  int // width of the longest name of a window in the detail
	air     int // blank lines under the header
	table   int // lines of the table without its head
	first   int // the line of the screen on which they begin
	detail  int // lines of the detail pane with its rule; 0: none
	talks   int // of them, those for conversations
	tower   int // and those by which the line of traffic is taller than one
	feed    int // lines of the feed with its rule; 0: none
	gap     int // blank lines between the panes
}

// columns are the widths of the table, in cells; 0: the column is not there.
type columns struct {
	label, plan, bar, reset5, reset7, state int
}

// cell is the width of a window's column with the gap behind it.
func (c *columns) cell(reset int) int {
	w := c.bar + 5 + 2
	if reset > 0 {
		w += 1 + reset
	}
	return w
}

// tooSmall reports whether the terminal is too small for any of this.
func (m *model) tooSmall() bool { return m.width < minWidth || m.height < minHeight }

// layout computes where the columns are. The panes follow when a frame is drawn:
// they depend on how many notices there are.
func (m *model) layout() {
	m.lay.window = max(m.widestWindow(), m.widestTraffic())
	if c := m.fitColumns(); c != m.lay.columns {
		m.lay.columns = c
		clear(m.cache)
	}
	m.lay.windows = m.fitDetail(&m.lay.columns)
}

// fitColumns gives each column its width. As room goes, the plan goes first,
// then the times of the resets, then the bars shrink, then the labels are cut.
func (m *model) fitColumns() columns {
	label, plan := 0, 0
	for i := range m.rows {
		r := &m.rows[i]
		label = max(label, ansi.StringWidth(r.label)+2) // the star has its place whose it ever is
		plan = max(plan, ansi.StringWidth(r.plan))
	}
	label = min(max(label, labelMin), labelMax)
	plan = min(max(plan, 4), planMax)

	c := columns{label: min(label, labelIdeal), bar: barIdeal, reset5: 5, reset7: 6, state: stateMin}
	if m.width >= wideWidth {
		c.plan = plan
	} else if c.total() > m.width+2 {
		c.reset5, c.reset7 = 0, 0
	}
	c.label = label
	for _, least := range []struct{ bar, label int }{{barFair, label}, {barFair, labelIdeal}, {barMin, labelIdeal}, {barMin, labelMin}} {
		if over := c.total() - m.width; over > 0 {
			c.bar = min(c.bar, max(least.bar, c.bar-(over+1)/2))
		}
		if over := c.total() - m.width; over > 0 {
			c.label = min(c.label, max(least.label, c.label-over))
		}
	}
	// What is left goes to the bars, and then to the words of the state.
	if spare := m.width - c.total(); spare > 0 {
		if more := min(spare/3, barMax-c.bar); more > 0 && c.bar >= barIdeal {
			c.bar += more
			spare -= 2 * more
		}
		c.state += max(spare, 0)
	}
	return c
}

// total is the width of a row: margin, mark, sign and a space in front, and a
// margin behind.
func (c *columns) total() int {
	w := 4 + c.label + 2 + c.cell(c.reset5) + c.cell(c.reset7) + c.state + 1
	if c.plan > 0 {
		w += c.plan + 2
	}
	return w
}

// fitPanes shares the lines out. The table comes first, but leaves a few lines
// to the detail and the feed where there is room for them at all.
func (m *model) fitPanes(notices int) {
	l := &m.lay
	l.air, l.detail, l.talks, l.tower, l.feed, l.gap = 0, 0, 0, 0, 0, 0
	if m.height >= airyHeight {
		l.air = 1
	}
	// header, air, notices, head of the table, toast, footer
	room := m.height - 1 - l.air - notices - 1 - 1 - 1
	if m.height >= detailHeight && len(m.rows) > 0 {
		l.detail = 1 + 3 + m.windowLines() + 1
	}
	feedLeast := 0
	switch {
	case m.height >= 35:
		feedLeast = 8
	case m.height >= 30:
		feedLeast = 5
	case m.height >= airyHeight:
		feedLeast = 3
	}
	const tableLeast = 4
	if room-l.detail-feedLeast < tableLeast {
		feedLeast = 0
	}
	if room-l.detail < tableLeast {
		l.detail = 0
	}
	if panes := 2; m.height >= gapHeight && l.detail > 0 && room-l.detail-feedLeast-panes >= len(m.items) {
		l.gap = 1 // nothing has to go for it
		room -= panes
	}
	if l.detail > 0 {
		l.talks = m.talkLines(room - l.detail - feedLeast - len(m.items))
		l.detail += l.talks
		if m.height >= towerHeight && m.widestTraffic() > 0 {
			l.tower = max(0, min(towerMost, room-l.detail-feedLeast-len(m.items)))
			l.detail += l.tower
		}
	}
	l.table = max(1, min(max(len(m.items), 1), room-l.detail-feedLeast))
	l.feed = room - l.detail - l.table
	if l.feed < 3 { // a rule and one line are not worth their place
		l.table += max(l.feed, 0)
		l.feed = 0
	}
}

// windowLines is how many windows the detail has room for: as many as any
// account shows, so that the panes stay where they are as one moves.
func (m *model) windowLines() int {
	n := 2
	for i := range m.rows {
		n = max(n, len(m.rows[i].Windows))
	}
	return min(n, 5)
}

// scroll moves the table so that the selected row is on the screen.
func (m *model) scroll() {
	if m.cursor < 0 {
		m.top = 0
		return
	}
	first := m.cursor
	if first > 0 && m.items[first-1].row < 0 {
		first-- // its provider's name stays above it
	}
	m.top = min(m.top, first)
	m.top = max(m.top, m.cursor-m.lay.table+1)
	m.top = max(0, min(m.top, len(m.items)-m.lay.table))
}
