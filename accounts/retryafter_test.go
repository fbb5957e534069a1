package accounts

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 5, 15, 0, 0, 0, time.UTC)
	const lo, hi = time.Second, time.Hour
	for _, tt := range []struct {
		name   string
		fields []string
		date   string
		want   time.Duration
		ok     bool
	}{
		{"none", nil, "", 0, false},
		{"empty", []string{""}, "", 0, false},
		{"seconds", []string{"120"}, "", 2 * time.Minute, true},
		{"seconds with space", []string{" 120 "}, "", 2 * time.Minute, true},
		{"a fraction", []string{"1.5"}, "", 1500 * time.Millisecond, true},
		{"no time", []string{"0"}, "", lo, true},
		{"too long", []string{"86400"}, "", hi, true},
		{"longer than a duration", []string{"1000000000000"}, "", hi, true},
		{"longer than a number", []string{"99999999999999999999999999999999"}, "", hi, true},
		{"below zero", []string{"-5"}, "", 0, false},
		{"an exponent", []string{"1e12"}, "", 0, false},
		{"not a number", []string{"NaN"}, "", 0, false},
		{"infinite", []string{"Inf"}, "", 0, false},
		{"hexadecimal", []string{"0x10"}, "", 0, false},
		{"garbage", []string{"soon"}, "", 0, false},
		{"a duration", []string{"5s"}, "", 0, false},
		{"two fields", []string{"10", "20"}, "", 20 * time.Second, true},
		{"two fields, the longer first", []string{"20", "10"}, "", 20 * time.Second, true},
		{"two fields, one garbage", []string{"soon", "20"}, "", 20 * time.Second, true},
		{"two in one field", []string{"10, 20"}, "", 0, false},
		{"a date", []string{"Mon, 05 Jan 2026 15:00:30 GMT"}, "", 30 * time.Second, true},
		{"a date of RFC 850", []string{"Monday, 05-Jan-26 15:00:30 GMT"}, "", 30 * time.Second, true},
		{"a date of asctime", []string{"Mon Jan  5 15:00:30 2026"}, "", 30 * time.Second, true},
		{"a date past", []string{"Mon, 05 Jan 2026 14:00:00 GMT"}, "", lo, true},
		{"a date far off", []string{"Fri, 31 Dec 9999 23:59:59 GMT"}, "", hi, true},
		{"a date by the server's clock", []string{"Mon, 05 Jan 2026 18:00:30 GMT"}, "Mon, 05 Jan 2026 18:00:00 GMT", 30 * time.Second, true},
		{"a date beside a clock that is none", []string{"Mon, 05 Jan 2026 15:00:30 GMT"}, "now", 30 * time.Second, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			for _, field := range tt.fields {
				h.Add("Retry-After", field)
			}
			if tt.date != "" {
				h.Set("Date", tt.date)
			}
			if got, ok := RetryAfter(h, now, lo, hi); got != tt.want || ok != tt.ok {
				t.Errorf("RetryAfter = %v, %v, want %v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, n := range oddNumbers {
		f.Add(n, "")
		f.Add(n, "Mon, 05 Jan 2026 15:00:00 GMT")
		f.Add("Mon, 05 Jan 2026 15:00:00 GMT", n)
	}
	f.Fuzz(func(t *testing.T, field, date string) {
		const lo, hi = time.Second, 8 * 24 * time.Hour
		h := http.Header{"Retry-After": {field}, "Date": {date}}
		got, ok := RetryAfter(h, anthropicNow, lo, hi)
		if ok && (got < lo || got > hi) || !ok && got != 0 {
			t.Errorf("RetryAfter = %v, %v", got, ok)
		}
	})
}
