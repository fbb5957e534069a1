package ui

import (
	"context"
	"os"
	"strconv"
	"time"

	"github.com/oauthmux/oauthmux/rotation"
	"github.com/oauthmux/oauthmux/ui/control"
)

const (
	// endPatience is how long an engine may take to end before it is said why.
	endPatience = 300 * time.Millisecond
	// endPace is how often it is looked at from then on.
	endPace = 200 * time.Millisecond
)

// awaitEnd waits for an engine that was told to end; gone gets its error. The
// screen has gone and the prompt is not back: what takes its time is named, and
// an interrupt cuts what may be cut.
func (p *program) awaitEnd(ctx context.Context, e engine, gone <-chan error, interrupts <-chan os.Signal) error {
	if !e.own {
		return <-gone
	}
	said := map[string]bool{}
	look := time.NewTimer(endPatience)
	defer look.Stop()
	for {
		select {
		case err := <-gone:
			return err
		case <-interrupts:
			e.cut()
		case <-look.C:
			look.Reset(endPace)
			s, err := e.State(ctx)
			if err != nil {
				continue // it says nothing more; it still ends
			}
			if what, words := unfinished(s); what != "" && !said[what] {
				said[what] = true
				p.say("oauthmux: %s", words)
			}
		}
	}
}

// unfinished is what keeps an engine from its end.
func unfinished(s control.State) (what, words string) {
	requests, renewals, unsaved := 0, 0, ""
	for _, a := range s.Accounts {
		requests += a.InFlight
		switch a.State {
		case control.StateRenewing:
			renewals++
		case control.StateUnsaved:
			unsaved = or(printable(a.Label), a.ID)
		}
	}
	switch {
	case requests == 1:
		return "requests", "finishing 1 request, " + span(rotation.EndGrace) + " at most; ctrl+c cuts it"
	case requests > 1:
		return "requests", "finishing " + strconv.Itoa(requests) + " requests, " + span(rotation.EndGrace) + " at most; ctrl+c cuts them"
	case renewals > 0:
		return "renewals", "finishing a token renewal: without its answer that login would be lost"
	case unsaved != "":
		return "unsaved", "the new token of " + unsaved + " is not saved: the disk refuses it. Make room, and it is; " + span(saveGrace) + " at most"
	}
	return "", ""
}
