package accounts

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RetryAfter reads the Retry-After field (RFC 9110, section 10.2.3): seconds,
// or a date that is held against the answer's own Date where there is one, so
// that a wrong clock on this side does no harm. The result lies in [lo, hi]; of
// several fields the longest wait counts. It reports false when there is none
// that makes sense: garbage never bans anybody.
func RetryAfter(h http.Header, now time.Time, lo, hi time.Duration) (time.Duration, bool) {
	var longest time.Duration
	found := false
	for _, field := range h.Values("Retry-After") {
		if wait, ok := retryWait(strings.TrimSpace(field), h, now); ok {
			longest, found = max(longest, wait), true
		}
	}
	if !found {
		return 0, false
	}
	return min(max(longest, lo), hi), true
}

func retryWait(field string, h http.Header, now time.Time) (time.Duration, bool) {
	if isDecimal(field) {
		seconds, err := strconv.ParseFloat(field, 64)
		if err != nil || seconds >= float64(math.MaxInt64)/float64(time.Second) {
			return math.MaxInt64, true // a number, and longer than any limit
		}
		return time.Duration(seconds * float64(time.Second)), true
	}
	until, err := http.ParseTime(field)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(until.Sub(now), 0), true
}

// isDecimal reports whether s is digits with at most one point between them.
// It keeps out what strconv takes besides: signs, exponents, hex, inf and NaN.
func isDecimal(s string) bool {
	whole, fraction, point := strings.Cut(s, ".")
	return isDigits(whole) && (!point || isDigits(fraction))
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
