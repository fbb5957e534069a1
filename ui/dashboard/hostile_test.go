package dashboard

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/charmbracelet/lipgloss"

	"github.com/oauthmux/oauthmux/ui/control"
)

// These tests draw without colours: there is nothing of ours in a frame then, and
// every escape is theirs.

// checkHostile wants a frame that holds text alone, and fits.
func checkHostile(t fataler, frame string, width, height int) {
	t.Helper()
	checkFrame(t, frame, width, height)
	checkControls(t, frame)
	for l := range strings.SplitSeq(frame, "\n") {
		if w := lipgloss.Width(l); w > width {
			t.Fatalf("a line of %d on a screen of %d: %q", w, width, l)
		}
	}
	// What is left of it after our links, which checkControls knows, is plain.
	if i := strings.IndexByte(strings.ReplaceAll(frame, "\x1b]8;", ""), '\x1b'); i >= 0 && !strings.Contains(frame, "\x1b]8;id=sign-in;") {
		t.Fatalf("an escape is in a frame without colours: %q", frame[max(0, i-20):min(len(frame), i+20)])
	}
}

var clipboard = regexp.MustCompile(`\x1b\]52;c;([A-Za-z0-9+/=]*)\x07`)

// checkSent wants nothing to have been written beside the frames but the bell, and
// text for the clipboard that is safe to paste into a shell.
func checkSent(t *testing.T, sent string) {
	t.Helper()
	if rest := strings.ReplaceAll(clipboard.ReplaceAllString(sent, ""), "\a", ""); rest != "" {
		t.Errorf("beside the frames %q was written", rest)
	}
	for _, found := range clipboard.FindAllStringSubmatch(sent, -1) {
		text, err := base64.StdEncoding.DecodeString(found[1])
		if err != nil {
			t.Errorf("%q is on the clipboard: %v", found[1], err)
		}
		if n, most := strings.Count(string(text), "\n"), len(connection().Lines); n > most {
			t.Errorf("%d lines are on the clipboard: %q", n, text)
		}
		for _, r := range string(text) {
			if r != '\n' && (unicode.Is(unicode.C, r) || invisible(r)) {
				t.Errorf("%U is on the clipboard: %q", r, text)
			}
		}
	}
}

// hostile makes every text that e says one of next's, also in its answers. What the
// screen decides by keeps its meaning.
func (e *fakeEngine) hostile(next func() string) {
	e.state = poisoned(e.state, next)
	e.taint = func(s control.State) control.State { return poisoned(s, next) }
	answer := e.answer
	e.answer = func(r control.Request) (control.Reply, error) {
		var reply control.Reply
		var err error
		if answer != nil {
			reply, err = answer(r)
		}
		if e, ok := err.(*control.Error); ok { //nolint:errorlint // made by the test, and not wrapped
			return reply, &control.Error{Code: e.Code, Message: next(), Hint: next()}
		}
		kept := reply
		if reply.Flow != nil {
			reply.Flow = new(*reply.Flow)
		}
		if reply.Client != nil {
			reply.Client = connection()
		}
		reply.Browsers = append([]control.Browser(nil), reply.Browsers...)
		reply.Decisions, reply.Log = nil, nil
		if kept.Decisions != nil {
			reply.Decisions = decisions()
		}
		if kept.Log != nil {
			reply.Log = records()
		}
		poison(reflect.ValueOf(&reply).Elem(), next)
		if f := reply.Flow; f != nil {
			f.ID, f.How, f.For, f.State, f.Account = kept.Flow.ID, kept.Flow.How, kept.Flow.For, kept.Flow.State, kept.Flow.Account
		}
		for i := range reply.Browsers {
			reply.Browsers[i].Account, reply.Browsers[i].State = kept.Browsers[i].Account, kept.Browsers[i].State
		}
		return reply, err
	}
}

// Every scene there is, at every size, with hostile words in every text: as many
// of them go over the screen in each as there are.
func TestNoSceneShowsAHostileWordAsMoreThanText(t *testing.T) {
	all := payloads()
	for i, sc := range allScenes() {
		for j, size := range sizes {
			if raced && i%len(sizes) != j { // it takes ten times as long, and finds nothing more
				continue
			}
			t.Run(fmt.Sprintf("%s_%dx%d", sc.name, size.width, size.height), func(t *testing.T) {
				used := 0
				after := rotating(all, 31*i+57*j)
				next := func() string { used++; return after() }
				played := sc
				played.engine = func(e *fakeEngine) {
					if sc.engine != nil {
						sc.engine(e)
					}
					if !e.state.Now.IsZero() {
						e.hostile(next)
					}
				}
				played.stage(t, size.width, size.height, plainTheme(), func(s *screen) {
					checkHostile(s.t, s.m.View(), size.width, size.height)
					for used < len(all) && !sc.state.Now.IsZero() {
						s.show(sc.state)
						checkHostile(s.t, s.m.View(), size.width, size.height)
					}
					s.press("y") // what copies does so, what asks is answered
					checkHostile(s.t, s.m.View(), size.width, size.height)
					checkSent(s.t, s.sent.String())
				})
			})
		}
	}
}

// Each of the 200 is the label of an account, and every other word of it: in the
// table, in the detail, and in what is asked about it.
func TestTwoHundredHostileLabels(t *testing.T) {
	all := payloads()
	if len(all) < 200 {
		t.Fatalf("%d payloads", len(all))
	}
	st := crowd(len(all))
	base := richState().Accounts
	for i, p := range all {
		id := st.Accounts[i].ID
		a := &st.Accounts[i]
		*a = base[i%len(base)]
		a.Windows = append([]control.Window(nil), a.Windows...)
		a.Cooldowns = append([]control.Cooldown(nil), a.Cooldowns...)
		state := a.State
		poison(reflect.ValueOf(a).Elem(), func() string { return p })
		a.ID, a.Provider, a.State, a.Order = id, "anthropic", state, i+1
	}
	for _, size := range sizes {
		if raced && size != sizes[0] {
			continue
		}
		t.Run(fmt.Sprintf("%dx%d", size.width, size.height), func(t *testing.T) {
			onScreen(t, size.width, size.height, st, func(s *screen) {
				asks := strings.Fields("e d w b c")
				for i := range all {
					if got := s.m.current(); got == nil || got.ID != st.Accounts[i].ID {
						s.t.Fatalf("account %d is not selected, but %+v", i, got)
					}
					for _, k := range []string{"", asks[i%len(asks)], "esc"} {
						if k != "" {
							s.press(k)
						}
						checkHostile(s.t, s.m.View(), size.width, size.height)
					}
					s.press("down")
				}
				checkSent(s.t, s.sent.String())
			})
		})
	}
}
