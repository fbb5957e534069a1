package dashboard

import (
	"slices"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"

	"github.com/oauthmux/oauthmux/ui/control"
)

// logPace is how often the log is read again while it is on the screen.
const logPace = 2 * time.Second

// logOverlay shows the end of the log file over the whole screen, and follows it
// while its last line is in sight.
type logOverlay struct {
	scroller
	records       []control.LogLine
	drawn         []string // records, as they were drawn for that width and theme
	width         int
	th            *theme
	have, asking  bool
	next          time.Time // when it is read again
	problem, hint string
}

func (m *model) openLog() tea.Cmd {
	o := &logOverlay{scroller: scroller{m: m}}
	m.overlay = o
	return o.ask()
}

func (o *logOverlay) ask() tea.Cmd {
	o.asking = true
	return o.m.jobs.do(o.m.o.Engine, o, control.Request{Action: control.ActionLog})
}

func (o *logOverlay) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case replyMsg:
		o.asking, o.next = false, o.m.wall.Add(logPace)
		o.problem, o.hint = o.m.errorWords(msg.err)
		if msg.err == nil {
			if !o.have || !o.more() {
				o.top = len(msg.reply.Log) * 4 // the end: it is bounded when it is drawn
			}
			o.have, o.records, o.drawn = true, msg.reply.Log, nil
		}
	case stateMsg:
		if !o.asking && !o.m.wall.Before(o.next) {
			return o.ask() // something happened
		}
	case tea.KeyMsg:
		if matches(msg, keys.Log) {
			o.m.close()
			return nil
		}
		o.key(msg)
	}
	return nil
}

func (o *logOverlay) view(_, height int) panel {
	m, t := o.m, o.m.th
	p := panel{title: "Log", sheet: true}
	width := m.width - 2
	if o.drawn == nil || o.width != width || o.th != t {
		o.drawn, o.width, o.th = nil, width, t
		for i := range o.records {
			o.drawn = append(o.drawn, o.draw(&o.records[i], width)...)
		}
	}
	lines := slices.Clip(o.drawn)
	switch {
	case o.problem != "":
		lines = append(lines, m.problemLines(o.problem, o.hint, width)...)
	case !o.have:
		lines = append(lines, m.spinner()+t.dim.Render(" reading the log"))
	case len(lines) == 0:
		lines = append(lines, t.dim.Render("Nothing is logged yet."))
	}
	for _, l := range pad(o.window(lines, height), height) {
		p.lines = append(p.lines, " "+l)
	}
	return p
}

// draw draws one record.
func (o *logOverlay) draw(l *control.LogLine, width int) []string {
	m, t := o.m, o.m.th
	styles := map[string]lipgloss.Style{"WARN": t.warn, "ERROR": t.bad, "DEBUG": t.dim}
	style, special := styles[l.Level]
	if !special {
		style = t.text
	}
	head := t.dim.Render(l.At.In(m.zone).Format("01-02 15:04:05  "))
	return m.hang(head, m.text(l.Text, maxBytes), width, style)
}
