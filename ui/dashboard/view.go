package dashboard

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/bubbles/key"
	"github.com/charmbracelet/x/ansi"
)

// compose draws the frame: as many lines as the screen has, none wider than it.
func (m *model) compose() {
	m.dirty = false
	m.holds = forever
	if m.width == 0 || m.height == 0 {
		m.frame = ""
		return
	}
	var lines []string
	if m.tooSmall() {
		lines = m.drawTooSmall()
	} else {
		lines = m.drawLayers()
	}
	m.frame = strings.Join(lines, "\n")
	if m.th.ascii {
		m.frame = ascii(m.frame)
	}
}

// drawLayers draws the screen, and the overlay over it.
func (m *model) drawLayers() []string {
	m.sheet = false
	if m.overlay == nil {
		return m.drawScreen()
	}
	p := m.overlay.view(m.boxInside()) // first: which keys the footer shows may depend on what fits
	m.sheet = p.sheet
	return m.drawOverlay(m.drawScreen(), p)
}

func (m *model) drawTooSmall() []string {
	lines := make([]string, m.height)
	text := fmt.Sprintf("%s needs %dx%d, this is %dx%d", m.brand, minWidth, minHeight, m.width, m.height)
	text = ansi.Truncate(text, m.width, "…")
	lines[m.height/2] = strings.Repeat(" ", (m.width-ansi.StringWidth(text))/2) + m.th.warn.Render(text)
	return lines
}

func (m *model) drawScreen() []string {
	notices := m.notices()
	m.fitPanes(len(notices))
	m.scroll()
	lines := make([]string, 0, m.height)
	lines = append(lines, m.drawHeader())
	lines = append(lines, notices...)
	for range m.lay.air {
		lines = append(lines, "")
	}
	switch {
	case !m.have:
		lines = m.middle(lines, m.drawConnecting())
	case len(m.rows) == 0 && m.overlay != nil:
		// What stands there is answered by the overlay, and would only shine through.
	case len(m.rows) == 0:
		lines = m.middle(lines, m.drawFirstStart())
	default:
		lines = append(lines, m.drawHead())
		m.lay.first = len(lines)
		lines = append(lines, m.drawTable()...)
		gap := make([]string, m.lay.gap)
		if m.lay.detail > 0 {
			lines = append(append(lines, gap...), m.drawDetail()...)
		}
		if m.lay.feed > 0 {
			lines = append(append(lines, gap...), m.drawFeed()...)
		}
	}
	for len(lines) < m.height-2 {
		lines = append(lines, "")
	}
	lines = lines[:m.height-2]
	most := 1
	if ansi.Strip(lines[len(lines)-1]) == "" {
		most = 2 // a long toast may begin in the empty line
	}
	said := m.drawToast(most)
	return append(append(lines[:m.height-1-len(said)], said...), m.drawFooter())
}

// middle puts block a third down the free part of the screen.
func (m *model) middle(lines, block []string) []string {
	free := m.height - 2 - len(lines) - len(block)
	for range max(free/3, 0) {
		lines = append(lines, "")
	}
	return append(lines, block...)
}

// drawConnecting stands where the table will be until the engine has answered.
func (m *model) drawConnecting() []string {
	if m.lost {
		return nil // the notice says it
	}
	return []string{"  " + m.spinner() + m.th.dim.Render(" connecting to the engine")}
}

// drawFirstStart is what a person sees who has no account yet.
func (m *model) drawFirstStart() []string {
	t := m.th
	width := m.width - 4
	if m.hidden() {
		return m.hang("   ", "The accounts are in the vault. They are here again as soon as it opens: "+keys.Unlock.Help().Key+" unlocks.", width+3, t.text)
	}
	lines := m.hang("   ", "Several accounts of yours, one proxy: when one is limited, the next goes on.", width+3, t.text)
	for _, l := range [][2]string{
		{"a", "adds your first account"},
		{"oauthmux demo", "in a shell: look around with made-up accounts"},
	} {
		lines = append(lines, m.hang("   "+t.accent.Bold(true).Render(fit(l[0], 15)), l[1], width+3, t.text)...)
	}
	return lines
}

// drawHead names the columns.
func (m *model) drawHead() string {
	c := &m.lay.columns
	s := "    " + fit("ACCOUNT", c.label+2)
	if c.plan > 0 {
		s += fit("PLAN", c.plan+2)
	}
	windows := len(m.items) == 0 // nothing is shown of which they would not be true
	for i := m.top; i < min(m.top+m.lay.table, len(m.items)); i++ {
		windows = windows || (m.items[i].row >= 0 && m.rows[m.items[i].row].hasUsage)
	}
	if windows {
		s += fit("5 H", c.cell(c.reset5)) + fit("7 D", c.cell(c.reset7))
	} else {
		s += fit("TODAY", c.cell(c.reset5)+c.cell(c.reset7))
	}
	return m.th.dim.Render(fit(s+"STATE", m.width))
}

// drawTable draws the rows that are on the screen, and no other.
func (m *model) drawTable() []string {
	lines := make([]string, 0, m.lay.table)
	end := min(m.top+m.lay.table, len(m.items))
	for i := m.top; i < end; i++ {
		lines = append(lines, m.line(i))
	}
	if n := len(lines); n > 0 {
		if m.top > 0 {
			lines[0] = m.margin(lines[0], m.th.g.less)
		}
		if end < len(m.items) {
			lines[n-1] = m.margin(lines[n-1], m.th.g.more)
		}
	}
	if len(lines) == 0 && m.filtered() {
		lines = append(lines, m.th.dim.Render(ansi.Truncate("    no account has that; esc shows all", m.width, "")))
	}
	for len(lines) < m.lay.table {
		lines = append(lines, "")
	}
	return lines
}

// margin writes a sign into the first cell of a row, which is always empty.
func (m *model) margin(line, sign string) string {
	return m.th.accent.Render(sign) + ansi.TruncateLeft(line, 1, "")
}

// rule is a line across the screen with a name in it, and a note at its end.
func (m *model) rule(name, note string) string {
	g, t := m.th.g, m.th
	rest := m.width - 6 - ansi.StringWidth(name)
	end := ""
	if w := ansi.StringWidth(note); note != "" && rest > w+4 {
		rest -= w + 4
		end = t.dim.Render(" "+note+" ") + t.track.Render(g.rule+g.rule)
	}
	return " " + t.track.Render(g.rule+g.rule) + t.dim.Render(" "+name+" ") + t.track.Render(strings.Repeat(g.rule, max(0, rest))) + end + " "
}

// position says which rows are on the screen, where that is not all of them.
func (m *model) position() string {
	if len(m.items) <= m.lay.table || m.cursor < 0 {
		return ""
	}
	at, n := 0, 0
	for i := range m.items {
		if m.items[i].row >= 0 {
			n++
			if i == m.cursor {
				at = n
			}
		}
	}
	return fmt.Sprintf("%d of %d", at, n)
}

// spinner is drawn while something is awaited.
func (m *model) spinner() string {
	const frame = 100 // milliseconds
	at := m.now.UnixMilli()
	m.hold(time.Duration(frame-at%frame) * time.Millisecond)
	frames := m.th.g.spinner
	return m.th.accent.Render(frames[int(at/frame)%len(frames)])
}

// drawFooter shows the keys that matter now, as many as there is room for.
func (m *model) drawFooter() string {
	if m.filter.typing && m.overlay == nil {
		return m.drawFilter()
	}
	bindings := footerKeys
	if len(m.shownProviders()) > 1 {
		bindings = slices.Insert(slices.Clone(bindings), 1, together("tab", "provider", keys.Provider))
	}
	if m.filtered() {
		bindings = slices.Concat([]key.Binding{bind("esc", "show all", "esc")}, bindings)
	}
	last := []key.Binding{bind("?", "help", "?"), bind("q", "quit", "q")}
	if m.overlay != nil {
		bindings, last = m.overlay.keys(), nil
	} else if m.have && len(m.rows) == 0 {
		bindings = []key.Binding{bind("a", "add an account", "a")}
	}
	room := m.width - 2
	for _, b := range last {
		room -= m.keyWidth(b)
	}
	var out strings.Builder
	out.WriteString(" ")
	for _, b := range bindings {
		if w := m.keyWidth(b); w <= room {
			out.WriteString(m.drawKey(b))
			room -= w
		}
	}
	for _, b := range last {
		out.WriteString(m.drawKey(b))
	}
	return out.String()
}

func (m *model) keyName(b key.Binding) string {
	name := b.Help().Key
	if m.th.ascii {
		name = strings.NewReplacer("↑↓", "up/down", "↑", "up", "↓", "down").Replace(name)
	}
	return name
}

func (m *model) keyWidth(b key.Binding) int {
	return ansi.StringWidth(m.keyName(b)) + 1 + ansi.StringWidth(b.Help().Desc) + 2
}

func (m *model) drawKey(b key.Binding) string {
	return m.th.accent.Render(m.keyName(b)) + m.th.dim.Render(" "+b.Help().Desc+"  ")
}
