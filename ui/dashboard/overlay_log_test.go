package dashboard

import (
	"fmt"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/ui/control"
)

func records() []control.LogLine {
	return []control.LogLine{
		{At: fixedNow.Add(-time.Minute), Level: "INFO", Text: "token renewed  account=home  until=2026-01-14T22:01:50Z"},
		{At: fixedNow.Add(-2 * time.Second), Level: "WARN", Text: "no account is available  provider=anthropic  soonest=2026-01-14T14:40:00Z"},
		{At: fixedNow, Level: "ERROR", Text: "the renewed token is not saved yet: the disk refuses it  account=work  error=write /home/me/.local/share/oauthmux/vault/a1/cred.new: no space left on device"},
	}
}

// logEngine answers with that log.
func logEngine(lines *[]control.LogLine) *fakeEngine {
	return &fakeEngine{state: busy(), answer: func(control.Request) (control.Reply, error) { return control.Reply{Log: *lines}, nil }}
}

func TestTheLogIsFollowed(t *testing.T) {
	var lines []control.LogLine
	e := logEngine(&lines)
	withEngine(t, e, func(s *screen) {
		s.press("l")
		s.wants("Nothing is logged yet")
		for i := range 80 {
			lines = append(lines, control.LogLine{At: fixedNow, Level: "INFO", Text: fmt.Sprintf("line %02d", i)})
		}
		more := func(text string) {
			lines = append(lines, control.LogLine{At: fixedNow, Level: "INFO", Text: text})
			s.wait(logPace)
			s.show(busy()) // something happened
			s.settle()
		}
		more("the first news")
		s.wants("the first news", "of 81")
		s.lacks("line 00")
		s.press("g")
		s.wants("line 00")
		more("the second news")
		s.wants("line 00") // who reads stays where they are
		s.press("G")
		s.wants("the second news")
		more("the third news")
		s.wants("the third news")
		asked := len(s.engine.requests())
		s.show(busy())
		s.show(busy())
		if got := len(s.engine.requests()); got != asked {
			t.Errorf("asked %d times more at once", got-asked)
		}
		s.press("l")
		s.closed()
	})
}

func TestALogThatCannotBeRead(t *testing.T) {
	e := &fakeEngine{state: busy()}
	e.refusing(control.ActionLog, &control.Error{Message: "the log cannot be read", Hint: "look at its folder"})
	withEngine(t, e, func(s *screen) {
		s.press("l")
		s.wants("the log cannot be read", "look at its folder")
		s.press("esc")
		s.closed()
	})
}
