package dashboard

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/oauthmux/oauthmux/ui/crash"
)

// grid is a terminal that understands what a painter says, and nothing else.
type grid struct {
	width, height int
	cells         [][]byte
	x, y          int
}

func newGrid(width, height int, with byte) *grid {
	g := &grid{width: width, height: height}
	for range height {
		g.cells = append(g.cells, []byte(strings.Repeat(string(with), width)))
	}
	return g
}

var sequence = regexp.MustCompile(`^\x1b\[([0-9]*)(?:;([0-9]*))?([HKJ])`)

func (g *grid) write(s string) error {
	for s != "" {
		at := sequence.FindStringSubmatch(s)
		switch {
		case at != nil && at[3] == "H":
			row, _ := strconv.Atoi(at[1])
			column, _ := strconv.Atoi(at[2])
			g.y, g.x = min(max(row, 1), g.height)-1, min(max(column, 1), g.width)-1
		case at != nil && at[3] == "K":
			g.clear(g.y, g.x)
		case at != nil:
			g.clear(g.y, g.x)
			for y := g.y + 1; y < g.height; y++ {
				g.clear(y, 0)
			}
		case s[0] < ' ' || g.x == g.width && g.y == g.height-1:
			return fmt.Errorf("at %d,%d of %dx%d: %q", g.x, g.y, g.width, g.height, s)
		default:
			g.cells[g.y][g.x] = s[0]
			g.x = min(g.x+1, g.width-1)
			s = s[1:]
			continue
		}
		s = s[len(at[0]):]
	}
	return nil
}

func (g *grid) clear(y, x int) {
	for ; x < g.width; x++ {
		g.cells[y][x] = ' '
	}
}

// text is what the terminal shows, without what trails.
func (g *grid) text() string {
	var lines []string
	for _, line := range g.cells {
		lines = append(lines, strings.TrimRight(string(line), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

func TestAPainterMakesATerminalShowEachPicture(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g *grid
		var shown picture
		for range rapid.IntRange(1, 8).Draw(t, "pictures") {
			next := picture{width: shown.width, height: shown.height}
			if g == nil || rapid.IntRange(0, 3).Draw(t, "resizes") == 0 {
				next.width, next.height = rapid.IntRange(1, 6).Draw(t, "width"), rapid.IntRange(1, 5).Draw(t, "height")
			}
			if g == nil || g.width != next.width || g.height != next.height {
				g = newGrid(next.width, next.height, '#') // what a terminal makes of it when it is resized
			}
			line := rapid.StringMatching(fmt.Sprintf("[ab]{0,%d}", next.width))
			lines := rapid.SliceOfN(line, 1, next.height).Draw(t, "lines")
			next.frame = strings.Join(lines, "\n")
			if err := g.write(changes(shown, next)); err != nil {
				t.Fatal(err)
			}
			if got, want := g.text(), strings.TrimRight(next.frame, "\n"); next.frame != "" && got != want {
				t.Fatalf("the terminal shows %q, want %q", got, want)
			}
			if again := changes(next, next); next.frame != "" && again != "" {
				t.Fatalf("the same picture is drawn again: %q", again)
			}
			shown = next
		}
	})
}

// writes keeps what was written, and when.
type writes struct {
	mu  sync.Mutex
	all []string
	at  []time.Time
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all, w.at = append(w.all, string(b)), append(w.at, time.Now())
	return len(b), nil
}

func (w *writes) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.all) == 0 {
		return ""
	}
	return w.all[len(w.all)-1]
}

func (w *writes) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.all)
}

func TestAPictureIsDrawnAtOnceAndOthersSixtyTimesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w writes
		p := newPainter(&w, nil)
		p.start()
		defer p.close()
		time.Sleep(time.Minute)
		asked := time.Now()
		for i := range 1000 {
			p.show(picture{strconv.Itoa(i), 10, 1})
			time.Sleep(time.Millisecond)
		}
		time.Sleep(frameGap)
		p.close()
		if len(w.at) == 0 || !w.at[0].Equal(asked) {
			t.Errorf("the first picture was drawn at %v, not at %v", w.at[:min(1, len(w.at))], asked)
		}
		for i, at := range w.at[1:] {
			if gap := at.Sub(w.at[i]); gap < frameGap {
				t.Errorf("two pictures within %v", gap)
			}
		}
		if n := len(w.at); n < 50 || n > 62 {
			t.Errorf("%d pictures in a second", n)
		}
		if !strings.Contains(w.last(), "999") {
			t.Errorf("the last one is %q", w.last())
		}
	})
}

func TestAPainterDrawsNothingOnATerminalThatIsNotItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w writes
		p := newPainter(&w, nil)
		p.start()
		one, two := picture{"one", 10, 1}, picture{"two", 10, 1}
		p.show(one)
		time.Sleep(time.Second)
		p.show(two)
		p.hold()
		held := w.count()
		time.Sleep(time.Second)
		if w.count() != held {
			t.Errorf("%q was drawn while somebody else had the terminal", w.last())
		}
		p.show(two)
		time.Sleep(time.Second)
		if w.count() != held+1 || !strings.Contains(w.last(), "two") {
			t.Errorf("afterwards %q was drawn", w.last())
		}
		p.show(one)
		p.close()
		ended := w.count()
		p.show(two)
		time.Sleep(time.Second)
		if w.count() != ended {
			t.Errorf("%q was drawn after the end", w.last())
		}
	})
}

func TestAPictureIsDrawnAnewWhenItIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEngine{state: busy()}
		in, keyboard := io.Pipe()
		var out safeBuffer
		done := make(chan error, 1)
		go func() { done <- Run(t.Context(), Options{Engine: e, In: in, Out: &out}) }()
		time.Sleep(2 * time.Second)
		for range 2 {
			before := len(out.String())
			if _, err := io.WriteString(keyboard, "\x0c"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
			for _, text := range []string{"oauthmux", "work", "home", "q quit"} {
				if s := out.String()[before:]; !strings.Contains(s, text) {
					t.Errorf("ctrl+l draws no %q: %q", text, s)
				}
			}
		}
		if _, err := io.WriteString(keyboard, "q"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := io.WriteString(keyboard, "y"); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = in.Close()
	})
}

// spoilt is a terminal that panics at the first frame.
type spoilt struct{ safeBuffer }

func (s *spoilt) Write(b []byte) (int, error) {
	if strings.Contains(string(b), "oauthmux") {
		panic("sk-ant-ort01-in-a-panic")
	}
	return s.safeBuffer.Write(b)
}

func TestAPanicOfThePainterEndsTheScreenInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, keyboard := io.Pipe()
		var out spoilt
		err := Run(t.Context(), Options{Engine: &fakeEngine{state: busy()}, In: in, Out: &out})
		if report, ok := errors.AsType[*crash.PanicError](err); !ok || strings.Contains(report.Error(), "sk-ant") {
			t.Errorf("Run: %v", err)
		}
		if s := out.String(); !strings.Contains(s, "\x1b[?1049l") {
			t.Errorf("the terminal was left with %q", s)
		}
		_ = keyboard.Close()
	})
}

// A terminal that takes nothing (ctrl+s, a line that is gone) stops no key, and shows
// the newest picture when it takes something again.
func TestAStalledTerminalStopsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		terminal, w := io.Pipe()
		p := newPainter(w, nil)
		p.start()
		began := time.Now()
		for i := range 10 {
			p.show(picture{strconv.Itoa(i), 10, 1})
			time.Sleep(frameGap)
		}
		if took := time.Since(began); took != 10*frameGap {
			t.Errorf("ten pictures took %v", took)
		}
		var w2 writes
		go func() { _, _ = io.Copy(&w2, terminal) }()
		time.Sleep(time.Second)
		if n := w2.count(); n != 2 || !strings.Contains(w2.last(), "9") {
			t.Errorf("%d pictures were written, the last is %q", n, w2.last())
		}
		p.close()
		_ = w.Close()
	})
}
