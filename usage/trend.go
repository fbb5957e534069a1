package usage

import (
	"math"
	"time"
)

// How much of a window's own length its readings are looked at. Their ratio decides
// how a forecast behaves, so it is the same for the 5 hours and for the 7 days: the
// table that TestForecastError prints is what they were chosen by.
const (
	halfLifeShare = 5   // after a 5th of the window a reading weighs half: an hour, 34 hours
	spacingShare  = 150 // between two readings that are worth keeping: 2 minutes, 67 minutes
	thinShare     = 20  // less than a 20th seen says nothing yet: 15 minutes, 8 hours

	// thinReadings is the weight of the fewest readings that show a pace.
	thinReadings = 2.5
	// fallSlack is how far a share may fall and be the same window still: readings
	// come rounded, and one passes another on its way.
	fallSlack = 0.02
)

// Reading is what was seen of one window at one moment.
type Reading struct {
	At       time.Time
	Used     float64
	ResetsAt time.Time // zero: not known
}

// Forecast is what becomes of a window at the pace of its readings.
type Forecast struct {
	FullAt      time.Time // when nothing is left; zero: not before it resets
	UsedAtReset float64   // 1 at most; 0 if it is not known when it resets

	Readings int           // that it rests on,
	Over     time.Duration // in this time: older ones weigh too little to count
}

// Trend is how fast a window fills: what was used in its readings, and the time that
// passed between them, both worth half after a half-life. So readings may come at any
// interval. The zero value has seen nothing.
type Trend struct {
	filled, elapsed, readings float64 // elapsed in milliseconds

	// The last reading, in milliseconds since 1970; there may be thousands of trends.
	at, resets int64 // 0: none, not known
	used       float64
}

// Spacing is the time between two readings of a window that are worth keeping.
func Spacing(length time.Duration) time.Duration { return length / spacingShare }

// Wants reports whether a reading says something new: some time has passed since the
// last one, the window is another one, or it has become full.
func (t *Trend) Wants(r Reading, length time.Duration) bool {
	if t.at == 0 {
		return true
	}
	passed := time.Duration(r.At.UnixMilli()-t.at) * time.Millisecond
	return passed >= Spacing(length) || passed < -outOfOrder ||
		passed > 0 && (t.used < 1 && r.Used >= 1 || t.began(r, length))
}

// Last returns the last reading, to the millisecond; zero: there was none.
func (t *Trend) Last() Reading {
	if t.at == 0 {
		return Reading{}
	}
	r := Reading{At: time.UnixMilli(t.at).UTC(), Used: t.used}
	if t.resets != 0 {
		r.ResetsAt = time.UnixMilli(t.resets).UTC()
	}
	return r
}

// Add takes in the next reading of a window of that length. One that is older than
// the last changes nothing, unless it is so much older that the clock must have been
// set back: then it is the first one.
func (t *Trend) Add(r Reading, length time.Duration) {
	at := r.At.UnixMilli()
	passed := at - t.at
	switch {
	case length <= 0:
		return
	case t.at == 0, passed < -outOfOrder.Milliseconds():
		*t = Trend{readings: 1}
	case passed <= 0:
		return
	default:
		t.learn(r, length, float64(passed))
	}
	t.at, t.used, t.resets = at, r.Used, milli(r.ResetsAt)
}

// learn weighs what was used since the last reading, and the time it took.
func (t *Trend) learn(r Reading, length time.Duration, passed float64) {
	gained, took := r.Used-t.used, passed
	switch {
	case t.began(r, length):
		// What the window before it took after its last reading is not known: only
		// what is used since it ended counts.
		gained, took = r.Used, math.Min(passed, float64(r.At.UnixMilli()-t.start(r, length)))
	case t.used >= 1:
		took = 0 // a full window says nothing of what would have been used
	}
	h := halfLife(length)
	fade := math.Exp2(-passed / h)
	t.filled *= fade
	t.elapsed *= fade
	t.readings = t.readings*fade + 1
	if took > 0 {
		weight := h / math.Ln2 * (1 - math.Exp2(-took/h)) // of that time, each moment by its age
		t.filled += gained / took * weight
		t.elapsed += weight
	}
}

// began reports whether r is of a later window than the last reading.
func (t *Trend) began(r Reading, length time.Duration) bool {
	at, resets := r.At.UnixMilli(), milli(r.ResetsAt)
	return r.Used < t.used-fallSlack ||
		t.resets != 0 && at >= t.resets ||
		t.resets != 0 && resets-t.resets > length.Milliseconds()/2
}

// start is from when on r's window can have been used, given that it began after the
// last reading.
func (t *Trend) start(r Reading, length time.Duration) int64 {
	at, resets := r.At.UnixMilli(), milli(r.ResetsAt)
	switch {
	case t.resets != 0 && at >= t.resets && at-t.resets <= length.Milliseconds():
		return t.resets // it begins with its first request: until then nothing was used
	case resets != 0:
		return resets - length.Milliseconds()
	}
	return t.at
}

// Forecast says what becomes of a window of that length whose newest reading is r. It
// reports false when it would be a guess: too few readings, over too little time, too
// long ago, or of a window that has ended or has not begun; and when the window is full
// already.
func (t *Trend) Forecast(r Reading, length time.Duration, now time.Time) (Forecast, bool) {
	h := halfLife(length)
	age := float64(now.UnixMilli() - t.at)
	switch {
	case t.readings < thinReadings, t.elapsed < float64(length.Milliseconds())/thinShare,
		age > h, age < -float64(outOfOrder.Milliseconds()):
		return Forecast{}, false
	case r.Used >= 1, !r.ResetsAt.IsZero() && !now.Before(r.ResetsAt):
		return Forecast{}, false
	case r.Used <= 0 && r.ResetsAt.IsZero():
		return Forecast{}, false // it has not begun: the pace is that of the window before
	}
	f := Forecast{
		Readings: int(math.Round(t.readings)),
		Over:     time.Duration(t.elapsed) * time.Millisecond,
	}
	pace := math.Max(t.filled/t.elapsed, 0) // share a millisecond
	left := float64(length.Milliseconds())  // at most: no window is longer
	if !r.ResetsAt.IsZero() {
		left = float64(r.ResetsAt.Sub(r.At).Milliseconds())
		f.UsedAtReset = math.Min(r.Used+pace*left, 1)
	}
	if full := (1 - r.Used) / pace; full < left { // an idle one's is infinite
		f.FullAt = later(now, r.At.Add(time.Duration(full)*time.Millisecond))
	}
	return f, true
}

// halfLife is in milliseconds.
func halfLife(length time.Duration) float64 {
	return float64(length.Milliseconds()) / halfLifeShare
}

func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
