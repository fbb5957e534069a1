//go:build unix

package e2e

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/ui/control"
)

const (
	killsWanted  = 40
	enginesAmong = 5                // at least
	killsLimit   = 25 * time.Second // no more kills after that, unless there were few
	killsEnd     = 90 * time.Second // no more at all
)

// The engine under its clients, and `token` and `refresh` beside it, are killed at
// random moments, with tokens that live for a second. A token is presented again
// only where a kill came between, and after a rest; no login is lost, and at the
// end everything works that need not wait.
func TestC01_KillsOfEnginesAndCommandsLoseNoLogin(t *testing.T) {
	t.Parallel()
	names := []string{"a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8"}
	p := newProvider(t, simulator.Options{
		Policy: simulator.Grace, Grace: 5 * time.Minute, Latency: 20 * time.Millisecond, Presentations: true,
	}, people(names...)...)
	h := newHome(t, p)
	p.shortLived()
	h.login(names[0]) // which makes the key
	atOnce(t, len(names)-1, func(i int) {
		if r := h.signIn(names[i+1], "--label", names[i+1]); r.status != 0 {
			t.Errorf("login of %s: %v", names[i+1], r)
		}
	})
	p.Inject(simulator.Fault{Kind: simulator.Slow, Path: simulator.PathToken, Delay: 60 * time.Millisecond, Times: -1})

	k := &killings{h: h, began: time.Now()}
	var killers sync.WaitGroup
	for range 3 {
		killers.Go(func() { k.commands(names) })
	}
	k.engines()
	killers.Wait()

	p.longLived()
	p.ClearFaults()
	h.serve()
	refreshed := make([]result, len(names))
	atOnce(t, len(names), func(i int) { refreshed[i] = h.run("refresh", names[i]) })
	for i, name := range names {
		h.works(name, refreshed[i])
	}
	k.judge(p.Presentations())
	if c := p.Counts(); c.SupersededPresented != 0 {
		t.Errorf("superseded tokens were presented %d times", c.SupersededPresented)
	}
}

// works fails the test unless an account can be used after that refresh of it, or
// has to wait and says so.
func (h *home) works(name string, refreshed result) {
	h.t.Helper()
	if a := h.account(name); a.State == control.StateLoginNeeded || a.State == control.StateUnreadable {
		h.t.Errorf("%s is %s: %s", name, a.State, a.Reason)
	}
	if refreshed.status == 0 {
		if user, live := h.provider.Owner(h.token(name)); user != name || !live {
			h.t.Errorf("the token of %s is that of %q, and live is %v", name, user, live)
		}
		return
	}
	// Twice without an answer is ten minutes of rest, and no end of the login.
	if !strings.Contains(refreshed.stderr, "the answer to the last renewal was lost; the next one is at") {
		h.t.Errorf("refresh %s: %v", name, refreshed)
	}
}

// killings are the processes of one home that were killed.
type killings struct {
	h     *home
	began time.Time

	mu      sync.Mutex // guards what follows
	at      []time.Time
	engined int // engines among them
}

// more reports whether there is more to kill.
func (k *killings) more() bool {
	presented := len(k.h.provider.Presentations())
	k.mu.Lock()
	defer k.mu.Unlock()
	limit := killsLimit
	if k.few(presented) {
		limit = killsEnd // the machine is slow
	}
	return !k.h.t.Failed() && time.Since(k.began) < limit && (len(k.at) < killsWanted || k.engined < enginesAmong || k.few(presented))
}

// few reports whether little was tested so far. k.mu is held.
func (k *killings) few(presented int) bool {
	return len(k.at) < killsWanted/2 || k.engined < enginesAmong/2 || presented < killsWanted/2
}

// note comes before the kill: the kernel frees the locks before anybody hears of
// the death.
func (k *killings) note(engines int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at = append(k.at, time.Now())
	k.engined += engines
}

// engines kills one engine after the other while its clients ask.
func (k *killings) engines() {
	for k.more() {
		e := k.h.serve()
		ctx, stop := context.WithCancel(k.h.t.Context())
		var clients sync.WaitGroup
		for i := range 8 {
			clients.Go(func() {
				for ctx.Err() == nil {
					r := e.client.request(ctx, question)
					r.Header.Set("X-Claude-Code-Session-Id", "session-"+itoa(i))
					if _, err := e.client.send(r); err != nil {
						time.Sleep(10 * time.Millisecond)
					}
				}
			})
		}
		time.Sleep(200*time.Millisecond + rand.N(500*time.Millisecond))
		k.note(1)
		e.kill()
		stop()
		clients.Wait()
	}
}

// commands kills commands, those that have not ended by then.
func (k *killings) commands(names []string) {
	for k.more() {
		args := []string{[]string{"token", "refresh"}[rand.IntN(2)], names[rand.IntN(len(names))]}
		cmd, _, stderr := k.h.command(k.h.t.Context(), args...)
		if err := cmd.Start(); err != nil {
			k.h.t.Error(err)
			return
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait() // what it says is no matter: there may be nobody to renew with
		}()
		select {
		case <-ended:
			k.h.sane(args, result{stderr: stderr.String()})
		case <-time.After(rand.N(time.Second)):
			k.note(0)
			_ = cmd.Process.Kill() // an error: it has just ended
			<-ended
		}
	}
}

// judge fails the test for a token that came again without a kill since it came
// before, or sooner than the note of it allows.
func (k *killings) judge(all []simulator.Presentation) {
	k.h.t.Helper()
	type token struct {
		user   string
		login  int
		number int64
	}
	last, again := make(map[token]simulator.Presentation), 0
	for _, p := range all {
		of := token{p.User, p.Login, p.Number}
		before, came := last[of]
		last[of] = p
		if !came {
			continue
		}
		again++
		if !slices.ContainsFunc(k.at, func(at time.Time) bool { return at.After(before.At) && at.Before(p.At) }) {
			k.h.t.Errorf("I3: token %d of %s came again without a kill", p.Number, p.User)
		}
		if d := p.At.Sub(before.At); d < 5*time.Second { // ten, but for the disk that writes the note
			k.h.t.Errorf("I3: token %d of %s came again after %v", p.Number, p.User, d)
		}
	}
	k.h.t.Logf("%d kills, %d of them engines: %d tokens presented, %d of them again", len(k.at), k.engined, len(all), again)
	if k.few(len(all)) {
		k.h.t.Error("little was tested")
	}
}
