package accounts

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oauthmux/oauthmux/accounts/vault"
)

// childName has this binary be a process that renews until it is killed: the name
// is what its token requests call themselves.
const childName = "OAUTHMUX_TEST_NAME"

const (
	killPause = 100 * time.Millisecond // between two kills, at most
	killThink = 100 * time.Millisecond // between two renewals of a goroutine, at most
	killSpeed = 1000                   // how much faster presentations follow each other
	killGrace = 100 * time.Millisecond // but no faster: what the dead have sent must be there by then
)

// hurry has the renewer live as if time passed faster from one presentation of a
// token to the next, its access token's last seconds included. Nothing else in it
// changes.
func hurry(r *Renewer) {
	r.spread = time.Millisecond
	r.notBefore = func(a vault.Attempt, now, expiry time.Time) time.Time {
		if !a.Ambiguous {
			return now
		}
		later := a.Last.Add(killSpeed * now.Sub(a.Last))
		wait := a.NotBefore(later, expiry).Sub(a.Last) / killSpeed
		return a.Last.Add(max(wait, killGrace))
	}
}

// killedProcess is one of the processes that are killed.
type killedProcess struct {
	name   string
	cmd    *exec.Cmd
	works  atomic.Bool   // it has begun to renew
	ended  chan struct{} // closed after its end
	stderr bytes.Buffer  // what it complains of; complete after its end
}

func (p *killedProcess) working() bool { return p.works.Load() }

// start starts one more process.
func (r *killRun) start() *killedProcess {
	r.t.Helper()
	p := &killedProcess{name: "process-" + strconv.Itoa(r.killed+len(r.processes)), ended: make(chan struct{})}
	p.cmd = r.h.child(context.WithoutCancel(r.t.Context()), r.ids...) // whose end is our business
	p.cmd.Path = r.program
	p.cmd.Env = append(p.cmd.Env, childName+"="+p.name)
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		lines := bufio.NewReader(out)
		if _, err := lines.ReadString('\n'); err == nil {
			p.works.Store(true)
		}
		_, _ = io.Copy(io.Discard, lines)
		_ = p.cmd.Wait() // it was killed
	}()
	return p
}

// deaths are the processes that were killed, and when.
type deaths struct {
	mu sync.Mutex
	at map[string]time.Time
}

// kill kills a process, and returns what it complained of.
func (d *deaths) kill(p *killedProcess) (complaint string) {
	select {
	case <-p.ended:
		complaint = p.name + " ended by itself"
	default:
	}
	// Before the kill: the kernel frees the lock before anybody hears of the death.
	d.mu.Lock()
	if d.at == nil {
		d.at = make(map[string]time.Time)
	}
	d.at[p.name] = time.Now()
	d.mu.Unlock()
	_ = p.cmd.Process.Kill() // an error: it has ended
	<-p.ended
	if said := strings.TrimSpace(p.stderr.String()); said != "" {
		complaint = p.name + ": " + said
	}
	return complaint
}

// before reports whether the process was killed before that moment.
func (d *deaths) before(name string, at time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	died, ok := d.at[name]
	return ok && !died.After(at)
}

// renewUntilKilled is such a process: each of its goroutines renews one account
// after the other, at random. What may not happen goes to stderr.
func renewUntilKilled(ids []string) error {
	h := &home{dir: os.Getenv(childHome)}
	if err := h.build(os.Getenv(childProvider), sharedKey(h.dir)); err != nil {
		return err
	}
	h.renewer.o.UserAgent = os.Getenv(childName)
	hurry(h.renewer)
	go func() { _ = h.registry.Run(context.Background()) }()
	fmt.Println("works")
	var workers sync.WaitGroup
	for range killGoroutines {
		workers.Go(func() {
			seen := make(map[string]uint64)
			for {
				id := ids[rand.IntN(len(ids))]
				generation, err := h.renewAtRandom(ID(id))
				if err != nil && runtime.GOOS != "windows" { // which refuses what somebody else has just opened
					fmt.Fprintf(os.Stderr, "%s: %v\n", id, err)
				}
				if generation > 0 && generation < seen[id] {
					fmt.Fprintf(os.Stderr, "I8: %s: generation %d after %d\n", id, generation, seen[id])
				}
				seen[id] = max(seen[id], generation)
				time.Sleep(rand.N(killThink))
			}
		})
	}
	workers.Wait()
	return nil
}

// renewAtRandom renews an account if that is possible now, and returns the
// generation that it has then; 0: it has none that is good.
func (h *home) renewAtRandom(id ID) (uint64, error) {
	token, err := h.renewer.Token(id)
	if err == nil {
		token, err = h.renewer.Renew(context.Background(), id, token.Generation)
	}
	_, postponed := errors.AsType[*PostponedError](err)
	switch {
	case err == nil:
		return token.Generation, nil
	case postponed, isLoginNeeded(err, LoginLostResponse):
		return 0, nil
	}
	return 0, err
}
