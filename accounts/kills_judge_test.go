package accounts

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

const mostPresentations = 1 + 5 // SAFETY 2.2, step 4

// judgement is what the presentations of a run were.
type judgement struct {
	presented   int
	again       int // of a token that had come before
	excused     int // of those: whoever presented it before was killed since
	unexcused   int // I3
	superseded  int // I2: the client had used a newer one
	overlapping int // I1: another of the account was being answered
	tooOften    int // I3
	tooSoon     int // I3
	late        int // sent before the kill of its sender, and here after it
	complaints  []string
	mayBeLost   map[string]int // by user: logins with an excused presentation
}

// judge looks at presentations in the order in which they came.
func judge(all []simulator.Presentation, dead *deaths) judgement {
	type token struct {
		user   string
		login  int
		number int64
	}
	type login struct {
		user   string
		number int
	}
	j := judgement{presented: len(all), mayBeLost: make(map[string]int)}
	last, latest := make(map[token]simulator.Presentation), make(map[string]simulator.Presentation)
	times, mayBeLost := make(map[token]int), make(map[login]bool)
	for _, p := range all {
		of := token{p.User, p.Login, p.Number}
		complain := func(n *int, what string) {
			if *n++; len(j.complaints) < 20 {
				j.complaints = append(j.complaints, fmt.Sprintf("%s: %s presents token %d of %s", what, p.By, p.Number, p.User))
			}
		}
		before, again := last[of]
		other, another := latest[p.User]
		last[of], latest[p.User] = p, p
		if times[of]++; times[of] > mostPresentations {
			complain(&j.tooOften, "I3, too often")
		}
		late := dead.before(p.By, p.At) // whatever came meanwhile, its sender could not know
		if late {
			j.late++
		}
		if again {
			j.again++
			if !late && !dead.before(before.By, p.At) {
				complain(&j.unexcused, "I3, unexcused after "+before.By)
			} else {
				j.excused++
				mayBeLost[login{p.User, p.Login}] = true
			}
			if !late && p.At.Sub(before.At) < leastGap(times[of]-1) {
				complain(&j.tooSoon, "I3, too soon after "+before.By)
			}
		}
		if p.Used > p.Number && !late {
			complain(&j.superseded, "I2, superseded")
		}
		if another && !late && (other.Ended.IsZero() || other.Ended.After(p.At)) && !dead.before(other.By, p.At) {
			complain(&j.overlapping, "I1, beside "+other.By)
		}
	}
	for l := range mayBeLost {
		j.mayBeLost[l.user]++
	}
	return j
}

// String lists what there was.
func (j judgement) String() string {
	said := []string{fmt.Sprintf("again %d", j.again)}
	for _, n := range []struct {
		what string
		n    int
	}{
		{"excused", j.excused},
		{"unexcused", j.unexcused},
		{"superseded", j.superseded},
		{"overlapping", j.overlapping},
		{"too often", j.tooOften},
		{"too soon", j.tooSoon},
		{"late", j.late},
	} {
		if n.n > 0 {
			said = append(said, fmt.Sprintf("%s %d", n.what, n.n))
		}
	}
	return strings.Join(said, ", ")
}

// leastGap is half of what lies at least between two presentations in a run, the
// first of them being the n-th: the note of it is written before it is sent.
func leastGap(n int) time.Duration {
	switch n {
	case 1:
		return 0 // the disk may take as long to write the note
	case 2:
		return 10 * time.Minute / killSpeed / 2
	case 3:
		return time.Hour / killSpeed / 2
	}
	return 6 * time.Hour / killSpeed / 2
}

func TestTheJudgeOfKillsSeesWhatIsWrong(t *testing.T) {
	t.Parallel()
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	came := func(ms int, by string, number, used int64) simulator.Presentation {
		return simulator.Presentation{At: at(ms), Ended: at(ms + 5), By: by, User: "ada", Login: 1, Number: number, Used: used}
	}
	dead := deaths{at: map[string]time.Time{"x": at(50)}}
	for name, test := range map[string]struct {
		all  []simulator.Presentation
		want string
	}{
		"in turn":                        {[]simulator.Presentation{came(0, "x", 1, 1), came(10, "y", 2, 1), came(20, "y", 3, 2)}, "again 0"},
		"again after a kill":             {[]simulator.Presentation{came(0, "x", 1, 1), came(100, "y", 1, 1)}, "again 1, excused 1"},
		"again before a kill":            {[]simulator.Presentation{came(0, "x", 1, 1), came(49, "y", 1, 1)}, "again 1, unexcused 1"},
		"again without a kill":           {[]simulator.Presentation{came(0, "y", 1, 1), came(100, "z", 1, 1)}, "again 1, unexcused 1"},
		"again by itself":                {[]simulator.Presentation{came(0, "y", 1, 1), came(100, "y", 1, 1)}, "again 1, unexcused 1"},
		"a third time, and too soon":     {[]simulator.Presentation{came(0, "x", 1, 1), came(60, "x2", 1, 1), came(100, "y", 1, 1)}, "again 2, excused 1, unexcused 1, too soon 1"},
		"after a newer one":              {[]simulator.Presentation{came(0, "y", 2, 2), came(10, "y", 1, 2)}, "again 0, superseded 1"},
		"at a time":                      {[]simulator.Presentation{came(0, "y", 1, 1), came(4, "z", 2, 1)}, "again 0, overlapping 1"},
		"at a time with the dead":        {[]simulator.Presentation{came(48, "x", 1, 1), came(51, "z", 2, 1)}, "again 0"},
		"sent by the dead, and late":     {[]simulator.Presentation{came(55, "y", 2, 2), came(58, "x", 1, 2)}, "again 0, late 1"},
		"sent by the dead, and again":    {[]simulator.Presentation{came(60, "x", 1, 1), came(200, "y", 1, 1)}, "again 1, excused 1, late 1"},
		"other logins have other tokens": {[]simulator.Presentation{came(0, "y", 1, 1), {At: at(10), By: "y", User: "ada", Login: 2, Number: 1}}, "again 0"},
	} {
		j := judge(test.all, &dead)
		got := j.String()
		if got != test.want {
			t.Errorf("%s: %s, want %s: %q", name, got, test.want, j.complaints)
		}
	}
	var often []simulator.Presentation
	for n := range mostPresentations + 1 {
		often = append(often, came(n*3_600_000, "x", 1, 1))
	}
	if j := judge(often, &deaths{at: map[string]time.Time{"x": at(30_000_000)}}); j.tooOften != 1 {
		t.Errorf("presented %d times: too often %d", len(often), j.tooOften)
	}
}
