package simulator

import (
	"strconv"
	"time"
)

// DemoSpeed is the demo's own speed: a window of 5 hours lasts half a minute.
const DemoSpeed = 600

// Scene is everything a show needs: a server's options, who lives in it, and the
// clients. The caller fills in Traffic's BaseURL and Key.
type Scene struct {
	Options Options
	Users   []User
	Traffic *Traffic
}

// weeks is how many 5-hour windows' worth of requests a week allows in the demo:
// enough that the week fills visibly and never ends the show.
const weeks = 70

// Demo is the scene of `oauthmux demo`: n accounts (0: four) at a speed (0:
// DemoSpeed). At that speed one sees, within a minute and for ever again, an
// account reach its limit, the requests go on with the next one, a cooldown run
// down, and the account come back. At another speed it is the same show, slower
// or faster, under the same traffic.
//
// The clients send about 2.7 requests a second. "work" is close to its limit and
// full after a few seconds; its window ends 16 seconds in. From then on it fills
// in about 20 seconds of every 30. "home" takes over, but its week of the opus
// family is nearly used up: conversations with opus go on to "lab".
func Demo(n int, speed float64) Scene {
	if n <= 0 {
		n = 4
	}
	if speed <= 0 {
		speed = DemoSpeed
	}
	slow := DemoSpeed / speed // what a window takes at another speed, for the same show
	limit := func(requests, used float64, resetsIn time.Duration) Limit {
		return Limit{Requests: requests * slow, Used: used, ResetsIn: resetsIn}
	}
	person := func(name, email, org, plan string, five, seven Limit) User {
		return User{Name: name, Email: email, Org: org, Plan: plan, FiveHour: five, SevenDay: seven}
	}
	users := []User{
		person("work", "ada@acme.example", "Acme Inc", Max20x,
			limit(40, 0.80, 160*time.Minute), limit(40*weeks, 0.35, 99*time.Hour)),
		person("home", "ada@home.example", "", Max5x,
			limit(60, 0.12, 220*time.Minute), limit(60*weeks, 0.58, 49*time.Hour)),
		person("lab", "ada@lab.example", "Byron Lab", Pro,
			limit(45, 0.41, 38*time.Minute), limit(45*weeks, 0.66, 33*time.Hour)),
		person("side", "ada@side.example", "", Pro,
			limit(45, 0, 0), limit(45*weeks, 0.09, 140*time.Hour)),
	}
	users[1].Scoped = &ScopedLimit{Limit: limit(150, 0.97, 49*time.Hour), Family: "opus"}
	for i := len(users); i < n; i++ {
		name := "spare-" + strconv.Itoa(i+1)
		users = append(users, person(name, "", "", Pro, limit(45, 0, 0), limit(45*weeks, 0, 0)))
	}
	return Scene{
		Options: Options{
			Speed: speed, Latency: 200 * time.Millisecond,
			StreamEvents: 12, StreamDelay: 60 * time.Millisecond,
			Record: -1,
			Pages:  true, ShowPassword: true, // whoever signs in by hand is told what to type in
		},
		Users: users[:n],
		Traffic: &Traffic{
			Sessions: 4, SessionLength: 8, StreamShare: 0.6, Pace: 850 * time.Millisecond,
		},
	}
}
