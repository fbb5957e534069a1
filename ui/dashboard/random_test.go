package dashboard

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"pgregory.net/rapid"

	"github.com/oauthmux/oauthmux/ui/control"
)

// choices is where a random walk takes its decisions from.
type choices interface {
	below(n int, what string) int // one of 0 to n-1
	text() string
}

// wanderer is a screen to which anything at all happens, in whatever order. Its
// commands are not run: what they would bring comes as one more thing that happens.
type wanderer struct {
	m             *model
	engine        *fakeEngine
	now           time.Time
	width, height int
}

func newWanderer(tb testing.TB, theme int) *wanderer {
	tb.Helper()
	w := &wanderer{engine: loginEngine(control.State{}), now: fixedNow, width: 80, height: 24}
	jobs := newJobs(deadContext())
	tb.Cleanup(jobs.end)
	w.m = newModel(Options{Engine: w.engine, Env: func(string) string { return "" }}, jobs, themes[theme])
	w.m.clock = func() time.Time { return w.now }
	w.m.zone, w.m.pid = time.UTC, ourPID
	w.m.setSize(w.width, w.height)
	w.m.Init()
	return w
}

// step lets one thing happen, and checks the frame that comes of it: as many
// lines as the screen has, none wider than it, and no control character.
func (w *wanderer) step(t fataler, c choices) {
	t.Helper()
	w.m.Update(w.next(c))
	w.m.parting = staying
	checkFrame(t, w.m.View(), w.width, w.height)
	checkControls(t, w.m.View())
}

func (w *wanderer) next(c choices) tea.Msg {
	switch c.below(11, "what") {
	case 0:
		w.width, w.height = 1+c.below(200, "width"), 1+c.below(60, "height")
		return resizedMsg{Width: w.width, Height: w.height}
	case 1:
		st := wandererStates[c.below(len(wandererStates), "state")]
		st.Now = w.now
		return stateMsg{st}
	case 2:
		w.now = w.now.Add(time.Duration(c.below(int(3*hour/time.Millisecond), "passes")) * time.Millisecond)
		return tickMsg{w.m.alarm}
	case 3:
		return w.reply(c)
	case 4:
		return tea.KeyMsg{Type: tea.KeyRunes, Paste: true, Runes: []rune(c.text())}
	case 5:
		buttons := []tea.MouseButton{tea.MouseButtonLeft, tea.MouseButtonRight, tea.MouseButtonWheelUp, tea.MouseButtonWheelDown}
		return tea.MouseMsg{
			X: c.below(202, "x") - 1, Y: c.below(62, "y") - 1, Action: tea.MouseActionPress, Button: buttons[c.below(len(buttons), "button")],
		}
	case 7:
		return resumedMsg{[]error{nil, errNotStopped}[c.below(2, "stays")]}
	}
	return wandererKeys[c.below(len(wandererKeys), "key")]
}

// reply is an answer to a question that may have been asked.
func (w *wanderer) reply(c choices) tea.Msg {
	r := control.Request{Action: wandererActions[c.below(len(wandererActions), "answer")]}
	reply, err := w.engine.answer(r)
	if strings.HasPrefix(r.Action, "browser_") {
		r.Account = []string{"a1", "a3", "a4"}[c.below(3, "account")]
		reply, err = browserEngine(control.State{}).answer(r)
	}
	if c.below(4, "fails") == 0 {
		reply, err = control.Reply{}, elsewhere
	}
	if r.Action == control.ActionWhy {
		reply.Decisions = decisions()
		reply.Log = records()
	}
	return replyMsg{to: w.m.overlay, request: r, reply: reply, err: err}
}

var (
	// Every key that is bound to something, and some that only a text takes.
	wandererKeys = func() []tea.KeyMsg {
		names := []string{"1", "left", "right", "backspace", "ctrl+u", "ctrl+w", "ctrl+k", "家", "alt+x"}
		for _, binding := range reflect.ValueOf(keys).Fields() {
			names = append(names, binding.Interface().(key.Binding).Keys()...)
		}
		slices.Sort(names)
		var all []tea.KeyMsg
		for _, name := range slices.Compact(names) {
			all = append(all, keyMsg(name))
		}
		return all
	}()
	wandererStates = []control.State{
		busy(), several(), exhausted(), empty(), crowd(60), lockedState(), richState(), poisoned(richState(), rotating(payloads(), 0)), withBrowsers(),
		withFlow(withBrowsers(), windowFlow("a1")), withFlow(withBrowsers(), headlessFlow("a4")),
	}
	wandererActions = []string{
		control.ActionWhy, control.ActionLog, control.ActionClient, control.ActionLoginStart, control.ActionLoginCode, control.ActionTerms, control.ActionRename, control.ActionUnlock,
		control.ActionBrowserStatus, control.ActionBrowserSetup, control.ActionBrowserLogin, control.ActionBrowserRemove, control.ActionLoginWait,
	}
)

// drawn are choices that rapid makes, and makes simpler when one of them fails.
type drawn struct{ t *rapid.T }

func (d drawn) below(n int, what string) int { return rapid.IntRange(0, n-1).Draw(d.t, what) }
func (d drawn) text() string                 { return rapid.String().Draw(d.t, "paste") }

// Whatever is pressed, pasted, resized, said and answered, in whatever order: no
// panic, and every frame fits.
func TestRandomKeysAndSizes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := drawn{rt}
		w := newWanderer(t, c.below(len(themes), "theme"))
		for range 1 + c.below(60, "steps") {
			w.step(rt, c)
		}
	})
}

// rolled are choices of a die.
type rolled struct{ *rand.Rand }

func (r rolled) below(n int, _ string) int { return r.IntN(n) }

func (r rolled) text() string {
	all := payloads()
	return all[r.IntN(len(all))]
}

// One screen lives through 10,000 of them, so that what was left behind by one
// overlay meets the next.
func TestTenThousandKeysAndSizes(t *testing.T) {
	c := rolled{rand.New(rand.NewPCG(20, 26))}
	for theme := range themes {
		w := newWanderer(t, theme)
		steps := 10_000
		if raced { // it takes ten times as long, and finds nothing more
			steps /= 10
		}
		for range steps / len(themes) {
			w.step(t, c)
		}
	}
}

// written are choices that stand in bytes, the ones that the fuzzer changes. A
// number takes as many of them as its range needs.
type written struct{ left []byte }

func (w *written) below(n int, _ string) int {
	x := 0
	for most := n - 1; most > 0; most >>= 8 {
		x = x<<8 | int(w.byte())
	}
	return x % n
}

func (w *written) byte() byte {
	if len(w.left) == 0 {
		return 0
	}
	b := w.left[0]
	w.left = w.left[1:]
	return b
}

func (w *written) text() string {
	n := min(int(w.byte()), len(w.left))
	s := string(w.left[:n])
	w.left = w.left[n:]
	return s
}

func FuzzKeysAndSizes(f *testing.F) {
	for _, seed := range wandererSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const longest = 1 << 10 // more steps find no more, and take longer
		c := &written{b[:min(len(b), longest)]}
		w := newWanderer(t, c.below(len(themes), "theme"))
		for len(c.left) > 0 {
			w.step(t, c)
		}
	})
}

// wandererSeeds are walks through each question, in the bytes of written: with a
// state, over a size where it hardly fits, and with a hostile paste at the end.
func wandererSeeds() [][]byte {
	state := func(n int) []byte { return []byte{1, byte(n)} }
	size := func(width, height int) []byte { return []byte{0, byte(width - 1), byte(height - 1)} }
	press := func(names ...string) (b []byte) {
		for _, name := range names {
			b = append(b, 6, byte(slices.IndexFunc(wandererKeys, func(k tea.KeyMsg) bool { return k.String() == name })))
		}
		return b
	}
	reply := func(action string, more ...byte) []byte {
		return append([]byte{3, byte(slices.Index(wandererActions, action))}, more...)
	}
	paste := func(s string) []byte { return append([]byte{4, byte(len(s))}, s...) }
	const fine = 1 // the answer is no error
	tail := slices.Concat(size(60, 15), size(59, 14), size(160, 45), paste("\x1b]52;c;b3duZWQ=\a\u202e\u009b2J"), press("enter", "esc", "esc"))
	var seeds [][]byte
	for i, walk := range [][]byte{
		slices.Concat(state(1), press("tab", "tab", "J", "K", "p", "enter", "?", "G", "esc")),
		slices.Concat(state(3), press("a", "enter"), reply(control.ActionTerms, fine), press("down", "enter"), reply(control.ActionLoginStart, fine), paste("code"), press("enter")),
		slices.Concat(state(0), press("a", "enter"), reply(control.ActionLoginStart, fine), press("y", "o")),
		slices.Concat(state(0), press("e", "ctrl+u", "家", "enter"), reply(control.ActionRename, 0)),
		slices.Concat(state(0), press("d", "v", "y", "ctrl+c", "n")),
		slices.Concat(state(4), press("/", "1", "enter", "G", "pgup", "esc")),
		slices.Concat(state(6), press("w"), reply(control.ActionWhy, fine), press("G", "k")),
		slices.Concat(state(7), press("l"), reply(control.ActionLog, fine), press("down")),
		slices.Concat(state(2), press("c"), reply(control.ActionClient, fine), press("v")),
		slices.Concat(state(5), press("esc", "U"), paste("secret"), press("enter"), reply(control.ActionUnlock, 0)),
		slices.Concat(state(8), press("G", "b"), reply(control.ActionBrowserStatus, 2, fine), press("s"), reply(control.ActionBrowserSetup, 2, fine)),
		slices.Concat(state(9), press("b"), reply(control.ActionBrowserStatus, 0, 0), press("x", "y")),
		slices.Concat(state(0), press("s", "j", "enter", "q", "y")),
	} {
		seeds = append(seeds, slices.Concat([]byte{byte(i % len(themes))}, walk, tail))
	}
	return seeds
}
