package dashboard

import (
	"time"

	tea "github.com/charmbracelet/bubbletea"
)

// doubleClick is how far apart two clicks of one may lie.
const doubleClick = 400 * time.Millisecond

// pointer is what the mouse did last.
type pointer struct {
	on      bool // the terminal reports it
	account string
	at      time.Time
}

// click takes the mouse: a click selects, a second one prefers, and the wheel moves
// the selection or scrolls what lies over the table.
func (m *model) click(e tea.MouseEvent) tea.Cmd {
	if m.parting != staying || m.tooSmall() || e.Action != tea.MouseActionPress {
		return nil
	}
	switch e.Button {
	case tea.MouseButtonWheelUp:
		return m.wheel(tea.KeyUp)
	case tea.MouseButtonWheelDown:
		return m.wheel(tea.KeyDown)
	case tea.MouseButtonLeft:
		if m.overlay == nil {
			return m.pick(e.Y)
		}
	default: // the other buttons are nobody's
	}
	return nil
}

func (m *model) wheel(k tea.KeyType) tea.Cmd {
	msg := tea.KeyMsg{Type: k}
	if m.overlay != nil {
		return m.overlay.update(msg)
	}
	m.moveKey(msg)
	return nil
}

// pick selects the account in line y of the screen. The second time in a row it is
// preferred.
func (m *model) pick(y int) tea.Cmd {
	line := y - m.lay.first
	i := m.top + line
	if !m.have || line < 0 || line >= m.lay.table || i >= len(m.items) || m.items[i].row < 0 {
		m.mouse.account = ""
		return nil
	}
	m.sel(i)
	again := m.mouse.account == m.selected && m.wall.Sub(m.mouse.at) < doubleClick
	m.mouse.account, m.mouse.at = m.selected, m.wall
	if !again {
		return nil
	}
	m.mouse.account = ""
	return m.tableKey(tea.KeyMsg{Type: tea.KeyEnter})
}

// listen has the terminal report the mouse, but not while something is on the
// screen that is there to be selected with it and copied.
func (m *model) listen() tea.Cmd {
	if on := m.o.Mouse && !m.sheet; on != m.mouse.on {
		m.mouse.on = on
		if on {
			return tea.EnableMouseCellMotion
		}
		return tea.DisableMouse
	}
	return nil
}
