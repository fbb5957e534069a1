package dashboard

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"github.com/oauthmux/oauthmux/ui/control"
)

func TestClean(t *testing.T) {
	for _, tt := range []struct {
		in    string
		width int
		want  string
	}{
		{"work", 10, "work"},
		{"a rather long label", 10, "a rather …"},
		{"two\nlines\tand\ttabs\r", 40, "two lines and tabs "},
		{"\x1b[31mred\x1b[0m", 40, "[31mred[0m"},
		{"\x1b]0;title\a", 40, "]0;title"},
		{"\u009b31mC1", 40, "31mC1"},
		{"a\x00b\x7fc", 40, "abc"},
		{"abc\u202edef\u2066ghi", 40, "abcdefghi"},
		{"zero\u200bwidth\ufeff\u2060", 40, "zerowidth"},
		{"soft\u00adhyphen", 40, "softhyphen"},
		{"\U000e0041tag", 40, "tag"},
		{"line\u2028para\u2029", 40, "line para "},
		{"broken\xff\xfe", 40, "broken\ufffd\ufffd"},
		{"家 house", 40, "家 house"},
		{"家家家家", 5, "家家…"},
		{"שלום", 40, "שלום"},
		{"heart\u2764\ufe0f", 40, "heart\u2764"},
		{"z" + strings.Repeat("\u0335", 500) + "y", 40, "z\u0335\u0335\u0335y"},
		{"ㅤfiller", 40, "filler"},
	} {
		if got := clean(tt.in, tt.width); got != tt.want {
			t.Errorf("clean(%q, %d) = %q, want %q", tt.in, tt.width, got, tt.want)
		}
	}
}

// checkClean wants s to be a line that can only be shown.
func checkClean(t *testing.T, s string, width int) {
	t.Helper()
	if w := ansi.StringWidth(s); w > width {
		t.Errorf("%q is %d wide, want at most %d", s, w, width)
	}
	for _, r := range s {
		if unicode.Is(unicode.C, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || invisible(r) {
			t.Errorf("%q holds %U", s, r)
		}
	}
}

func FuzzClean(f *testing.F) {
	for i, p := range payloads() {
		if len(p) < 1000 { // a long one only takes long
			f.Add(p, 3+i%80)
		}
	}
	f.Fuzz(func(t *testing.T, s string, width int) {
		width = min(max(width, 1), 400)
		out := clean(s, width)
		checkClean(t, out, width)
		if again := clean(out, width); again != out {
			t.Errorf("clean(%q) = %q, and cleaned again %q", s, out, again)
		}
		for _, r := range ascii(out) {
			if r > '~' {
				t.Errorf("ascii(%q) holds %q", out, r)
			}
		}
		if w := ansi.StringWidth(fit(out, 17)); w != 17 {
			t.Errorf("fit(%q, 17) is %d wide", out, w)
		}
	})
}

// payloads are 200 and more things that a label should not do to a terminal.
func payloads() []string {
	var out []string
	wraps := []string{"%s", "label%s", "%slabel", "la%sbel", "%[1]s%[1]s"}
	for _, p := range []string{
		"\x1b[2J", "\x1b[31;5m", "\x1b]0;owned\a", "\x1b]52;c;b3duZWQ=\a", "\x1b]8;;https://evil.example\x1b\\x\x1b]8;;\x1b\\",
		"\x1bP0;1|17/ab\x1b\\", "\x1b[?1049l", "\x1b[6n", "\x1b]11;?\a", "\x1bc", "\x1b[999;999H", "\x1b_Gf=24;AAAA\x1b\\",
		"\u009b2J", "\u009d0;owned\u009c", "\u0090q\u009c", "\x9b2J", "\x00", "\x07", "\x08\x08\x08", "\x7f", "\r", "\n", "\r\n\r\n", "\v\f", "\t\t\t",
		"\x0e\x0f", "\u202e", "\u202a\u202b\u202c\u202d", "\u2066\u2067\u2068\u2069", "\u200e\u200f\u061c", "\u200b\u200c\u200d", "\u2060\u2061\u2062\u2063\u2064",
		"\ufeff", "\u00ad", "\u2028\u2029", "\u180e", "\U000e0001\U000e0041\U000e007f", "\ufe0f\ufe0e", "\U000e0100",
		"\u0300" + strings.Repeat("\u0335", 300), "\xff\xfe\xed\xa0\x80", strings.Repeat("A", 10<<10), strings.Repeat("家", 4<<10), "\u3164\uffa0\u115f",
	} {
		for _, w := range wraps {
			out = append(out, fmt.Sprintf(w, p))
		}
	}
	return out
}

// poison puts the next payload into every string in v.
func poison(v reflect.Value, next func() string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem(), next)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for _, field := range v.Fields() {
			poison(field, next)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			poison(v.Index(i), next)
		}
	case reflect.String:
		v.SetString(next())
	default: // numbers and truths do no harm
	}
}

// poisoned is the state st with payloads in every text. What the screen decides
// by keeps its meaning: ids, words of state, names of windows.
func poisoned(st control.State, next func() string) control.State {
	kept := st
	kept.Accounts = slices.Clone(st.Accounts)
	kept.Providers = slices.Clone(st.Providers)
	kept.Flows = slices.Clone(st.Flows)
	poison(reflect.ValueOf(&st).Elem(), next)
	ids := map[string]string{}
	for i := range st.Providers {
		ids[kept.Providers[i].ID] = st.Providers[i].ID
	}
	for i := range st.Accounts {
		a := &st.Accounts[i]
		a.ID, a.State, a.Provider = kept.Accounts[i].ID, kept.Accounts[i].State, ids[kept.Accounts[i].Provider]
	}
	for i := range st.Flows {
		f := &st.Flows[i]
		f.How, f.For, f.State = kept.Flows[i].How, kept.Flows[i].For, kept.Flows[i].State
	}
	return st
}

// rotating returns one payload after the other, from the nth on, to whoever asks.
func rotating(all []string, n int) func() string {
	var at atomic.Int64
	at.Store(int64(n))
	return func() string { return all[int(at.Add(1))%len(all)] }
}

func TestNothingFromOutsideControlsTheTerminal(t *testing.T) {
	all := payloads()
	if len(all) < 200 {
		t.Fatalf("%d payloads", len(all))
	}
	for round := range 12 {
		if raced && round%6 != 0 {
			continue
		}
		next := rotating(all, round*23)
		engine := &fakeEngine{state: poisoned(richState(), next), answer: func(r control.Request) (control.Reply, error) {
			if r.Action == control.ActionLoginCode {
				return control.Reply{}, &control.Error{Message: next(), Hint: next()}
			}
			reply := control.Reply{Decisions: decisions(), Client: connection(), Flow: &control.Flow{}, Browsers: []control.Browser{sessions()["a4"]}}
			poison(reflect.ValueOf(&reply).Elem(), next)
			reply.Flow.State, reply.Browsers[0].Account = control.FlowWaiting, r.Account
			if r.Action == control.ActionBrowserSetup {
				reply.Flow.How = control.HowBrowser
			}
			return reply, nil
		}}
		onScreenWith(t, 110, 30, engine, newTheme(termenv.TrueColor, true, false), func(s *screen) {
			for ks := range strings.FieldsSeq("j G k tab tab ? esc a enter esc w G esc c v esc e esc d esc u q n") {
				s.press(ks)
				checkControls(s.t, s.m.View())
			}
			for ks := range strings.FieldsSeq("g b enter j b enter j b esc j b y s esc x n esc n esc") { // each of the pages
				s.press(ks)
				checkControls(s.t, s.m.View())
			}
			s.press("a", "enter", "enter", "enter")
			s.paste(next())
			checkControls(s.t, s.m.View())
			s.press("enter")
			checkControls(s.t, s.m.View())
			checkControls(s.t, s.m.farewell())
			for range len(all) / 12 { // other payloads in every place
				st := poisoned(richState(), next)
				s.feed(stateMsg{st})
				checkControls(s.t, s.m.View())
			}
		})
	}
}

// ourLink is a link as the screen writes one, to the address of a page or its end.
var ourLink = regexp.MustCompile(`^\x1b\]8;(id=sign-in)?;([!-~]*?)(\x07|\x1b\\)`)

// checkControls wants no sequence in a frame but colours and links of our own, and
// no byte that is no character: some terminals take the lone ones for C1.
func checkControls(t fataler, frame string) {
	t.Helper()
	if !utf8.ValidString(frame) {
		t.Fatalf("bytes that are no UTF-8 are in the frame: %q", frame)
	}
	rest := frame
	for rest != "" {
		i := strings.IndexByte(rest, '\x1b')
		if i < 0 {
			i = len(rest)
		}
		for _, r := range rest[:i] {
			if r != '\n' && (r < ' ' || r > '~') && (unicode.Is(unicode.C, r) || r == '\u2028' || r == '\u2029' || invisible(r)) {
				t.Fatalf("%U is in the frame: %q", r, rest[:i])
			}
		}
		if rest = rest[i:]; rest == "" {
			return
		}
		if link := ourLink.FindStringSubmatch(rest); link != nil && (link[1] == "") == (link[2] == "") && (link[2] == "" || webAddress(link[2]) != "") {
			rest = rest[len(link[0]):]
			continue
		}
		end := strings.IndexFunc(rest[1:], func(r rune) bool { return r != '[' && r != ';' && (r < '0' || r > '9') })
		if !strings.HasPrefix(rest, "\x1b[") || end < 0 || rest[1+end] != 'm' {
			t.Fatalf("a sequence that is not ours is in the frame: %q", rest[:min(20, len(rest))])
		}
		rest = rest[end+2:]
	}
}

// richState has something in every field.
func richState() control.State {
	st := several()
	st.Demo = "demo"
	st.Warnings = []string{"one", "two", "three"}
	st.Flows = []control.Flow{{ID: "f"}, headlessFlow("a1"), windowFlow("a2"), headlessFlow("m1")}
	st.Accounts[3].State = control.StateNeedsYou
	for i := range st.Accounts {
		a := &st.Accounts[i]
		a.Cooldowns = append(a.Cooldowns, control.Cooldown{Until: fixedNow.Add(hour), Scope: "opus", Evidence: "x"})
		a.Windows = append(a.Windows, win("7d", "opus", 0.5, hour))
		a.Windows[len(a.Windows)-1].Name = "odd"
	}
	return st
}

// A key that a field takes must not smuggle a control character to the engine's
// label either: what is typed is what is seen.
func TestFieldsTakeNoControlCharacters(t *testing.T) {
	var f field
	f.update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("a\x1b[2J\r\nb\x00\u009b"), Paste: true})
	if got := f.value(); got != "a[2Jb" {
		t.Errorf("the field holds %q", got)
	}
}
