// Package dashboard is the screen of the program: a table of accounts with their
// limit windows and cooldowns, a detail pane, a feed of what happened, and the
// questions that adding, removing and unlocking need.
//
// It knows an engine through control.Engine alone, so it neither knows nor cares
// whether that engine lives in this process. Promises: the first frame does not
// wait for the engine; Update does no I/O, commands do; every text that comes
// from outside passes clean before it is drawn; nothing is drawn while nothing
// on the screen changed. Run owns every goroutine that it starts, and returns
// after they have ended.
package dashboard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"golang.org/x/term"

	"github.com/oauthmux/oauthmux/ui/control"
	"github.com/oauthmux/oauthmux/ui/crash"
)

// Options says what a screen shows and where.
type Options struct {
	Engine  control.Engine
	In      io.Reader           // keys; a terminal is put in raw mode while the screen runs
	Out     io.Writer           // the terminal
	Env     func(string) string // TERM, COLORTERM, NO_COLOR, LANG and the like; nil: nothing is set
	Title   string              // the name in the header; "": oauthmux
	Version string              // shown in the help
	Theme   string              // one of Themes; "": auto
	// ThemeFixed is the flag or variable that holds the theme; "": it can be chosen,
	// and what was chosen before comes with the first state.
	ThemeFixed string
	Mouse      bool                   // the terminal reports the mouse, and selects text with shift only
	Titles     bool                   // the terminal's title says how things are, while the screen runs
	Bell       bool                   // the terminal's bell rings when every account is out
	Notify     string                 // "auto", "osc9", "osc777", "osc99", "desktop": how a person is told who looks elsewhere; anything else: not at all
	Quiet      Events                 // what nobody need be told of
	OpenURL    func(url string) error // opens a page in the usual browser; nil: it cannot be opened from here
	Cut        func()                 // called at the end of Run if the person agreed that requests are cut; nil: nobody is told

	// Leave is called at the end of Run if the person wants the engine of this
	// process to go on without the screen; nil: it cannot.
	Leave    func()
	LeaveGap bool // nobody answers requests while it is left

	// Desktop shows a notice on the desktop of this machine, and returns when ctx
	// ends at the latest; nil: there is none. Whether it was shown, nobody can say.
	Desktop func(ctx context.Context, title, text string)
}

// Events are what a person is told who looks elsewhere.
type Events struct {
	Out    bool // every account is out
	Back   bool // one of them is back
	SignIn bool // only the person brings an account back
}

// Run shows the screen until the person quits or ctx ends. A panic of the screen
// ends it, too: the error is a *crash.PanicError then, and the terminal as it was.
func Run(ctx context.Context, o Options) error {
	if o.Engine == nil {
		return errors.New("dashboard: no engine")
	}
	if o.Env == nil {
		o.Env = func(string) string { return "" }
	}
	tty := newTerminal(o.In, o.Out, o.Env)
	jobs := newJobs(ctx)
	defer jobs.end()

	m := newModel(o, jobs, tty.theme(o.Theme))
	m.screen = tty.out
	m.probe = tty.probe
	m.outlet, m.inTmux = chooseOutlet(o.Notify, o.Env, tty.isTTY, o.Desktop != nil), insideTmux(o.Env)
	if o.Titles && tty.isTTY && titled(o.Env) {
		m.titles = &titles{out: tty.out}
	}
	if w, h, ok := tty.size(); ok {
		m.setSize(w, h)
	}
	g := &guarded{model: m}
	var p *tea.Program
	shown := &painted{guarded: g, painter: newPainter(tty.out, func(report *crash.PanicError) {
		go p.Send(crashMsg{report}) // who ends the painter may be waiting for it
	})}
	p = tea.NewProgram(shown,
		tea.WithFilter(shown.filter),
		tea.WithInput(tty.in),
		tea.WithOutput(tty.out),
		tea.WithAltScreen(),
		tea.WithFPS(restFPS),
		// Signals are main's: they end ctx, and ctx ends the screen through the
		// model, which does not leave while an answer of the terminal is on its way.
		tea.WithoutSignalHandler(),
	)
	shown.painter.start()
	defer shown.painter.close()
	_, err := p.Run()
	if m.titles != nil {
		m.titles.giveBack()
	}
	if err != nil {
		return fmt.Errorf("show the dashboard: %w", err)
	}
	if g.report != nil {
		return g.report
	}
	if m.parting == cutting && o.Cut != nil {
		o.Cut()
	}
	if m.parting == leaving && o.Leave != nil {
		o.Leave()
	}
	if note := m.farewell(); note != "" {
		if _, err := fmt.Fprintln(o.Out, note); err != nil {
			return fmt.Errorf("say goodbye: %w", err)
		}
	}
	return nil
}

// newModel returns the screen before its first frame.
func newModel(o Options, jobs *jobs, th *theme) *model {
	m := &model{
		o:       o,
		jobs:    jobs,
		clock:   time.Now,
		zone:    time.Local,
		pid:     os.Getpid(),
		desktop: runtime.GOOS == "darwin" || runtime.GOOS == "windows",
		th:      th,
		brand:   clean(o.Title, 24),
		cache:   map[int]cachedRow{},
		cursor:  -1,
		// A terminal says how large it is; what does not is taken for the usual one.
		width: 80, height: 24,
		dirty: true,
	}
	m.choice, m.dark = choiceOf(o.Theme), th.dark
	if m.choice != themeAuto && o.Env != nil {
		m.dark = hintedDark(o.Env("COLORFGBG"))
	}
	if m.brand == "" {
		m.brand = "oauthmux"
	}
	m.look()
	m.layout()
	return m
}

// isTerminal reports whether v is a terminal, and its descriptor.
func isTerminal(v any) (uintptr, bool) {
	f, ok := v.(interface{ Fd() uintptr })
	if !ok {
		return 0, false
	}
	return f.Fd(), term.IsTerminal(int(f.Fd()))
}
