package dashboard

import (
	"io"
	"strings"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/oauthmux/oauthmux/ui/crash"
)

const (
	// frameGap lies between two frames at least: more than 60 in a second are seen
	// by nobody, and are a terminal's work.
	frameGap = time.Second / 60
	// restFPS is how often Bubble Tea's own renderer looks for a frame, the least it
	// can be told. It does so for as long as the program runs, and finds none.
	restFPS = 1
	// nothing is the frame that Bubble Tea gets: it draws no cell. An empty one
	// would become a space.
	nothing = ansi.ResetStyle
)

// painter brings frames to the terminal: at once where none was drawn just before,
// else the newest when its time has come, and of each the lines that are new.
// Bubble Tea's renderer draws by a ticker of 60 a second, which uses more of a
// processor than everything else here while nothing happens, and lets each key wait
// for the next tick. The terminal itself (its modes, its size, the other screen) is
// left to Bubble Tea.
//
// A frame's lines fit the terminal, and none of them depends on the style in which
// another one ended.
type painter struct {
	out    io.Writer
	failed func(*crash.PanicError) // is told of a panic, after which nothing is drawn
	wake   chan struct{}           // one place: there is something to do
	stop   func()                  // ends the goroutine, and waits for that

	mu   sync.Mutex // not held while the terminal takes its time
	next picture    // what is to be seen
	away bool       // the terminal is somebody else's
	anew bool       // it may show anything

	writing sync.Mutex // held while the terminal is written to
	shown   picture    // what it shows; with no frame: anything
}

// picture is a frame for a terminal of that many columns and lines.
type picture struct {
	frame         string
	width, height int
}

// newPainter makes a painter, which draws nothing before start.
func newPainter(out io.Writer, failed func(*crash.PanicError)) *painter {
	return &painter{out: out, failed: failed, wake: make(chan struct{}, 1), stop: func() {}}
}

// start starts the painter's goroutine, which ends with close.
func (p *painter) start() {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer func() {
			if v := recover(); v != nil {
				p.failed(crash.Of(part, v))
			}
		}()
		p.run(end)
	}()
	p.stop = sync.OnceFunc(func() {
		close(end)
		<-ended
	})
}

func (p *painter) run(end <-chan struct{}) {
	gap := time.NewTimer(0)
	defer gap.Stop()
	for {
		select {
		case <-end:
			return
		case <-gap.C:
		}
		select {
		case <-end:
			return
		case <-p.wake:
		}
		p.paint()
		gap.Reset(frameGap)
	}
}

// show makes a picture the one to be seen. It does not wait for the terminal.
func (p *painter) show(next picture) {
	p.mu.Lock()
	changed := p.away || p.anew || next != p.next
	p.next, p.away = next, false
	p.mu.Unlock()
	if changed {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// redraw has the next show draw all of its picture.
func (p *painter) redraw() {
	p.mu.Lock()
	p.anew = true
	p.mu.Unlock()
}

// hold returns when nothing more is drawn, until the next show, which draws all of
// its frame: what the terminal shows then is for others to say. Where the terminal
// takes nothing it waits, as they would have to who give it back.
func (p *painter) hold() {
	p.mu.Lock()
	p.away = true
	p.mu.Unlock()
	p.writing.Lock()
	p.shown = picture{}
	p.writing.Unlock()
}

// close ends the painter. Nothing is drawn afterwards. It waits as hold does.
func (p *painter) close() { p.stop() }

func (p *painter) paint() {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.mu.Lock()
	next, away, anew := p.next, p.away, p.anew
	p.anew = false
	p.mu.Unlock()
	if away {
		return
	}
	if anew {
		p.shown = picture{}
	}
	if b := changes(p.shown, next); b != "" {
		_, _ = io.WriteString(p.out, b) // a terminal that is gone ends the program by its input
	}
	p.shown = next
}

// changes is what a terminal that shows a picture is sent to show another one. One
// that has another size now may show anything.
func changes(from, to picture) string {
	known := from.frame != "" && from.width == to.width && from.height == to.height
	old, lines := strings.Split(from.frame, "\n"), strings.Split(to.frame, "\n")
	if !known {
		old = nil
	}
	var b strings.Builder
	for i, line := range lines {
		if i < len(old) && old[i] == line {
			continue
		}
		b.WriteString(ansi.CursorPosition(1, i+1))
		b.WriteString(line)
		if ansi.StringWidth(line) < to.width { // behind a full line the cursor stands on its last cell
			b.WriteString(ansi.EraseLineRight)
		}
	}
	if len(lines) < to.height && (!known || len(old) > len(lines)) {
		b.WriteString(ansi.CursorPosition(1, len(lines)+1))
		b.WriteString(ansi.EraseScreenBelow)
	}
	return b.String()
}

// resizedMsg is a tea.WindowSizeMsg that Bubble Tea's renderer does not come to see:
// it would draw its frame anew, and erase the rest of that line.
type resizedMsg tea.WindowSizeMsg

// painted is a model whose frames a painter draws.
type painted struct {
	*guarded
	painter *painter
}

// Update implements tea.Model.
func (p *painted) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if key, pressed := msg.(tea.KeyMsg); pressed && matches(key, keys.Redraw) {
		p.painter.redraw()
		return p, nil
	}
	_, cmd := p.guarded.Update(msg)
	return p, cmd
}

// View implements tea.Model.
func (p *painted) View() string {
	switch {
	case p.report != nil: // the model is as the panic left it
	case p.away:
		p.painter.hold()
	default:
		p.painter.show(picture{p.guarded.View(), p.width, p.height})
	}
	return nothing
}

// filter is a filter of Bubble Tea's. Before the terminal is given back, the last
// thing has been drawn on it.
func (p *painted) filter(_ tea.Model, msg tea.Msg) tea.Msg {
	switch msg := msg.(type) {
	case tea.QuitMsg:
		p.painter.close()
	case tea.WindowSizeMsg:
		return resizedMsg(msg)
	}
	return msg
}
