package dashboard

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

// The windows that have a column of their own.
const (
	fiveHours = "5h"
	sevenDays = "7d"
)

// row is an account as the table knows it.
type row struct {
	*control.Account
	label    string // safe to draw
	plan     string
	hasUsage bool
	place    int // among its provider's accounts, from 1
}

// item is a line of the table: an account, or the name of a provider above its own.
type item struct {
	row   int    // index in rows; -1: a heading
	title string // of a heading
}

// cachedRow is a drawn row and how long its words are true.
type cachedRow struct {
	selected bool
	until    time.Time
	line     string
}

// arrange sorts the accounts of the state into rows, and finds the selected one again.
func (m *model) arrange() {
	providers := map[string]control.Provider{}
	for _, p := range m.state.Providers {
		providers[p.ID] = p
	}
	name := func(id string) string { return cmp.Or(providers[id].Name, id) }
	m.rows = m.rows[:0]
	for i := range m.state.Accounts {
		a := &m.state.Accounts[i]
		p, known := providers[a.Provider]
		m.rows = append(m.rows, row{
			Account:  a,
			label:    cmp.Or(m.text(a.Label, labelMax-2), m.text(a.Email, labelMax-2), m.text(a.ID, labelMax-2)),
			plan:     m.text(a.Plan, 12),
			hasUsage: p.HasUsage || !known || len(a.Windows) > 0,
		})
	}
	slices.SortStableFunc(m.rows, func(a, b row) int {
		return cmp.Or(
			cmp.Compare(strings.ToLower(name(a.Provider)), strings.ToLower(name(b.Provider))),
			cmp.Compare(a.Provider, b.Provider),
			cmp.Compare(a.Order, b.Order),
		)
	})
	shown := m.shownProviders()
	if m.only != "" && !slices.Contains(shown, m.only) {
		m.only = ""
	}
	m.items = m.items[:0]
	last, place, headed, words := "", 0, "", m.filter.words()
	for i := range m.rows {
		r := &m.rows[i]
		if r.Provider != last {
			last, place = r.Provider, 0
		}
		place++
		r.place = place
		if (m.only != "" && m.only != r.Provider) || !m.finds(words, r, name(last)) {
			continue
		}
		if m.only == "" && len(shown) > 1 && headed != last {
			headed = last
			m.items = append(m.items, item{row: -1, title: m.text(name(last), 40)})
		}
		m.items = append(m.items, item{row: i})
	}
	m.reselect()
	m.layout()
}

// shownProviders are the providers that have accounts, in the order of the table.
func (m *model) shownProviders() []string {
	var ids []string
	for i := range m.rows {
		if len(ids) == 0 || ids[len(ids)-1] != m.rows[i].Provider {
			ids = append(ids, m.rows[i].Provider)
		}
	}
	return ids
}

// providerName is a provider's name, safe to draw.
func (m *model) providerName(id string) string {
	return m.text(cmp.Or(m.provider(id).Name, id), 30)
}

// provider is what is known of a provider; of one that is not there, its id.
func (m *model) provider(id string) control.Provider {
	for _, p := range m.state.Providers {
		if p.ID == id {
			return p
		}
	}
	return control.Provider{ID: id}
}

// labelOf is the label of the account with that id, safe to draw.
func (m *model) labelOf(id string) string {
	for i := range m.rows {
		if m.rows[i].ID == id {
			return m.rows[i].label
		}
	}
	return m.text(id, 24)
}

// current is the selected row; nil when there is none.
func (m *model) current() *row {
	if m.cursor < 0 || m.cursor >= len(m.items) {
		return nil
	}
	return &m.rows[m.items[m.cursor].row]
}

// line draws the item at index i, exactly as wide as the screen.
func (m *model) line(i int) string {
	it := m.items[i]
	if it.row < 0 {
		return m.heading(it)
	}
	selected := i == m.cursor
	if c, ok := m.cache[i]; ok && c.selected == selected && m.now.Before(c.until) {
		m.hold(c.until.Sub(m.now))
		return c.line
	}
	before := m.holds
	m.holds = forever
	line := m.drawRow(&m.rows[it.row], selected)
	m.cache[i] = cachedRow{selected, m.now.Add(m.holds), line}
	m.hold(before)
	return line
}

func (m *model) heading(it item) string {
	title := " " + fit(it.title, min(m.width-2, ansi.StringWidth(it.title)))
	rest := max(0, m.width-ansi.StringWidth(title)-2)
	return m.th.accent.Render(title) + " " + m.th.track.Render(strings.Repeat(m.th.g.rule, rest)) + " "
}

func (m *model) drawRow(r *row, selected bool) string {
	k, c := m.rowInk(selected), &m.lay.columns
	mark := " "
	if selected {
		mark = k.g.cursor
	}
	sign, style := m.stateSign(k, r)
	label := k.text
	if selected {
		label = k.strong
	}
	var b strings.Builder
	b.WriteString(k.accent.Render(" " + mark))
	b.WriteString(style.Render(sign + " "))
	b.WriteString(m.drawLabel(k, r, label))
	if c.plan > 0 {
		b.WriteString(k.dim.Render(fit(r.plan, c.plan) + "  "))
	}
	if r.hasUsage {
		stale := m.stale(r)
		b.WriteString(m.cell(k, r, fiveHours, c.reset5, stale))
		b.WriteString(m.cell(k, r, sevenDays, c.reset7, stale))
	} else {
		room := c.cell(c.reset5) + c.cell(c.reset7) - 2
		b.WriteString(k.dim.Render(fit(m.dayWords(r, room), room) + "  "))
	}
	b.WriteString(m.drawState(k, r, style))
	return b.String()
}

// still reports whether nothing can be served at the moment, whatever state the
// accounts were in last: the vault is locked, or the engine is gone.
func (m *model) still() bool { return m.lost || m.locked() }

// rowInk is what a row, and the detail of it, is drawn with.
func (m *model) rowInk(selected bool) *ink {
	switch still := m.still(); {
	case still && selected:
		return &m.th.quietPicked
	case still:
		return &m.th.quiet
	case selected:
		return &m.th.picked
	}
	return &m.th.ink
}

// drawLabel draws the label, and the star of the preferred account behind it.
func (m *model) drawLabel(k *ink, r *row, style lipgloss.Style) string {
	width := m.lay.columns.label
	if !r.Preferred {
		return style.Render(fit(r.label, width) + fence(r.label) + " ")
	}
	label := ansi.Truncate(r.label, width-2, "…")
	return style.Render(label) + k.warn.Render(" "+k.g.star) +
		style.Render(strings.Repeat(" ", max(0, width-2-ansi.StringWidth(label))+1)+fence(label))
}

// cell draws a window: bar, percent and the time of its reset.
func (m *model) cell(k *ink, r *row, name string, reset int, stale bool) string {
	c := &m.lay.columns
	w := window(r.Account, name)
	if w == nil || w.Used == nil {
		return k.dim.Render(fit("no reading", c.cell(reset)))
	}
	left := ""
	stale = stale && !m.full(w)
	if w.ResetsAt != nil {
		text, holds := countdown(w.ResetsAt.Sub(m.now))
		m.hold(holds)
		left = text
		if !w.ResetsAt.After(m.now) {
			stale, left = true, "reset"
		}
	}
	s := k.bar(*w.Used, c.bar, stale) + m.drawShare(k, w, stale)
	if reset > 0 {
		s += k.dim.Render(" " + fitRight(left, reset))
	}
	return s + k.text.Render("  ")
}

// full reports whether w is full until it resets, however old the reading is.
func (m *model) full(w *control.Window) bool {
	return w.Used != nil && *w.Used >= 1 && w.ResetsAt != nil && w.ResetsAt.After(m.now)
}

// drawShare draws how much of w is used, in five cells, with a sign where it will
// be full before it resets: yellow, or red where that is soon.
func (m *model) drawShare(k *ink, w *control.Window, stale bool) string {
	style, share := k.share(*w.Used, stale), percent(*w.Used)
	full := m.fullEarly(w, stale)
	if full == nil || len(share) > 3 {
		return style.Render(fitRight(share, 5))
	}
	return k.text.Render(strings.Repeat(" ", 4-len(share))) + m.urgency(k, *full).Render(k.g.early) + style.Render(share)
}

// share is the style of a percentage: coloured where it should be noticed.
func (k *ink) share(used float64, stale bool) lipgloss.Style {
	if !stale && used < warnFrom {
		return k.text
	}
	return k.level(used, stale)
}

// window returns the account's own window of that name.
func window(a *control.Account, name string) *control.Window {
	for i := range a.Windows {
		if a.Windows[i].Name == name && a.Windows[i].Scope == "" {
			return &a.Windows[i]
		}
	}
	return nil
}

// stale reports whether the reading of r is older than twice the poll.
func (m *model) stale(r *row) bool {
	if r.UsageAt == nil || m.state.Poll <= 0 {
		return false
	}
	left := 2*m.state.Poll - m.now.Sub(*r.UsageAt)
	if left > 0 {
		m.hold(left)
		return false
	}
	return true
}

// dayWords says what went through r today, where there are no windows to show.
func (m *model) dayWords(r *row, room int) string {
	s := plural(r.Requests, "request")
	if r.Failovers > 0 {
		s += ", " + plural(r.Failovers, "failover")
	}
	if len(s)+len(" today") <= room {
		s += " today"
	}
	return s
}

// drawState draws the last column, to the edge of the screen.
func (m *model) drawState(k *ink, r *row, style lipgloss.Style) string {
	room := m.lay.columns.state
	word := ansi.Truncate(m.stateWord(r), room, "…")
	used := ansi.StringWidth(word)
	var out strings.Builder
	out.WriteString(style.Render(word))
	for _, extra := range m.extras(r) {
		if w := ansi.StringWidth(extra) + 3; used+w <= room {
			out.WriteString(k.dim.Render(" · " + extra))
			used += w
		}
	}
	out.WriteString(k.text.Render(strings.Repeat(" ", max(0, room-used)+1)))
	return out.String()
}
