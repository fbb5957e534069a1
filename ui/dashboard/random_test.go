package dashboard

import (
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"pgregory.net/rapid"

	"github.com/oauthmux/oauthmux/ui/control"
)

// Whatever is pressed, pasted, resized, said and answered, in whatever order: no
// panic, as many lines as the screen has, and none wider than it.
func TestRandomKeysAndSizes(t *testing.T) {
	names := []string{
		"up", "down", "k", "j", "g", "G", "pgup", "pgdown", "home", "end", "enter", " ", "a", "e", "K", "J", "p", "d", "r", "u", "w", "c",
		"U", "b", "s", "t", "tab", "shift+tab", "?", "/", "1", "l", "esc", "q", "y", "n", "v", "o", "left", "right", "backspace", "delete", "ctrl+u", "ctrl+w", "ctrl+k", "x", "家", "ctrl+c", "alt+x",
	}
	states := []control.State{
		busy(), several(), exhausted(), empty(), crowd(60), lockedState(), richState(), poisoned(richState(), rotating(payloads(), 0)), withBrowsers(),
		withFlow(withBrowsers(), windowFlow("a1")), withFlow(withBrowsers(), headlessFlow("a4")),
	}
	rapid.Check(t, func(t *rapid.T) {
		engine := loginEngine(control.State{})
		jobs := newJobs(deadContext())
		defer jobs.end()
		now := fixedNow
		m := newModel(Options{Engine: engine, Env: func(string) string { return "" }}, jobs, themes[rapid.IntRange(0, len(themes)-1).Draw(t, "theme")])
		m.clock = func() time.Time { return now }
		m.zone, m.pid = time.UTC, ourPID
		width, height := 80, 24
		m.setSize(width, height)
		m.Init()
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			var msg tea.Msg
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				width, height = rapid.IntRange(1, 200).Draw(t, "width"), rapid.IntRange(1, 60).Draw(t, "height")
				msg = tea.WindowSizeMsg{Width: width, Height: height}
			case 1:
				st := rapid.SampledFrom(states).Draw(t, "state")
				st.Now = now
				msg = stateMsg{st}
			case 2:
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*hour)).Draw(t, "passes")))
				msg = tickMsg{m.alarm}
			case 3:
				r := control.Request{Action: rapid.SampledFrom([]string{
					control.ActionWhy, control.ActionLog, control.ActionClient, control.ActionLoginStart, control.ActionLoginCode, control.ActionTerms, control.ActionRename, control.ActionUnlock,
					control.ActionBrowserStatus, control.ActionBrowserSetup, control.ActionBrowserLogin, control.ActionBrowserRemove, control.ActionLoginWait,
				}).Draw(t, "answer")}
				reply, err := engine.answer(r)
				if strings.HasPrefix(r.Action, "browser_") {
					r.Account = rapid.SampledFrom([]string{"a1", "a3", "a4"}).Draw(t, "account")
					reply, err = browserEngine(control.State{}).answer(r)
				}
				if rapid.IntRange(0, 3).Draw(t, "fails") == 0 {
					reply, err = control.Reply{}, elsewhere
				}
				if r.Action == control.ActionWhy {
					reply.Decisions = decisions()
					reply.Log = records()
				}
				msg = replyMsg{to: m.overlay, request: r, reply: reply, err: err}
			case 5:
				msg = tea.MouseMsg{
					X: rapid.IntRange(-1, 200).Draw(t, "x"), Y: rapid.IntRange(-1, 60).Draw(t, "y"), Action: tea.MouseActionPress,
					Button: rapid.SampledFrom([]tea.MouseButton{tea.MouseButtonLeft, tea.MouseButtonRight, tea.MouseButtonWheelUp, tea.MouseButtonWheelDown}).Draw(t, "button"),
				}
			case 4:
				msg = tea.KeyMsg{Type: tea.KeyRunes, Paste: true, Runes: []rune(rapid.String().Draw(t, "paste"))}
			default:
				msg = keyMsg(rapid.SampledFrom(names).Draw(t, "key"))
			}
			m.Update(msg)
			m.quitting = false
			checkFrame(t, m.View(), width, height)
		}
	})
}
