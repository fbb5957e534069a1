package ui

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/vault"
	"github.com/oauthmux/oauthmux/ui/config"
	"github.com/oauthmux/oauthmux/ui/control"
)

// facts are what the checks judge: gathered once, with a deadline on whatever
// might not answer, and without changing anything. A file of our own that is
// made to try the disk is gone before gather returns.
type facts struct {
	paths      config.Paths
	getenv     func(string) string
	environ    []string
	flags      map[string]string
	version    string
	passphrase string

	now, built time.Time // built: zero when nothing tells it

	config     config.Config // the defaults when it cannot be read
	configErr  error
	configInfo fs.FileInfo // nil: there is no file

	engine  *control.State // nil: none answers
	silence error          // why an engine that seems to be there does not answer
	socket  socketFact
	held    map[string]bool // which of the home's own locks are held
	holders func(path string) int

	browser browserFact

	listenErr error // why the proxy's address cannot be listened on; nil also when that was not tried

	folders []folderFact // data and state; one when they are the same
	loose   []fileFact   // files and folders that are not as they should be

	view    *vault.View // nil: there is no vault, or it cannot be looked at
	viewErr error       // why it cannot
	asked   bool        // the keyring was asked
	keyErr  error       // why it gave no key
	traces  []vault.Trace
	listErr error // why the vault cannot be listed

	records map[string]vault.Record
	broken  map[string]error // records that the key does not open

	meta    accounts.Inspection
	metaErr error
}

// How long gathering waits: for an engine, and for a resolver when proxy.listen
// holds a name. The vault has its own deadline for the keyring, of three
// seconds, which runs beside these.
const (
	enginePatience   = 2 * time.Second
	resolverPatience = time.Second
)

// gather looks at everything.
func (f *facts) gather(ctx context.Context) {
	f.now, f.built, f.holders = time.Now(), buildTime(), lockHolder
	f.readConfig(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { f.askKeyring(ctx) })
	wg.Go(func() { f.findEngine(ctx) })
	wg.Go(func() { f.findBrowser(ctx) })
	wg.Wait()
	f.gatherFiles(ctx)
}

// gatherAgain looks once more at what --fix may have changed. A keyring that
// hangs is not asked again: it would only take its time again.
func (f *facts) gatherAgain(ctx context.Context) {
	ke, ok := errors.AsType[*vault.KeyError](f.keyErr)
	if f.view == nil || ok && ke.State != vault.KeyTimeout {
		f.close()
		f.askKeyring(ctx)
	}
	f.gatherFiles(ctx)
}

// gatherFiles looks at all but the configuration, the engine and the keyring.
func (f *facts) gatherFiles(ctx context.Context) {
	f.lookAtSocket()
	f.lookAtFolders()
	f.lookAtFiles()
	f.lookAtLocks(ctx)
	f.tryPort(ctx)
	f.lookAtRecords()
	f.meta, f.metaErr = accounts.Inspect(f.paths.Data)
	f.configInfo, _ = os.Stat(f.paths.ConfigFile) // nil where there is none
}

func (f *facts) close() {
	if f.view != nil {
		f.view.Close()
		f.view = nil
	}
}

// readConfig loads the configuration or, where that is wrong, the defaults.
func (f *facts) readConfig(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, resolverPatience)
	defer cancel()
	f.config, f.configErr = config.Load(ctx, config.Sources{File: f.paths.ConfigFile, Getenv: f.getenv, Flags: f.flags})
	if f.configErr != nil {
		nothing := func(string) string { return "" }
		f.config, _ = config.Load(ctx, config.Sources{Getenv: nothing}) // defaults are never wrong
	}
}

// askKeyring opens the vault, to look at it, and gets its key if there is one.
func (f *facts) askKeyring(ctx context.Context) {
	f.viewErr, f.asked, f.keyErr = nil, false, nil
	view, err := vault.Look(vault.Options{
		Dir: f.paths.Vault, Backend: f.config.Keyring.Backend, Passphrase: f.passphrase, Log: slog.New(slog.DiscardHandler),
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		f.viewErr = err
	default:
		f.view = view
		if !view.FirstUse() {
			f.keyErr = view.Ask(ctx)
			f.asked = true
		}
	}
}

// findEngine asks the engine of this home, if there is one, for its own view.
func (f *facts) findEngine(ctx context.Context) {
	path, err := control.SocketPath(f.paths.State)
	if err != nil {
		f.silence = err
		return
	}
	ctx, cancel := context.WithTimeout(ctx, enginePatience)
	defer cancel()
	client, err := control.Dial(ctx, path)
	if errors.Is(err, control.ErrNoEngine) {
		return
	}
	var s control.State
	if err == nil {
		s, err = client.State(ctx)
	}
	if err != nil {
		f.silence = err
		return
	}
	f.engine = &s
}

// tryPort tries the proxy's address where no engine has it.
func (f *facts) tryPort(ctx context.Context) {
	f.listenErr = nil
	if f.engine != nil || f.configErr != nil {
		return
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", f.config.Proxy.Listen)
	if err != nil {
		f.listenErr = err
		return
	}
	_ = l.Close()
}

// lookAtRecords looks at the vault from outside and, if there is the key, into
// its records.
func (f *facts) lookAtRecords() {
	f.traces, f.listErr, f.records, f.broken = nil, nil, map[string]vault.Record{}, map[string]error{}
	if f.view == nil {
		return
	}
	f.traces, f.listErr = f.view.Accounts()
	if !f.opened() {
		return
	}
	for _, t := range f.traces {
		if !t.Record {
			continue
		}
		record, err := f.view.Read(t.ID)
		switch {
		case err == nil:
			f.records[t.ID] = record
		case !errors.Is(err, vault.ErrNotFound): // else it was removed just now
			f.broken[t.ID] = err
		}
	}
}

// opened reports whether this process has the key.
func (f *facts) opened() bool { return f.asked && f.keyErr == nil }

// engineRuns reports whether some engine runs for this home, whether or not it
// answers.
func (f *facts) engineRuns() bool { return f.engine != nil || f.held[f.paths.EngineLock] }

// label is an account's name for a person.
func (f *facts) label(id string) string {
	for i := range f.meta.Accounts {
		if a := &f.meta.Accounts[i]; string(a.ID) == id {
			return a.Label
		}
	}
	return id
}

// buildTime is when this program was built, or written to this disk: the clock
// cannot be before that.
func buildTime() time.Time {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if at, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				return at
			}
		}
	}
	path, err := os.Executable()
	if err != nil {
		return time.Time{}
	}
	info, err := os.Stat(filepath.Clean(path))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
