package relogin

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

func TestADaysSignInsAreCountedByTheLocalDay(t *testing.T) {
	night := time.Date(2026, 3, 1, 23, 59, 0, 0, time.Local)
	var r memory
	s := Settings{DailyBudget: 2}
	for range 2 {
		if err := r.waits(accounts.Account{}, s, night); err != nil {
			t.Error(err)
		}
		r.begun(night, false)
	}
	wait, ok := errors.AsType[*WaitError](r.waits(accounts.Account{}, s, night))
	if !ok || !wait.Until.Equal(night.Add(time.Minute)) {
		t.Errorf("got %+v", wait)
	}
	morning := night.Add(2 * time.Minute)
	if err := r.waits(accounts.Account{}, s, morning); err != nil || r.used(morning) != 0 {
		t.Errorf("the next day: %v, %d", err, r.used(morning))
	}
	if r.begun(morning, true); r.used(morning) != 1 || r.AheadOn != "2026-03-02" {
		t.Errorf("the next day: %+v", r)
	}
}

func TestRests(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.Local)
	var r memory
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		r.failed(now, "it broke")
		if got := r.NotBefore.Sub(now); got != want*time.Minute {
			t.Errorf("after %d failures it rests %v", r.Failures, got)
		}
	}
	if !r.resting(now) || r.resting(r.NotBefore) {
		t.Error("the rest does not end when it ends")
	}
	if r.resting(now.Add(-day)) {
		t.Error("a clock that was set back makes the rest longer")
	}
	if r.succeeded("signed in"); r.resting(now) || r.Failures != 0 {
		t.Errorf("after a success: %+v", r)
	}
}

func FuzzMemory(f *testing.F) {
	f.Add([]byte(`{"version":1,"day":"2026-03-01","today":1,"failures":3,"not_before":"2026-03-01T12:00:00Z"}`))
	f.Add([]byte(`{"today":-1,"failures":9223372036854775807}`))
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.Local)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r memory
		if json.Unmarshal(raw, &r) != nil {
			return
		}
		r = r.sound(now)
		if r.failed(now, ""); r.NotBefore.Sub(now) < restAtFirst || r.NotBefore.Sub(now) > restAtMost {
			t.Errorf("it rests until %v", r.NotBefore)
		}
		if r.begun(now, false); r.used(now) < 1 {
			t.Errorf("%d are counted", r.used(now))
		}
	})
}

func TestWhatIsRememberedMayBeDamaged(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	path := filepath.Join(h.folder(a.ID), memoryName)
	for _, raw := range []string{"", "{", `{"today":"x"}`, `[]`, `{"today":-5,"failures":-3}`, `{"failures":4000000000,"not_before":"9999-01-01T00:00:00Z"}`, strings.Repeat("x", memoryLimit+9)} {
		if err := os.WriteFile(path, []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
		h.needLogin(t, a.ID)
		if _, err := h.manager.Session(t.Context(), a.ID); err != nil {
			t.Errorf("%.20q: %v", raw, err)
		}
		wait, waits := errors.AsType[*WaitError](h.login(t, a.ID))
		switch readable := strings.HasPrefix(raw, `{"`) && !strings.Contains(raw, `"x"`); {
		case readable && waits:
			t.Errorf("%.20q: %v", raw, wait)
		case !readable && (!waits || wait.NeedsYou || !wait.Until.Equal(midnight(time.Now()))):
			t.Errorf("%.20q: nobody knows how often it was tried, and it was tried again: %v", raw, wait)
		}
	}
	if s, _ := h.manager.Session(t.Context(), a.ID); s.Today != 4 || s.LastResult == "" {
		t.Errorf("at the end the session is %+v", s)
	}
	if err := h.manager.LoginNow(t.Context(), a.ID); err != nil {
		t.Errorf("a person's own: %v", err)
	}
}

func TestADamagedMemoryRestsForADay(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	path := filepath.Join(h.folder(a.ID), memoryName)
	for raw, used := range map[string]int{"{": 4, `{"day":"9999-01-01","today":4}`: 4} {
		if err := os.WriteFile(path, []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
		h.restart(t)
		h.needLogin(t, a.ID)
		h.manager.round(t.Context())
		if s, _ := h.manager.Session(t.Context(), a.ID); s.Today != used || h.driver.opened() != 0 {
			t.Errorf("%s: %d browsers, %+v", raw, h.driver.opened(), s)
		}
		h.restart(t)
		remembered := h.manager.recall(a, profile{h.folder(a.ID)}) // a round has mended it
		if remembered.amiss || remembered.waits(h.account(t, a.ID), h.settings, midnight(time.Now())) != nil {
			t.Errorf("%s: the next day it waits still: %+v", raw, remembered)
		}
	}
}

func TestWhatTheDiskDidNotTakeIsNotForEver(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	p := profile{h.folder(a.ID)}
	now := time.Now().UTC()
	unkept := memory{Today: 3, Day: dayOf(now), LastUsed: now}
	h.manager.unkept[a.ID] = unkept
	if got := h.manager.recall(a, p); got.Today != 3 {
		t.Errorf("the disk's comes first: %+v", got)
	}
	if err := p.store(memory{Today: 4, Day: dayOf(now), LastUsed: now.Add(time.Second)}); err != nil {
		t.Fatal(err)
	}
	if got := h.manager.recall(a, p); got.Today != 4 {
		t.Errorf("what another process has written since is not seen: %+v", got)
	}
	if err := h.manager.Remove(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	h.driver.as("ada")
	if f := h.setup(t, Setup{Account: a.ID}); f.State != accounts.FlowDone {
		t.Fatalf("the window: %+v", f)
	}
	if s, _ := h.manager.Session(t.Context(), a.ID); s.Today != 0 {
		t.Errorf("a new session has the old one's day: %+v", s)
	}
}

func TestADiskThatTakesNothingStartsNoBrowser(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	path := filepath.Join(h.folder(a.ID), memoryName)
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil { // what works against root too
		t.Fatal(err)
	}
	if _, ok := errors.AsType[*WaitError](h.login(t, a.ID)); !ok {
		t.Error("nobody knows how often it was tried, and it is tried")
	}
	full, ok := errors.AsType[*ProfileError](h.manager.LoginNow(t.Context(), a.ID))
	if !ok || strings.Contains(full.Problem, h.dir) || full.Problem == "" {
		t.Errorf("got %+v", full)
	}
	if _, ok := errors.AsType[*WaitError](h.login(t, a.ID)); !ok {
		t.Error("it does not rest")
	}
	if h.driver.opened() != 0 || h.account(t, a.ID).NeedsYou != "" {
		t.Errorf("%d browsers, %+v", h.driver.opened(), h.account(t, a.ID))
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := h.manager.LoginNow(t.Context(), a.ID); err != nil {
		t.Errorf("once there is room: %v", err)
	}
}
