package rotation

import (
	"fmt"
	"time"
)

// span words a time that is to be waited, in its two greatest units: 2 d 2 h. It
// rounds up to whole ones: nobody is called before the wait is over.
func span(d time.Duration) string {
	switch {
	case d <= time.Minute-time.Second:
		return fmt.Sprintf("%d s", whole(d, time.Second))
	case d <= time.Hour-time.Minute:
		return fmt.Sprintf("%d min", whole(d, time.Minute))
	case d <= 24*time.Hour-time.Minute:
		return units(whole(d, time.Minute), 60, "h", "min")
	}
	return units(whole(d, time.Hour), 24, "d", "h")
}

// whole is how many units d takes, the last one begun.
func whole(d, unit time.Duration) int {
	return int((max(d, 0) + unit - 1) / unit)
}

// units words n small units, of which so many make a great one.
func units(n, perGreat int, great, small string) string {
	if n%perGreat == 0 {
		return fmt.Sprintf("%d %s", n/perGreat, great)
	}
	return fmt.Sprintf("%d %s %d %s", n/perGreat, great, n%perGreat, small)
}
