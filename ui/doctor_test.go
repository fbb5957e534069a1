package ui

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/vault"
	"github.com/oauthmux/oauthmux/relogin"
	"github.com/oauthmux/oauthmux/ui/config"
	"github.com/oauthmux/oauthmux/ui/control"
	"github.com/oauthmux/oauthmux/usage"
)

var doctorNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// soundFacts are those of a home without a fault: two accounts, no engine.
func soundFacts() *facts {
	f := &facts{
		paths:  config.Paths{ConfigFile: "/c/config.toml", Data: "/d", State: "/s", Vault: "/d/vault", EngineLock: "/s/engine.lock", StateLock: "/s/state.lock"},
		getenv: func(string) string { return "" }, version: "v1", now: doctorNow, built: doctorNow.AddDate(0, -1, 0),
		browser: browserFact{path: "/usr/bin/chromium", version: "Chromium 156.0"},
		held:    map[string]bool{}, holders: func(string) int { return 0 },
		folders: []folderFact{{path: "/d", free: 1 << 40}, {path: "/s", free: 1 << 40}},
		view:    &vault.View{}, asked: true,
		records: map[string]vault.Record{"a": {Provider: "p", Identity: "1", RefreshToken: "ra", ReceivedAt: doctorNow.Add(-time.Hour)}, "b": {Provider: "p", Identity: "2", RefreshToken: "rb"}},
		broken:  map[string]error{},
		traces:  []vault.Trace{{ID: "a", Record: true, Lock: "/d/vault/a/lock"}, {ID: "b", Record: true, Lock: "/d/vault/b/lock"}},
		meta: accounts.Inspection{Accounts: []accounts.Account{
			{ID: "a", Provider: "p", Identity: "1", Label: "work", TokenExpiresAt: doctorNow.Add(time.Hour), LoggedInAt: doctorNow.AddDate(0, 0, -3)},
			{ID: "b", Provider: "p", Identity: "2", Label: "home", TokenExpiresAt: doctorNow.Add(-time.Hour), Usage: usage.Snapshot{At: doctorNow.Add(-time.Minute)}},
		}},
	}
	f.config.Proxy.Listen, f.config.Network.Proxy = "127.0.0.1:4747", config.ProxyEnv
	return f
}

func TestNothingIsWrongWithASoundHome(t *testing.T) {
	f := soundFacts()
	for _, e := range examinations {
		if found := e.judge(f); found.state != checkOK || found.message == "" || found.hint != "" || found.mend != nil {
			t.Errorf("%s: %+v", e.name, found)
		}
	}
}

// env is an environment of one variable.
func env(name, value string) func(string) string {
	return func(asked string) string {
		if asked == name {
			return value
		}
		return ""
	}
}

func running(change func(*control.State)) *control.State {
	s := &control.State{}
	s.Engine = control.Info{Running: true, Listen: "127.0.0.1:4747", PID: 42, Version: "v1"}
	s.Key = control.Key{State: string(vault.KeyOK)}
	s.Accounts = []control.Account{{ID: "a", State: control.StateReady}, {ID: "b", State: control.StateReady}}
	if change != nil {
		change(s)
	}
	return s
}

func TestChecks(t *testing.T) {
	const ok, warn, wrong = checkOK, checkWarn, checkWrong
	for _, c := range []struct {
		name, check string
		change      func(f *facts)
		state       string
		message     string // a part of it
		hint        string // a part of it
		would       string // a part of what --fix would do; "": it would do nothing
	}{
		{"a mistake", "config", func(f *facts) {
			f.configErr = &config.Error{File: "/c/config.toml", Line: 2, Column: 1, Key: "proxy.lisen", Problem: "unknown key", Hint: "did you mean listen?"}
		}, wrong, "/c/config.toml:2:1: proxy.lisen: unknown key", "did you mean listen?", ""},

		{"not there yet", "folders", func(f *facts) { f.folders[1].missing = true }, ok, "/s is not there yet", "", "make /s"},
		{"another's", "folders", func(f *facts) {
			f.folders[0].problem, f.folders[0].hint = "belongs to another user", "set OAUTHMUX_HOME"
		}, wrong, "/d belongs to another user", "set OAUTHMUX_HOME", ""},
		{"open to others", "folders", func(f *facts) { f.folders[1].loose = true }, wrong, "others can open /s", "0700", "make private: /s"},
		{"read-only", "folders", func(f *facts) { f.folders[0].unwrit = errors.New("read-only file system") }, wrong, "nothing can be written to /d: read-only file system", "no token can be renewed", ""},
		{"a file open to others", "folders", func(f *facts) { f.loose = []fileFact{{path: "/d/accounts.json", want: 0o600}} }, wrong, "/d/accounts.json", "0600", "make private: /d/accounts.json"},
		{"a strange file", "folders", func(f *facts) { f.loose = []fileFact{{path: "/d/accounts.json", strange: "is a link"}} }, wrong, "/d/accounts.json is a link", "move it away", ""},
		{"a missing folder does not hide it", "folders", func(f *facts) {
			f.folders[1].missing, f.loose = true, []fileFact{{path: "/d/accounts.json", strange: "is a link"}}
		}, wrong, "is a link", "move it away", "make /s"},
		{"what is wrong in the vault is not wrong outside", "folders", func(f *facts) { f.loose = []fileFact{{path: "/d/vault", vault: true, want: 0o700}} }, ok, "/d and /s", "", ""},

		{"nearly full", "disk", func(f *facts) { f.folders[1].free = 60 << 20 }, warn, "only 60 MiB free at /s", "free some space", ""},
		{"full", "disk", func(f *facts) { f.folders[0].free, f.folders[1].free = 60<<20, 1<<20 }, wrong, "only 1.0 MiB free at /s", "free some space", ""},
		{"not known", "disk", func(f *facts) { f.folders[0].freeErr = errors.ErrUnsupported }, warn, "cannot be told", "", ""},

		{"no locks", "locking", func(f *facts) { f.folders[1].noLocks = errors.New("a lock that is held can be taken once more") }, wrong, "locks do not work in /s", "local disk", ""},
		{"not tried", "locking", func(f *facts) { f.folders[0].unwrit = errors.New("read-only file system") }, warn, "not tried", "see folders", ""},
		{"not there yet", "locking", func(f *facts) { f.folders[0].missing = true }, ok, "not tried yet", "", ""},

		{"an engine", "locks", func(f *facts) { f.held["/s/engine.lock"], f.holders = true, func(string) int { return 42 } }, ok, "held: engine.lock (process 42)", "", ""},
		{"a writer that does not finish", "locks", func(f *facts) { f.held["/s/state.lock"] = true }, warn, "state.lock", "Never remove a lock file", ""},
		{"a renewal", "locks", func(f *facts) {
			f.traces[0].Busy, f.traces[0].PID, f.traces[0].Since = true, 77, doctorNow.Add(-time.Second)
		}, ok, "work (process 77), renewing since", "", ""},
		{"a renewal that is stuck", "locks", func(f *facts) {
			f.traces[0].Busy, f.traces[0].PID, f.traces[0].Since = true, 77, doctorNow.Add(-time.Hour)
		}, warn, "work (process 77)", "see whether that process is stopped", ""},

		{"running", "engine", func(f *facts) { f.engine = running(nil) }, ok, "running, process 42, version v1", "", ""},
		{"another version", "engine", func(f *facts) { f.engine, f.version = running(nil), "v2" }, warn, "version v1, and this is v2", "start it again", ""},
		{"suspended", "engine", func(f *facts) {
			f.silence = &control.Error{Code: control.CodeEngineSilent, Message: "the oauthmux that runs does not answer", Hint: "it may be suspended"}
		}, wrong, "does not answer", "suspended", ""},
		{"too slow", "engine", func(f *facts) { f.silence = context.DeadlineExceeded }, wrong, "the engine does not answer", "suspended", ""},
		{"a lock and no socket", "engine", func(f *facts) { f.held["/s/engine.lock"] = true }, wrong, "something holds engine.lock", "look for its process", ""},
		{"a socket and no lock", "engine", func(f *facts) { f.socket = socketFact{path: "/s/control.sock", there: true} }, warn, "left /s/control.sock behind", "nothing to do", "remove /s/control.sock"},
		{"a file for a socket", "engine", func(f *facts) { f.socket = socketFact{path: "/s/control.sock", there: true, plain: true} }, wrong, "is not a socket", "move it away", ""},

		{"none, and nobody needs one", "browser", func(f *facts) { f.browser = browserFact{err: &relogin.BrowserMissingError{Hint: "apt"}} }, ok, "only browser sessions need one", "apt", ""},
		{"none, and an account needs one", "browser", func(f *facts) {
			f.browser = browserFact{err: &relogin.BrowserMissingError{Hint: "apt"}}
			f.meta.Accounts[1].Browser = accounts.BrowserReady
		}, wrong, "no browser was found", "apt", ""},
		{"not where it was said to be", "browser", func(f *facts) { f.browser = browserFact{err: &relogin.BrowserMissingError{Path: "/no"}} }, wrong, "there is no browser at /no", "", ""},
		{"slow", "browser", func(f *facts) {
			f.browser = browserFact{path: "/bin/chromium", err: &relogin.BrowserError{Problem: "did not tell its version in time", Err: context.DeadlineExceeded}}
		}, warn, "did not tell its version in time: /bin/chromium", "busy", ""},
		{"something else", "browser", func(f *facts) {
			f.browser = browserFact{path: "/bin/cat", err: &relogin.BrowserError{Problem: "did not tell its version"}}
		}, wrong, "did not tell its version: /bin/cat", "OAUTHMUX_BROWSER", ""},

		{"ours", "port", func(f *facts) { f.engine = running(nil) }, ok, "127.0.0.1:4747 is ours", "", ""},
		{"not yet", "port", func(f *facts) { f.engine = running(func(s *control.State) { s.Engine.Listen = "" }) }, warn, "does not listen yet", "look again", ""},
		{"another's", "port", func(f *facts) { f.listenErr = errors.New("address already in use") }, wrong, "cannot listen on 127.0.0.1:4747: address already in use", "proxy.listen", ""},
		{"of an engine that is silent", "port", func(f *facts) {
			f.listenErr, f.held["/s/engine.lock"] = errors.New("address already in use"), true
		}, warn, "most likely by the engine", "see engine", ""},
		{"any", "port", func(f *facts) { f.config.Proxy.Listen = "[::1]:0" }, ok, "a free port", "", ""},
		{"not known", "port", func(f *facts) { f.configErr = errors.New("no") }, warn, "not checked", "see config", ""},

		{"none", "proxy", func(f *facts) { f.config.Network.Proxy, f.getenv = config.ProxyNone, env("HTTPS_PROXY", "http://p:1") }, ok, "straight out", "", ""},
		{"of the environment", "proxy", func(f *facts) { f.getenv = env("https_proxy", "http://me:hunter2@p.example:1") }, warn, "the proxy p.example:1 (https_proxy)", "none", ""},
		{"without a scheme", "proxy", func(f *facts) { f.getenv = env("HTTPS_PROXY", "p.example:3128") }, warn, "the proxy p.example:3128 (HTTPS_PROXY)", "none", ""},
		{"no address", "proxy", func(f *facts) { f.getenv = env("HTTPS_PROXY", "http://%zz") }, wrong, "HTTPS_PROXY is not the address of a proxy", "none", ""},
		{"of the configuration", "proxy", func(f *facts) { f.config.Network.Proxy = "socks5://p.example:1080" }, warn, "p.example:1080 (network.proxy)", "none", ""},

		{"open to others", "vault", func(f *facts) {
			f.loose = []fileFact{{path: "/d/vault/a/cred", vault: true, want: 0o600}, {path: "/d/vault/x", vault: true, strange: "is a link"}}
		}, wrong, "/d/vault/a/cred; /d/vault/x is a link", "move it away", "make private: /d/vault/a/cred"},
		{"no vault", "vault", func(f *facts) { f.view = nil }, ok, "no vault yet", "", ""},
		{"not to be opened", "vault", func(f *facts) { f.view, f.viewErr = nil, errors.New("it is a file") }, wrong, "cannot be opened: it is a file", "/d/vault", ""},
		{"not to be listed", "vault", func(f *facts) { f.listErr = errors.New("permission denied") }, wrong, "cannot be listed: permission denied", "/d/vault", ""},

		{"locked", "keyring", func(f *facts) { f.keyErr = &vault.KeyError{State: vault.KeyLocked} }, wrong, "the keyring is locked", "unlock it", ""},
		{"hanging", "keyring", func(f *facts) { f.keyErr = &vault.KeyError{State: vault.KeyTimeout} }, wrong, "did not answer in time", "restart its service", ""},
		{"a passphrase", "keyring", func(f *facts) { f.keyErr = &vault.KeyError{State: vault.KeyPassphraseNeeded} }, warn, "needs its passphrase", "OAUTHMUX_PASSPHRASE", ""},
		{"the engine has it", "keyring", func(f *facts) { f.engine, f.keyErr = running(nil), &vault.KeyError{State: vault.KeyLocked} }, ok, "the engine has the key; from here: the keyring is locked", "", ""},
		{"the engine has none", "keyring", func(f *facts) {
			f.engine = running(func(s *control.State) {
				s.Key = control.Key{State: string(vault.KeyLocked), Message: "the keyring is locked", Hint: "unlock it"}
			})
		}, wrong, "the engine has no key: the keyring is locked", "unlock it", ""},
		{"no vault", "keyring", func(f *facts) { f.view, f.config.Keyring.Backend = nil, "file" }, ok, "there is no key yet: the first login makes one in file", "OAUTHMUX_PASSPHRASE", ""},
		{"no vault, and a key that could not be made", "keyring", func(f *facts) {
			f.view = nil
			f.engine = running(func(s *control.State) {
				s.Key = control.Key{State: string(vault.KeyUnwritable), New: true, Message: "the keyring could not keep a new key", Hint: "choose another one"}
			})
		}, wrong, "the engine has no key: the keyring could not keep a new key", "choose another one", ""},
		{"a vault that cannot be opened", "keyring", func(f *facts) { f.view, f.viewErr = nil, errors.New("no") }, wrong, "not asked", "see vault", ""},

		{"unreadable", "records", func(f *facts) { f.broken["a"] = vault.ErrUnreadable; delete(f.records, "a") }, wrong, "work: the sealed record cannot be read", "oauthmux login", ""},
		{"half-written, and no key", "records", func(f *facts) {
			f.keyErr, f.records = &vault.KeyError{State: vault.KeyLocked}, nil
			f.traces[1].Problem = errors.New("cred is cut short")
		}, wrong, "home: cred is cut short", "backup", ""},
		{"half-written, and recovered", "records", func(f *facts) { f.traces[1].Problem = errors.New("cred is cut short") }, ok, "2 records, all of them readable", "", ""},
		{"no key", "records", func(f *facts) { f.keyErr, f.records = &vault.KeyError{State: vault.KeyLocked}, nil }, ok, "2 records, looked at from outside", "", ""},
		{"the engine cannot read it", "records", func(f *facts) {
			f.keyErr, f.records = &vault.KeyError{State: vault.KeyLocked}, nil
			f.engine = running(func(s *control.State) { s.Accounts[0].State = control.StateUnreadable })
		}, wrong, "work: the sealed record cannot be read", "oauthmux login", ""},
		{"unsaved", "records", func(f *facts) {
			f.engine = running(func(s *control.State) { s.Accounts[0].State = control.StateUnsaved })
		}, wrong, "work: the new token is only in the engine's memory", "keep the engine running", ""},
		{"cut short", "records", func(f *facts) {
			f.traces[0].CutShort, f.traces[0].PID, f.traces[0].Since = true, 77, doctorNow
		}, warn, "work: a renewal was cut short at", "the next renewal", ""},
		{"kept", "records", func(f *facts) { f.traces[0].Kept = []string{"cred.bad-1"} }, warn, "kept as cred.bad-1", "move what was kept", ""},
		{"no record", "records", func(f *facts) { f.traces = f.traces[:1] }, wrong, "home: the vault has no token for it", "oauthmux logout", ""},
		{"no account", "records", func(f *facts) { f.meta.Accounts = f.meta.Accounts[:1] }, wrong, "b: accounts.json does not know it", "adds it", "add to accounts.json"},
		{"no account, and no key", "records", func(f *facts) {
			f.meta.Accounts, f.keyErr, f.records = f.meta.Accounts[:1], &vault.KeyError{State: vault.KeyLocked}, nil
		}, wrong, "b: accounts.json does not know it", "adds it", ""},
		{"no account, and an engine", "records", func(f *facts) { f.meta.Accounts, f.engine = f.meta.Accounts[:1], running(nil) }, wrong, "b: accounts.json does not know it", "adds it", ""},
		{"a copy", "records", func(f *facts) {
			f.meta.Accounts = f.meta.Accounts[:1]
			f.records["b"] = vault.Record{Provider: "p", RefreshToken: "ra"}
		}, warn, "b: a login of work waits there", "nothing to do", ""},
		{"a login that was asked to be another's", "records", func(f *facts) {
			f.meta.Accounts = f.meta.Accounts[:1]
			f.records["b"] = vault.Record{Provider: "p", RefreshToken: "rb", For: "a"}
		}, warn, "b: a login of work waits there", "nothing to do", ""},
		{"an id that is not what it was", "records", func(f *facts) { f.meta.Accounts[1].ID = "c" }, wrong, "home: the vault has no token for it; b: accounts.json does not know it", "sign in again", "add to accounts.json"},
		{"no vault", "records", func(f *facts) {
			f.view, f.traces, f.records, f.meta = nil, nil, nil, accounts.Inspection{Missing: true}
		}, ok, "none yet", "", ""},
		{"a vault that cannot be opened", "records", func(f *facts) { f.view, f.viewErr = nil, errors.New("no") }, wrong, "not looked at", "see vault", ""},

		{"damaged", "accounts", func(f *facts) { f.meta = accounts.Inspection{Damage: "it is empty"} }, wrong, "accounts.json is damaged: it is empty", "nothing is lost", "rebuild it from the vault"},
		{"damaged, and no key", "accounts", func(f *facts) {
			f.meta, f.keyErr, f.records = accounts.Inspection{Damage: "it is empty"}, &vault.KeyError{State: vault.KeyLocked}, nil
		}, wrong, "damaged", "see keyring", ""},
		{"damaged, and an engine", "accounts", func(f *facts) { f.meta, f.engine = accounts.Inspection{Damage: "it is empty"}, running(nil) }, wrong, "damaged", "by itself", ""},
		{"damaged, and an engine that is silent", "accounts", func(f *facts) {
			f.meta, f.held["/s/engine.lock"] = accounts.Inspection{Damage: "it is empty"}, true
		}, wrong, "damaged", "by itself", ""},
		{"damaged, and nothing in the vault", "accounts", func(f *facts) { f.meta, f.traces, f.records = accounts.Inspection{Damage: "it is empty"}, nil, nil }, wrong, "damaged", "mend it by hand", ""},
		{"missing", "accounts", func(f *facts) { f.meta = accounts.Inspection{Missing: true} }, wrong, "missing, and the vault holds 2 accounts", "nothing is lost", "rebuild accounts.json"},
		{"none yet", "accounts", func(f *facts) { f.meta, f.traces = accounts.Inspection{Missing: true}, nil }, ok, "oauthmux login", "", ""},
		{"kept", "accounts", func(f *facts) { f.meta.Kept = []string{"accounts.json.bad-1"} }, warn, "2 accounts; a damaged accounts.json is kept as accounts.json.bad-1", "once no account", ""},
		{"no file", "accounts", func(f *facts) { f.metaErr = errors.New("is not a regular file") }, wrong, "is not a regular file", "move it away", ""},

		{"1970", "clock", func(f *facts) { f.now = time.Unix(0, 0) }, wrong, "built at", "set the clock", ""},
		{"before a token came", "clock", func(f *facts) { f.now, f.meta.Accounts = doctorNow.Add(-90*time.Minute), f.meta.Accounts[:1] }, wrong, "a token of work was received at 2026-03-01 11:00 UTC", "set the clock", ""},
		{"before a record was written", "clock", func(f *facts) { f.traces[1].Written = doctorNow.Add(time.Hour) }, wrong, "the record of home was written", "set the clock", ""},
		{"a moment before", "clock", func(f *facts) { f.traces[1].Written = doctorNow.Add(time.Minute) }, ok, "2026-03-01 12:00", "", ""},
		{"in fifty years", "clock", func(f *facts) { f.now = doctorNow.AddDate(50, 0, 0) }, wrong, "as long ago as", "set the clock", ""},
		{"a token for months", "clock", func(f *facts) { f.meta.Accounts[0].TokenExpiresAt = doctorNow.AddDate(0, 3, 0) }, wrong, "longer than any token", "set the clock", ""},
		{"every token long ended", "clock", func(f *facts) { f.now = doctorNow.AddDate(0, 6, 0) }, warn, "the last token ended", "ahead", ""},
		{"no token, no build", "clock", func(f *facts) { f.built, f.meta.Accounts = time.Time{}, nil }, ok, "2026-03-01", "", ""},
	} {
		t.Run(c.check+": "+c.name, func(t *testing.T) {
			f := soundFacts()
			c.change(f)
			i := slices.IndexFunc(examinations, func(e examination) bool { return e.name == c.check })
			found := examinations[i].judge(f)
			if found.state != c.state || !strings.Contains(found.message, c.message) || !strings.Contains(found.hint, c.hint) || (c.hint == "") != (found.hint == "") {
				t.Errorf("got %s, %q, %q\nwant %s, %q, %q", found.state, found.message, found.hint, c.state, c.message, c.hint)
			}
			would := ""
			if found.mend != nil {
				would = found.mend.would
			}
			if !strings.Contains(would, c.would) || (c.would == "") != (would == "") {
				t.Errorf("would %q, want %q", would, c.would)
			}
			if strings.Contains(found.message+found.hint, "hunter2") {
				t.Error("a password is shown")
			}
		})
	}
}

func TestOverriddenEndpointsAreNamed(t *testing.T) {
	home := t.TempDir()
	var id accounts.ProviderID
	set, err := accounts.NewSet(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range set.All() {
		id = p.ID
	}
	path := filepath.Join(home, "config.toml")
	if err := os.WriteFile(path, []byte("[providers."+string(id)+"]\ntoken_url = \"https://elsewhere.example/token\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := soundFacts()
	f.paths.ConfigFile = path
	f.readConfig(t.Context())
	if found := f.judgeEndpoints(); f.configErr != nil || found.state != checkWarn || !strings.Contains(found.message, "token_url") || found.hint == "" {
		t.Errorf("%v: %+v", f.configErr, found)
	}
}

func TestAPortIsTried(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := soundFacts()
	f.config.Proxy.Listen = l.Addr().String()
	if f.tryPort(t.Context()); f.judgePort().state != checkWrong {
		t.Errorf("while it is taken: %+v", f.judgePort())
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if f.tryPort(t.Context()); f.judgePort().state != checkOK {
		t.Errorf("while it is free: %+v", f.judgePort())
	}
	f.engine = running(nil)
	f.listenErr = errors.New("of before")
	if f.tryPort(t.Context()); f.listenErr != nil {
		t.Errorf("with an engine: %v", f.listenErr)
	}
}

func TestDoctorFixesOnlyOnce(t *testing.T) {
	done := 0
	m := &mend{would: "do it", do: func(context.Context) error { done++; return nil }}
	if said := carryOut(t.Context(), m); said != "done: do it" || done != 1 {
		t.Errorf("%q, %d times", said, done)
	}
	m.do = func(context.Context) error { return &control.Error{Message: "no room"} }
	if said := carryOut(t.Context(), m); said != "could not do it: no room" {
		t.Errorf("%q", said)
	}
}

func TestDoctorText(t *testing.T) {
	got := checksText([]check{
		{Name: "port", State: checkOK, Message: "free"},
		{Name: "keyring", State: checkWrong, Message: "locked\x1b[2J\nand more", Hint: "unlock it"},
		{Name: "vault", State: checkWarn, Message: "open", Fix: "would close it"},
	}, false)
	want := `✓ ok     port     free
✗ wrong  keyring  locked[2J and more
                  hint: unlock it
! warn   vault    open
                  fix:  would close it

1 wrong, 1 warning
what --fix would do is done by: oauthmux doctor --fix
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
