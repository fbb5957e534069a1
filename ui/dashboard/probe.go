package dashboard

import (
	"bytes"
	"strconv"
	"strings"
	"sync"
	"time"
)

// probe reads keys from the terminal, and takes out of them what the terminal
// answers to the question for its background. Left in, Bubble Tea would read the
// answer as keys that nobody pressed.
type probe struct {
	file
	asked   time.Time
	dark    chan bool     // the answer
	settled chan struct{} // closed when nothing is owed any more
	once    sync.Once

	// What follows belongs to the one goroutine that reads.
	answer []byte // the beginning of what may be an answer
	given  int    // so much of it was handed on as keys already
}

func newProbe(f file) *probe {
	return &probe{file: f, dark: make(chan bool, 1), settled: make(chan struct{})}
}

func (p *probe) begin(now time.Time) { p.asked = now }

// settle says that no answer is on its way any more.
func (p *probe) settle() { p.once.Do(func() { close(p.settled) }) }

// Read implements io.Reader. It returns nothing where all there was to read was
// an answer.
func (p *probe) Read(b []byte) (int, error) {
	held := len(p.answer) - p.given // they must find room beside what is read
	if held >= len(b) {
		held = 0
	}
	in := make([]byte, len(b)-held)
	n, err := p.file.Read(in)
	return copy(b, p.filter(in[:max(n, 0)])), err
}

// filter returns what of in are keys.
func (p *probe) filter(in []byte) []byte {
	out := make([]byte, 0, len(in)+len(p.answer))
	for _, c := range in {
		p.answer = append(p.answer, c)
		for len(p.answer) > 0 {
			kind := match(p.answer)
			if kind == unfinished {
				break
			}
			if kind != noAnswer {
				p.take(kind)
				p.answer, p.given = p.answer[:0], 0
				break
			}
			// The first byte is a key after all; what follows it may yet be an answer.
			if p.given == 0 {
				out = append(out, p.answer[0])
			}
			p.given = max(0, p.given-1)
			p.answer = append(p.answer[:0], p.answer[1:]...)
		}
	}
	// Esc, alt+[ and alt+] are keys of their own and are not held back, though an
	// answer that was cut right there is still known by its rest.
	if n := len(p.answer); n > p.given && n <= 2 {
		out = append(out, p.answer[p.given:]...)
		p.given = n
	}
	return out
}

// kind is what a sequence of bytes from the terminal is.
type kind int

const (
	noAnswer   kind = iota
	unfinished      // it may become one
	background      // OSC 11 ; rgb:RRRR/GGGG/BBBB, ended by BEL or ST
	attributes      // CSI ? digits c
)

const (
	backgroundIntro = "\x1b]11;"
	attributesIntro = "\x1b[?"
	longestAnswer   = 64
)

// match says what b is.
func match(b []byte) kind {
	for _, intro := range []string{backgroundIntro, attributesIntro} {
		if len(b) <= len(intro) && strings.HasPrefix(intro, string(b)) {
			return unfinished
		}
	}
	if len(b) > longestAnswer {
		return noAnswer
	}
	if rest, ok := bytes.CutPrefix(b, []byte(attributesIntro)); ok {
		for i, c := range rest {
			switch {
			case c == 'c' && i == len(rest)-1:
				return attributes
			case (c < '0' || c > '9') && c != ';':
				return noAnswer
			}
		}
		return unfinished
	}
	if rest, ok := bytes.CutPrefix(b, []byte(backgroundIntro)); ok {
		for i, c := range rest {
			left := len(rest) - 1 - i
			switch {
			case c == '\a' && left == 0:
				return background
			case c == '\x1b' && left == 0:
				return unfinished
			case c == '\x1b' && left == 1 && rest[i+1] == '\\':
				return background
			case c < ' ' || c > '~':
				return noAnswer
			}
		}
		return unfinished
	}
	return noAnswer
}

// take hands on what the terminal answered.
func (p *probe) take(k kind) {
	if k == attributes {
		p.settle() // it comes after the other answer, if there is one
		return
	}
	if dark, ok := isDark(strings.TrimRight(string(p.answer[len(backgroundIntro):]), "\a\x1b\\")); ok {
		select {
		case p.dark <- dark:
		default: // it was asked once
		}
	}
}

// isDark reads a colour as X11 writes it, rgb:RRRR/GGGG/BBBB with one to four
// digits each, and says whether light text is better read on it.
func isDark(colour string) (dark, ok bool) {
	_, values, found := strings.Cut(colour, ":")
	parts := strings.Split(values, "/")
	if !found || len(parts) < 3 {
		return false, false
	}
	var luma float64
	for i, weight := range []float64{0.299, 0.587, 0.114} {
		n, err := strconv.ParseUint(parts[i], 16, 16)
		if err != nil {
			return false, false
		}
		luma += weight * float64(n) / float64(uint64(1)<<(4*len(parts[i]))-1)
	}
	return luma < 0.5, true
}
