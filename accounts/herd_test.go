package accounts

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/accounts/vault"
)

// childCallers says how many callers a process of a herd has for each account.
const childCallers = "OAUTHMUX_TEST_CALLERS"

// herd are processes of one home, each with many callers who do what a request
// does: take the token, and have it renewed when it is spent.
type herd struct {
	t         *testing.T
	home      *home
	ids       []ID
	users     []string
	processes []*herdProcess
}

type herdProcess struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// grazed is what a process says of one round.
type grazed struct {
	Waits       []time.Duration // of every caller
	Generations map[ID]uint64
	Errors      []string
}

// newHerd starts the processes.
func newHerd(t *testing.T, processes, callers int, users ...string) *herd {
	t.Helper()
	h := &herd{t: t, home: newSharedHome(t, simulator.Options{}), users: users}
	for _, user := range users {
		h.ids = append(h.ids, h.home.addAccount(t, user, user).ID)
	}
	for range processes {
		p := &herdProcess{cmd: h.home.child(t.Context(), h.ids...)}
		p.cmd.Env = append(p.cmd.Env, childCallers+"="+strconv.Itoa(callers))
		p.cmd.Stderr = os.Stderr
		in, err := p.cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = in.Close()
			_ = p.cmd.Wait() // ends with its standard input
		})
		p.in, p.out = in, bufio.NewScanner(out)
		p.out.Buffer(nil, 1<<20)
		h.processes = append(h.processes, p)
	}
	return h
}

// tell sends a line to every process at once, as far as that is possible.
func (h *herd) tell(line string) {
	h.t.Helper()
	for _, p := range h.processes {
		if _, err := io.WriteString(p.in, line+"\n"); err != nil {
			h.t.Fatal(err)
		}
	}
}

// hear reads a line of every process.
func (h *herd) hear() (lines []string) {
	h.t.Helper()
	for i, p := range h.processes {
		if !p.out.Scan() {
			h.t.Fatalf("process %d ended: %v", i, p.out.Err())
		}
		lines = append(lines, p.out.Text())
	}
	return lines
}

// ripen gives every account a token that is spent after so much time, of a
// generation that is returned, and waits until every process knows it.
func (h *herd) ripen(in time.Duration) (generations map[ID]uint64) {
	h.t.Helper()
	generations = make(map[ID]uint64)
	var line strings.Builder
	for _, id := range h.ids {
		generations[id] = h.home.spentIn(h.t, id, in)
		fmt.Fprintf(&line, "%s=%d ", id, generations[id])
	}
	h.tell(line.String())
	h.hear()
	return generations
}

// posts is how often the accounts' refresh tokens were presented.
func (h *herd) posts() (n []int) {
	c := h.home.sim.Counts()
	for _, user := range h.users {
		n = append(n, c.Requests[user][simulator.PathToken])
	}
	return n
}

// collect reads what came of a round, and checks it: each account was asked for
// once, and everybody has what came.
func (h *herd) collect(round int, before []int, spent map[ID]uint64) (waits []time.Duration) {
	h.t.Helper()
	for i, line := range h.hear() {
		var g grazed
		if err := json.Unmarshal([]byte(line), &g); err != nil {
			h.t.Fatal(err)
		}
		if len(g.Errors) > 0 {
			h.t.Errorf("round %d, process %d: %d callers got no token, the first: %s", round, i, len(g.Errors), g.Errors[0])
		}
		for id, generation := range spent {
			if g.Generations[id] != generation+1 {
				h.t.Errorf("round %d, process %d: generation %d of %s, want %d", round, i, g.Generations[id], id, generation+1)
			}
		}
		waits = append(waits, g.Waits...)
	}
	for i, n := range h.posts() {
		if n != before[i]+1 {
			h.t.Errorf("round %d: %s's refresh token was presented %d times, want once", round, h.users[i], n-before[i])
		}
	}
	return waits
}

// spentIn stores the account's token once more, as one that is spent so much later.
func (h *home) spentIn(t *testing.T, id ID, in time.Duration) uint64 {
	t.Helper()
	token := h.token(t, id)
	h.rewrite(t, id, func(r *vault.Record) {
		r.ReceivedAt = time.Now().Add(in + renewBefore - token.Expiry.Sub(token.ReceivedAt))
	})
	record, err := h.vault.Read(string(id))
	if err != nil {
		t.Fatal(err)
	}
	if token, err = tokenFrom(record); err != nil {
		t.Fatal(err)
	}
	if _, err := h.registry.Edit(id, func(a *Account) error { a.TokenExpiresAt = token.Expiry.UTC().Round(0); return nil }); err != nil {
		t.Fatal(err)
	}
	return record.Generation
}

// TestC03_AHerdAtAnExpiryPresentsEachTokenOnce has a thousand callers in eight
// processes come at the moment when the tokens of two accounts are spent.
func TestC03_AHerdAtAnExpiryPresentsEachTokenOnce(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts eight processes")
	}
	const (
		processes, callers = 8, 63 // for each of two accounts: 1,008
		answer             = 100 * time.Millisecond
		atLeast, atMost    = 5, 100 // rounds
		budget             = 8 * time.Second
		patience           = time.Minute // of a caller on the slowest machine; more is a hang
	)
	h := newHerd(t, processes, callers, "ada", "bob")
	h.home.sim.Inject(simulator.Fault{Kind: simulator.Slow, Path: simulator.PathToken, Delay: answer, Times: -1})
	var waits []time.Duration
	round := 0
	for start := time.Now(); round < atLeast || round < atMost && time.Since(start) < budget; round++ {
		spent, before := h.ripen(-time.Hour), h.posts()
		h.tell("go")
		waits = append(waits, h.collect(round, before, spent)...)
		if t.Failed() {
			break
		}
	}
	h.home.checkClean(t)
	slices.Sort(waits)
	if len(waits) == 0 {
		t.Fatal("nobody waited")
	}
	p50, p99, most := waits[len(waits)/2], waits[len(waits)*99/100], waits[len(waits)-1]
	t.Logf("%d rounds of %d callers; the answer takes %v; they wait p50 %v, p99 %v (aim %v), at most %v",
		round, 2*processes*callers, answer, p50, p99, answer+250*time.Millisecond, most)
	if p50 < answer/2 || most > patience {
		t.Errorf("they wait p50 %v, at most %v: want the answer, and no more than %v", p50, most, patience)
	}
}

// graze plays a process of a herd until its standard input ends.
func graze(list, callers string) error {
	h := &home{dir: os.Getenv(childHome)}
	if err := h.build(os.Getenv(childProvider), sharedKey(h.dir)); err != nil {
		return err
	}
	perAccount, err := strconv.Atoi(callers)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var following sync.WaitGroup
	following.Go(func() { _ = h.registry.Run(ctx) }) // ends with ctx
	defer following.Wait()
	defer cancel()
	spent := make(map[ID]uint64)
	for id := range strings.FieldsSeq(list) {
		spent[ID(id)] = 0
	}
	out := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch line := in.Text(); line {
		case "go":
			if err := out.Encode(h.rush(ctx, spent, perAccount)); err != nil {
				return err
			}
		default:
			if err := h.learn(line, spent); err != nil {
				return err
			}
			fmt.Println("ready")
		}
	}
	return nil
}

// learn waits until this process has heard of the tokens that line names, or of
// their successors, if it was slow.
func (h *home) learn(line string, spent map[ID]uint64) error {
	for word := range strings.FieldsSeq(line) {
		id, number, _ := strings.Cut(word, "=")
		generation, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return err
		}
		spent[ID(id)] = generation
		for start := time.Now(); ; time.Sleep(time.Millisecond) {
			token, err := h.renewer.Token(ID(id))
			if err == nil && token.Generation >= generation {
				break
			}
			if time.Since(start) > time.Minute {
				return errors.Join(err, fmt.Errorf("generation %d is all that is known of %s", token.Generation, word))
			}
		}
	}
	return nil
}

// rush has every caller get a token once the one that all know of is spent.
func (h *home) rush(ctx context.Context, spent map[ID]uint64, callers int) grazed {
	g := grazed{Generations: make(map[ID]uint64)}
	var mu sync.Mutex // guards g
	var all sync.WaitGroup
	start := make(chan struct{})
	for id, generation := range spent {
		for range callers {
			all.Go(func() {
				<-start
				token, err := h.renewer.Token(id)
				for err == nil && token.Generation == generation && token.Valid(time.Now()) {
					time.Sleep(5 * time.Millisecond)
					token, err = h.renewer.Token(id)
				}
				began := time.Now()
				if err == nil && !token.Valid(time.Now()) {
					token, err = h.renewer.Renew(ctx, id, token.Generation)
				}
				mu.Lock()
				defer mu.Unlock()
				g.Waits = append(g.Waits, time.Since(began))
				g.Generations[id] = max(g.Generations[id], token.Generation)
				if err != nil {
					g.Errors = append(g.Errors, err.Error())
				}
			})
		}
	}
	close(start)
	all.Wait()
	return g
}
