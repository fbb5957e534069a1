package rotation

import (
	"testing"
	"time"
)

func TestSpansAreWordedInTwoUnits(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{
		{-time.Second, "0 s"},
		{time.Millisecond, "1 s"},
		{45 * time.Second, "45 s"},
		{time.Minute, "1 min"},
		{61 * time.Second, "2 min"},
		{59 * time.Minute, "59 min"},
		{59*time.Minute + time.Second, "1 h"},
		{time.Hour, "1 h"},
		{time.Hour + 12*time.Minute, "1 h 12 min"},
		{2 * time.Hour, "2 h"},
		{day - time.Second, "1 d"},
		{50 * time.Hour, "2 d 2 h"},
		{7 * day, "7 d"},
	} {
		if got := span(tt.d); got != tt.want {
			t.Errorf("span(%v) = %q, want %q", tt.d, got, tt.want)
		}
	}
}
