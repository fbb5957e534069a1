package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/oauthmux/oauthmux/accounts/vault"
	"github.com/oauthmux/oauthmux/ui/config"
	"github.com/oauthmux/oauthmux/ui/control"
	"github.com/oauthmux/oauthmux/ui/dashboard"
)

// handoverFlag tells `serve` that its standard input is a legacy and nobody's
// keyboard. It is no secret, and what comes with it is in no argument.
const handoverFlag = "handed-over"

const (
	flagListen = "proxy-listen"

	// handoverPatience is how long a new engine has to answer.
	handoverPatience = 30 * time.Second
	// handoverPace is how often it is asked.
	handoverPace = 50 * time.Millisecond
	// maxLegacy is far above any passphrase and any set of flags.
	maxLegacy = 1 << 20
)

// legacy is what an engine that ends leaves to the one that takes its place. It
// goes over a pipe that nobody else has: not on the command line, which everybody
// may read, nor in the environment, which children inherit.
type legacy struct {
	Passphrase string            `json:"passphrase"` // what opened the vault; "": nothing had to be said
	Flags      map[string]string `json:"flags"`      // of configuration keys
	Socket     bool              `json:"socket"`     // the first descriptor after stderr listens for requests
}

// estate is an engine of this process as far as it can be left to another one.
type estate struct {
	finish     func()                   // has it end when the requests under way have
	door       func() (*os.File, error) // a second handle of the socket that it listens on; nil: none
	passphrase func() string
	paths      config.Paths
}

func (a *App) estate() *estate {
	return &estate{finish: a.proxy.Finish, door: a.doorHandle, passphrase: a.openedWith, paths: a.paths}
}

// doorHandle is a second handle of the socket that the proxy listens on. Nobody
// has it on a system where sockets cannot be handed to another process.
func (a *App) doorHandle() (*os.File, error) {
	l, ok := a.door.Load().(*net.TCPListener)
	if !ok {
		return nil, net.ErrClosed
	}
	return l.File()
}

// openedWith is the passphrase that opened the vault, be it one that a person
// typed: without it the next engine would have to ask again, and nobody is there.
func (a *App) openedWith() string {
	return or(a.vault.OpenedWith(), a.passphrase)
}

// leaveEngine has another process be the engine of this home in place of e, which
// ends as usual, but gives the requests under way the time they need. While it can be
// seen that no other process could be, e goes on in this one.
func (p *program) leaveEngine(ctx context.Context, e engine, gone <-chan error, interrupts chan os.Signal) error {
	// A terminal that goes meanwhile is what the engine was to outlive.
	hangUps := make(chan os.Signal, 1)
	signal.Notify(hangUps, syscall.SIGHUP)
	defer signal.Stop(hangUps)

	if err := p.heirCanStart(ctx); err != nil {
		return p.stay(ctx, e, gone, interrupts, err)
	}
	// The address stays taken while nobody listens, and clients wait rather than
	// be refused. Where that cannot be done, the proxy is away for a moment.
	estate := e.estate()
	door, err := estate.door()
	if err != nil {
		door = nil
	}
	if door != nil {
		defer door.Close() //nolint:errcheck // nothing was written to it
	}
	s, stateErr := e.State(ctx)
	flags := map[string]string{}
	maps.Copy(flags, p.configFlags)
	if stateErr == nil && s.Engine.Listen != "" {
		flags[flagListen] = s.Engine.Listen // the port may have been any free one
	}
	will := legacy{Passphrase: estate.passphrase(), Flags: flags, Socket: door != nil}

	estate.finish()
	told, err := p.awaitFinish(ctx, e, gone, interrupts)
	if err != nil {
		return err
	}
	if told && len(hangUps) == 0 {
		return nil // a signal has ended the program: the engine was meant too
	}
	return p.succeed(context.WithoutCancel(ctx), will, door, estate.paths, interrupts)
}

// heirCanStart says what would keep another process from being the engine, as far as
// it can be seen before this one has ended.
func (p *program) heirCanStart(ctx context.Context) error {
	if _, err := executable(); err != nil {
		return err
	}
	_, err := p.setup(ctx)
	return err
}

// executable is this program's file, or the one that is in its place since: Linux
// says of a file that was replaced that it is deleted.
func executable() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	self = strings.TrimSuffix(self, " (deleted)")
	if info, err := os.Stat(self); err != nil || !info.Mode().IsRegular() {
		return "", errors.New("the program's file is not there any more")
	}
	return self, nil
}

// stay is an engine without its screen, in this process, until it is told to end.
func (p *program) stay(ctx context.Context, e engine, gone <-chan error, interrupts chan os.Signal, why error) error {
	p.say("oauthmux: the engine goes on in this process, until ctrl+c: no other one can take its place: %s", firstLine(why.Error()))
	select {
	case err := <-gone:
		return err
	case <-ctx.Done():
	}
	select {
	case <-interrupts: // it ended ctx; the next one cuts
	default:
	}
	return p.awaitEnd(ctx, e, gone, interrupts)
}

// awaitFinish waits until e has ended, says for what, and cuts it short when it is
// interrupted. It reports whether the program was told to end by anything else.
func (p *program) awaitFinish(ctx context.Context, e engine, gone <-chan error, interrupts <-chan os.Signal) (told bool, err error) {
	line := p.statusLine()
	defer line.clear()
	look := time.NewTicker(linePace)
	defer look.Stop()
	interrupted := false
	for {
		select {
		case err := <-gone:
			select {
			case <-interrupts:
				interrupted = true
			default:
			}
			return ctx.Err() != nil && !interrupted, err
		case <-interrupts:
			interrupted = true
			e.cut()
		case <-look.C:
			line.show(finishing(ctx, e, interrupted))
		}
	}
}

// finishing words what an engine that is left waits for.
func finishing(ctx context.Context, e engine, interrupted bool) string {
	s, err := e.State(ctx)
	requests := 0
	if err == nil {
		for _, a := range s.Accounts {
			requests += a.InFlight
		}
	}
	switch {
	case interrupted || requests == 0:
		return "handing the engine over"
	case requests == 1:
		return "the engine goes on when 1 request has ended; new ones wait; ctrl+c cuts it"
	}
	return fmt.Sprintf("the engine goes on when %d requests have ended; new ones wait; ctrl+c cuts them", requests)
}

// succeed starts the next engine and waits until it answers.
func (p *program) succeed(ctx context.Context, will legacy, door *os.File, paths config.Paths, interrupts <-chan os.Signal) error {
	heir, err := p.startHeir(will, door)
	if err != nil {
		return notLeft(fmt.Sprintf("it could not be started: %v", reason(err)))
	}
	defer heir.forget()
	line := p.statusLine()
	defer line.clear()
	deadline := time.Now().Add(handoverPatience)
	path, err := control.SocketPath(paths.State)
	if err != nil {
		return err
	}
	for {
		s, err := answers(ctx, path)
		if err == nil && s.Engine.PID == heir.pid && (s.Key.New || s.Key.State != string(vault.KeyUnasked)) {
			line.clear()
			p.say("%s", dashboard.KeepsRunning("oauthmux", heir.pid, s.Engine.Listen))
			if s.Key.Message != "" && s.Key.State != string(vault.KeyOK) && !s.Key.New {
				p.say("oauthmux: it serves nothing yet: %s", printableLines(s.Key.Message))
			}
			return nil
		}
		line.show("starting the engine that goes on; ctrl+c stops waiting")
		select {
		case said := <-heir.ended:
			return notLeft(firstLine(said))
		case <-interrupts:
			line.clear()
			p.say("oauthmux: not waited for the engine any longer (pid %d): oauthmux status tells whether it runs", heir.pid)
			return nil
		case <-time.After(handoverPace):
		}
		if time.Now().After(deadline) {
			return &control.Error{
				Code:    control.CodeUnavailable,
				Message: fmt.Sprintf("the engine that is to go on (process %d) does not answer yet", heir.pid),
				Hint:    "oauthmux status tells whether it does by now",
			}
		}
	}
}

// answers asks the engine at path for its state.
func answers(ctx context.Context, path string) (control.State, error) {
	client, err := control.Dial(ctx, path)
	if err != nil {
		return control.State{}, err
	}
	return client.State(ctx)
}

func notLeft(why string) error {
	return &control.Error{
		Code:    control.CodeUnavailable,
		Message: "the engine does not run any more: " + why,
		Hint:    "start it: oauthmux serve, or oauthmux for the screen too",
	}
}

// firstLine is what a program says first when it fails, without its name.
func firstLine(said string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(said), "\n")
	return or(printableLines(strings.TrimPrefix(line, "oauthmux: ")), "it ended without a word")
}

// heir is the process that becomes the engine.
type heir struct {
	pid   int
	ended <-chan string // gets what it said, when it has ended
	said  *os.File
	gone  <-chan struct{}
}

// startHeir starts `serve` as a process that no terminal and no signal to this one
// reaches, and gives it what is left to it.
func (p *program) startHeir(will legacy, door *os.File) (*heir, error) {
	self, err := executable()
	if err != nil {
		return nil, err
	}
	given, err := json.Marshal(will)
	if err != nil {
		return nil, err
	}
	input, give, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer input.Close() //nolint:errcheck // the child has its own
	said, output, err := os.Pipe()
	if err != nil {
		_ = give.Close()
		return nil, err
	}
	defer output.Close()                                  //nolint:errcheck // the child has its own
	cmd := exec.Command(self, "serve", "--"+handoverFlag) //nolint:gosec,noctx // this very program, which is to outlive us
	cmd.Env = p.Environ()                                 // without the passphrase: that was taken out of it
	cmd.Stdin, cmd.Stderr, cmd.SysProcAttr = input, output, detached()
	if door != nil {
		cmd.ExtraFiles = []*os.File{door}
	}
	defer clear(given)
	if err := cmd.Start(); err != nil {
		_, _ = give.Close(), said.Close()
		return nil, err
	}
	ended, gone := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(gone)
		text, err := io.ReadAll(io.LimitReader(said, 64<<10))
		if err != nil {
			return // forgotten: it runs
		}
		_ = cmd.Wait()
		ended <- string(text)
	}()
	_, err = give.Write(given)
	if err = errors.Join(err, give.Close()); err != nil {
		_ = cmd.Process.Kill() // what it said before it ended says more
	}
	return &heir{pid: cmd.Process.Pid, ended: ended, said: said, gone: gone}, nil
}

// forget lets go of a process that goes on by itself, or of one that has ended.
func (h *heir) forget() {
	if runtime.GOOS == "windows" {
		return // a read of a pipe cannot be given up there: it ends with this process, which has nothing else to do
	}
	_ = h.said.Close() // ends the read
	<-h.gone
}

// inherit reads what was left to this process, and takes it on.
func (p *program) inherit() (net.Listener, error) {
	b, err := io.ReadAll(io.LimitReader(p.in, maxLegacy))
	if err != nil {
		return nil, fmt.Errorf("read what the engine before left: %w", err)
	}
	defer clear(b)
	var will legacy
	if err := json.Unmarshal(b, &will); err != nil {
		return nil, wrongUsage("start an engine with: oauthmux serve", "--%s is for oauthmux itself", handoverFlag)
	}
	p.Passphrase, p.configFlags = will.Passphrase, will.Flags
	if !will.Socket {
		return nil, nil //nolint:nilnil // it opens its own
	}
	const first = 3 // descriptor, after the three that every process has
	door := os.NewFile(first, "inherited socket")
	defer door.Close() //nolint:errcheck // no child of this process gets it; the listener has a handle of its own
	l, err := net.FileListener(door)
	if err != nil {
		return nil, fmt.Errorf("listen on the socket of the engine before: %w", err)
	}
	if err := onlyThisMachine(l); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// onlyThisMachine refuses a socket that others can reach, whoever it came from
// (SAFETY T05).
func onlyThisMachine(l net.Listener) error {
	if at, tcp := l.Addr().(*net.TCPAddr); !tcp || !at.IP.IsLoopback() {
		return errors.New("the socket that was left does not listen on this machine alone")
	}
	return nil
}
