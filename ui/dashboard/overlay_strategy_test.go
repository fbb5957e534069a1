package dashboard

import (
	"testing"

	"github.com/oauthmux/oauthmux/ui/control"
)

func TestChoosingAStrategy(t *testing.T) {
	e := &fakeEngine{state: busy()}
	e.answer = func(r control.Request) (control.Reply, error) {
		return control.Reply{Message: r.Strategy + " it is"}, nil
	}
	withEngine(t, e, func(s *screen) {
		s.press("s")
		s.wants("Strategy", "sticky", "round-robin", "least-used", "soonest-reset", "stays with its account")
		s.press("k", "k", "enter") // up from the first is the last
		s.asks(control.Request{Action: control.ActionStrategy, Strategy: "least-used"})
		s.closed()
		s.wants("least-used it is")
		s.press("s", "s") // the key that opened it closes it
		s.closed()
	})
}

func TestAStrategyThatCannotBeChosen(t *testing.T) {
	st := busy()
	st.Strategy.Fixed = "--rotation-strategy"
	e := &fakeEngine{state: st}
	withEngine(t, e, func(s *screen) {
		s.press("s")
		s.wants("Fixed by --rotation-strategy")
		s.press("j", "enter")
		if got := s.did(); len(got) != 0 {
			t.Errorf("asked %q for what is fixed", got)
		}
		s.press("esc")
		s.closed()

		st.Strategy.Fixed = ""
		s.show(st)
		e.refusing(control.ActionStrategy, &control.Error{Message: "the disk is full", Hint: "make room"})
		s.press("s", "j", "enter")
		s.wants("the disk is full", "make room")
		st.Strategy.All = nil // an engine of another version
		s.show(st)
		s.press("j", "enter", "esc")
		s.closed()
	})
}
