package simulator_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func TestPresentationsSayWhoseTokenCameWhenAndFromWhom(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := start(t, simulator.Options{Now: c.Now, Presentations: true})
	present := func(by, token string) reply {
		c.advance(time.Second)
		body, err := json.Marshal(refresh(token))
		if err != nil {
			t.Fatal(err)
		}
		r := request(t, http.MethodPost, s.URL()+simulator.PathToken, "application/json", string(body))
		r.Header.Set("User-Agent", by)
		return do(t, r)
	}
	began := c.Now()
	login(t, s, "ada")
	first := login(t, s, "ada")
	second := present("one", first.Refresh).tokens(t)
	present("two", second.Refresh)
	present("one", second.Refresh)
	present("one", "nobody-issued-this")
	s.Inject(simulator.Fault{Kind: simulator.LostResponse})
	present("three", login(t, s, "ada").Refresh)

	want := []simulator.Presentation{
		{By: "one", Login: 2, Number: 1, Used: 0, Status: http.StatusOK},
		{By: "two", Login: 2, Number: 2, Used: 1, Status: http.StatusOK},
		{By: "one", Login: 2, Number: 2, Used: 2, Spent: true, Status: http.StatusBadRequest},
		{By: "three", Login: 3, Number: 1},
	}
	for i := range want {
		at := began.Add([]time.Duration{1, 2, 3, 5}[i] * time.Second)
		want[i].User, want[i].At, want[i].Ended = "ada", at, at
	}
	var got []simulator.Presentation
	for got = s.Presentations(); slices.ContainsFunc(got, unended); got = s.Presentations() {
		time.Sleep(time.Millisecond) // the client may have its answer first
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	if quiet := start(t, simulator.Options{}); len(quiet.Presentations()) != 0 {
		t.Error("it keeps what nobody asked for")
	}
}

func unended(p simulator.Presentation) bool { return p.Ended.IsZero() }
