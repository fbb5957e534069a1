package accounts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/accounts/vault"
)

// testSeed is the environment variable that repeats the run a failure has named.
const testSeed = "OAUTHMUX_TEST_SEED"

// seedOf returns the seed of a run: another one each time, which is logged.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if asked := os.Getenv(testSeed); asked != "" {
		var err error
		if seed, err = strconv.ParseUint(asked, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s=%d", testSeed, seed)
	return seed
}

// quickDir is a folder in memory, where there is one, for tests that have much
// written and are not about the disk.
func quickDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "oauthmux-test-") //nolint:usetesting // t.TempDir is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A loss is what becomes of one token request.
type loss string

const (
	noLoss       loss = ""
	unreached    loss = "unreached"     // no connection
	requestLost  loss = "request lost"  // sent, and the server never had it
	brokenBefore loss = "broken before" // a 500, and nothing was done
	answerLost   loss = "answer lost"   // the connection is cut before the answer
	answerCut    loss = "answer cut"    // and in the middle of it
	answerStalls loss = "answer stalls" // it never comes, and the connection stays
	brokenAfter  loss = "broken after"  // a 500 after the rotation
)

var losses = []loss{unreached, requestLost, brokenBefore, answerLost, answerCut, answerStalls, brokenAfter}

// lossy is the way to a simulated provider on which things get lost, and what the
// provider did.
type lossy struct {
	sim  *simulator.Server
	rnd  *rand.Rand
	plan []loss // of the next requests
	died func() // called once after a loss: the sender is another process from then on

	presented []time.Time // requests that were sent
	granted   int         // grants whose answer was lost
}

func (l *lossy) Do(r *http.Request) (*http.Response, error) {
	what := noLoss
	if len(l.plan) > 0 {
		what, l.plan = l.plan[0], l.plan[1:]
	}
	if what == unreached {
		return nil, errors.New("no route to host")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	l.presented = append(l.presented, time.Now())
	if what != noLoss && l.died != nil {
		l.died()
		l.died = nil
	}
	switch what {
	case requestLost:
		return nil, io.EOF
	case brokenBefore:
		return answerOf(http.StatusInternalServerError, bytes.NewReader(nil)), nil
	default:
	}
	asked := r.Clone(r.Context())
	asked.Body, asked.RequestURI = io.NopCloser(bytes.NewReader(body)), r.URL.RequestURI()
	answered := httptest.NewRecorder()
	l.sim.Handler().ServeHTTP(answered, asked)
	if what != noLoss && answered.Code == http.StatusOK {
		l.granted++
	}
	whole := answered.Body.Bytes()
	switch what {
	case answerLost:
		return nil, io.ErrUnexpectedEOF
	case answerCut:
		return answerOf(answered.Code, io.MultiReader(bytes.NewReader(whole[:l.rnd.IntN(len(whole))]), brokenReader{})), nil
	case answerStalls:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case brokenAfter:
		return answerOf(http.StatusInternalServerError, bytes.NewReader(nil)), nil
	default:
	}
	return answerOf(answered.Code, bytes.NewReader(whole)), nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// lossTrial is one renewal on which something gets lost.
type lossTrial struct {
	plan  []loss
	died  bool // the sender, at the first loss
	spent bool // the access token, before the renewal
}

func newLossTrial(rnd *rand.Rand) (l lossTrial) {
	for range []int{1, 1, 1, 1, 2, 3}[rnd.IntN(6)] {
		l.plan = append(l.plan, losses[rnd.IntN(len(losses))])
	}
	l.spent = rnd.IntN(2) == 0
	switch l.plan[0] {
	case unreached, brokenBefore, brokenAfter: // whoever hears of it is not dead
	default:
		l.died = rnd.IntN(4) == 0
	}
	return l
}

// mustSucceed reports whether the login can be kept, and then it must be.
func (l lossTrial) mustSucceed(policy simulator.Policy, grace time.Duration, granted int) bool {
	switch {
	case granted == 0, policy == simulator.Forking, policy == simulator.NoRotation:
		return true // the token that was presented is good still
	case policy != simulator.Grace || len(l.plan) > 1 || l.plan[0] == answerStalls:
		return false // what comes next comes after a minute, or more
	case l.died:
		return l.spent && grace > 10*time.Second // who finds the note waits so long
	}
	return true // he who saw it asks again within 3 s
}

// TestC07_ALostAnswerLeavesTheRightState loses requests and answers, one or several
// of a renewal, before servers of every policy. What can be kept is kept; what is
// said to be lost is lost; and no token is presented again but after a loss.
func TestC07_ALostAnswerLeavesTheRightState(t *testing.T) {
	t.Parallel()
	seed := seedOf(t)
	trials := 500
	if testing.Short() {
		trials = 50
	}
	for _, server := range []struct {
		policy simulator.Policy
		grace  time.Duration
	}{
		{simulator.Strict, 0},
		{simulator.Grace, 10 * time.Second},
		{simulator.Grace, time.Minute},
		{simulator.Forking, 0},
		{simulator.NoRotation, 0},
	} {
		t.Run(fmt.Sprint(server.policy, " ", server.grace), func(t *testing.T) {
			dir := quickDir(t)
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, uint64(server.grace)))
				sim := simulator.New(simulator.Options{Policy: server.policy, Grace: server.grace, Now: time.Now, TokenLife: time.Hour})
				defer sim.Close()
				sim.AddUser(simulator.User{Name: "ada"})
				h := &home{dir: dir, sim: sim}
				if err := h.build("http://127.0.0.1:1", vault.Options{Memory: true}); err != nil {
					t.Fatal(err)
				}
				defer h.vault.Close()
				way := &lossy{sim: sim, rnd: rnd}
				h.renewer.o.Client = func(*Provider) Doer { return way }
				id := add(t, h.registry, Account{Provider: simulated, Label: "work"}).ID
				outcomes := make(map[string]int)
				for n := range trials {
					trial := newLossTrial(rnd)
					outcome, err := h.lose(t, id, way, trial)
					outcomes[outcome]++
					if err == nil && outcome != "fresh" && trial.mustSucceed(server.policy, server.grace, way.granted) {
						err = errors.New("it could be kept")
					}
					if err != nil {
						t.Fatalf("trial %d, %+v: the end is %s: %v", n, trial, outcome, err)
					}
				}
				t.Logf("%v", outcomes)
				if err := h.renewer.wait(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// lose signs in anew, has one renewal go the trial's way, and says how it ends.
func (h *home) lose(t *testing.T, id ID, way *lossy, trial lossTrial) (outcome string, err error) {
	t.Helper()
	h.grant(t, id)
	first := h.token(t, id)
	way.plan, way.presented, way.granted, way.died = trial.plan, nil, 0, nil
	if trial.died {
		way.died = func() { h.forgetSender(t, id) }
	}
	if trial.spent {
		time.Sleep(time.Until(first.Expiry))
	}
	reused := h.sim.Counts().Reuse
	outcome, token := h.renewUntilSettled(t, id, first.Generation)
	held, _ := h.vault.Read(string(id))
	_, live := h.sim.Owner(held.RefreshToken)
	reused = h.sim.Counts().Reuse - reused
	switch {
	case outcome == "fresh" && (!live || token.Generation != first.Generation+1):
		return outcome, fmt.Errorf("generation %d after %d, and its refresh token is live: %v", token.Generation, first.Generation, live)
	case outcome != "fresh" && outcome != LoginLostResponse:
		return outcome, errors.New("that is not what happened")
	case outcome == LoginLostResponse && (live || way.granted == 0):
		return outcome, fmt.Errorf("the refresh token is live: %v, after %d lost grants", live, way.granted)
	case reused > len(trial.plan):
		return outcome, fmt.Errorf("a spent token was presented %d times for %d losses", reused, len(trial.plan))
	}
	for n := 1; n < len(way.presented); n++ {
		if apart := way.presented[n].Sub(way.presented[n-1]); apart < time.Second {
			return outcome, fmt.Errorf("two presentations are %v apart", apart)
		}
	}
	// A strict server ends a working access token with the second presentation.
	if trial.died && len(way.presented) > 1 && way.presented[1].Before(first.Expiry) {
		return outcome, errors.New("whoever found the note did not use the access token up first")
	}
	return outcome, nil
}

// grant gives the account a new login.
func (h *home) grant(t *testing.T, id ID) {
	t.Helper()
	time.Sleep(time.Minute) // no two tokens end at the same moment
	raw, err := h.sim.Grant("ada")
	if err != nil {
		t.Fatal(err)
	}
	token, err := parseTokenResponse(raw, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	held, err := h.vault.Lock(t.Context(), string(id))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	if err := held.Store(vault.Record{
		Provider: string(simulated), RefreshToken: token.RefreshToken.Reveal(), Raw: raw, ReceivedAt: token.ReceivedAt, LoggedInAt: token.ReceivedAt,
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.registry.Edit(id, func(a *Account) error {
		a.NeedsLogin, a.NeedsLoginGen, a.LoggedInAt, a.TokenExpiresAt = "", 0, token.ReceivedAt, token.Expiry.UTC().Round(0)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// renewUntilSettled asks as long as there is sense in it.
func (h *home) renewUntilSettled(t *testing.T, id ID, than uint64) (outcome string, token Token) {
	t.Helper()
	for range 20 {
		token, err := h.renewer.Renew(t.Context(), id, than)
		if err == nil {
			return "fresh", token
		}
		if need, ok := errors.AsType[*LoginNeededError](err); ok {
			return need.Cause, token
		}
		pause := time.Second
		if postponed, ok := errors.AsType[*PostponedError](err); ok {
			pause = time.Until(postponed.Until)
		}
		time.Sleep(pause)
	}
	return "without end", Token{}
}

// forgetSender makes the note of a presentation another process's.
func (h *home) forgetSender(t *testing.T, id ID) {
	t.Helper()
	path := filepath.Join(h.dir, "vault", string(id), "intent")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var note map[string]any
	if err := json.Unmarshal(raw, &note); err != nil {
		t.Fatal(err)
	}
	note["sender"] = "a process that died"
	if raw, err = json.Marshal(note); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
