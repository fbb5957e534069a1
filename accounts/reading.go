package accounts

import (
	"math"
	"regexp"
	"strconv"
	"time"
)

// Readings come from outside and end up in cooldowns: what makes no sense is
// "not known", never a number to act on (SAFETY 3.4).

// scopeWord is what may stand for a scope on a screen.
var scopeWord = regexp.MustCompile(`^[a-z0-9_]{1,32}$`)

// maxShare is where a share stops being a reading: windows run a little over
// 1, never to ten times their size.
const maxShare = 10

// maxWindows is how many windows of one reading are kept: a handful is known.
const maxWindows = 32

// resetSlack is how much later than its own length a window may seem to end
// when the clocks of both sides differ.
const resetSlack = 24 * time.Hour

// parseShare reads a share written as a plain decimal, 1 being all of it.
func parseShare(s string) (float64, bool) {
	if !isDecimal(s) {
		return 0, false
	}
	share, err := strconv.ParseFloat(s, 64)
	return share, err == nil && share <= maxShare
}

// percent is a number of JSON, 100 being all of a window. Anything else in its
// place, null among it, is not known: it does not read as zero, and it does not
// spoil what stands beside it.
type percent struct {
	share float64
	known bool
}

// UnmarshalJSON never fails.
func (p *percent) UnmarshalJSON(text []byte) error {
	n, err := strconv.ParseFloat(string(text), 64) // takes no quotes, so numbers only
	*p = percent{share: n / 100, known: err == nil && !math.Signbit(n) && n <= 100*maxShare}
	return nil
}

// parseEpoch reads seconds since 1970.
func parseEpoch(s string, now time.Time, length time.Duration) time.Time {
	if !isDecimal(s) {
		return time.Time{}
	}
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil || seconds > 1<<40 { // far beyond any date that is kept
		return time.Time{}
	}
	return sensibleReset(time.Unix(int64(seconds), 0), now, length)
}

// parseReset reads a date of RFC 3339. It is rounded to the second: the same
// reset is told with other fractions each time.
func parseReset(s string, now time.Time, length time.Duration) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return sensibleReset(t.Round(time.Second), now, length)
}

// sensibleReset returns t in UTC if a window of that length (0: any) that is
// running at now can end there, else the zero time.
func sensibleReset(t, now time.Time, length time.Duration) time.Time {
	latest := now.Add(maxQuotaWait)
	if length > 0 {
		latest = now.Add(length + resetSlack)
	}
	if !t.After(now) || t.After(latest) {
		return time.Time{}
	}
	return t.UTC()
}
