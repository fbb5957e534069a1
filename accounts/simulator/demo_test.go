package simulator

import (
	"testing"
	"time"
)

// event is something that a person sees in the demo.
type event struct {
	at   time.Duration
	what string
}

// playDemo plays the scene's traffic on a clock of its own, with the simplest
// rotation there is: a conversation stays with its account while that lets it,
// a new one begins with the first that does. A refused account is not asked
// again before the reset that it named.
func playDemo(t *testing.T, speed float64, length time.Duration) (events []event, s *Server, refused int) {
	t.Helper()
	now := time.Date(2026, 1, 5, 13, 0, 0, 0, time.UTC)
	began := now
	scene := Demo(0, speed)
	scene.Options.Now = func() time.Time { return now }
	s = New(scene.Options)
	t.Cleanup(s.Close)
	for _, u := range scene.Users {
		s.AddUser(u)
	}
	cooling := map[string]time.Time{} // by account, and by account and family
	models := []string{"claude-sonnet-4-5", "claude-opus-4-5"}
	sessions := make([]string, scene.Traffic.Sessions)
	pace := scene.Traffic.Pace + scene.Options.Latency +
		time.Duration(scene.Traffic.StreamShare*float64(scene.Options.StreamEvents)*float64(scene.Options.StreamDelay))
	for turn := 0; now.Sub(began) < length; turn++ {
		i := turn % len(sessions)
		conversation := turn / len(sessions) / scene.Traffic.SessionLength
		if turn/len(sessions)%scene.Traffic.SessionLength == i { // they do not all begin at once
			sessions[i] = ""
		}
		model := models[(conversation+i)%len(models)]
		now = now.Add(pace / time.Duration(len(sessions)))
		for key, until := range cooling {
			if !now.Before(until) {
				delete(cooling, key)
				events = append(events, event{now.Sub(began), "back " + key})
			}
		}
		served := ""
		for _, name := range append([]string{sessions[i]}, s.users.order...) {
			family := familyOf(model)
			if name == "" || served != "" || !cooling[name].IsZero() || !cooling[name+" "+family].IsZero() {
				continue
			}
			st := s.users.get(name).admit(now, model, family)
			if !st.rejected {
				served = name
				continue
			}
			key := name
			if st.representative(family).family != "" {
				key += " " + family
			}
			cooling[key] = now.Add(time.Duration(st.retryAfter(now, family)) * time.Second)
			events = append(events, event{now.Sub(began), "cooling " + key})
		}
		sessions[i] = served
		if served == "" {
			refused++
		}
	}
	return events, s, refused
}

func TestTheDemoShowsAFailoverAndAReturnWithinAMinuteForEver(t *testing.T) {
	t.Parallel()
	const length = 30 * time.Minute
	events, s, refused := playDemo(t, 0, length)
	if refused > 0 {
		t.Errorf("%d requests found nobody", refused)
	}
	first, last := map[string]time.Duration{}, map[string]time.Duration{}
	for _, e := range events {
		if _, seen := first[e.what]; !seen {
			first[e.what] = e.at
		}
		if gap := e.at - last[e.what]; e.what == "cooling work" && gap > time.Minute {
			t.Errorf("no failover from work between %v and %v", last[e.what], e.at)
		}
		last[e.what] = e.at
	}
	for what, within := range map[string]time.Duration{
		"cooling work": 10 * time.Second, "back work": 30 * time.Second, "cooling home opus": time.Minute,
	} {
		if at, seen := first[what]; !seen || at > within {
			t.Errorf("%s: first at %v, want it within %v", what, at, within)
		}
	}
	if last["cooling work"] < length-time.Minute {
		t.Errorf("the last failover was at %v of %v", last["cooling work"], length)
	}
	cooled := first["back work"] - first["cooling work"]
	if cooled < 5*time.Second || cooled > 30*time.Second {
		t.Errorf("the first cooldown runs for %v", cooled)
	}
	for _, name := range s.users.order {
		for _, w := range s.Windows(name) {
			if w.Claim == "7d" && w.Used > 0.95 {
				t.Errorf("the week of %s is used up to %v", name, w.Used)
			}
		}
	}
}

func TestTheDemoIsTheSameShowAtAnotherSpeed(t *testing.T) {
	t.Parallel()
	count := func(speed float64, length time.Duration) int {
		events, _, refused := playDemo(t, speed, length)
		if refused > 0 {
			t.Errorf("speed %v: %d requests found nobody", speed, refused)
		}
		n := 0
		for _, e := range events {
			if e.what == "back work" {
				n++
			}
		}
		return n
	}
	fast, slow := count(DemoSpeed, 5*time.Minute), count(DemoSpeed/2, 10*time.Minute)
	if fast < 5 || slow < fast-2 || slow > fast+2 {
		t.Errorf("work came back %d times at the demo's speed, and %d times at half of it", fast, slow)
	}
}

func TestTheDemoHasAsManyAccountsAsAskedFor(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 4, 9} {
		names := map[string]bool{}
		for _, u := range Demo(n, 0).Users {
			names[u.withDefaults().Name] = true
		}
		if len(names) != n {
			t.Errorf("Demo(%d) has %v", n, names)
		}
	}
}
