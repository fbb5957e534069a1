package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// obedientPass is a pass that keeps its items in the clear and does as the file
// "does" says: it hangs, refuses, or keeps something else than it was given.
const obedientPass = `#!/bin/sh
cd "$PASSWORD_STORE_DIR" || exit 1
case "$1 $(cat does)" in
*hang) exec sleep 20 </dev/null >/dev/null 2>&1 ;;
*refuse) exit 2 ;;
"insert spoil") echo '{"Data":"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}' >"$4.gpg" ;;
"insert "*) cat >"$4.gpg" ;;
"show "*) cat "$2.gpg" ;;
"rm "*) rm "$3.gpg" ;;
esac
`

// ringed is a home whose key is in a keyring that can be spoilt.
type ringed struct {
	*home
	store string // of the pass; "": the keyring is another one
}

// passed is a home whose keyring is an obedient pass. It has no account yet.
func passed(t *testing.T) *ringed {
	t.Helper()
	h := newHome(t, newProvider(t, simulator.Options{}, people("work")...), "[keyring]", `backend = "pass"`, "[relogin]", `browser = "/bin/true"`)
	store := t.TempDir()
	for name, text := range map[string]string{"bin/pass": obedientPass, "store/.gpg-id": "somebody\n", "store/does": "as it should\n", "store/oauthmux/.keep": ""} {
		path := filepath.Join(store, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	store, bin := filepath.Join(store, "store"), filepath.Join(store, "bin")
	return &ringed{h.with("OAUTHMUX_PASSPHRASE", "PASSWORD_STORE_DIR="+store, "PATH="+bin+":"+os.Getenv("PATH")), store}
}

// does has the pass behave in a way; "as it should" is the good one.
func (r *ringed) does(what string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.store, "does"), []byte(what+"\n"), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// items are the keys in the pass, by the names of their files.
func (r *ringed) items() map[string]string {
	r.t.Helper()
	names, err := filepath.Glob(filepath.Join(r.store, "oauthmux", "*.gpg"))
	if err != nil {
		r.t.Fatal(err)
	}
	items := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			r.t.Fatal(err)
		}
		items[name] = string(text)
	}
	return items
}

// put replaces what is in every item.
func (r *ringed) put(item func(was string) string) {
	r.t.Helper()
	for name, was := range r.items() {
		if err := os.WriteFile(name, []byte(item(was)), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
}

// move renames a file of the pass.
func (r *ringed) move(from, to string) {
	r.t.Helper()
	if err := os.Rename(filepath.Join(r.store, from), filepath.Join(r.store, to)); err != nil {
		r.t.Fatal(err)
	}
}

// keyringState is one way in which a keyring can be, and what it is called on the
// screen, in list and in doctor.
type keyringState struct {
	name  string
	says  string
	asked bool // only when a person asks for it
	spoil func(r *ringed) (seen *ringed, mend func())
}

// C11: each of the nine states is called by its name, at the start and in the
// middle of a run, wherever a person looks. None of them is taken for a home without accounts,
// makes a second key, or keeps the screen from answering to keys. What only a
// session bus can do is done by one; the rest by a pass.
func TestC11EveryKeyringStateIsShownAsItself(t *testing.T) {
	t.Parallel()
	mends := func(r *ringed) func() { return func() { r.does("as it should") } }
	doing := func(what string) func(*ringed) (*ringed, func()) {
		return func(r *ringed) (*ringed, func()) { r.does(what); return r, mends(r) }
	}
	holding := func(item func(was string) string) func(*ringed) (*ringed, func()) {
		return func(r *ringed) (*ringed, func()) {
			before := r.items()
			r.put(item)
			return r, func() { r.put(func(string) string { return before[slices.Sorted(maps.Keys(before))[0]] }) }
		}
	}
	for _, s := range []keyringState{
		{"absent", "the keyring is not there", false, func(r *ringed) (*ringed, func()) {
			r.move(".gpg-id", "gpg-id")
			return r, func() { r.move("gpg-id", ".gpg-id") }
		}},
		{"locked", "the keyring is locked", false, doing("refuse")},
		{"dismissed", "the keyring's prompt was closed", true, doing("refuse")},
		{"hangs on call", "the keyring did not answer in time", false, doing("hang")},
		{"wrong item", "the key in the keyring does not belong to this vault", false, holding(func(was string) string {
			var item map[string]any
			if err := json.Unmarshal([]byte(was), &item); err != nil {
				t.Error(err)
			}
			item["Data"] = []byte(strings.Repeat("x", 32))
			text, err := json.Marshal(item)
			if err != nil {
				t.Error(err)
			}
			return string(text)
		})},
		{"corrupt item", "the key in the keyring does not belong to this vault", false, holding(func(was string) string { return was[:len(was)/2] })},
		{"item gone", "the keyring does not have this vault's key", false, func(r *ringed) (*ringed, func()) {
			r.move("oauthmux", "elsewhere")
			return r, func() { r.move("elsewhere", "oauthmux") }
		}},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			r := passed(t)
			r.login("work")
			s.judge(t, r)
		})
	}
	t.Run("hangs on connect", func(t *testing.T) {
		t.Parallel()
		address, _ := desktop(t)
		keyringState{"", "the keyring did not answer in time", false, func(r *ringed) (*ringed, func()) {
			return &ringed{home: r.with("DBUS_SESSION_BUS_ADDRESS=unix:path=" + r.path("mute"))}, func() {}
		}}.judge(t, onDesktop(t, address, func(h *home) { muteBus(t, h.path("mute")) }))
	})
	t.Run("access denied", func(t *testing.T) {
		t.Parallel()
		address, allow := desktop(t)
		keyringState{"", "the keyring refuses access", false, func(r *ringed) (*ringed, func()) {
			allow(false)
			return r, func() { allow(true) }
		}}.judge(t, onDesktop(t, address, nil))
	})
	t.Run("reads and cannot write", func(t *testing.T) {
		t.Parallel()
		cannotWrite(t, passed(t))
	})
}

// onDesktop is a home with an account whose key is in a real keyring.
func onDesktop(t *testing.T, address string, prepare func(*home)) *ringed {
	t.Helper()
	h := newHome(t, newProvider(t, simulator.Options{}, people("work")...), "[keyring]", `backend = "secret-service"`, "[relogin]", `browser = "/bin/true"`)
	if prepare != nil {
		prepare(h)
	}
	r := &ringed{home: h.with("OAUTHMUX_PASSPHRASE", "DBUS_SESSION_BUS_ADDRESS="+address)}
	r.login("work")
	return r
}

func (s keyringState) judge(t *testing.T, r *ringed) {
	t.Helper()
	before, items := r.read("vault/store.json"), r.items()
	// At the start.
	bad, mend := s.spoil(r)
	spoilt := r.items()
	screen := bad.onScreen(plain)
	screen.shows(t, "work")
	screen.answers(t)
	if s.asked {
		screen.said(t, "the keyring is locked")
		screen.press(t, "U")
	}
	screen.said(t, s.says)
	if list := bad.ok("list"); !strings.Contains(list, " work ") || !strings.Contains(list, "\nkey  "+s.says) {
		t.Errorf("at the start, list says %q", list)
	}
	bad.doctorSays("the engine has no key: " + s.says)
	screen.answers(t)
	if strings.Contains(screen.whole(), "no account") {
		t.Error("the screen knows of no account")
	}
	screen.leave(t)
	// Without an engine, it is doctor that asks. Nobody is there to dismiss anything.
	if !s.asked {
		bad.doctorSays(s.says)
	}
	if now := r.read("vault/store.json"); now != before || fmt.Sprint(r.items()) != fmt.Sprint(spoilt) {
		t.Errorf("another key was made: store.json %q, items %d", now, len(r.items()))
	}
	mend()

	// In the middle of a run, whatever becomes of it changes nothing.
	screen = r.onScreen(plain)
	eventually(t, "the engine has its key", 20*time.Second, func() bool {
		status := r.run("status", "--json")
		return strings.Contains(status.stdout, `"running":true`) && strings.Contains(status.stdout, `"key":"ok"`)
	})
	screen.turn()
	bad, mend = s.spoil(r)
	if user, live := r.provider.Owner(bad.token("--fresh")); user != "work" || !live {
		t.Errorf("in the middle of a run the token is that of %q, live %v", user, live)
	}
	if list := bad.ok("list"); !strings.Contains(list, " work ") || strings.Contains(list, "\nkey ") {
		t.Errorf("in the middle of a run, list says %q", list)
	}
	says := s.says
	if s.asked {
		says = "the keyring is locked" // doctor dismisses nothing
	}
	bad.doctorSays("the engine has the key; from here: " + says)
	screen.answers(t)
	if text := screen.whole(); strings.Contains(text, says) || strings.Contains(text, "no account") {
		t.Errorf("in the middle of a run the screen says %q", text)
	}
	screen.leave(t)
	mend()
	if now := r.read("vault/store.json"); now != before || fmt.Sprint(r.items()) != fmt.Sprint(items) {
		t.Error("another key was made in the middle of a run")
	}
}

// A keyring that takes no new key, or gives back another one, makes none, and is
// no reason to make it elsewhere. A key that is there already needs no writing.
func cannotWrite(t *testing.T, r *ringed) {
	t.Helper()
	const says = "the keyring could not keep a new key"
	screen := r.onScreen(plain)
	screen.shows(t, "no account yet") // there is none
	r.does("spoil")
	if got := r.signIn("work", "--label", "work"); got.status != 1 || !strings.Contains(got.stderr, says) {
		t.Errorf("login: %v", got)
	}
	screen.said(t, says)
	screen.answers(t)
	if list := r.ok("list"); !strings.Contains(list, "\nkey  "+says) {
		t.Errorf("list says %q", list)
	}
	r.doctorSays("the engine has no key: " + says)
	if names, err := filepath.Glob(filepath.Join(r.dir, "vault", "store.json*")); err != nil || len(names) != 0 {
		t.Errorf("%q was made, %v", names, err)
	}
	r.does("as it should")
	r.login("work")
	r.does("spoil")
	if user, live := r.provider.Owner(r.token("--fresh")); user != "work" || !live {
		t.Errorf("in the middle of a run the token is that of %q, live %v", user, live)
	}
	if list := r.ok("list"); !strings.Contains(list, " work ") || strings.Contains(list, "\nkey ") {
		t.Errorf("in the middle of a run, list says %q", list)
	}
	if out := r.run("doctor").stdout; !strings.Contains(out, "the engine has the key (pass)") {
		t.Errorf("in the middle of a run, doctor says %s", out)
	}
	screen.leave(t)
}

// doctorSays runs doctor and looks at its line of the keyring.
func (r *ringed) doctorSays(what string) {
	r.t.Helper()
	out := r.run("doctor").stdout
	if line := regexp.MustCompile(`(?m)^\S+ \w+ +keyring +(.*)$`).FindStringSubmatch(out); line == nil || !strings.HasPrefix(line[1], what) {
		r.t.Errorf("doctor says %q, want %q: %s", line, what, out)
	}
}

// answers opens and closes the help a few times, more often while a busy machine
// was all that was measured. However the keyring is, the screen answers as it
// always does; one that waits with it takes seconds each time.
func (s *screen) answers(t *testing.T) {
	t.Helper()
	const most = 100 * time.Millisecond
	var took []time.Duration
	s.turn()
	for len(took) < 5 || slices.Min(took) > most && len(took) < 20 {
		began := time.Now()
		s.press(t, "?")
		s.shows(t, "The selected account")
		took = append(took, time.Since(began))
		s.does(t, "\x1b", ` oauthmux \x1b`) // the title as it is under nothing: the help is drawn in more than one piece
		s.turn()
	}
	if slices.Min(took) > most {
		t.Errorf("the screen took %v to answer", took)
	}
}

// whole is all that the terminal was ever sent.
func (s *screen) whole() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.past.String() + s.seen.String()
}

// said waits until a text was on the screen, whenever that was.
func (s *screen) said(t *testing.T, text string) {
	t.Helper()
	eventually(t, fmt.Sprintf("the screen says %q", text), 20*time.Second, func() bool { return strings.Contains(s.whole(), text) })
}

// leave ends the program.
func (s *screen) leave(t *testing.T) {
	t.Helper()
	s.press(t, "q")
	if status := s.wait(t); status != 0 {
		t.Errorf("the screen ended with %d", status)
	}
}

// allowing rewrites the policy of a bus and has it read that.
func allowing(t *testing.T, config, address, send string) func(bool) {
	t.Helper()
	return func(allowed bool) {
		t.Helper()
		text, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		const deny = `<deny send_destination="org.freedesktop.secrets"/>`
		plain := strings.ReplaceAll(string(text), deny, "")
		if !allowed {
			plain = strings.Replace(plain, "</policy>", deny+"</policy>", 1)
		}
		if err := os.WriteFile(config, []byte(plain), 0o600); err != nil {
			t.Fatal(err)
		}
		reload := exec.CommandContext(t.Context(), send, "--bus="+address, "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.ReloadConfig")
		if out, err := reload.CombinedOutput(); err != nil {
			t.Fatalf("reload the bus: %v: %s", err, out)
		}
	}
}
