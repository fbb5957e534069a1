package dashboard

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

// toastTime is how long a toast stays where the engine does not say.
const toastTime = 8 * time.Second

// shyness is how long an action may take before the screen mentions it: most are
// done sooner, and a line that flashes helps nobody.
const shyness = 250 * time.Millisecond

// toast is the line above the footer that says what just happened. The newest wins.
type toast struct {
	tone tone
	text string // safe to draw
	ends time.Time
}

// pending is an action that the engine has not answered yet.
type pending struct {
	request control.Request
	words   string
	since   time.Time
}

// say shows a toast. Its time is the screen's own: the engine's may run fast.
func (m *model) say(n tone, text string) {
	d := m.state.Toast
	if d <= 0 {
		d = toastTime
	}
	m.toast = toast{tone: n, text: m.text(text, 400), ends: m.wall.Add(d)}
	m.dirty = true
}

func (m *model) expireToast() {
	if !m.toast.ends.IsZero() && !m.wall.Before(m.toast.ends) {
		m.toast = toast{}
	}
}

// drawToast draws what just happened, or what still takes its time, in at most
// so many lines.
func (m *model) drawToast(most int) []string {
	if !m.toast.ends.IsZero() {
		m.hold(m.toast.ends.Sub(m.wall))
	}
	for _, p := range m.pending {
		if left := shyness - m.wall.Sub(p.since); left > 0 {
			m.hold(left)
			continue
		}
		return []string{" " + m.spinner() + m.th.dim.Render(" "+ansi.Truncate(p.words, m.width-5, "…"))}
	}
	if m.toast.text == "" {
		return []string{""}
	}
	sign := map[tone]string{
		toneInfo: m.th.g.active, toneGood: m.th.g.tick, toneWarn: m.th.g.cooling, toneBad: m.th.g.needsYou,
	}[m.toast.tone]
	lines := m.fold(m.toast.text, m.width-5, most)
	for i := range lines {
		lines[i] = m.th.tone(m.toast.tone).Render(" " + sign + " " + lines[i])
		sign = strings.Repeat(" ", ansi.StringWidth(sign))
	}
	return lines
}

// begin notes that an action is under way.
func (m *model) begin(r control.Request, words string) {
	m.pending = append(m.pending, pending{r, words, m.wall})
}

// finish forgets an action that was answered.
func (m *model) finish(r control.Request) {
	i := slices.IndexFunc(m.pending, func(p pending) bool { return p.request == r })
	if i >= 0 {
		m.pending = slices.Delete(m.pending, i, i+1)
	}
}

// errorWords are what an error tells a person: what happened, and what to do.
func (m *model) errorWords(err error) (message, hint string) {
	if err == nil {
		return "", ""
	}
	if e, ok := errors.AsType[*control.Error](err); ok {
		return m.text(e.Message, 400), m.text(e.Hint, 400)
	}
	return m.text(err.Error(), 400), ""
}

// sayError shows an error as a toast.
func (m *model) sayError(err error) {
	message, hint := m.errorWords(err)
	if hint != "" {
		message += " (" + hint + ")"
	}
	m.say(toneBad, message)
}
