package dashboard

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

const (
	talksMost   = 3  // lines of the detail for conversations, on a tall screen
	talksTall   = 40 // from this height on
	talksFew    = 2  // on a lower one, from gapHeight on
	sessionName = 8  // enough of a name to tell it from the others
	talksLabel  = 20 // "9999 conversations"
)

// talkLines is how many lines the detail has for conversations: only such as
// nothing else wants, and the same for every account.
func (m *model) talkLines(spare int) int {
	most := talksFew
	switch {
	case m.height < gapHeight, len(m.state.Sessions) == 0:
		return 0
	case m.height >= talksTall:
		most = talksMost
	}
	return max(0, min(most, spare))
}

// conversations counts those that stay with an account.
func (m *model) conversations(account string) int {
	n := 0
	for i := range m.state.Sessions {
		if m.state.Sessions[i].Account == account {
			n++
		}
	}
	return n
}

// drawConversations lists those that stay with the account, as many as there is
// room for, the one used last first, as the engine tells them.
func (m *model) drawConversations(r *row, lines int) []string {
	n := m.conversations(r.ID)
	if n == 0 || lines == 0 {
		return nil
	}
	k := m.rowInk(false)
	const gap = "   "
	start := max(m.lay.windows.start, 3+talksLabel)
	room := m.width - 1 - start
	var all, names []string
	most := lines * max(1, room/len("a since 12:00, 1 request"))
	longest, widest := 0, 0
	for i := range m.state.Sessions {
		if s := &m.state.Sessions[i]; s.Account == r.ID && len(all) < most {
			names = append(names, ansi.Truncate(m.text(s.Session, 4*sessionName), sessionName, ""))
			all = append(all, m.conversation(s))
			longest = max(longest, ansi.StringWidth(names[len(names)-1]))
		}
	}
	for i := range all {
		all[i] = fit(names[i], longest) + all[i]
		widest = max(widest, ansi.StringWidth(all[i]))
	}
	across := max(1, (room+len(gap))/(widest+len(gap)))
	if n > across*lines {
		all = all[:min(len(all), across*lines-1)]
	}
	if rest := n - len(all); rest > 0 {
		all = append(all, "and "+counted(rest, "other"))
	}
	var out []string
	label := k.text.Render("   " + fit(counted(n, "conversation"), start-3))
	for i := 0; i < len(all); i += across {
		line := all[i:min(i+across, len(all))]
		for j := range line {
			line[j] = fit(line[j], min(widest, room))
		}
		out = append(out, label+k.dim.Render(strings.TrimRight(strings.Join(line, gap), " ")))
		label = strings.Repeat(" ", start)
	}
	return out
}

// conversation says of one of them since when it is here, and what it took.
func (m *model) conversation(s *control.Session) string {
	return " since " + moment(s.Since, m.now, m.zone) + ", " + counted(s.Requests, "request")
}
