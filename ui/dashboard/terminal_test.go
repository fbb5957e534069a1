package dashboard

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muesli/termenv"
	"pgregory.net/rapid"

	"github.com/oauthmux/oauthmux/ui/control"
)

func TestTheTerminalsAnswersAreNoKeys(t *testing.T) {
	for _, tt := range []struct {
		name    string
		reads   []string
		keys    string
		dark    string // "", "dark", "light"
		settled bool
	}{
		{"only keys", []string{"jk\x1b[A\x1b[1;5Cq"}, "jk\x1b[A\x1b[1;5Cq", "", false},
		{"light, ended by ST", []string{"\x1b]11;rgb:ffff/fafa/f0f0\x1b\\\x1b[?62;22c"}, "", "light", true},
		{"dark, ended by BEL", []string{"\x1b]11;rgb:1e/1e/2e\a\x1b[?6c"}, "", "dark", true},
		{"with alpha", []string{"\x1b]11;rgba:ffff/ffff/ffff/ffff\a"}, "", "light", false},
		{"between keys", []string{"j\x1b]11;rgb:0/0/0\ak\x1b[?62cq"}, "jkq", "dark", true},
		{"cut in the middle", []string{"\x1b]11;rgb:00", "00/0000/0000\x1b", "\\j"}, "j", "dark", false},
		{"cut after escape", []string{"\x1b", "]11;rgb:0000/0000/0000\aj"}, "\x1bj", "dark", false},
		{"esc alone is a key at once", []string{"\x1b"}, "\x1b", "", false},
		{"esc and then a key", []string{"\x1b", "j"}, "\x1bj", "", false},
		{"an arrow that was cut", []string{"\x1b[", "A"}, "\x1b[A", "", false},
		{"esc esc bracket", []string{"\x1b\x1b[?62c"}, "\x1b", "", true},
		{"another question's answer", []string{"\x1b[?2026;2$yj"}, "\x1b[?2026;2$yj", "", false},
		{"a paste", []string{"\x1b[200~code#state\x1b[201~"}, "\x1b[200~code#state\x1b[201~", "", false},
		{"nonsense for a colour", []string{"\x1b]11;purple\a"}, "", "", false},
		{"an answer without an end", []string{"\x1b]11;" + strings.Repeat("x", 70)}, "\x1b]11;" + strings.Repeat("x", 70), "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProbe(nil)
			var keys []byte
			for _, r := range tt.reads {
				keys = append(keys, p.filter([]byte(r))...)
			}
			if string(keys) != tt.keys {
				t.Errorf("keys %q, want %q", keys, tt.keys)
			}
			got := ""
			select {
			case dark := <-p.dark:
				got = map[bool]string{true: "dark", false: "light"}[dark]
			default:
			}
			if got != tt.dark {
				t.Errorf("background %q, want %q", got, tt.dark)
			}
			settled := false
			select {
			case <-p.settled:
				settled = true
			default:
			}
			if settled != tt.settled {
				t.Errorf("settled: %v, want %v", settled, tt.settled)
			}
		})
	}
}

// However the bytes are cut into reads, keys come through in order and answers do not.
func TestAnswersCutAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{
			"j", "q", "家", "\x1b[B", "\x1b[200~x\x1b[201~", "\x1b]11;rgb:1111/2222/3333\x1b\\", "\x1b]11;rgb:ffff/ffff/ffff\a", "\x1b[?62;22c",
		}), 1, 12).Draw(t, "parts")
		all := strings.Join(parts, "")
		want := strings.Join(slices.DeleteFunc(parts, func(p string) bool {
			return strings.HasPrefix(p, "\x1b]") || strings.HasPrefix(p, "\x1b[?")
		}), "")
		answers := strings.Count(all, "\x1b]") + strings.Count(all, "\x1b[?")
		p := newProbe(nil)
		var got []byte
		for all != "" {
			n := rapid.IntRange(1, len(all)).Draw(t, "read")
			got = append(got, p.filter([]byte(all[:n]))...)
			all = all[n:]
		}
		// A cut within the first two bytes of an answer lets these through, as the
		// key that they also are; nothing else may come.
		out := strings.NewReplacer("\x1b]", "", "\x1b\x1b", "\x1b").Replace(string(got))
		if len(got) < len(want) || len(got) > len(want)+2*answers {
			t.Errorf("keys %q, want %q", got, want)
		}
		for _, bad := range []string{"11;", "rgb:", "?62", "22c"} {
			if strings.Contains(out, bad) {
				t.Errorf("%q is left of an answer in %q", bad, got)
			}
		}
	})
}

// fakeFile reads what it is given and nothing more.
type fakeFile struct {
	io.ReadWriteCloser
	data []byte
}

func (f *fakeFile) Read(b []byte) (int, error) {
	if len(f.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, f.data)
	f.data = f.data[n:]
	return n, nil
}
func (*fakeFile) Fd() uintptr  { return ^uintptr(0) }
func (*fakeFile) Name() string { return "terminal" }

func TestALongPasteComesThroughWhole(t *testing.T) {
	paste := "\x1b[200~" + strings.Repeat("0123456789", 100) + "\x1b[201~"
	p := newProbe(&fakeFile{data: []byte("\x1b]11;rgb:0/0/" + "0\a" + paste)})
	var got bytes.Buffer
	buf := make([]byte, 256) // as Bubble Tea reads
	for {
		n, err := p.Read(buf)
		got.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			break
		}
	}
	if got.String() != paste {
		t.Errorf("got %q", got.String())
	}
}

func TestThemeOfATerminal(t *testing.T) {
	for _, tt := range []struct {
		name    string
		env     map[string]string
		choice  string
		profile termenv.Profile
		dark    bool
	}{
		{"no terminal", nil, "", termenv.Ascii, true},
		{"forced", map[string]string{"CLICOLOR_FORCE": "1", "TERM": "xterm-256color"}, "", termenv.ANSI, true},
		{"no colour", map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, "", termenv.Ascii, true},
		{"a light hint", map[string]string{"COLORFGBG": "0;15"}, "", termenv.Ascii, false},
		{"a dark hint", map[string]string{"COLORFGBG": "15;default;0"}, "", termenv.Ascii, true},
		{"no sense in it", map[string]string{"COLORFGBG": "default;default"}, "", termenv.Ascii, true},
		{"chosen light", map[string]string{"COLORFGBG": "15;0"}, "light", termenv.Ascii, false},
		{"chosen dark", map[string]string{"COLORFGBG": "0;15"}, "dark", termenv.Ascii, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := func(name string) string { return tt.env[name] }
			th := newTerminal(strings.NewReader(""), &bytes.Buffer{}, env).theme(tt.choice)
			if th.profile != tt.profile || th.dark != tt.dark {
				t.Errorf("profile %v, dark %v", th.profile, th.dark)
			}
		})
	}
}

func TestColoursOfATerminal(t *testing.T) {
	for _, tt := range []struct {
		env     map[string]string
		profile termenv.Profile
	}{
		{map[string]string{"TERM": "xterm-256color", "COLORTERM": "truecolor"}, termenv.TrueColor},
		{map[string]string{"TERM": "xterm-256color"}, termenv.ANSI256},
		{map[string]string{"TERM": "linux"}, termenv.ANSI},
		{map[string]string{"TERM": "dumb"}, termenv.Ascii},
		{map[string]string{"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, termenv.Ascii},
	} {
		term := newTerminal(strings.NewReader(""), &bytes.Buffer{}, func(name string) string { return tt.env[name] })
		term.isTTY = true
		if got := term.theme("").profile; got != tt.profile {
			t.Errorf("%v: profile %v, want %v", tt.env, got, tt.profile)
		}
	}
}

func TestTheLocaleDecidesOnASCII(t *testing.T) {
	for _, tt := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, false},
		{map[string]string{"LANG": "en_US.UTF-8"}, false},
		{map[string]string{"LANG": "de_DE.utf8"}, false},
		{map[string]string{"LANG": "C"}, true},
		{map[string]string{"LANG": "en_US.UTF-8", "LC_ALL": "POSIX"}, true},
		{map[string]string{"LANG": "C", "LC_CTYPE": "C.UTF-8"}, false},
		{map[string]string{"LANG": "de_DE.ISO-8859-1"}, true},
		{map[string]string{"LANG": "en_US.UTF-8", "OAUTHMUX_ASCII": "1"}, true},
		{map[string]string{"LANG": "C", "OAUTHMUX_ASCII": "0"}, false},
	} {
		if got := inASCII(func(name string) string { return tt.env[name] }); got != tt.want {
			t.Errorf("inASCII(%v) = %v", tt.env, got)
		}
	}
}

func TestTerminalsThatAreAsked(t *testing.T) {
	for name, want := range map[string]bool{
		"xterm-256color": true, "tmux-256color": true, "xterm-kitty": true,
		"": false, "dumb": false, "linux": false, "screen": false, "screen-256color": false,
	} {
		if got := answers(func(string) string { return name }); got != want {
			t.Errorf("TERM=%s: %v, want %v", name, got, want)
		}
	}
}

func TestTheBackgroundIsAskedForBesideTheFirstFrame(t *testing.T) {
	onScreen(t, 80, 24, busy(), func(s *screen) {
		dark := s.m.View()
		s.m.probe = newProbe(nil)
		s.start(s.m.askBackground())
		s.settle()
		if s.sent.String() != question {
			s.t.Fatalf("sent %q, want the question", s.sent)
		}
		s.m.probe.filter([]byte("\x1b]11;rgb:ffff/ffff/ffff\a"))
		s.settle()
		if s.m.th.dark {
			t.Error("the theme stays dark on a light terminal")
		}
		if s.m.View() != dark {
			t.Error("without colours nothing should differ")
		}
	})
}

func TestQuittingWaitsForTheTerminalsAnswerButNotLong(t *testing.T) {
	idle := busy()
	idle.Accounts[0].InFlight = 0
	onScreen(t, 80, 24, idle, func(s *screen) {
		s.m.probe = newProbe(nil)
		s.start(s.m.askBackground())
		s.press("q")
		if s.quit {
			t.Error("it left with an answer on its way")
		}
		s.m.probe.filter([]byte("\x1b[?62c"))
		s.settle()
		if !s.quit {
			t.Error("it stays though nothing is owed")
		}
	})
	onScreen(t, 80, 24, idle, func(s *screen) { // a terminal that never answers
		s.m.probe = newProbe(nil)
		s.start(s.m.askBackground())
		s.press("q")
		s.wait(answerTime)
		if !s.quit {
			t.Error("it waits for a mute terminal")
		}
	})
	onScreen(t, 80, 24, control.State{}, func(s *screen) { // long after
		s.m.probe = newProbe(nil)
		s.start(s.m.askBackground())
		s.wait(time.Second)
		s.press("q")
		if !s.quit {
			t.Error("it waits once more")
		}
	})
}
