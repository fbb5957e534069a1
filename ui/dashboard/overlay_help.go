package dashboard

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/control"
)

// helpOverlay shows every key, and what the signs mean.
type helpOverlay struct{ scroller }

func (h *helpOverlay) update(msg tea.Msg) tea.Cmd {
	if k, ok := msg.(tea.KeyMsg); ok {
		if matches(k, keys.Help) {
			h.m.close()
			return nil
		}
		h.key(k)
	}
	return nil
}

func (h *helpOverlay) view(width, height int) panel {
	m := h.m
	var lines []string
	for i, g := range helpGroups {
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, m.th.strong.Render(g.title))
		for _, k := range g.bindings {
			does := ansi.Truncate(k.Help().Desc, width-15, "…")
			lines = append(lines, m.th.accent.Render(fit("  "+m.keyName(k), 15))+m.th.text.Render(does))
		}
	}
	lines = append(lines, "", m.th.strong.Render("Signs"))
	var signs []string
	for _, s := range []string{
		control.StateServing, control.StateReady, control.StateCooling, control.StatePaused,
		control.StateRenewing, control.StateLoginNeeded, control.StateNeedsYou,
	} {
		sign, style := m.th.sign(s)
		signs = append(signs, style.Render(sign)+" "+m.th.text.Render(stateWords(s)))
	}
	signs = append(signs,
		m.th.warn.Render(m.th.g.star)+" "+m.th.text.Render("preferred"),
		m.th.warn.Render(m.th.g.early)+" "+m.th.text.Render("full before it resets, at this pace"),
	)
	for l := range strings.SplitSeq(ansi.Wrap("  "+strings.Join(signs, "   "), width, ""), "\n") {
		lines = append(lines, "  "+strings.TrimLeft(l, " "))
	}
	title := m.brand
	if v := m.text(m.o.Version, 30); v != "" {
		title += " " + v
	}
	return panel{title: title, lines: h.window(lines, height)}
}
