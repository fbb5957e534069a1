package accounts

import (
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// TestACodeThatCameBeforeTheEndIsFinishedWith has a code wait to be exchanged when
// its flow is given up, and when its time is over.
func TestACodeThatCameBeforeTheEndIsFinishedWith(t *testing.T) {
	for name, end := range map[string]func(*flow){
		"given up":   func(f *flow) { f.cancel() },
		"its time":   func(f *flow) { f.ends = time.Now() },
		"everything": func(f *flow) { f.ends = time.Now(); f.cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t, simulator.Options{})
			p, _ := h.providers.Get(simulated)
			for range 10 { // a select that has a choice makes it at random
				f, err := h.logins.newFlow(t.Context(), p, LoginPaste, wanted{})
				if err != nil {
					t.Fatal(err)
				}
				code, state := h.authorize(t, f.view(), "ada")
				settled, err := f.paste(Secret(code + "#" + state))
				if err != nil {
					t.Fatal(err)
				}
				end(f)
				f.run(t.Context())
				<-settled
				if got := f.view(); got.State != FlowDone {
					t.Fatalf("the flow is %+v", got)
				}
			}
		})
	}
}

// TestACodeThatIsRefusedAfterTheEndIsTheLast lets no other one come.
func TestACodeThatIsRefusedAfterTheEndIsTheLast(t *testing.T) {
	h := newHome(t, simulator.Options{})
	p, _ := h.providers.Get(simulated)
	f, err := h.logins.newFlow(t.Context(), p, LoginPaste, wanted{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.paste(Secret("wrong#" + f.state)); err != nil {
		t.Fatal(err)
	}
	f.cancel()
	f.run(t.Context())
	if got := f.view(); got.State != FlowFailed || got.Failure != FailureGivenUp || f.take(arrival{code: "late"}) != nil {
		t.Errorf("the flow is %+v", got)
	}
}
