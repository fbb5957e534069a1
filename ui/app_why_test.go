package ui

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/rotation"
	"github.com/oauthmux/oauthmux/ui/control"
)

// Why an account cools is asked after requests of a real client met its limit, and
// went elsewhere because of it.
func TestWhyTellsWhoWasSkippedAndOnWhichEvidence(t *testing.T) {
	d := stage(t, 3)
	d.server.Inject(simulator.Fault{Kind: simulator.QuotaFiveHour, ResetsIn: 4 * time.Hour})
	for range 3 {
		if err := oneMessage(t.Context(), d.app); err != nil {
			t.Fatal(err)
		}
	}
	reply, err := d.app.Do(t.Context(), control.Request{Action: control.ActionWhy, Account: "work"})
	if err != nil {
		t.Fatal(err)
	}
	if len(reply.Decisions) != 3 {
		t.Fatalf("decisions %+v", reply.Decisions)
	}
	met, passed := reply.Decisions[0], reply.Decisions[1:]
	const evidence = "5-hour limit reached (429)"
	if met.Candidates != 3 || len(met.Skipped) != 0 || len(met.Steps) != 2 || met.Steps[0].Label != "work" || met.Steps[0].Evidence != evidence || met.Steps[0].Until.IsZero() {
		t.Errorf("the request that met the limit: %+v", met)
	}
	for _, d := range passed {
		want := []control.Step{{Account: met.Steps[0].Account, Label: "work", Outcome: rotation.OutcomeSkipped, Evidence: evidence, Until: met.Steps[0].Until}}
		if d.Candidates != 2 || !reflect.DeepEqual(d.Skipped, want) || len(d.Steps) != 1 || d.Steps[0].Account != met.Steps[1].Account || d.Status != 200 {
			t.Errorf("a request that passed it by: %+v", d)
		}
	}
	reply, err = d.app.Do(t.Context(), control.Request{Action: control.ActionWhy, Account: met.Steps[1].Account})
	if err != nil || len(reply.Decisions) != 3 || !reflect.DeepEqual(reply.Decisions[1:], passed) {
		t.Errorf("who served them tells: %+v, %v", reply.Decisions, err)
	}
}

func TestOfManySkippedTheOneAskedAboutComesFirst(t *testing.T) {
	var many []rotation.Step
	for i := range 9 {
		many = append(many, rotation.Step{Account: accounts.ID("abcdefghi"[i : i+1])})
	}
	kept := slices.Clone(many)
	for id, want := range map[accounts.ID]string{"a": "abcdef", "c": "cabdef", "i": "iabcde", "z": "abcdef"} {
		var got strings.Builder
		for _, s := range firstOf(many, id, 6) {
			got.WriteString(string(s.Account))
		}
		if got.String() != want {
			t.Errorf("of %s: %s, want %s", id, got.String(), want)
		}
	}
	if !slices.Equal(many, kept) {
		t.Error("the record itself was changed")
	}
}
