package accounts

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// The size of a run. killsVariable asks for another number of kills.
const (
	killProcesses  = 8
	killGoroutines = 8 // in each of them
	killAccounts   = 8
	killsVariable  = "OAUTHMUX_KILLS"
)

// TestC01_KillingProcessesLosesNoLogin has eight processes of eight goroutines
// each renew eight accounts, and kills one process after the other. The server
// notes each token that comes: none may come again but after a kill, and none
// after its successor was used. With 10,000 kills:
//
//	OAUTHMUX_KILLS=10000 go test -run TestC01 -timeout 60m -v ./accounts
func TestC01_KillingProcessesLosesNoLogin(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts and kills hundreds of processes")
	}
	program := killedProgram(t)
	t.Run("a server that repeats its answer", func(t *testing.T) {
		r := newKillRun(t, program, simulator.Options{Policy: simulator.Grace, Grace: time.Hour})
		r.kill(killsAsked(t))
		r.settle()
		r.check()
	})
	// No client can keep a login here if a kill comes between the answer and the
	// disk. But it must say what happened, and no other login may end (I6).
	t.Run("a server that ends a login when a token comes twice", func(t *testing.T) {
		r := newKillRun(t, program, simulator.Options{Policy: simulator.Strict})
		r.kill(max(killsAsked(t)/8, 1))
		r.settle()
		r.check()
	})
}

// killedProgram is this test binary without the race detector: a process starts in
// a tenth of the time.
func killedProgram(t *testing.T) string {
	t.Helper()
	if !raced {
		return os.Args[0]
	}
	dir := t.TempDir()
	goTestBinary(t, dir, ".")
	return filepath.Join(dir, "accounts.test")
}

// goTestBinary builds test binaries into dir, without the race detector.
func goTestBinary(t *testing.T, dir string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		if os.Getenv("OAUTHMUX_REQUIRE_ALL") != "" {
			t.Fatal("the go command is missing: install Go")
		}
		t.Skip("the go command is missing: install Go")
	}
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"test", "-c", "-o", dir + string(filepath.Separator)}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func killsAsked(t *testing.T) int {
	t.Helper()
	asked := os.Getenv(killsVariable)
	if asked == "" {
		return 500
	}
	n, err := strconv.Atoi(asked)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// killRun is a home whose processes are killed at random moments.
type killRun struct {
	t       *testing.T
	h       *home
	program string
	ids     []ID
	users   map[ID]string

	processes  []*killedProcess
	deaths     deaths
	complaints []string
	killed     int
	seen       map[ID]uint64 // the newest generation that was read
	lost       map[ID]int    // logins that ended
}

func newKillRun(t *testing.T, program string, o simulator.Options) *killRun {
	t.Helper()
	// Ten seconds of validity: whoever waited for a lock finds a token that is
	// good, and the end of an access token is nothing to wait long for.
	o.TokenLife, o.Presentations, o.Record = 10*time.Second, true, -1
	r := &killRun{
		t: t, h: newSharedHome(t, o), program: program,
		users: make(map[ID]string), seen: make(map[ID]uint64), lost: make(map[ID]int),
	}
	for n := range killAccounts {
		name := "user" + strconv.Itoa(n)
		r.h.sim.AddUser(simulator.User{Name: name})
		id := r.h.addAccount(t, name, name).ID
		r.ids, r.users[id] = append(r.ids, id), name
	}
	// An answer takes a while: kills come before it and after it.
	r.h.sim.Inject(simulator.Fault{Kind: simulator.Slow, Path: simulator.PathToken, Delay: 3 * time.Millisecond, Times: -1})
	hurry(r.h.renewer)
	t.Cleanup(func() {
		for _, p := range r.processes {
			r.deaths.kill(p)
		}
	})
	return r
}

// kill kills so many processes, each at a random moment of its work, and starts
// another in its place.
func (r *killRun) kill(kills int) {
	r.t.Helper()
	for range killProcesses {
		r.processes = append(r.processes, r.start())
	}
	began := time.Now()
	for r.killed < kills && !r.t.Failed() {
		time.Sleep(rand.N(killPause))
		i := rand.IntN(len(r.processes))
		if r.processes[i].working() {
			r.end(r.processes[i])
			r.killed++
			r.processes[i] = r.start()
			r.look()
		}
	}
	for _, p := range r.processes {
		r.end(p)
	}
	r.t.Logf("%d kills in %s", r.killed, time.Since(began).Round(time.Second))
	r.processes = nil
}

// end kills a process, and remembers what it complained of.
func (r *killRun) end(p *killedProcess) {
	if complaint := r.deaths.kill(p); complaint != "" && len(r.complaints) < 20 {
		r.complaints = append(r.complaints, complaint)
	}
}

// look reads one record, while the other processes work, and from time to time
// whether a login has ended: then it signs in.
func (r *killRun) look() {
	r.t.Helper()
	id := r.ids[rand.IntN(len(r.ids))]
	record, err := r.h.vault.Read(string(id))
	switch {
	case err != nil:
		r.t.Errorf("I4: after kill %d the record of %s cannot be read: %v", r.killed, id, err)
	case record.Generation < r.seen[id]:
		r.t.Errorf("I8: after kill %d generation %d of %s is read, and %d was before", r.killed, record.Generation, id, r.seen[id])
	default:
		r.seen[id] = record.Generation
	}
	if r.killed%8 != 0 {
		return
	}
	for _, id := range r.ids {
		if a, err := r.h.registry.Latest(id); err != nil {
			r.t.Error(err)
		} else if a.NeedsLogin != "" {
			r.signInAgain(a)
		}
	}
}

// signInAgain mends a login that has ended, and counts it.
func (r *killRun) signInAgain(a Account) {
	r.t.Helper()
	if a.NeedsLogin != LoginLostResponse {
		r.t.Errorf("I6: %s needs a login, and says %q", a.ID, a.NeedsLogin)
	}
	r.lost[a.ID]++
	if flow := r.h.signIn(r.t, r.users[a.ID], a.Label); flow.State != FlowDone || flow.Account != a.ID {
		r.t.Errorf("signing %s in again: %s: %s", a.ID, flow.State, flow.Problem)
	}
}

// settle renews every account once more, waiting where that has to wait. A login
// that has ended says so, and why.
func (r *killRun) settle() {
	r.t.Helper()
	var all sync.WaitGroup
	ended := make([]bool, len(r.ids))
	for i, id := range r.ids {
		all.Go(func() { ended[i] = r.renewOnceMore(id) })
	}
	all.Wait()
	for i, id := range r.ids {
		if a, err := r.h.registry.Latest(id); err != nil {
			r.t.Error(err)
		} else if ended[i] {
			r.signInAgain(a)
			r.renewOnceMore(id)
		}
	}
}

func (r *killRun) renewOnceMore(id ID) (ended bool) {
	token := r.h.token(r.t, id)
	for begun := time.Now(); ; {
		token, err := r.h.renewer.Renew(r.t.Context(), id, token.Generation)
		postponed, wait := errors.AsType[*PostponedError](err)
		switch {
		case wait && time.Since(begun) < time.Minute:
			time.Sleep(time.Until(postponed.Until))
			continue
		case isLoginNeeded(err, LoginLostResponse):
			return true
		case err != nil:
			r.t.Errorf("I6: the last renewal of %s: %v", id, err)
		default:
			if user, live := r.h.sim.Owner(token.RefreshToken.Reveal()); !live || user != r.users[id] {
				r.t.Errorf("I6: the last refresh token of %s is %s's, and live is %t", id, user, live)
			}
		}
		return false
	}
}

// check judges what the server saw, and how the home was left.
func (r *killRun) check() {
	r.t.Helper()
	j := judge(r.h.sim.Presentations(), &r.deaths)
	lost := 0
	for id, n := range r.lost {
		lost += n
		if may := j.mayBeLost[r.users[id]]; n > may {
			r.t.Errorf("I6: %d logins of %s have ended, and kills explain %d", n, id, may)
		}
	}
	for _, complaint := range append(j.complaints, r.complaints...) {
		r.t.Error(complaint)
	}
	c := r.h.sim.Counts()
	r.t.Logf("%d kills: %d tokens presented; %d of them again, %d excused, %d unexcused; %d superseded, %d at a time, %d too often, %d too soon; %d from the dead; %d logins ended",
		r.killed, j.presented, j.again, j.excused, j.unexcused, j.superseded, j.overlapping, j.tooOften, j.tooSoon, j.late, lost)
	for _, settled := range []simulator.Violation{simulator.BadBody, simulator.Overlapping} {
		delete(c.Violations, settled) // a request whose sender was killed; judged above
	}
	if c.TotalViolations() != 0 {
		r.t.Errorf("the server saw %v", c.Violations)
	}
	if j.presented < r.killed/2 {
		r.t.Errorf("only %d tokens were presented: little was tested", j.presented)
	}
	if got := openRegistry(r.t, r.h.dir, nil); len(got.All()) != len(r.ids) || got.Damage() != "" {
		r.t.Errorf("accounts.json has %d accounts, and says %q", len(got.All()), got.Damage())
	}
	if bad, err := filepath.Glob(filepath.Join(r.h.dir, "vault", "*", "cred.bad-*")); err != nil || len(bad) > 0 {
		r.t.Errorf("I4: unreadable records were kept aside: %s, %v", strings.Join(bad, " "), err)
	}
}
