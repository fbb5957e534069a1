package vault

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func hold(tb testing.TB, v *Vault) *Held {
	tb.Helper()
	h, err := v.Lock(tb.Context(), account)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

// loggedIn returns a vault with one account that has the first token.
func loggedIn(tb testing.TB) (*memDisk, *Vault) {
	tb.Helper()
	d := newMemDisk()
	v := onDisk(tb, d, testSeals(tb))
	if err := login(tb.Context(), v, &server{}); err != nil {
		tb.Fatal(err)
	}
	return d, v
}

func TestI3PresentationsAreCountedAndBounded(t *testing.T) {
	d, v := loggedIn(t)
	for n := range maxAmbiguous {
		h := hold(t, v)
		earlier, err := h.Begin(token(1))
		if err != nil {
			t.Fatalf("presentation %d: %v", n+1, err)
		}
		if earlier.Count != n || earlier.Ambiguous != (n > 0) || earlier.Doubtful() != (n > 0) || earlier.Mine != (n > 0) {
			t.Errorf("presentation %d: got %+v", n+1, earlier)
		}
		h.Release() // no whole answer came
	}
	h := hold(t, v)
	defer h.Release()
	for range 2 { // trying again changes nothing
		if _, err := h.Begin(token(1)); !errors.Is(err, ErrLostResponse) {
			t.Errorf("one presentation more: %v", err)
		}
	}
	// A login sets the account free.
	if err := h.Store(Record{RefreshToken: token(2)}); err != nil {
		t.Fatal(err)
	}
	if earlier, err := h.Begin(token(2)); err != nil || earlier.Doubtful() {
		t.Errorf("after a login: %+v, %v", earlier, err)
	}
	// So it does when its note could not be removed.
	if i := readBack(t, d); i.Count != 1 {
		t.Errorf("the note says %+v", i)
	}
}

func readBack(t *testing.T, d *memDisk) intent {
	t.Helper()
	dir, err := d.open("/vault/"+account, false)
	if err != nil {
		t.Fatal(err)
	}
	i, err := readIntent(dir)
	if err != nil || i == nil {
		t.Fatalf("no note: %v", err)
	}
	return *i
}

func TestAnAnswerIsNotAmbiguous(t *testing.T) {
	d, v := loggedIn(t)
	h := hold(t, v)
	defer h.Release()
	begin := func() Attempt {
		t.Helper()
		earlier, err := h.Begin(token(1))
		if err != nil {
			t.Fatal(err)
		}
		return earlier
	}
	begin()
	if err := h.Defer(); err != nil { // a whole 503
		t.Fatal(err)
	}
	if earlier := begin(); earlier.Ambiguous || !earlier.Doubtful() || earlier.Answered != 1 {
		t.Errorf("after a 503: %+v", earlier)
	}
	// That one got no answer.
	if earlier := begin(); !earlier.Ambiguous || earlier.Count != 1 || earlier.Answered != 1 {
		t.Errorf("after a 503 and a lost answer: %+v", earlier)
	}
	if err := h.Abandon(); err != nil { // a whole 400
		t.Fatal(err)
	}
	if slices.Contains(files(t, d), intentName) {
		t.Error("a refusal leaves a note")
	}
	if earlier := begin(); earlier.Doubtful() {
		t.Errorf("after a refusal: %+v", earlier)
	}
	// Somebody else's note is not changed by what was answered to us.
	i := readBack(t, d)
	i.Sender = "somebody"
	if err := h.writeIntent(i); err != nil {
		t.Fatal(err)
	}
	if err := h.Defer(); err != nil {
		t.Fatal(err)
	}
	if got := readBack(t, d); got.Count != 1 || got.Answered != 0 {
		t.Errorf("somebody else's note became %+v", got)
	}
}

func TestI3AnAnswerThatSettlesNothingForgetsNothing(t *testing.T) {
	d, v := loggedIn(t)
	h := hold(t, v)
	defer h.Release()
	answered := func(settle func() error) Attempt {
		t.Helper()
		earlier, err := h.Begin(token(1))
		if err != nil {
			t.Fatal(err)
		}
		if settle != nil { // else its answer is lost
			if err := settle(); err != nil {
				t.Fatal(err)
			}
		}
		return earlier
	}
	answered(h.Dismiss)
	if slices.Contains(files(t, d), intentName) {
		t.Error("it leaves a note where there was none")
	}
	answered(h.Defer)
	answered(h.Dismiss)
	if earlier := answered(h.Dismiss); earlier.Count != 0 || earlier.Answered != 1 || earlier.Ambiguous {
		t.Errorf("after a 503: %+v", earlier)
	}
	for n := range maxAmbiguous {
		answered(h.Dismiss)
		if earlier := answered(nil); earlier.Count != n || earlier.Answered != 1 {
			t.Errorf("after %d lost answers: %+v", n, earlier)
		}
	}
	if _, err := h.Begin(token(1)); !errors.Is(err, ErrLostResponse) {
		t.Errorf("one presentation more: %v", err)
	}
}

func TestANoteThatMakesNoSenseIsAmbiguous(t *testing.T) {
	for name, data := range map[string]string{
		"empty": "", "zeros": strings.Repeat("\x00", 100), "cut": `{"version":1,"token":"ab`,
		"another version": `{"version":2,"token":"ab","count":4}`, "no token": `{"version":1,"count":4}`, "null": "null",
		"no presentation": `{"version":1,"token":"ab","count":0}`, "less than none": `{"version":1,"token":"ab","count":-9}`, "less than none answered": `{"version":1,"token":"ab","count":4,"answered":-4}`,
	} {
		t.Run(name, func(t *testing.T) {
			d, v := loggedIn(t)
			put(t, d, intentName, []byte(data))
			h := hold(t, v)
			defer h.Release()
			if earlier, err := h.Earlier(token(1)); err != nil || !earlier.Ambiguous || earlier.Mine {
				t.Errorf("got %+v, %v", earlier, err)
			}
			if earlier, err := h.Begin(token(1)); err != nil || earlier.Count != 1 {
				t.Errorf("got %+v, %v", earlier, err)
			}
			if i := readBack(t, d); i.Count != 2 || i.Generation != 1 || i.PID == 0 || i.StartedAt.IsZero() || len(i.Rescue) != 1 {
				t.Errorf("the note is %+v", i)
			}
		})
	}
}

func TestNotBefore(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	soon := now.Add(20 * time.Minute)
	for _, tt := range []struct {
		name    string
		attempt Attempt
		expiry  time.Time
		want    time.Time
	}{
		{"never presented", Attempt{}, soon, now},
		{"answered with a 503", Attempt{Answered: 3, Last: ago(time.Second)}, soon, now},
		{"our answer got lost just now", Attempt{Ambiguous: true, Count: 1, Last: ago(time.Second), Mine: true}, soon, now.Add(time.Second)},
		{"our answer got lost, and no grace lasts so long", Attempt{Ambiguous: true, Count: 1, Last: ago(time.Minute), Mine: true}, soon, soon},
		{"somebody died", Attempt{Ambiguous: true, Count: 1, Last: ago(time.Minute)}, soon, soon},
		{"somebody died, and the access token is spent", Attempt{Ambiguous: true, Count: 1, Last: ago(time.Second)}, ago(time.Hour), now.Add(9 * time.Second)},
		{"a second time", Attempt{Ambiguous: true, Count: 2, Last: now}, soon, now.Add(10 * time.Minute)},
		{"a third time", Attempt{Ambiguous: true, Count: 3, Last: now}, soon, now.Add(time.Hour)},
		{"a fourth time", Attempt{Ambiguous: true, Count: 4, Last: now}, soon, now.Add(6 * time.Hour)},
		{"a fifth time", Attempt{Ambiguous: true, Count: 5, Last: now}, soon, now.Add(6 * time.Hour)},
		{"the clock was set back", Attempt{Ambiguous: true, Count: 5, Last: now.AddDate(1, 0, 0)}, soon, now},
	} {
		if got := tt.attempt.NotBefore(now, tt.expiry); !got.Equal(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestStoreAfterBegin(t *testing.T) {
	_, v := loggedIn(t)
	h := hold(t, v)
	defer h.Release()
	if _, err := h.Begin(token(1)); err != nil {
		t.Fatal(err)
	}
	// No refresh token in the answer: the one presented stays in force
	// (RFC 6749, section 6), and it is a new generation all the same.
	if err := h.Store(Record{Raw: []byte(`{"access_token":"a"}`)}); err != nil {
		t.Fatal(err)
	}
	r, err := h.Read()
	if err != nil || r.Generation != 2 || r.RefreshToken != token(1) {
		t.Fatalf("got %v %q, %v", r, r.RefreshToken, err)
	}
	f, _, err := h.recover()
	if err != nil {
		t.Fatal(err)
	}
	family := f.family
	// A login begins another family, and may have no refresh token at all.
	if err := h.Store(Record{Raw: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	f, _, err = h.recover()
	if err != nil || f.family == family || f.RefreshToken != "" || f.parent != (origin{family, 2}) {
		t.Errorf("got family %q of %+v, token %q, %v", f.family, f.parent, f.RefreshToken, err)
	}
	for _, generation := range []uint64{1, 3} {
		if err := h.Store(Record{Generation: generation}); err == nil {
			t.Errorf("generation %d was stored over 3", generation)
		}
	}
	if err := h.Store(Record{Generation: 9, Raw: make([]byte, maxFile)}); err == nil {
		t.Error("more was stored than can be read again")
	}
}
