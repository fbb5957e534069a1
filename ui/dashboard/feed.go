package dashboard

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

// feedLabel is the widest a label gets in the feed.
const feedLabel = 14

// drawFeed draws the newest lines, newest first, under a rule.
func (m *model) drawFeed() []string {
	note := ""
	if m.lay.detail == 0 {
		note = m.position()
	}
	lines := []string{m.rule("feed", note)}
	feed := m.state.Feed
	n := min(len(feed), m.lay.feed-1)
	width := 0
	for _, l := range feed[len(feed)-n:] {
		width = max(width, ansi.StringWidth(m.text(l.Label, feedLabel)))
	}
	spare := 0 // lines that a long text may go on in
	if room := m.lay.feed - 1; room > 3 {
		spare = room - min(n, 3)
	}
	for i := range n {
		drawn := m.drawLine(&feed[len(feed)-1-i], width, 1+min(1, spare))
		if len(lines)+len(drawn) > m.lay.feed {
			break
		}
		spare -= len(drawn) - 1
		lines = append(lines, drawn...)
	}
	if n == 0 {
		words := " nothing has happened yet"
		if began := m.state.Began; !began.IsZero() { // after a change of engines there was another one
			words = " nothing has happened since " + moment(began, m.now, m.zone) + ", when this engine started"
		}
		lines = append(lines, m.th.dim.Render(ansi.Truncate(words, m.width, "…")))
	}
	for len(lines) < m.lay.feed {
		lines = append(lines, "")
	}
	return lines
}

// drawLine draws l in as many lines as it needs, at most so many.
func (m *model) drawLine(l *control.Line, labelWidth, most int) []string {
	t := m.th
	s := t.dim.Render(l.At.In(m.zone).Format(" 15:04:05  "))
	if labelWidth > 0 {
		label := m.text(l.Label, feedLabel)
		s += t.kind(l.Kind).Render(fit(label, labelWidth)) + fence(label) + " "
	}
	indent := ansi.StringWidth(s)
	lines := m.fold(m.text(l.Text, maxBytes), m.width-1-indent, most)
	lines[0] = s + t.text.Render(lines[0])
	for i := range lines[1:] {
		lines[1+i] = strings.Repeat(" ", indent) + t.text.Render(lines[1+i])
	}
	return lines
}

// fold breaks s, which is safe to draw, into at most so many lines of that
// width. Where they are too few, the middle goes: the end says what became of a request.
func (m *model) fold(s string, width, most int) []string {
	width = max(width, 1)
	if lines := breakLines(s, width); len(lines) <= most {
		return lines
	}
	if most > 1 {
		lines := breakLines(elide(s, most*width-width/4), width)
		return lines[:min(len(lines), most)]
	}
	return []string{elide(s, width)}
}

// elide takes as much out of the middle of s as makes it fit, whole words where
// they are not too long.
func elide(s string, width int) string {
	if ansi.StringWidth(s) <= width {
		return s
	}
	const word = 10
	head := ansi.Truncate(s, width/3, "")
	if i := strings.LastIndexByte(head, ' '); i > len(head)-word && i > 0 {
		head = head[:i+1]
	}
	over := ansi.StringWidth(s) - (width - 1 - ansi.StringWidth(head))
	tail := ansi.TruncateLeft(s, over, "")
	if i := strings.IndexByte(tail, ' '); i >= 0 && i < word {
		tail = tail[i:]
	}
	return head + "…" + tail
}

// kind is the style of a label in the feed: what happened to it.
func (t *theme) kind(kind string) lipgloss.Style {
	switch kindTone(kind) {
	case toneGood:
		return t.ok
	case toneWarn:
		return t.warn
	case toneBad:
		return t.bad
	default:
		return t.info
	}
}

// kindExhausted is what a line is when nobody can serve.
const kindExhausted = "exhausted"

// kindTone is how a line of the feed is meant. The words are those of
// accounts.EntryKind, which travel over the control socket.
func kindTone(kind string) tone {
	switch kind {
	case "back", "login":
		return toneGood
	case "failover", "cooling", "pings", "login_ends":
		return toneWarn
	case "login_needed", "needs_you", "renew_failed", kindExhausted:
		return toneBad
	default:
		return toneInfo
	}
}

// news looks at the lines that came since the last state: the newest one worth a
// toast becomes one, and the bell rings once when everybody is out.
func (m *model) news(first bool) tea.Cmd {
	bell := false
	for i := range m.state.Feed {
		l := &m.state.Feed[i]
		if l.Seq <= m.seen || first {
			continue
		}
		bell = bell || l.Bell
		if l.Toast && (l.Kind != kindExhausted || !m.everybodyOut()) { // then a line above the table says it
			m.say(kindTone(l.Kind), strings.TrimSpace(l.Label+" "+fence(l.Label)+l.Text))
		}
	}
	m.seen = 0 // an engine that was started anew counts from the beginning
	for i := range m.state.Feed {
		m.seen = max(m.seen, m.state.Feed[i].Seq)
	}
	out := len(m.rows) > 0 && !m.locked() && m.everybodyOut()
	m.tell(out)
	if !first {
		bell = bell || out
	}
	ring := bell && !m.rung
	m.rung = out || (m.rung && bell)
	if ring {
		m.rung = true
		if m.o.Bell {
			return m.send("\a")
		}
	}
	return nil
}

// everybodyOut reports whether no account at all can serve.
func (m *model) everybodyOut() bool {
	o := m.outages()
	return len(o) == 1 && o[0].all
}
