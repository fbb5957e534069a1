package dashboard

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/ui/control"
)

func TestWhyShowsTheDecisions(t *testing.T) {
	e := &fakeEngine{state: busy(), answer: func(control.Request) (control.Reply, error) {
		return control.Reply{Decisions: decisions()}, nil
	}}
	withEngine(t, e, func(s *screen) {
		s.press("w")
		s.inOrder("Why work", "14:02:10", "served, 200", "12 times since 14:01:59", "2 free",
			"lab", "skipped", "5-hour limit reached (429), until 14:39", "old", "skipped", "sign in again", "work", "served",
			"14:01:51", "served, 200", "2.1 s", "sonnet", "conversation s2", "lab", "limited", "5-hour limit reached (429), until 14:39", "work", "served")
		s.lacks("passed it by", "something went wrong")
		s.press("w")
		if s.m.overlay != nil {
			t.Errorf("%T is still open", s.m.overlay)
		}
		s.press("j", "j", "w")
		s.inOrder("Why lab", "cooling until 14:39, 37:41 left", "5-hour limit reached (429)", "12 requests passed it by since 14:01:59",
			"something went wrong", "14:01:51", "limited", "the other requests", "14:02:10", "12 times")
		s.press("w", "j", "w")
		s.inOrder("Why old", "sign in again", "the refresh token was refused", "13 requests passed it by", "12 times", "14:01:51")
	})
}

func TestRequestsThatWentTheSameWayAreOneStory(t *testing.T) {
	pass, away := control.Step{Account: "work", Outcome: "pass"}, control.Step{Account: "lab", Outcome: "skipped", Evidence: "paused"}
	at := func(second int, steps ...control.Step) *control.Decision {
		d := &control.Decision{At: fixedNow.Add(time.Duration(second) * time.Second), Status: 200, Candidates: 2}
		for _, s := range steps {
			if s.Outcome == skipOutcome {
				d.Skipped = append(d.Skipped, s)
			} else {
				d.Steps = append(d.Steps, s)
			}
		}
		return d
	}
	later := pass
	later.Until = fixedNow
	failed := at(6, pass)
	failed.Status = 500
	all := []*control.Decision{at(0, pass), at(1, pass), at(2, away, pass), at(3, pass), at(4, pass), at(5, later), failed, at(7, pass)}
	var got []string
	for _, r := range stories(all) {
		got = append(got, fmt.Sprintf("%d:%d-%d", r.n, r.oldest.Sub(fixedNow)/time.Second, r.At.Sub(fixedNow)/time.Second))
	}
	if want := []string{"5:0-7", "1:6-6", "1:5-5", "1:2-2"}; !slices.Equal(got, want) {
		t.Errorf("stories %v, want %v", got, want)
	}
}

func TestWhyBeginsWithTheCooldown(t *testing.T) {
	evidence := "429 five_hour rejected, representative claim five_hour, reset at 14:39:52, as the provider said"
	st := busy()
	st.Accounts[2].Cooldowns[0].Evidence = evidence
	onScreen(t, 60, 15, st, func(s *screen) {
		s.press("j", "j", "w")
		s.wants("Why lab", "cooling until 14:39, 37:41 left", "No request is remembered")
		for word := range strings.FieldsSeq(evidence) { // wrapped, not cut
			s.wants(word)
		}
		s.wait(time.Second)
		s.wants("37:40 left")
	})
}

// What is decided while one looks is seen, also when the account gets another name.
func TestWhyFollowsWhatHappens(t *testing.T) {
	all := decisions()
	e := &fakeEngine{state: busy()}
	e.answer = func(control.Request) (control.Reply, error) { return control.Reply{Decisions: all}, nil }
	withEngine(t, e, func(s *screen) {
		s.press("j", "j", "w")
		s.wants("12 requests passed it by")
		more := all[len(all)-1]
		more.At = more.At.Add(time.Second)
		all = append(slices.Clone(all), more)
		s.wait(whyPace)
		st := busy()
		st.Accounts[2].Label = "bench"
		s.show(st)
		s.wants("Why bench", "13 requests passed it by")
		s.show(busy()) // too soon
		if got := len(e.requests()); got != 2 {
			t.Errorf("asked %d times", got)
		}
		e.answer = func(control.Request) (control.Reply, error) {
			return control.Reply{}, &control.Error{Message: "the engine is busy"}
		}
		s.wait(whyPace)
		s.show(busy())
		s.wants("the engine is busy")
	})
}
